"""A page of the role server, on real sockets: who is admitted, who is refused, and how it ends."""

import logging
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
import trustme

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import CannotListen, ConnectionEnded, NotReady, WrongParameters
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.pipe import SocketPipe
from lifecycle.trio.server import Server

pytestmark = pytest.mark.real_time(limit=10)
LIBRARIES = ("trio-websocket", "websockets")

GATE = """
lifecycle: 1
page: gate
role: server
variables:
  key:    {kept: secret, from: query.key}
  cursor: {kept: number, from: query.after, else: -1}
hears: {disconnect: {}, drained: {why: text}}
calls:
  check:  {takes: {key: secret}, timeout: 5 s}
  replay: {takes: {after: number}, yields: past, timeout: 5 s}
causes:
  - {otherwise: true, is: lost}
messages:
  codec: json
  routes:
    - {match: {type: ask}, deliver: body}
  frames:
    welcome: {type: welcome}
    past:    {type: past, number: =item}
    goodbye: {type: goodbye, why: =why}
variables_: {}
states:
  serving:
    exit: drop
    states:
      checking:
        status: authenticating
        call: {check: {key: =key}}
        ignore: [drained]
        clauses:
          G1: {on: done, do: [admit, {send: welcome}], to: replaying}
          G2: {on: failed, to: refusing}
      refusing:
        status: closing
        enter: {refuse: {http: 403}}
        clauses:
          G9: {to: over}
      replaying:
        status: ready
        call: {replay: {after: =cursor}}
        clauses:
          G3: {on: done, to: live}
          G4: {on: failed, to: leaving}
      live: {status: ready, rest: true}
      leaving:
        status: closing
        enter: {close: {code: 4001, reason: gone}}
        ignore: [drained, disconnect]
        clauses:
          G5: {on: closed, to: over}
          G6: {after: 1 s, to: over}
    clauses:
      G7: {on: [lost, disconnect], to: over}
      G8: {on: drained, to: serving.leaving}
  over: {status: closed, final: done}
""".replace("variables_: {}\n", "").replace("    goodbye: {type: goodbye, why: =why}\n", "")
"""A page that checks a key before it admits a client, and then tells it what it has missed."""


BUSY = """
lifecycle: 1
page: busy
role: server
hears: {disconnect: {}, drained: {seconds: number}}
causes: [{otherwise: true, is: lost}]
variables: {left: {count: 0, max: 10}}
messages:
  codec: json
  routes: [{match: {type: rest}, raise: rested}]
states:
  serving:
    exit: drop
    states:
      working:
        status: ready
        rest: true
        clauses:
          B1: {on: rested, to: serving.resting}
          B2: {on: disconnect, to: serving.stopping}
      resting:
        status: ready
        rest: true
        ignore: [rested]
        clauses:
          B3: {on: drained, do: {set: {left: =event.seconds}}, to: serving.parting}
          B4: {on: disconnect, to: serving.stopping}
      stopping:
        status: closing
        enter: {close: {code: 4002, reason: stopped}}
        ignore: [drained, disconnect]
        clauses:
          B5: {on: closed, to: over}
          B6: {after: 1 s, to: over}
      parting:
        status: closing
        enter: {close: {code: 4003, reason: parted}}
        clauses:
          B7: {on: closed, to: over}
          B8: {after: 1 s, to: over}
    clauses:
      B9: {on: lost, to: over}
  over: {status: closed, final: done}
"""
"""A page that hears `drained`, but not while it works, and not for longer than 10 seconds."""


class Checks:
    """The calls of the gate."""

    def __init__(self, events: int = 3) -> None:
        self.events = events

    async def check(self, *, key: str | None) -> None:
        if key != "hunter2":
            raise lifecycle.CallFailed("forbidden")

    async def replay(self, *, after: float) -> AsyncIterator[int]:
        for number in range(self.events):
            if number > after:
                yield number


async def echo(connection: Connection) -> None:
    """Send back what comes; `bye` ends it."""
    async for message in connection:
        if message == "bye":
            return
        await connection.send(f"echo {message}")


