"""A peer in memory is the real server, over a network that does what the test says."""

import errno
import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import (
    CallFailed,
    ConnectionEnded,
    ConnectionFailed,
    LifecycleError,
    NotSent,
    PageError,
    WrongParameters,
)
from lifecycle.testing.peer import REMEMBERED, Peer
from lifecycle.testing.peer.link import Link
from lifecycle.testing.peer.pipe import GatedPipe
from lifecycle.testing.puppet import NotThere
from lifecycle.testing.virtual import run
from lifecycle.trio.pipes.memory import ROOM, memory_pair

GATE = Path(__file__).parents[2] / "docs" / "examples" / "gate.yaml"
NARROW = """
lifecycle: 1
page: narrow
role: server
hears: {disconnect: {}}
variables: {count: {count: 0, max: 10}}
causes: [{otherwise: true, is: lost}]
messages:
  codec: json
  routes: [{raise: counted, fields: {count: count}}]
states:
  up:
    status: ready
    rest: true
    exit: drop
    clauses:
      N1: {on: counted, do: {set: {count: =event.count}}}
      N2: {on: [lost, disconnect], to: over}
  over: {status: closed, final: done}
"""
"""A page that promises more than it can keep."""
both = pytest.mark.parametrize("library", ["trio-websocket", "websockets"])


class Calls:
    """The calls of the gate."""

    async def check(self, *, key: str | None) -> None:
        if key != "open sesame":
            raise CallFailed("forbidden")

    async def replay(self, *, after: float):
        for number in range(int(after) + 1, 3):
            yield number


async def echo(connection: lifecycle.Connection) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


def websocket(peer: Peer, **settings: Any) -> lifecycle.Connection:
    """A client of the bundled page."""
    return lifecycle.open("websocket", **{"url": peer.url, "transport": peer.dialer, "seed": 1} | settings)


# What runs is real


@both
async def test_a_page_of_the_other_role_is_the_server(library: str) -> None:
    """Its states admit and refuse, its frames are sent, its handler answers; the client sees a real handshake."""

    async def shout(connection: lifecycle.Connection) -> None:
        async for body in connection:
            await connection.send({"type": "answer", "body": body.upper()})

    async with Peer(GATE, shout, calls=Calls(), transport=library) as peer:
        async with websocket(peer, url=f"{peer.url}?after=0&key=open%20sesame") as connection:
            await connection.ready()
            await connection.send('{"type": "ask", "body": "hello"}')
            told = [json.loads(await anext(connection)) for _ in range(3)]
            assert told[:2] == [{"type": "past", "event": 1}, {"type": "past", "event": 2}]
            assert told[2] == {"type": "answer", "body": "HELLO"}
            assert await peer.receive() == {"type": "ask", "body": "hello"}
            (served,) = peer.server.connections
            assert served.variables["cursor"] == 0
        async with websocket(peer, url="wss://elsewhere.example/") as connection:
            with pytest.raises(ConnectionFailed, match="403"):
                await connection.ready()
        assert [dial.request.host for dial in peer.dials] == ["peer.test", "elsewhere.example"]
        assert peer.server.counts == {"accepted": 2}


