"""A live from its start to its stop, both ends: in memory by the virtual clock, and over sockets of loopback."""

import pytest
import trio
import websockets.exceptions
import websockets.trio.client

import lifecycle
from lifecycle.errors import ConnectionFailed, NotSent
from lifecycle.observe import Trace
from lifecycle.testing import Peer

from .studio import AVATAR, FRESH, SOUND, STREAMING, TOKEN, Director, Studio, in_memory, opened, say, until

START = '|CTL|00|{"live":{"live_id":"one"},"auth":{"appid":"a","token":"%s"},"avatar":{"role":"x"},"streaming":{"type":"rtmp"}}'
QUICK = {"redial": {"first": 0.5, "factor": 1, "max": 0.5, "jitter": "none", "floor": 0.5}}


class Script:
    """A handler of a server that says what a test says: the texts and bytes of each connection, one after another."""

    def __init__(self, *connections):
        self.connections, self.heard = list(connections), []

    async def __call__(self, connection):
        says = self.connections.pop(0) if self.connections else ()
        self.heard.append(await anext(connection))
        for each in says:
            if isinstance(each, int):
                await trio.sleep(each)
            else:
                await connection.send(each)
        self.heard.extend([message async for message in connection])


def scripted(*connections, **settings):
    """A client of ours at a server that is no page of ours, but a script."""
    script = Script(*connections)
    settings = {"server": {"heartbeat_after": 3600}} | settings
    return script, in_memory(script, page="websocket-server", **settings)


# -- to the start


async def test_a_live_is_started_with_what_it_is():
    """The start says the id, the account, the avatar and where it streams to; ready is its acknowledgement."""
    studio = Studio()
    async with in_memory(studio) as (peer, client):
        assert client.status != "ready"
        await client.ready()
        (start,) = studio.asked
        assert {name: value for name, value in start.items() if name != "connection"} == {
            "live_id": "company_live0", "app_id": "an-account", "token": TOKEN, "avatar": AVATAR,
            "streaming": STREAMING, "script": None,
        }  # fmt: skip
        assert studio.lives == {"company_live0": start["connection"]}
        assert len(peer.dials) == 1


async def test_heartbeats_may_come_before_the_acknowledgement():
    """A studio that takes its time is alive: two beats come first, and neither is taken for the answer."""
    async with Peer("avatar-live-server", studio := Studio(thinks=6), calls=studio, heartbeat_interval=2) as peer:
        came = []
        async with lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as raw:
            await raw.send(START % TOKEN)
            while not came or came[-1] == "|MSG|02|":
                came.append(await anext(raw))
            assert came == ["|MSG|02|"] * (len(came) - 1) + ['|MSG|00|{"code":1000,"message":"success"}']
            assert len(came) >= 3
        studio.lives.clear()
        async with opened(peer.url, transport=peer.dialer) as client:
            await client.ready()
            assert len(peer.dials) == 2


async def test_a_server_of_heartbeats_alone_is_not_waited_for():
    """Signs of life are no acknowledgement: after the start's time the same live is tried again."""
    beats = ("|MSG|02|", 1) * 12
    script, home = scripted(beats, ["|MSG|02|", '|MSG|00|{"code":1000}'])
    async with home as (peer, client):
        await client.ready()
        assert 10 <= peer.dials[1].at - peer.dials[0].at <= 20
        starts = [message for message in script.heard if message.startswith("|CTL|00|")]
        assert len(starts) == 2
        assert starts[0] == starts[1]


async def test_a_server_that_says_nothing_at_first_is_given_up():
    """With the last attempt the client says so."""
    _, home = scripted(max_attempts=2)
    async with home as (peer, client):
        with pytest.raises(ConnectionFailed, match="no more attempts are made"):
            await client.ready()
        assert len(peer.dials) == 3


async def test_a_header_of_nine_characters_is_no_header():
    """What comes from such a server is the end of the connection, said in a sentence."""
    _, home = scripted(['|MSG|000|{"code":1000}'])
    async with home as (_, client):
        await until(lambda: client.status == "waiting")
        assert "8 characters" in client.history[-1].cause


async def test_nothing_is_told_before_it_is_live():
    """Sound waits for nobody."""
    async with in_memory(Studio(thinks=5)) as (_, client):
        with pytest.raises(NotSent):
            await client.send({"header": "DAT02", "body": SOUND})


async def test_what_is_left_out_is_refused_by_the_server():
    """A start without a live, and one that is no object, are bad requests; then the server closes with 4999."""
    for start in ("|CTL|00|{}", "|CTL|00|", '|CTL|00|{"live":{"live_id":7},"auth":[]}'):
        studio = Studio()
        async with (
            Peer("avatar-live-server", studio, calls=studio) as peer,
            lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as raw,
        ):
            await raw.send(start)
            assert await anext(raw) == '|MSG|00|{"code":4000,"message":"it is 4000"}'
            await until(lambda raw=raw: raw.status != "ready")
            assert "4999" in raw.history[-1].cause


