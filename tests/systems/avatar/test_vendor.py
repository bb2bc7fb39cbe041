"""The vendor's own client, `volcengine-avatar-live` 1.0.8, at our server page: over a socket, in a thread of its own.

Of the protocol it speaks start, sound, end of sound, and a close with 1000; all else it does over HTTP, which is no
part of the page. It takes the first frame for the acknowledgement.
"""

import contextlib
import json

import pytest
import trio
from volcengine_avatar_live.client import LiveClient

import lifecycle

from .studio import SOUND, TOKEN, Director, Studio, opened, until

pytestmark = [
    pytest.mark.real_time(limit=60),
    # it uses websockets as versions before 17.1 wanted it to
    pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"),
]


def vendor(port, live="company_vendor", token=TOKEN):
    """A client as its own example makes it; it speaks without TLS to `localhost` alone."""
    client = LiveClient(f"localhost:{port}")
    client.logger.handlers.clear()  # one more with each client
    client.build_live(live).build_auth("an-account", token)
    client.build_avatar("someone", "", "", 0, {"video_width": 1080}, {}, {"voice_type": "a-voice"}, {})
    return client.build_streaming("rtmp://streams.example/live").build_simple_script([("text", "hello")])


@contextlib.asynccontextmanager
async def served(studio, **settings):
    """Our server page on a port of loopback; without beats at first, which this client does not expect."""
    given = {"heartbeat_interval": 60} | settings
    async with lifecycle.serve("avatar-live-server", studio, host="localhost", port=0, calls=studio, **given) as server:
        yield server


async def apart(function, *arguments):
    """Run a step of the vendor's client, which blocks."""
    return await trio.to_thread.run_sync(function, *arguments)


async def test_it_starts_speaks_and_ends():
    """What it says of its live arrives; its sound comes as bytes, in order; it ends with CTL12 and closes with 1000."""
    studio = Studio()
    async with served(studio) as server:
        client = vendor(server.port)
        for part in (b"", SOUND, SOUND[::-1]):
            await apart(client.stream, part)
        (start,) = studio.asked
        assert (start["live_id"], start["app_id"], start["token"]) == ("company_vendor", "an-account", TOKEN)
        assert start["avatar"]["role_conf"] == {"voice_type": "a-voice"}
        assert start["streaming"] == {"type": "rtmp", "rtmp_addr": "rtmp://streams.example/live"}
        assert start["script"]["product_list"][0]["scene_list"][0]["content_list"] == [
            {"mode": "text", "input": "hello"}
        ]
        (connection,) = server.connections
        await apart(client.end_stream)
        await until(lambda: not server.connections)
        assert studio.heard == [
            ("company_vendor", {"header": "DAT02", "body": SOUND}),
            ("company_vendor", {"header": "DAT02", "body": SOUND[::-1]}),
            ("company_vendor", {"header": "CTL12"}),
        ]
        assert (connection.history[-1].event, "1000" in connection.history[-1].cause) == ("ended", True)


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 5000, 5001, 5002])
async def test_it_understands_each_refusal(code):
    """Our answer to a start that is refused is what it raises: the code and the words."""
    studio = Studio()
    studio.verdicts = [code]
    async with served(studio) as server:
        with pytest.raises(ConnectionError, match=rf"^\[{code}\]it is {code}$"):
            await apart(vendor(server.port).stream, SOUND)
        await until(lambda: not server.connections)
        assert (studio.heard, studio.lives) == ([], {})


async def test_its_live_id_is_used_once():
    """The same live_id a second time is refused, as ours is."""
    studio = Studio()
    async with served(studio) as server:
        async with opened(f"ws://localhost:{server.port}/", Director(ids=["one"])) as ours:
            await ours.ready()
            with pytest.raises(ConnectionError, match=r"^\[4003\]"):
                await apart(vendor(server.port, "one").stream, SOUND)
            with pytest.raises(ConnectionError, match=r"^\[4002\]"):
                await apart(vendor(server.port, "two").stream, SOUND)
        await until(lambda: not studio.lives)
        with pytest.raises(ConnectionError, match=r"^\[4004\]"):
            await apart(vendor(server.port, "one").stream, SOUND)


async def test_a_heartbeat_first_breaks_it_and_not_ours():
    """It reads the acknowledgement out of whatever comes first; ours waits for the one that is meant."""
    studio = Studio(quota=2, thinks=1.5)
    async with served(studio, heartbeat_interval=0.5, heartbeats_missed=100) as server:
        theirs = vendor(server.port)
        with pytest.raises(json.JSONDecodeError):
            await apart(theirs.stream, SOUND)
        async with opened(f"ws://localhost:{server.port}/") as ours:
            await ours.ready()
        await apart(theirs.ws.close)


async def test_it_hears_of_an_error_by_the_close():
    """It does not listen while it streams: what it meets is the close with 4999 behind the message."""
    studio = Studio()
    async with served(studio) as server:
        client = vendor(server.port)
        await apart(client.stream, b"")
        (connection,) = server.connections
        connection.tell("fail", code=5001, message="broken")
        assert await apart(client.ws.recv) == '|MSG|01|{"code":5001,"message":"broken"}'
        with pytest.raises(Exception, match="4999"):
            await apart(client.ws.recv)