@both
async def test_a_plain_server_that_the_test_plays(library: str) -> None:
    """Without a page it takes everybody; the test hears every message once, and says what it likes."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        link = await peer.connected()
        await connection.send("one")
        await connection.send(b"two")
        assert [await peer.receive(), await peer.receive()] == ["one", b"two"]
        link.send("text")
        link.send(b"bytes")
        link.send({"any": ["value", None]})
        assert [await anext(connection) for _ in range(3)] == ["text", b"bytes", '{"any": ["value", null]}']
        assert list(peer.received) == ["one", b"two"]
        assert peer.link is link


async def test_the_server_of_an_embedder() -> None:
    """What `lifecycle.serve` has made is served in memory as it is, with its handler, its limits and its counts."""
    server = lifecycle.serve("websocket-server", echo, port=0, limit=1, transport="websockets")
    async with Peer(server) as peer, websocket(peer) as first:
        await first.send("hello")
        assert await anext(first) == "hello"
        async with websocket(peer) as second:
            await trio.testing.wait_all_tasks_blocked()
            assert (first.status, second.status) == ("ready", "waiting")
            assert "HTTP status 503" in second.why
        assert (server.port, server.counts) == (0, {"accepted": 1, "refused": 1})


async def test_an_hour_of_heartbeats_in_an_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket is made, no thread is started and no name is looked up, so the clock jumps and nobody is blamed."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a socket, a thread or a look-up")

    async with Peer() as peer, websocket(peer, url="wss://no.such.name.example/") as connection:
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        monkeypatch.setattr(trio.to_thread, "run_sync", refuse)
        await connection.ready()
        heard = 0
        with trio.move_on_after(3600):
            async for step in connection.changes():
                heard += step.event == "heard"
        monkeypatch.undo()
        assert heard == pytest.approx(3600 / 20, abs=2)
        assert (connection.status, len(peer.dials), connection.why) == ("ready", 1, "")


async def story() -> list[object]:
    """Six clients ask at once, again and again, and all their connections are dropped in the middle of it."""
    seen: list[object] = []
    async with Peer(handler=echo) as peer, trio.open_nursery() as nursery:

        async def client(number: int) -> None:
            async with websocket(peer, seed=number) as connection:
                for _ in range(3):
                    await connection.send(str(number))
                    seen.append((trio.current_time(), number, str(await anext(connection))))
                    await trio.sleep(1)

        for number in range(6):
            nursery.start_soon(client, number)
        await trio.sleep(1.5)
        for link in peer.links:
            link.drop()
    return [*seen, *peer.received]


def test_the_same_seed_is_the_same_run() -> None:
    """With a seed for the scheduler and one for the jitter, every step comes at the same time in the same order."""
    told = [run(story, seed=seed) for seed in (1, 1, 2)]
    assert told[0] == told[1] != told[2]


def test_the_same_seed_in_another_process() -> None:
    """Neither addresses of objects nor the hashes of texts decide anything."""
    code = f"import runpy; it = runpy.run_path({__file__!r}); print(it['run'](it['story'], seed=1))"
    for hashes in ("1", "2"):
        command = [sys.executable, "-c", code]
        environment = os.environ | {"PYTHONHASHSEED": hashes}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == str(run(story, seed=1))


@pytest.mark.real_time(limit=10)
async def test_by_the_real_clock() -> None:
    """It needs no virtual clock."""
    async with Peer(handler=echo) as peer, websocket(peer) as connection:
        await connection.send("hello")
        assert await anext(connection) == "hello"


# What the test does to connections


@both
async def test_it_says_goodbye(library: str) -> None:
    """The client hears the code and the reason, dials again, and the server's page learns that it is over."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        first = await peer.connected()
        first.send("one")
        assert await anext(connection) == "one"
        first.close(1012, "restart")
        assert not first.open
        second = await peer.connected()
        await connection.ready()
        assert (list(peer.links), second.open) == ([first, second], True)
        mark = await anext(connection)
        assert mark.why == "the peer closed with code 1012: restart"
        await trio.testing.wait_all_tasks_blocked()
        assert len(peer.server.connections) == 1


@both
@pytest.mark.parametrize(
    ("cut", "why"),
    [
        (Link.drop, "eof: the peer ended the connection without a close frame"),
        (Link.reset, f"reset: {os.strerror(errno.ECONNRESET)}"),
    ],
    ids=["drop", "reset"],
)
async def test_the_connection_is_cut(library: str, cut: Callable[[Link], None], why: str) -> None:
    """Both ends learn it at once, in the words of a real network; the client comes back."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        link = peer.link
        (served,) = peer.server.connections
        link.send("before")
        cut(link)
        await trio.testing.wait_all_tasks_blocked()
        assert (connection.status, served.status, link.open) == ("waiting", "closed", False)
        assert connection.why.startswith(why)
        assert served.history[-1].cause == why
        await connection.ready()
        assert (len(peer.links), len(peer.server.connections)) == (2, 1)
        if cut is Link.drop:
            assert await anext(connection) == "before"
        connection.post("after")
        assert await peer.receive() == "after"


@both
async def test_it_falls_silent(library: str) -> None:
    """Nobody is told; each end finds out by its heartbeat, and the next dial goes through."""
    async with Peer(transport=library, heartbeat_after=300) as peer, websocket(peer) as connection:
        await connection.ready()
        link = peer.link
        (served,) = peer.server.connections
        began = trio.current_time()
        link.fall_silent()
        assert not link.open
        connection.post("into the void")
        served.post("out of the void")
        peer.release()
        assert connection.status == served.status == "ready"
        await peer.connected()
        assert trio.current_time() - began == pytest.approx(40, abs=1)
        assert served.status == "ready"
        await trio.sleep(300)
        assert served.history[-1].event == "timer.serving.up.asking.heartbeat_wait"
        assert not peer.received
        mark = connection_inbox(connection).take()  # what went into the void is told of
        assert mark.kind == "lost"


@both
async def test_a_silent_client_does_not_hold_up_the_end(library: str) -> None:
    """The server would wait for its answer to the goodbye; it is told that there will be none."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        peer.link.fall_silent()
        (served,) = peer.server.connections
        await connection.aclose()
        began = trio.current_time()
    assert (served.status, trio.current_time()) == ("closed", began)