def client(server: Server, **settings: Any) -> Connection:
    """A client of the plain server."""
    return lifecycle.open("websocket", url=f"ws://127.0.0.1:{server.port}/", **settings)


@pytest.fixture(params=LIBRARIES)
def transport(request: pytest.FixtureRequest) -> str:
    """Each WebSocket library, at both ends."""
    return str(request.param)


async def test_a_client_is_served(transport: str) -> None:
    """What it sends comes back, and when the handler returns it is told goodbye with 1000."""
    async with (
        lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server,
        client(server, transport=transport) as connection,
    ):
        await connection.ready(5)
        await connection.send("hello")
        assert await anext(connection) == "echo hello"
        assert len(server.connections) == 1
        await connection.send("bye")
        while connection.status == "ready":
            await connection.changes().__anext__()
        assert "closed with code 1000" in connection.why
    assert server.counts == {"accepted": 1}
    assert not server.connections


async def test_draining(transport: str) -> None:
    """Nobody new is accepted, who is there is told 1001 by the page, and then the port is free."""
    async with lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server:
        port = server.port
        async with client(server, transport=transport) as connection:
            await connection.ready(5)
            await server.drain()
            while connection.status == "ready":
                await connection.changes().__anext__()
            assert "closed with code 1001" in connection.why
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_a_client_that_does_not_answer_the_goodbye() -> None:
    """It is waited for as long as the page says, and not longer."""
    with trio.fail_after(5), socket.socket() as deaf:
        async with lifecycle.serve("websocket-server", echo, port=0, close_timeout=0.05) as server:
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(_request())
            await until(lambda: server.connections)
    assert server.counts["accepted"] == 1


async def test_draining_in_the_tick_in_which_a_client_connects(transport: str) -> None:
    """The listener is closed while it is waking up: accepting ends, and the server with it, as ever."""
    for _ in range(20):
        server = lifecycle.serve("websocket-server", port=0, transport=transport)
        ours, theirs = socket.socketpair()
        with ours, theirs, socket.socket() as stranger:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.run)

                async def drain(heard: socket.socket = ours, server: Server = server) -> None:
                    await trio.lowlevel.wait_readable(heard)
                    await server.drain()

                nursery.start_soon(drain)
                await trio.testing.wait_all_tasks_blocked()
                stranger.connect(("127.0.0.1", server.port))
                theirs.send(b"x")
        assert set(server.counts) <= {"failed"}


async def test_draining_in_the_tick_in_which_a_client_is_admitted(transport: str) -> None:
    """It is started, and then told goodbye; nobody has crashed."""
    for _ in range(20):
        async with (
            lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server,
            await trio.open_tcp_stream("127.0.0.1", server.port) as stream,
            trio.open_nursery() as nursery,
        ):

            async def drain(server: Server = server) -> None:
                while not server.connections:
                    await trio.lowlevel.checkpoint()
                await server.drain()

            nursery.start_soon(drain)
            await stream.send_all(_request())
            told = b""
            while b"\x88" not in told:
                told += await stream.receive_some()
            await stream.aclose()
        assert told.startswith(b"HTTP/1.1 101 ")
        assert told.endswith(b"\x88\x02\x03\xe9")
        assert server.counts == {"accepted": 1}


