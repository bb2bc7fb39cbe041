"""The bundled pages of Socket.IO: a client and a server in memory, and a server that does what servers should not."""

import contextlib

import pytest
import trio

import lifecycle
from lifecycle.errors import CallFailed, ConnectionFailed
from lifecycle.testing import Peer

from .raw_socketio import OPEN, RAW


class Doorkeeper:
    """Lets in who is there for `/` or `/room` with the right word, and remembers what was said."""

    def __init__(self):
        self.asked = []

    async def authorize(self, *, namespace, auth, sid):
        self.asked.append((namespace, auth))
        if namespace not in ("/", "/room"):
            raise CallFailed("namespace", "Invalid namespace")
        if auth == {"token": "wrong"}:
            raise CallFailed("token", "Who are you?")


@contextlib.asynccontextmanager
async def served(handler=None, keeper=None, **settings):
    """A server page, and a client that is begun."""
    keeper = keeper or Doorkeeper()
    async with (
        Peer("socketio-server", handler, calls=keeper) as peer,
        lifecycle.open("socketio", url=peer.url, transport=peer.dialer, seed=1, **settings) as client,
    ):
        yield peer, client


@pytest.fixture
def raw(tmp_path):
    """A peer that says nothing by itself."""
    page = tmp_path / "raw.yaml"
    page.write_text(RAW)
    return lambda: Peer(page)


async def test_events_go_both_ways_and_are_acknowledged():
    """A packet is a message: text and bytes, to the handler and back; an acknowledgement answers a request."""

    async def handler(connection):
        await connection.ready()
        async for message in connection:
            await connection.send({"event": "echo", "args": message["args"]})
            if "id" in message:
                await connection.send({"packet": "ack", "id": message["id"], "args": ["taken"]})

    async with served(handler, token="right") as (_, client):
        assert await client.request("say", ["hello", b"\x00\xff"]) == ["taken"]
        assert await anext(client) == {
            "packet": "event", "namespace": "/", "event": "echo", "args": ["hello", b"\x00\xff"],
        }  # fmt: skip
        await client.send({"event": "say"})
        assert (await anext(client))["args"] == []
        assert client.variables["online.sid"]


async def test_the_token_is_sent_with_connect_or_left_out():
    """None is no payload at all; another namespace is asked for by a parameter."""
    keeper = Doorkeeper()
    async with served(keeper=keeper, token="right", namespace="/room") as (_, client):
        await client.ready()
    async with served(keeper=keeper) as (_, client):
        await client.ready()
    assert keeper.asked == [("/room", {"token": "right"}), ("/", None)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"namespace": "/nope"}, "The server has no such namespace."),
        ({"token": "wrong"}, "The server refuses this client."),
    ],
)
async def test_who_is_denied_is_not_dialled_again(settings, words):
    """The server's words are told, after a sentence for the user."""
    async with served(**settings) as (peer, client):
        with pytest.raises(ConnectionFailed, match=words):
            await client.ready()
        await trio.sleep(100)
        assert (client.status, len(peer.dials)) == ("failed", 1)


async def test_what_is_said_before_somebody_is_let_in_is_not_heard():
    """An event before CONNECT does not reach the handler; one after it does."""
    heard = []

    async def handler(connection):
        heard.extend([message["event"] async for message in connection])

    async with Peer("socketio-server", handler, calls=Doorkeeper()) as peer:
        url = f"{peer.url}?EIO=4&transport=websocket"
        async with lifecycle.open("websocket", url=url, transport=peer.dialer) as client:
            await client.send('42["early"]')
            await client.send("40")
            while not (await anext(client)).startswith("40"):
                pass
            await client.send('42["late"]')
            await trio.sleep(1)
            (connection,) = peer.server.connections
            assert connection.counters.unrouted == 1
    assert heard == ["late"]


async def test_early_events_are_kept_in_order(raw):
    """What the server says before it answers CONNECT is delivered, and does not make the connection ready."""
    async with raw() as peer, lifecycle.open("socketio", url=peer.url, transport=peer.dialer) as client:
        link = await peer.connected()
        link.send(OPEN)
        assert await peer.receive() == {"packet": "connect", "namespace": "/"}
        link.send({"event": "past", "args": [1]})
        link.send({"event": "past", "args": [2]})
        await trio.sleep(0.1)
        assert client.status == "authenticating"
        link.send({"packet": "connect", "data": {"sid": "s"}})
        link.send({"event": "now"})
        await client.ready()
        assert [(await anext(client))["args"] for _ in range(3)] == [[1], [2], []]


async def test_a_server_that_only_pings_is_given_up(raw):
    """No answer to CONNECT: pings are answered, and after `join_timeout` it is dialled again."""
    async with raw() as peer, lifecycle.open("socketio", url=peer.url, transport=peer.dialer, join_timeout=5) as client:
        link = await peer.connected()
        link.send(OPEN)
        for _ in range(10):
            if link.open:
                link.send({"packet": "ping"})
            await trio.sleep(1)
        assert [each["packet"] for each in peer.received].count("pong") == 5
        end = next(step.event for step in client.history if step.status == "waiting")
        assert end == "timer.online.joining.join_timeout"