@both
async def test_a_message_that_is_none(library: str) -> None:
    """A peer without manners sends what the client's codec cannot read, and the client ends it as the page says."""
    page = GATE.with_name("greeting.yaml")
    async with Peer(transport=library) as peer, trio.open_nursery() as nursery:
        connection = lifecycle.open(page, url=peer.url, transport=peer.dialer)
        await nursery.start(connection.run)
        assert json.loads(await peer.receive()) == {"type": "hello"}
        peer.link.send("not JSON")
        await trio.testing.wait_all_tasks_blocked()
        assert connection.why.startswith("protocol: not JSON")
        await connection.aclose()


async def test_a_client_that_sends_what_is_none() -> None:
    """What is no message of the server's codec is shown as it came."""
    async with Peer(GATE, calls=Calls()) as peer, websocket(peer, url=f"{peer.url}?key=open%20sesame") as connection:
        await connection.send("not JSON")
        assert await peer.receive() == "not JSON"


@both
@pytest.mark.parametrize("cut", [Link.drop, Link.reset, Link.close, Link.fall_silent])
async def test_a_server_that_still_writes(library: str, cut: Callable[[Link], None]) -> None:
    """Who writes to a connection that was cut is told by its end and by nothing else: no handler fails of it."""

    async def chatter(connection: lifecycle.Connection) -> None:
        await connection.send("first")
        assert [await anext(connection) for _ in range(2)] == ["one", "two"]
        for _ in range(3):
            await connection.send("and on")
        await trio.sleep(1)
        assert connection.status == ("ready" if cut is Link.fall_silent else "closed")

    async with Peer(handler=chatter, transport=library) as peer, websocket(peer) as connection:
        assert await anext(connection) == "first"
        connection.post("one")
        connection.post("two")
        while len(peer.received) < 2:
            await trio.lowlevel.checkpoint()
        cut(peer.link)
        peer.refuse(1000)
        await trio.sleep(3)
        assert (connection.status, len(peer.links)) == ("ready" if cut is Link.fall_silent else "waiting", 1)
    assert peer.server.counts["crashed"] == 0


# What the test does to dials


async def test_nobody_listens_for_a_while() -> None:
    """So many dials are refused by the system, and the next one goes through."""
    async with Peer() as peer:
        peer.refuse(3)
        async with websocket(peer) as connection:
            await connection.ready()
            assert connection.why == ""
            assert len(peer.dials) == 4
            assert [step.cause for step in connection.history if step.event == "lost.network"] == [
                f"refused: {os.strerror(errno.ECONNREFUSED)}"
            ] * 3
        assert peer.server.counts == {"accepted": 1}


@both
async def test_a_busy_server_asks_for_a_pause(library: str) -> None:
    """The handshake is answered with a status and Retry-After, and the client obeys."""
    async with Peer(transport=library) as peer:
        peer.refuse(2, http=503, retry_after=7)
        async with websocket(peer) as connection:
            await connection.ready()
            times = [dial.at for dial in peer.dials]
            assert [later - sooner for sooner, later in pairwise(times)] == pytest.approx([7, 7])
            assert "HTTP status 503" in " ".join(step.cause for step in connection.history)
            assert len(peer.links) == 1


async def test_a_refusal_that_takes_the_place_of_another() -> None:
    """The last word counts, and none means none."""
    async with Peer() as peer:
        peer.refuse(1_000_000)
        peer.refuse(0)
        async with websocket(peer) as connection:
            await connection.ready()
        assert len(peer.dials) == 1