@pytest.mark.parametrize("secure", ["ws", "wss"])
async def test_draining_does_not_wait_for_strangers(secure: str, transport: str) -> None:
    """Who has connected and not asked, such as a probe, is let go at once; who was refused and stays too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    tls = context if secure == "wss" else None
    with trio.fail_after(5), socket.socket() as silent, socket.socket() as refused:
        async with lifecycle.serve(
            "websocket-server", port=0, limit=0, patience=60, grace=60, transport=transport, tls=tls
        ) as server:
            silent.connect(("127.0.0.1", server.port))
            refused.connect(("127.0.0.1", server.port))
            if tls is None:
                refused.sendall(_request())
                await until(lambda: server.counts["refused"])
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert server.counts == ({"failed": 1, "refused": 1} if tls is None else {"failed": 2})


@pytest.mark.parametrize(
    ("rests", "fields", "code"),
    [(False, {"seconds": 5}, 4002), (True, {"seconds": 5}, 4003), (True, {"seconds": 99}, 4002)],
    ids=["in no state for it", "taken", "with a value that it cannot take"],
)
async def test_a_page_that_does_not_take_that_we_go(
    rests: bool,  # noqa: FBT001 -- of a table
    fields: dict[str, Any],
    code: int,
    transport: str,
) -> None:
    """It is told its own wish to end instead, and ends by that; where it takes `drained` that is all that it is told."""
    async with lifecycle.serve(read_text(BUSY), echo, port=0, transport=transport) as server, client(server) as peer:
        await peer.ready(5)
        if rests:
            await peer.send('{"type": "rest"}')
            (connection,) = server.connections
            await until(lambda: connection.state == ("serving.resting",))
        await server.drain(**fields)
        while peer.status == "ready":
            await peer.changes().__anext__()
    assert f"closed with code {code}" in peer.why


async def test_a_handler_that_stays_is_ended_after_the_grace(transport: str) -> None:
    """Draining has an end, whatever handlers do."""

    async def stay(_: Connection) -> None:
        await trio.sleep_forever()

    with trio.fail_after(5):
        async with (
            lifecycle.serve("websocket-server", stay, port=0, grace=0.05, transport=transport) as server,
            client(server) as connection,
        ):
            await connection.ready(5)
            await server.drain()


async def test_a_client_that_says_something_and_goes_crashes_nobody(transport: str) -> None:
    """The handler answers while the goodbye is there already: the connection is ending, and that is all."""
    async with lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server:
        for _ in range(20):
            async with client(server) as connection:
                await connection.ready(5)
                for number in range(3):
                    await connection.send(str(number))
        while server.connections:  # noqa: ASYNC110 -- nothing tells of it
            await trio.sleep(0.01)
        assert server.counts == {"accepted": 20}


async def test_a_handler_that_fails_ends_its_client_only(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged and counted; the next client is served."""

    async def fail(connection: Connection) -> None:
        if await anext(connection) == "fail":
            raise ZeroDivisionError
        await echo(connection)

    async with lifecycle.serve("websocket-server", fail, port=0) as server:
        async with client(server) as first:
            await first.ready(5)
            await first.send("fail")
            while first.status == "ready":
                await first.changes().__anext__()
        async with client(server) as second:
            await second.ready(5)
            await second.send("go on")
            await second.send("x")
            assert await anext(second) == "echo x"
    assert server.counts == {"accepted": 2, "crashed": 1}
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("settings", "status"), [({"limit": 1}, 503), ({"per_address": 1}, 429)])
async def test_too_many_clients(settings: dict[str, int], status: int, transport: str) -> None:
    """Who comes beyond the limit is refused with a status, and comes in when there is room."""
    async with (
        lifecycle.serve("websocket-server", echo, port=0, transport=transport, **settings) as server,  # type: ignore[arg-type]  # limits
        client(server) as first,
    ):
        await first.ready(5)
        async with client(server) as second:
            with pytest.raises(NotReady, match=f"HTTP status {status}"):
                await second.ready(0.2)
            await first.aclose()
            await second.ready(10)
    assert server.counts["refused"] >= 1
    assert server.counts["accepted"] == 2


async def test_a_client_that_sends_no_request() -> None:
    """It is let go when its patience is over, and holds no place."""
    with trio.fail_after(5), socket.socket() as mute:
        async with lifecycle.serve("websocket-server", echo, port=0, patience=0.05) as server:
            mute.connect(("127.0.0.1", server.port))
            await until(lambda: server.counts["failed"])
            mute.setblocking(False)
            with trio.fail_after(1):
                await trio.lowlevel.wait_readable(mute)
            assert mute.recv(100) == b""