async def test_who_says_nothing_is_let_go():
    """An error, and the close that follows each."""
    async with (
        Peer("avatar-live-server", studio := Studio(), calls=studio, heartbeat_interval=60) as peer,
        lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as raw,
    ):
        assert await anext(raw) == '|MSG|01|{"code":4000,"message":"Nothing was said that is to be live."}'
        await until(lambda: raw.status != "ready")
        assert "4999" in raw.history[-1].cause


async def test_a_second_start_on_one_connection_changes_nothing():
    """It is refused, and the first live goes on, under its own id."""
    studio = Studio(quota=2)
    async with (
        Peer("avatar-live-server", studio, calls=studio, heartbeat_interval=60) as peer,
        lifecycle.open("websocket", url=peer.url, transport=peer.dialer) as raw,
    ):
        await raw.send(START % TOKEN)
        assert await anext(raw) == '|MSG|00|{"code":1000,"message":"success"}'
        await raw.send((START % TOKEN).replace('"one"', '"two"'))
        assert await anext(raw) == '|MSG|00|{"code":4000,"message":"This connection has a live already."}'
        await raw.send("|DAT|01|<speak/>")
        await until(lambda: studio.heard)
        assert (studio.heard, [*studio.lives]) == ([("one", {"header": "DAT01", "body": "<speak/>"})], ["one"])


# -- while it is live


async def test_the_avatar_speaks_and_is_interrupted():
    """Sound makes it speak; an interruption hushes it, and what was on its way does not make it speak again."""
    async with in_memory(studio := Studio()) as (peer, client):
        await client.ready()
        assert "online.live.speech.quiet" in client.state
        await client.send({"header": "DAT02", "body": SOUND})
        told = [await anext(client) for _ in range(3)]
        assert [frame["body"] if isinstance(frame["body"], bytes) else frame["body"]["type"] for frame in told] == [
            "voice_start", SOUND, "voice_continue",
        ]  # fmt: skip
        assert "online.live.speech.speaking" in client.state
        peer.hold("down")
        client.tell("interrupt")
        assert "online.live.speech.hushed" in client.state
        await until(lambda: len(studio.heard) == 2)
        assert studio.heard[-1] == ("company_live0", {"header": "CTL03"})
        (connection,) = peer.server.connections
        await say(connection, "voice_continue")
        peer.release("down")
        assert [(await anext(client))["body"]["type"] for _ in range(2)] == ["voice_end", "voice_continue"]
        await client.send({"header": "CTL12"})
        assert (await anext(client))["body"]["type"] == "voice_end"
        assert "online.live.speech.quiet" in client.state
        client.tell("interrupt")
        assert client.status == "ready"


async def test_silence_for_three_intervals_is_a_loss():
    """Neither a beat nor a ping for 15 seconds: the connection is dropped, and the same live is come back to."""
    studio, director = Studio(), Director()
    async with in_memory(studio, director) as (peer, client):
        await client.ready()
        await trio.sleep(600)
        assert (client.status, len(peer.dials)) == ("ready", 1)
        (await peer.connected()).fall_silent()
        since = trio.current_time()
        await until(lambda: client.status != "ready")
        assert 10 <= trio.current_time() - since <= 15.1
        assert client.history[-1].event == "timer.online.live.silence.asking.heartbeat_wait"
        studio.lives["company_live0"] = None  # the server has noticed too
        await client.ready()
        assert (director.given, len(studio.asked)) == (["company_live0"], 2)


async def test_beats_alone_keep_it_up():
    """A server whose pings do not come through, as in a browser, is heard by its heartbeats."""
    script, home = scripted(['|MSG|00|{"code":1000}', *("|MSG|02|", 9) * 20])
    async with home as (peer, client):
        await client.ready()
        await trio.sleep(150)
        assert (client.status, len(peer.dials), len(script.heard)) == ("ready", 1, 1)


async def test_a_client_that_is_half_open_is_let_go():
    """The server hears nothing for three intervals, not even pongs: the live is free to be come back to."""
    async with in_memory(studio := Studio()) as (peer, client):
        await client.ready()
        (await peer.connected()).fall_silent()
        since = trio.current_time()
        await until(lambda: studio.lives == {"company_live0": None})
        assert 10 <= trio.current_time() - since <= 15.1
        await until(lambda: client.status == "waiting")
        await client.ready()
        assert len(studio.asked) == 2


async def test_two_connections_do_not_control_one_live():
    """A second client with the same live_id is refused, and does not take the live from the first."""
    studio = Studio(quota=2)
    async with in_memory(studio, Director(ids=["one"])) as (peer, client):
        await client.ready()
        async with opened(peer.url, Director(ids=["one"]), transport=peer.dialer) as other:
            with pytest.raises(ConnectionFailed, match="Another connection controls this live"):
                await other.ready()
        assert client.status == "ready"


async def test_a_close_without_a_message_is_no_code():
    """4999 alone is a loss; 1000 without our stop means that the live is over."""
    async with in_memory(studio := Studio()) as (peer, client):
        await client.ready()
        (await peer.connected()).close(4999)
        await until(lambda: client.status == "waiting")
        await client.ready()
        assert len(studio.asked) == 2
        (connection,) = peer.server.connections
        connection.tell("disconnect")
        await until(lambda: client.status == "failed")
        assert client.history[-1].say == "The server has ended the live."
        assert client.variables["held"] is False