@pytest.mark.parametrize("silent_after", ["open", "connect"])
async def test_a_server_that_falls_silent_is_left(raw, silent_after):
    """Before it has said a word, and after its announced interval and timeout."""
    async with raw() as peer, lifecycle.open("socketio", url=peer.url, transport=peer.dialer, open_timeout=3) as client:
        link = await peer.connected()
        if silent_after == "connect":
            link.send(OPEN)
            link.send({"packet": "connect", "data": {"sid": "s"}})
            await client.ready()
        began = trio.current_time()
        await trio.sleep(10)
        found = next(step.time for step in client.history if step.status == "waiting" and step.time >= began)
        assert found - began == pytest.approx(2 if silent_after == "connect" else 3, abs=0.1)


async def test_who_is_thrown_out_stays_away(raw):
    """DISCONNECT by the server is final; the wish to reconnect dials anew."""
    async with raw() as peer, lifecycle.open("socketio", url=peer.url, transport=peer.dialer) as client:
        for dials in (1, 2):
            link = await peer.connected()
            link.send(OPEN)
            link.send({"packet": "connect", "data": {"sid": "s"}})
            await client.ready()
            link.send({"packet": "disconnect"})
            await trio.sleep(60)
            assert (client.status, len(peer.dials)) == ("failed", dials)
            client.tell("reconnect")


async def test_a_second_connect_changes_nothing():
    """It is answered by an error, and the connection is as well as it was."""
    async with served() as (peer, client):
        await client.ready()
        await client.send({"packet": "connect"})
        await trio.sleep(1)
        assert (client.status, len(peer.dials)) == ("ready", 1)
        assert client.variables["online.sid"]


async def test_a_server_that_drains_is_met_again_and_one_that_hangs_up_is_not():
    """Draining closes without DISCONNECT; whoever is sent away for good is told so."""
    for wish, dials, status in (("drained", 2, "ready"), ("disconnect", 1, "failed")):
        async with served() as (peer, client):
            await client.ready()
            (connection,) = peer.server.connections
            connection.tell(wish)
            await trio.sleep(20)
            assert (client.status, len(peer.dials)) == (status, dials)


async def test_goodbye_is_said_in_the_namespace_and_then_on_the_wire(raw):
    """The end of the body leaves the namespace before it closes."""
    async with raw() as peer:
        async with lifecycle.open("socketio", url=peer.url, transport=peer.dialer, namespace="/room") as client:
            link = await peer.connected()
            link.send(OPEN)
            link.send({"packet": "connect", "namespace": "/room", "data": {"sid": "s"}})
            await client.ready()
        assert peer.received[-1] == {"packet": "disconnect", "namespace": "/room"}


@pytest.mark.parametrize(
    ("frame", "fate"),
    [
        ("9zzz", "waiting"),
        ("42{notjson", "waiting"),
        ("42[]", "waiting"),
        ('43999["late"]', "ready"),
        ('0{"pingInterval": "often"}', "ready"),
        ('40{"sid": {}}', "ready"),
        ('44["odd"]', "waiting"),
        ("6", "ready"),
    ],
)
async def test_what_a_server_should_not_say(raw, frame, fate):
    """A packet that is none ends the connection, which is dialled again; one that means nothing is counted."""
    async with raw() as peer, lifecycle.open("socketio", url=peer.url, transport=peer.dialer) as client:
        link = await peer.connected()
        link.send(OPEN)
        link.send({"packet": "connect", "data": {"sid": "s"}})
        await client.ready()
        link._there().send(frame)
        await trio.sleep(0.2)
        assert client.status == fate


async def test_a_message_that_is_too_long_ends_a_client_of_ours():
    """2 MB are more than the server takes: it closes with 1009, and its other clients stay; 5 MB are not even sent."""
    async with (
        served() as (peer, client),
        lifecycle.open("socketio", url=peer.url, transport=peer.dialer, seed=2) as other,
    ):
        await client.ready()
        await other.ready()
        client.post({"event": "much", "args": ["x" * 2_000_000]})
        await trio.sleep(0.2)
        assert (client.status, other.status) == ("waiting", "ready")
        assert "1009" in client.why
        with pytest.raises(lifecycle.NotSent, match="5000013 bytes"):
            await other.send({"event": "much", "args": ["x" * 5_000_000]})
        assert other.status == "ready"


@pytest.mark.parametrize(
    "query", ["EIO=3&transport=websocket", "EIO=4&transport=polling", "EIO=x&transport=websocket", ""]
)
async def test_whoever_speaks_another_version_is_turned_away(query):
    """With HTTP 400, before anything is admitted; a client of ours is told, and does not try again."""
    async with Peer("socketio-server", calls=Doorkeeper()) as peer:
        url = f"{peer.url}?{query}"
        async with lifecycle.open("websocket", url=url, transport=peer.dialer) as client:
            with pytest.raises(ConnectionFailed, match="400"):
                await client.ready()
        assert not peer.links


async def test_a_client_that_does_not_answer_pings_is_let_go():
    """The server asks, waits, and closes; one that never sends CONNECT is let go as well."""
    async with Peer(
        "socketio-server", calls=Doorkeeper(), ping_interval=1, ping_timeout=1, connect_timeout=1.5
    ) as peer:
        for said, limit in (("40", 2.0), (None, 1.5)):
            url = f"{peer.url}?EIO=4&transport=websocket"
            async with lifecycle.open("websocket", url=url, transport=peer.dialer) as client:
                await client.ready()
                began = trio.current_time()
                if said:
                    await client.send(said)
                await trio.sleep(5)
                found = next(step.time for step in client.history if step.status == "waiting")
                assert found - began == pytest.approx(limit, abs=0.1)