async def test_a_client_that_speaks_something_else(transport: str) -> None:
    """It is answered with a 4xx, and counted."""
    with trio.fail_after(5):
        async with lifecycle.serve("websocket-server", echo, port=0, transport=transport) as server:
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = b"".join([part async for part in stream])
            assert answer.startswith(b"HTTP/1.1 4")
            await until(lambda: server.counts["failed"])


async def test_the_accept_pipeline_admits(transport: str) -> None:
    """A page with `admit` decides by its calls, takes values from the request, and replays by a call that yields."""
    page = read_text(GATE)
    seen: list[Any] = []

    async def handler(connection: Connection) -> None:
        seen.extend([await anext(connection), connection.variables["cursor"], repr(connection.variables["key"])])

    async with lifecycle.serve(page, handler, port=0, calls=Checks(), transport=transport) as server:
        url = f"ws://127.0.0.1:{server.port}/?key=hunter2&after=0"
        async with lifecycle.open("websocket", url=url, transport=transport) as connection:
            await connection.ready(5)
            told = [await anext(connection) for _ in range(3)]
            await connection.send('{"type":"ask","body":7}')
            while connection.status == "ready":
                await connection.changes().__anext__()
    assert told == ['{"type":"welcome"}', '{"type":"past","number":1}', '{"type":"past","number":2}']
    assert seen == [7, 0, "<secret>"]


async def test_the_accept_pipeline_refuses(transport: str) -> None:
    """A page with `refuse` answers the upgrade with its status, and the client knows it at once."""
    async with lifecycle.serve(read_text(GATE), echo, port=0, calls=Checks(), transport=transport) as server:
        url = f"ws://127.0.0.1:{server.port}/?key=wrong"
        async with lifecycle.open("websocket", url=url, transport=transport) as connection:
            with pytest.raises(lifecycle.ConnectionFailed, match="HTTP status 403"):
                await connection.ready(5)
    assert server.counts == {"accepted": 1}


async def test_a_replay_waits_for_a_slow_client() -> None:
    """A call that yields goes no faster than the peer reads: nothing piles up on our side."""
    checks = Checks(events=200_000)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # now, for then the system takes little
        async with lifecycle.serve(read_text(GATE), port=0, calls=checks) as server:
            slow.connect(("127.0.0.1", server.port))
            slow.sendall(_request("/?key=hunter2"))
            await until(lambda: server.connections)
            (connection,) = server.connections

            epoch = connection._driver.current
            assert epoch is not None
            pipe = epoch._pipe
            assert isinstance(pipe, SocketPipe)
            pipe._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

            def kept() -> int:
                return pipe.given - pipe.sent

            await until(kept)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert 0 < kept() < 200_000
            assert connection.state == ("serving.replaying",)
            slow.close()


async def test_subprotocols(transport: str) -> None:
    """The first of ours that the client offers is chosen; without one in common none is."""
    page = read_text(
        "lifecycle: 1\npage: p\nrole: client\ndial: {url: =url, subprotocols: [b, a]}\n"
        "parameters: {url: {url: required}}\nhears: {disconnect: {}}\ncauses: [{otherwise: true, is: lost}]\n"
        "states:\n"
        "  dialing: {status: connecting, enter: open, clauses: {P1: {on: opened, to: up}, P2: {on: [lost, disconnect], to: over}, P3: {after: 5 s, to: over}}}\n"
        "  up: {status: ready, rest: true, clauses: {P4: {on: [lost, disconnect], to: over}}}\n"
        "  over: {status: closed, final: done}\n"
    )
    for ours, ready in ((("a", "b"), True), (("c",), True)):
        async with (
            lifecycle.serve("websocket-server", echo, port=0, subprotocols=ours, transport=transport) as server,
            lifecycle.open(page, url=f"ws://127.0.0.1:{server.port}/", transport=transport) as connection,
        ):
            await connection.ready(5)
            assert (connection.status == "ready") is ready


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so that a server tells nobody."""
    while not true():  # noqa: ASYNC110 -- there is no event for it
        await trio.sleep(0.001)


@asynccontextmanager
async def tls_server(handler: Callable[[Connection], Awaitable[None]], authority: trustme.CA) -> AsyncIterator[Server]:
    """A server with a certificate of an authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    server = lifecycle.serve("websocket-server", handler, port=0, tls=context)
    async with server:
        yield server