async def test_before_and_after_its_life_nobody_listens() -> None:
    """A dial that comes too soon or too late is refused, and so is whoever waits for something."""
    peer = Peer()
    async with websocket(peer, max_attempts=1) as connection:
        with pytest.raises(ConnectionFailed):
            await connection.ready()
        with pytest.raises(NotThere, match="no client is connected"):
            _ = peer.link
    async with websocket(peer, max_attempts=1000) as connection, trio.open_nursery() as nursery:
        async with peer:
            await connection.ready()
            link = peer.link
            nursery.start_soon(refused, peer.receive)
        await trio.sleep(60)
        assert (connection.status, link.open) == ("waiting", False)
        await refused(peer.connected)
    with pytest.raises(ConnectionEnded, match="a peer runs once"):
        await peer.__aenter__()


async def refused(wait: Callable[[], Awaitable[object]]) -> None:
    """Nothing comes any more."""
    with pytest.raises(NotThere, match="the peer has ended"):
        await wait()


# What the test does to the network


@both
async def test_what_is_held_up_comes_later(library: str) -> None:
    """Either way or both: nothing is lost, and the order stays."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        for way in ("up", "down", "both"):
            peer.hold(way)  # type: ignore[arg-type]
            for number in range(3):
                peer.link.send(f"down {number}")
                await connection.send(f"up {number}")
            await trio.sleep(5)
            assert len(connection_inbox(connection)) == (3 if way == "up" else 0)
            assert len(peer.received) == (3 if way == "down" else 0)
            peer.release()
            assert [await anext(connection) for _ in range(3)] == ["down 0", "down 1", "down 2"]
            assert [await peer.receive() for _ in range(3)] == ["up 0", "up 1", "up 2"]
            peer.received.clear()


def connection_inbox(connection: lifecycle.Connection) -> Any:
    """What has come and waits for the user."""
    return connection._driver.mail.inbox


@both
async def test_a_release_of_one_way(library: str) -> None:
    """The other one is still held up."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        peer.hold()
        peer.link.send("down")
        await connection.send("up")
        peer.release("up")
        assert await peer.receive() == "up"
        await trio.sleep(5)
        assert len(connection_inbox(connection)) == 0
        peer.release("down")
        assert await anext(connection) == "down"


@both
async def test_a_dial_into_a_network_that_stalls(library: str) -> None:
    """It is held up too: the client gives it up, and so does the server; later ones go through."""
    async with Peer(transport=library, patience=10) as peer:
        peer.hold()
        async with websocket(peer) as connection:
            with pytest.raises(lifecycle.NotReady):
                await connection.ready(60)
            assert len(peer.dials) > 1
            peer.release()
            await connection.ready(60)
        assert peer.server.counts["accepted"] == 1


@both
async def test_what_is_held_up_is_bounded(library: str) -> None:
    """A lane has room for so much; then the sender feels it, as with TCP, and goes on when it is let through."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        peer.hold("up")
        messages = [random.Random(number).randbytes(ROOM // 2) for number in range(8)]  # what no compression makes less
        tickets = [connection.post(message) for message in messages]
        await trio.sleep(5)
        assert [ticket.fate for ticket in tickets] == ["sent", *["taken"] * 3, *["queued"] * 4]
        peer.release()
        await trio.testing.wait_all_tasks_blocked()
        assert {ticket.fate for ticket in tickets} == {"sent"}
        assert [await peer.receive() for _ in range(8)] == messages


@both
async def test_an_end_that_is_held_up(library: str) -> None:
    """It is heard when the network lets it through, after what was sent before it."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        await connection.ready()
        peer.hold()
        peer.link.send("last words")
        peer.link.drop()
        await trio.sleep(5)
        assert connection.status == "ready"
        peer.release()
        assert await anext(connection) == "last words"
        await trio.testing.wait_all_tasks_blocked()
        assert connection.status == "waiting"


