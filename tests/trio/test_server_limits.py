"""Who may come to a server: strangers are bounded and let go, who asks is told, and each client is counted once."""

import logging
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest
import trio
import trio.testing
import trustme

import lifecycle
from lifecycle.trio.admission import Admission, network_of
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.pipes.pipe import SocketPipe

from .test_server import LIBRARIES, _request, client, echo, until

pytestmark = pytest.mark.real_time(limit=20)
OUTCOMES = ("accepted", "refused", "failed", "dropped")


@pytest.fixture(params=LIBRARIES)
def transport(request: pytest.FixtureRequest) -> str:
    """Each WebSocket library, on the server's end."""
    return str(request.param)


@pytest.fixture(params=["ws", "wss"])
def tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    """For a server of ws:// and of wss://."""
    if request.param == "ws":
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@contextmanager
def silent(port: int, many: int) -> Iterator[list[socket.socket]]:
    """Clients that connect and say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(many)]


async def answer(sock: socket.socket) -> bytes:
    """What comes next; empty is the end."""
    sock.setblocking(False)
    await trio.lowlevel.wait_readable(sock)
    try:
        return sock.recv(1000)
    except ConnectionResetError:
        return b""


def tasks() -> int:
    """How many there are."""
    return trio.lowlevel.current_statistics().tasks_living


# -- strangers


@pytest.mark.parametrize(("bounds", "places"), [({"limit": 2}, 32), ({"limit": 40}, 40), ({"per_address": 3}, 3)])
async def test_silent_clients_are_bounded(
    bounds: dict[str, int], places: int, transport: str, tls: ssl.SSLContext | None
) -> None:
    """Beyond their own places they are closed at once, counted, and hold no task; in TLS too."""
    async with lifecycle.serve("websocket-server", port=0, transport=transport, tls=tls, **bounds) as server:
        with silent(server.port, places) as kept:
            await trio.testing.wait_all_tasks_blocked(0.01)
            before = tasks()
            with silent(server.port, 7) as others:
                for each in others:
                    assert await answer(each) == b""
            assert server.counts == {"dropped": 7}
            assert tasks() == before
            kept[0].close()
            await until(lambda: server.counts["failed"])
            with silent(server.port, 1):
                await until(lambda: tasks() == before)
        await until(lambda: server.counts["failed"] == places + 1)
    assert server.counts == {"dropped": 7, "failed": places + 1}


async def test_strangers_take_no_place_of_a_connection(transport: str) -> None:
    """Who is in stays in and is answered, and who asks comes in, whatever strangers do besides."""
    async with (
        lifecycle.serve("websocket-server", echo, port=0, transport=transport, limit=2, per_address=2) as server,
        client(server) as first,
    ):
        await first.ready(5)
        with silent(server.port, 1):
            async with client(server) as second:
                await second.ready(5)
                with silent(server.port, 50):
                    await until(lambda: server.counts["dropped"] == 49)
                    await first.send("still")
                    assert await anext(first) == "echo still"
    assert server.counts["accepted"] == 2


async def test_a_pipe_of_another_listener_is_bounded_too(transport: str) -> None:
    """Given to a server that has too many strangers, it is aborted at once."""
    async with trio.open_nursery() as nursery:
        server = lifecycle.serve("websocket-server", port=0, transport=transport, per_address=1)
        one, _ = memory_pair(nursery.start_soon)
        two, _ = memory_pair(nursery.start_soon)
        nursery.start_soon(server.accept, one, "192.0.2.1")
        await trio.testing.wait_all_tasks_blocked()
        await server.accept(two, "192.0.2.1")
        assert two.closed
        assert not one.closed
        assert server.counts == {"dropped": 1}
        await server.drain()
    assert one.closed
    assert server.counts == {"dropped": 1, "failed": 1}


# -- who asks


async def test_who_is_refused_and_stays(transport: str) -> None:
    """He is told, and let go when his patience is over: nothing is kept for him."""
    async with lifecycle.serve("websocket-server", port=0, limit=0, patience=0.2, transport=transport) as server:
        await trio.testing.wait_all_tasks_blocked(0.01)
        before = tasks()
        with silent(server.port, 3) as clients:
            for each in clients:
                each.sendall(_request())
            for each in clients:
                assert (await answer(each)).startswith(b"HTTP/1.1 503 ")
            with trio.fail_after(5):
                await until(lambda: tasks() == before)
        assert server.counts == {"refused": 3}


async def test_who_asks_too_late() -> None:
    """Whose time is over in the moment in which he asks is refused, for what is cancelled cannot be kept."""
    admission = Admission(10, None)
    late = admission.come("192.0.2.1")
    assert late is not None
    with late.scope:
        late.hurry(0)
        assert admission.admit(late) == 503
    admission.leave(late)
    assert admission.counts == {"refused": 1}


async def test_a_network_of_ipv6_is_one_address(transport: str) -> None:
    """Who has a /64 has as many addresses as he likes: they count as one, and the next /64 as another."""
    told = []
    async with trio.open_nursery() as nursery:
        server = lifecycle.serve("websocket-server", port=0, transport=transport, per_address=1, close_timeout=0.01)
        for peer in ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1", "::ffff:192.0.2.1", "192.0.2.1"):
            near, far = memory_pair(nursery.start_soon)
            nursery.start_soon(server.accept, near, peer)
            far.write(_request())
            await far.ready()
            told.append((far.read() or b"").split()[1])
        await server.drain()
    assert told == [b"101", b"429", b"101", b"101", b"429"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("/run/proxy.sock", "/run/proxy.sock"),
    ],
)
def test_what_an_address_counts_as(address: str, network: str) -> None:
    """Itself, but for IPv6; what is no address is a name."""
    assert network_of(address) == network


# -- what became of them


async def test_each_client_has_one_outcome(transport: str, tls: ssl.SSLContext | None) -> None:
    """However they come and go: the four counts together are as many as there were clients, and nothing is left."""
    many = 120
    async with lifecycle.serve(
        "websocket-server", echo, port=0, transport=transport, tls=tls, patience=0.3, limit=10, per_address=60
    ) as server:
        await trio.testing.wait_all_tasks_blocked(0.01)
        before = tasks()
        for number in range(many):
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                await _misbehave(sock, number)
        await until(lambda: sum(server.counts[each] for each in OUTCOMES) == many)
        await until(lambda: tasks() == before)
        assert sum(server.counts[each] for each in OUTCOMES) == many
        assert bool(server.counts["accepted"]) is (tls is None)
        assert "crashed" not in server.counts
        assert not server.connections


async def _misbehave(sock: socket.socket, number: int) -> None:
    reset = struct.pack("ii", 1, 0)
    match number % 6:
        case 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        case 1:
            sock.send(_request()[:50])
        case 2:
            sock.send(_request())
            await trio.sleep(0.002)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        case 3:
            sock.send(b"GET / HTTP/1.1\r\n\r\n")
        case 4:
            sock.send(_request() + b"\x81\x85aaaa\x09\x04\x0d\x0d\x0e")
            sock.shutdown(socket.SHUT_WR)
            await trio.sleep(0.002)
        case 5:
            sock.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200))
    if number % 20 == 0:
        await trio.sleep(0.005)


async def test_trouble_with_one_client(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in what carries one client is logged with its traceback, and the next client is served."""
    ready, calls = SocketPipe.ready, count()

    async def faulty(pipe: SocketPipe) -> None:
        if next(calls) == 0:
            raise ZeroDivisionError("in the pipe")
        await ready(pipe)

    monkeypatch.setattr(SocketPipe, "ready", faulty)
    async with lifecycle.serve("websocket-server", echo, port=0, transport="websockets") as server:
        with silent(server.port, 1) as clients:
            assert await answer(clients[0]) == b""
        async with client(server) as connection:
            await connection.ready(5)
    assert "ZeroDivisionError: in the pipe" in caplog.text
    assert server.counts == {"failed": 1, "accepted": 1}