async def test_tls() -> None:
    """A server with a certificate is trusted by who trusts its authority, and by nobody else."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with tls_server(echo, authority) as server:
        url = f"wss://localhost:{server.port}/"
        async with lifecycle.open("websocket", url=url, tls=trusting) as connection:
            await connection.ready(5)
            await connection.send("secret")
            assert await anext(connection) == "echo secret"
        async with lifecycle.open("websocket", url=url) as stranger:
            with pytest.raises(lifecycle.ConnectionFailed, match="cannot be trusted"):
                await stranger.ready(5)


async def test_a_port_in_use() -> None:
    """One clear error, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = trio.lowlevel.current_statistics().tasks_living
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1 port {port}: address already in use"):
            async with lifecycle.serve("websocket-server", echo, port=port):
                raise AssertionError
        assert trio.lowlevel.current_statistics().tasks_living == before


async def test_an_address_that_is_not_here() -> None:
    """Also told as what it is."""
    with pytest.raises(CannotListen, match=r"203\.0\.113\.7"):
        async with lifecycle.serve("websocket-server", echo, host="203.0.113.7", port=0):
            raise AssertionError


class Names(trio.abc.HostnameResolver):
    """Knows one name, with some addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: object, port: object, *_: object, **__: object) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, int(str(port)))) for each in self.addresses]

    async def getnameinfo(self, *_: object) -> Any:
        raise NotImplementedError


async def test_a_name_with_two_addresses(transport: str) -> None:
    """It is served on both, on one port, also if that was to be chosen; to name an address twice changes nothing."""
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "127.0.0.2", "127.0.0.1"))
    async with lifecycle.serve("websocket-server", echo, host="home", port=0, transport=transport) as server:
        for address in ("127.0.0.1", "127.0.0.2"):
            url = f"ws://{address}:{server.port}/"
            async with lifecycle.open("websocket", url=url, transport=transport) as connection:
                await connection.ready(5)
                await connection.send("hello")
                assert await anext(connection) == "echo hello"


async def test_ipv6(transport: str) -> None:
    """An address of IPv6 is served as any other, and all of them take no port of IPv4."""
    async with lifecycle.serve("websocket-server", echo, host="::", port=0, transport=transport) as server:
        with socket.create_server(("127.0.0.1", server.port)):
            url = f"ws://[::1]:{server.port}/"
            async with lifecycle.open("websocket", url=url, transport=transport) as connection:
                await connection.ready(5)


async def test_no_descriptor_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """Accepting pauses, and goes on when there is one again; who waits meanwhile is served then."""
    async with lifecycle.serve("websocket-server", echo, port=0) as server:
        await trio.testing.wait_all_tasks_blocked(0.01)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as patient:
            os.close(free := os.dup(patient.fileno()))
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                patient.connect(("127.0.0.1", server.port))
                await until(lambda: "no client can be accepted: Too many open files" in caplog.text)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            patient.sendall(_request())
            await until(lambda: server.counts["accepted"])


async def test_a_name_with_an_address_that_is_not_here(caplog: pytest.LogCaptureFixture) -> None:
    """As `localhost` where one of the two protocols is turned off: it is left out, with a warning."""
    trio.socket.set_custom_hostname_resolver(Names("203.0.113.7", "127.0.0.1"))
    async with lifecycle.serve("websocket-server", echo, host="home", port=0) as server, client(server) as connection:
        await connection.ready(5)
    assert "nobody can connect to 203.0.113.7: cannot assign requested address" in caplog.text


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket | None]]:
    """Room for others, who listen on 127.0.0.2 just before us, always on the port that we want."""
    there: list[socket.socket | None] = []
    plain = socket.socket

    class Contested(plain):  # type: ignore[misc, valid-type]  # the class as it was
        def bind(self, place: Any) -> None:
            if place[0] == "127.0.0.2" and None in there:
                rival = there[there.index(None)] = plain()
                rival.bind(place)
                rival.listen()
            super().bind(place)

    monkeypatch.setattr(socket, "socket", Contested)
    yield there
    for each in there:
        if each is not None:
            each.close()


async def test_a_port_that_is_taken_on_another_address(rivals: list[socket.socket | None]) -> None:
    """Where any will do, the next one is tried."""
    rivals += [None, None]
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "127.0.0.2"))
    async with lifecycle.serve("websocket-server", echo, host="home", port=0) as server:
        assert None not in rivals
        for address in ("127.0.0.1", "127.0.0.2"):
            async with lifecycle.open("websocket", url=f"ws://{address}:{server.port}/") as connection:
                await connection.ready(5)


async def test_every_port_is_taken_on_another_address(rivals: list[socket.socket | None]) -> None:
    """That is told after a few, and nothing stays bound."""
    rivals += [None] * 100
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "127.0.0.2"))
    with pytest.raises(CannotListen, match="cannot listen on home port 0: address already in use"):
        async with lifecycle.serve("websocket-server", echo, host="home", port=0):
            raise AssertionError
    tried = [each.getsockname()[1] for each in rivals if each is not None]
    assert len(tried) == 5
    for port in tried:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_bad_arguments() -> None:
    """All of them at once: the role, the transport, calls and parameters."""
    with pytest.raises(WrongParameters) as told:
        lifecycle.serve("websocket", echo, port=0, transport="carrier-pigeon", heartbeat_after="soon")
    for part in ("its role is client", "carrier-pigeon", "heartbeat_after"):
        assert part in str(told.value)
    with pytest.raises(WrongParameters) as told:
        lifecycle.serve(
            "websocket-server",
            port=0,
            limit="many",
            per_address=0,
            patience=float("nan"),
            grace="x",
            heartbeat_after="soon",
        )
    assert told.value.problems[:4] == (
        "`limit` must be a whole number, 0 or more, not 'many'",
        "`per_address` must be a whole number, 1 or more, not 0",
        "`patience` must be a number of seconds above 0, not nan",
        "`grace` must be a number of seconds, 0 or more, not 'x'",
    )
    assert "heartbeat_after" in str(told.value)
    with pytest.raises(WrongParameters, match="the call `check` is missing"):
        lifecycle.serve(read_text(GATE), echo, port=0, calls=SimpleNamespace())


async def test_it_runs_once() -> None:
    """A server that has drained is not started again."""
    server = lifecycle.serve("websocket-server", echo, port=0)
    async with server:
        pass
    with pytest.raises(ConnectionEnded, match="runs once"):
        async with server:
            raise AssertionError


async def test_in_a_nursery() -> None:
    """It can be started in a nursery of the user's, and is ended with it."""
    async with trio.open_nursery() as nursery:
        server = Server("websocket-server", echo, port=0)
        assert await nursery.start(server.run) is server
        async with client(server) as connection:
            await connection.ready(5)
        nursery.cancel_scope.cancel()
    assert not server.connections


async def test_the_bodys_error_leaves_as_it_is() -> None:
    """Not in a group; and the clients are told goodbye before."""
    with pytest.raises(ValueError, match="mine"):
        async with lifecycle.serve("websocket-server", echo, port=0):
            raise ValueError("mine")


async def test_no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What the request brings is not logged, also not at DEBUG."""
    caplog.set_level(logging.DEBUG, "lifecycle")
    async with lifecycle.serve(read_text(GATE), echo, port=0, calls=Checks()) as server:
        url = f"ws://127.0.0.1:{server.port}/?key=hunter2"
        async with lifecycle.open("websocket", url=url) as connection:
            await connection.ready(5)
    assert "hunter2" not in caplog.text


def _request(resource: str = "/") -> bytes:
    return (
        f"GET {resource} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