async def test_what_is_written_to_a_connection_that_was_dropped() -> None:
    """The network takes it, as a system does, but not before what was written earlier; the reader tells the end."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=4)
        pipe, peer = (GatedPipe(end, lambda: None) for end in (ours, theirs))
        pipe.write(b"012345")
        pipe.drop()
        peer.drop()
        pipe.write(b"later")
        assert (pipe.given, pipe.sent) == (11, 4)
        assert (await read(pipe), pipe.broken) == (b"", None)
        assert [await read(peer) for _ in range(3)] == [b"0123", b"45", b""]
        assert (pipe.given, pipe.sent) == (11, 11)
        pipe.abort()
        with pytest.raises(trio.BrokenResourceError):
            pipe.write(b"too late")


async def test_what_is_written_to_a_connection_that_was_reset() -> None:
    """It never leaves, and writing does not raise: the reader tells, and what was on its way is lost."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        pipe, peer = (GatedPipe(end, lambda: None) for end in (ours, theirs))
        peer.write(b"on its way")
        pipe.reset()
        pipe.write(b"later")
        assert (pipe.given, pipe.sent) == (5, 0)
        assert await read(pipe) == b""
        assert pipe.broken is not None
        assert pipe.broken.errno == errno.ECONNRESET


async def test_a_reader_that_waits_is_told_of_a_reset() -> None:
    """At once, though no byte comes."""
    async with trio.open_nursery() as nursery:
        ours, _ = memory_pair(nursery.start_soon)
        pipe = GatedPipe(ours, lambda: None)
        began = trio.current_time()

        async def reset() -> None:
            await trio.sleep(1)
            pipe.reset()

        nursery.start_soon(reset)
        with trio.fail_after(60):
            assert await read(pipe) == b""
        assert trio.current_time() == began + 1


async def test_a_reader_that_is_held_up_is_told_of_its_own_abort() -> None:
    """Nobody waits at a gate that will not open."""
    async with trio.open_nursery() as nursery:
        ours, _ = memory_pair(nursery.start_soon)
        pipe = GatedPipe(ours, lambda: None)
        pipe.hold()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await pipe.ready()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        pipe.abort()
        assert pipe.read() == b""


async def read(pipe: GatedPipe) -> bytes:
    """Wait for the next bytes, or the end."""
    while True:
        await pipe.ready()
        data = pipe.read()
        if data is not None:
            return data


# How it ends


@pytest.mark.parametrize("held", [False, True])
async def test_who_is_still_there_is_told_goodbye(*, held: bool) -> None:
    """The server drains, also over a network that was held up: the page closes with its own code, and nothing is left."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    peer = Peer(handler=echo)
    async with trio.open_nursery() as nursery:
        async with peer:
            connection = websocket(peer)
            await nursery.start(connection.run)
            await connection.ready()
            if held:
                peer.hold()
        assert connection.why.startswith("the peer closed with code 1001")
        await connection.aclose()
    assert not peer._wires
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_a_handler_that_fails_fails_the_test() -> None:
    """Its own exception comes out at once, not in a group, and the body does not go on."""

    async def handle(connection: lifecycle.Connection) -> None:
        async with trio.open_nursery():
            assert await anext(connection) == "what was expected"

    async def test() -> None:
        async with Peer(handler=handle) as peer, websocket(peer) as connection:
            await connection.send("what came")
            await trio.sleep_forever()

    with pytest.raises(AssertionError, match="what came"):
        await test()


async def test_a_handler_that_fails_at_the_end_fails_the_test() -> None:
    """What it finds out when its client has gone is not lost, though the body is over."""

    async def handle(connection: lifecycle.Connection) -> None:
        assert [message async for message in connection] == ["what was expected"]

    async def test() -> None:
        async with Peer(handler=handle) as peer, websocket(peer) as connection:
            await connection.send("what came")

    with pytest.raises(AssertionError, match="what came"):
        await test()


async def test_a_page_that_fails_fails_the_test(caplog: pytest.LogCaptureFixture) -> None:
    """A promise of the server's page that does not hold is told at the end; the server itself would only log it."""
    page = read_text(NARROW, "narrow.yaml")

    async def test(peer: Peer) -> None:
        async with peer, websocket(peer) as connection:
            await connection.send('{"count": 11}')
            await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(LifecycleError, match="narrow: a connection has failed: the log says how"):
        await test(Peer(page))
    server = lifecycle.serve(page, port=0)
    await test(Peer(server))
    assert server.counts["crashed"] == 1
    assert "DriverFailed" in caplog.text


async def test_a_connection_that_ends_is_no_failure_of_its_handler() -> None:
    """A handler that is told so in the middle of its work fails nothing."""
    told: list[BaseException] = []

    async def handle(connection: lifecycle.Connection) -> None:
        try:
            while True:
                await connection.send("on and on")
                await trio.sleep(1)
        except NotSent as error:
            told.append(error)
            raise

    async with Peer(handler=handle) as peer, websocket(peer) as connection:
        await connection.ready()
        peer.link.drop()
        await trio.sleep(5)
        await connection.ready()
        assert len(told) == 1
    assert peer.server.counts["crashed"] == 0


