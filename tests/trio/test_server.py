"""A page of the role server, on real sockets: who is admitted, who is refused, and how it ends."""

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trustme

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import CannotListen, ConnectionEnded, NotReady, WrongParameters
from lifecycle.trio.connection import Connection
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
    with trio.fail_after(30):
        async with (
            lifecycle.serve(read_text(GATE), port=0, calls=checks) as server,
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await stream.send_all(_request("/?key=hunter2"))
            await until(lambda: server.connections)
            (connection,) = server.connections
            await trio.sleep(0.05)
            epoch = connection._driver.current
            assert epoch is not None
            assert epoch._pipe is not None
            kept = epoch._pipe.given - epoch._pipe.sent
            assert 0 < kept < 200_000
            assert connection.state == ("serving.replaying",)
            await stream.aclose()


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


def test_bad_arguments() -> None:
    """All of them at once: the role, the transport, calls and parameters."""
    with pytest.raises(WrongParameters) as told:
        lifecycle.serve("websocket", echo, port=0, transport="carrier-pigeon", heartbeat_after="soon")
    for part in ("its role is client", "carrier-pigeon", "heartbeat_after"):
        assert part in str(told.value)
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