async def test_a_server_that_goes_away_is_met_again():
    """Drained, it closes with 1001, and the live is come back to."""
    async with in_memory(studio := Studio()) as (peer, client):
        await client.ready()
        (connection,) = peer.server.connections
        connection.tell("drained")
        await until(lambda: client.status == "waiting")
        await client.ready()
        assert {start["live_id"] for start in studio.asked} == {"company_live0"}


# -- the stop


async def test_a_stop_is_answered_by_the_servers_close():
    """`|CTL|01|`, and then the server closes with 1000; the place is free, and the next live has another id."""
    studio, director = Studio(), Director()
    async with in_memory(studio, director) as (_, client):
        await client.ready()
        client.tell("disconnect")
        assert client.status == "closing"
        await until(lambda: client.status == "closed" and not studio.lives)
        assert client.history[-1].event == "ended.by_server"
        client.tell("connect")
        await until(lambda: client.status == "ready")
        assert director.given == ["company_live0", "company_live1"]


async def test_a_start_that_may_have_been_taken_is_stopped():
    """A user who gives up while it starts leaves no live behind."""
    async with in_memory(studio := Studio(thinks=5)) as (_, client):
        await until(lambda: studio.asked)
        client.tell("disconnect")
        await until(lambda: client.status == "closed")
        assert client.history[-1].event == "ended.by_server"
        assert studio.lives == {}


async def test_a_stop_that_nobody_answers_has_an_end():
    """After a while we say goodbye ourselves."""
    script, home = scripted(['|MSG|00|{"code":1000}'])
    async with home as (_, client):
        await client.ready()
        client.tell("disconnect")
        await until(lambda: client.status == "closed")
        assert script.heard[1:] == ["|CTL|01|"]
        assert client.history[-1].event == "closed"


# -- sockets, and what is written down


@pytest.mark.real_time
@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
async def test_a_live_on_sockets(transport):
    """Start, sound both ways, a loss, the same live again, and the stop."""
    studio, director = Studio(), Director()
    beats = {"heartbeat_interval": 0.2, "heartbeats_missed": 300}
    async with lifecycle.serve("avatar-live-server", studio, port=0, calls=studio, **beats) as server:
        url = f"ws://127.0.0.1:{server.port}/virtual_human/avatar_live/live"
        async with opened(url, director, transport=transport, **QUICK) as client:
            await client.ready()
            for _ in range(20):
                await client.send({"header": "DAT02", "body": SOUND})
                assert [(await anext(client))["header"] for _ in range(3)] == ["DAT02"] * 3
            (connection,) = server.connections
            connection.tell("drained")
            await until(lambda: client.epoch == 2 and client.status == "ready")
            await client.send({"header": "DAT01", "body": "<speak>again</speak>"})
            await until(lambda: len(studio.heard) == 21)
        await until(lambda: not studio.lives)
    assert director.given == ["company_live0"]
    assert {live for live, _ in studio.heard} == {"company_live0"}


@pytest.mark.real_time
@pytest.mark.parametrize(("ending", "code"), [("fail", 4999), ("disconnect", 1000), ("drained", 1001)])
async def test_how_the_server_closes_on_the_wire(ending, code):
    """An error is a message, and then 4999; a stop is 1000: as another library sees it."""
    studio = Studio()
    async with (
        lifecycle.serve("avatar-live-server", studio, port=0, calls=studio) as server,
        websockets.trio.client.connect(f"ws://127.0.0.1:{server.port}/") as raw,
    ):
        await raw.send(START % TOKEN)
        assert await raw.recv() == '|MSG|00|{"code":1000,"message":"success"}'
        (connection,) = server.connections
        connection.tell(ending, **({"code": 5001, "message": "broken"} if ending == "fail" else {}))
        if ending == "fail":
            assert await raw.recv() == '|MSG|01|{"code":5001,"message":"broken"}'
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            await raw.recv()
        assert caught.value.rcvd.code == code


async def test_tokens_are_written_nowhere(caplog, tmp_path):
    """Neither in the trace of both ends, nor in the log, nor in what the connections show of themselves."""
    caplog.set_level(0)
    files = (tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl")
    studio = Studio()
    studio.verdicts = [4001]
    with Trace(files[0]) as ours, Trace(files[1]) as theirs:
        async with in_memory(studio, server={"instruments": [theirs]}, instruments=[ours]) as (peer, client):
            await client.ready()
            (connection,) = peer.server.connections
            connection.tell("fail", code=5000, message="and again")
            await until(lambda: client.epoch == 3 and client.status == "ready")
        shown = [repr(each) for end in (client, connection) for each in (end, end.history, end.why)]
        shown += [repr(client.variables["access"]), repr(connection.variables["token"])]
    text = "".join((*shown, caplog.text, *(file.read_text() for file in files)))
    assert "company_live0" in text
    for secret in (TOKEN, FRESH, "streaming-secret"):
        assert secret not in text