async def test_what_the_body_raises_leaves_as_it_is() -> None:
    """Not in a group, and whatever is still connected is ended."""
    peer = Peer()

    async def test() -> None:
        async with peer, websocket(peer) as connection:
            await connection.ready()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await test()
    assert not peer._wires


async def test_a_peer_that_is_cancelled_ends_at_once() -> None:
    """With clients that are connected, silent and on the way."""
    with trio.move_on_after(30) as scope:
        async with Peer(handler=echo) as peer, websocket(peer) as first, websocket(peer) as second:
            await first.ready()
            await second.ready()
            peer.link.fall_silent()
            peer.hold()
            async with websocket(peer):
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == 30
    assert not peer._wires


async def test_many_clients_that_come_and_go() -> None:
    """Nothing stays of who has gone but what the test may look at, and that is bounded."""
    async with Peer(limit=50) as peer:
        async with trio.open_nursery() as nursery:

            async def client(number: int) -> None:
                async with websocket(peer, seed=number) as connection:
                    for _ in range(5):
                        await connection.ready()
                        connection.post(str(number))
                        await trio.sleep(1)

            for number in range(20):
                nursery.start_soon(client, number)
            await trio.sleep(2.5)
            assert len(peer._wires) == 20
            for link in list(peer.links)[::2]:
                link.drop()
        await trio.testing.wait_all_tasks_blocked()
        assert not peer._wires
        assert len(peer.links) == 30
        assert {message: list(peer.received).count(message) for message in peer.received} == {
            str(number): 5 for number in range(20)
        }
    assert peer.received.maxlen == peer.links.maxlen == peer.dials.maxlen == REMEMBERED


# What is asked wrongly


@both
async def test_what_cannot_be_done_to_a_connection(library: str) -> None:
    """One that is not open says so; a code or a value that cannot be sent changes nothing."""
    async with Peer(transport=library) as peer, websocket(peer) as connection:
        link = await peer.connected()
        with pytest.raises(ValueError, match="1005"):
            link.close(1005)
        with pytest.raises(ValueError, match="Out of range"):
            link.send(float("nan"))
        assert link.open
        link.drop()
        doings: tuple[Callable[[], None], ...] = (
            lambda: link.send("x"),
            link.close,
            link.drop,
            link.reset,
            link.fall_silent,
        )
        for do in doings:
            with pytest.raises(NotThere, match="this connection is not open"):
                do()
        await connection.ready()


async def test_what_cannot_be_asked_of_a_peer() -> None:
    """Each mistake has a sentence, and nothing has changed."""
    peer = Peer()
    for wrong, words in [
        ({"times": -1}, "0 or more"),
        ({"http": 503, "retry_after": -1}, "0 or more"),
        ({"http": 200}, "400 to 599, not 200"),
        ({"retry_after": 5}, "say `http` too"),
    ]:
        with pytest.raises(ValueError, match=words):
            peer.refuse(**wrong)  # type: ignore[arg-type]
    for do in (peer.hold, peer.release):
        with pytest.raises(ValueError, match="must be both, up or down, not 'sideways'"):
            do("sideways")  # type: ignore[arg-type]
    async with peer, websocket(peer) as connection:
        await connection.ready()
        assert len(peer.dials) == 1


def test_what_no_peer_can_be_made_of() -> None:
    """A page of the wrong role, settings that do not fit, sockets, a server that was used, settings beside a server."""
    with pytest.raises(WrongParameters, match="its role is client"):
        Peer("websocket")
    with pytest.raises(WrongParameters, match="check"):
        Peer(GATE)
    with pytest.raises(WrongParameters, match="colour"):
        Peer(colour="red")
    with pytest.raises(PageError):
        Peer("no-such-page")
    with pytest.raises(TypeError, match="takes no port and no tls"):
        Peer(port=80, tls=None)
    server = lifecycle.serve("websocket-server", port=0)
    with pytest.raises(TypeError, match="pass nothing beside it"):
        Peer(server, echo)
    Peer(server)
    with pytest.raises(ConnectionEnded, match="a server runs once"):
        Peer(server)