# -- who crashes


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda connection: connection.tell("no such wish"), "IllegalEvent"),
        (lambda connection: connection.ask("anything"), "NoRequests"),
    ],
    ids=["illegal", "no requests"],
)
@pytest.mark.parametrize("when", ["ready", "ended"])
async def test_a_mistake_of_the_handler_is_a_crash(
    mistake: object, words: str, when: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the error is one of ours, and the connection has ended: it is counted, and logged with its traceback."""
    assert callable(mistake)

    async def handler(connection: Connection) -> None:
        if when == "ended":
            async for _ in connection:
                pass
        mistake(connection)

    async with (
        lifecycle.serve("websocket-server", handler, port=0, transport=transport) as server,
        client(server) as peer,
    ):
        if when == "ended":
            await peer.ready(5)
            await peer.aclose()
        await until(lambda: server.counts["crashed"])
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is not None
    assert record.exc_info[0].__name__ == words
    assert "in handler" in caplog.text


@pytest.mark.parametrize("where", ["itself", "a nursery"])
async def test_the_end_of_a_connection_is_no_crash(
    where: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that sends until the client has gone is told so, and need not catch it; in a nursery of its own too."""
    caplog.set_level(logging.INFO, "lifecycle.server")

    async def chatter(connection: Connection) -> None:
        while True:
            await connection.send("x" * 10_000)

    async def handler(connection: Connection) -> None:
        if where == "itself":
            await chatter(connection)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chatter, connection)

    async with lifecycle.serve("websocket-server", handler, port=0, transport=transport) as server:
        with silent(server.port, 1) as clients:
            clients[0].sendall(_request())
            assert (await answer(clients[0])).startswith(b"HTTP/1.1 101 ")
        await until(lambda: server.counts["accepted"] and not server.connections)
    assert server.counts == {"accepted": 1}
    assert "a connection ended: " in caplog.text
    assert not [each for each in caplog.records if each.levelno > logging.INFO]


async def test_the_end_of_another_connection_is_a_crash(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    """While the client's own connection stands, what a handler does not catch is a mistake."""

    async def forward(_: Connection) -> None:
        upstream = lifecycle.open("websocket", url="ws://127.0.0.1:9/")
        async with upstream:
            pass
        await upstream.send("too late")

    async with lifecycle.serve("websocket-server", forward, port=0, transport=transport) as server, client(server):
        await until(lambda: server.counts["crashed"])
    assert "NotSent: " in caplog.text
