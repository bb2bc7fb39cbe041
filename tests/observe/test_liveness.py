"""Is it alive? Real connections of real libraries say so, open and closed; and who says nothing is not taken for alive."""

import asyncio
import contextlib
import enum
import socket
from types import SimpleNamespace
from unittest.mock import Mock

import aiohttp
import picows
import pytest
import socketio
import trio
import trio_websocket
import websockets.sync.client
import wsproto
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve

import lifecycle
from lifecycle.observe.liveness import Liveness, liveness

LIMIT = 30.0


@contextlib.asynccontextmanager
async def echoing():
    """A server on a loopback socket."""

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def of_websockets(url):
    """Its newer client, of asyncio."""
    connection = await connect(url)
    before = liveness(connection)
    await connection.close(3001)
    return before, liveness(connection)


async def of_websockets_threads(url):
    """Its client of threads."""

    def talk():
        with websockets.sync.client.connect(url) as connection:
            before = liveness(connection)
            connection.close(3001)
            return before, liveness(connection)

    return await asyncio.to_thread(talk)


async def of_aiohttp(url):
    """Its client."""
    async with aiohttp.ClientSession() as session:
        connection = await session.ws_connect(url)
        before = liveness(connection)
        await connection.close(code=3001)
        return before, liveness(connection)


async def of_picows(url):
    """Its transport."""
    transport, _ = await picows.ws_connect(picows.WSListener, url)
    before = liveness(transport)
    transport.send_close(3001, b"")
    await transport.wait_disconnected()
    return before, liveness(transport)


@pytest.mark.parametrize("library", [of_websockets, of_websockets_threads, of_aiohttp, of_picows])
def test_a_connection_of_a_library(library):
    """Open it is alive, and closed it is not, with the code."""

    async def main():
        async with asyncio.timeout(LIMIT), echoing() as url:
            return await library(url)

    before, after = asyncio.run(main())
    assert (before.state, before.code, after.state, after.code) == ("alive", None, "closed", 3001)
    assert before
    assert not after


@pytest.mark.real_time
async def test_a_connection_of_trio_websocket():
    """Its `closed` is None while it is open, and a reason afterwards."""

    async def accept(request):
        connection = await request.accept()
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            await connection.get_message()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            lambda task_status: trio_websocket.serve_websocket(accept, "127.0.0.1", 0, None, task_status=task_status)
        )
        connection = await trio_websocket.connect_websocket(nursery, "127.0.0.1", server.port, "/", use_ssl=False)
        assert liveness(connection) == Liveness("alive", None, "closed")
        await connection.aclose(3001)
        assert liveness(connection) == Liveness("closed", 3001, "closed")
        nursery.cancel_scope.cancel()


def test_a_client_of_socketio():
    """It and the Engine.IO below say so themselves; before it connects it is not alive either."""

    async def main():
        server = socketio.AsyncServer(async_mode="aiohttp")
        app = web.Application()
        server.attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        client = socketio.AsyncClient(reconnection=False)
        found = [liveness(client).state]
        try:
            await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"], wait_timeout=LIMIT)
            found += [liveness(client).state, liveness(client.eio).state]
            await client.disconnect()
            found += [liveness(client).state, liveness(client.eio).state]
        finally:
            await runner.cleanup()
        return found

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == ["closed", "alive", "alive", "closed", "closed"]


def test_a_stream_of_asyncio():
    """Its writer and its transport tell the same."""

    async def main():
        async with echoing() as url:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2].strip("/")))
            before = liveness(writer), liveness(writer.transport)
            writer.close()
            after = liveness(writer), liveness(writer.transport)
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            return [each.state for each in (*before, *after)]

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == ["alive", "alive", "closed", "closed"]


def test_a_socket():
    """That it is open here says nothing of the other end."""
    ours, theirs = socket.socketpair()
    assert liveness(ours) == Liveness("unknown")
    ours.close()
    theirs.close()
    assert liveness(ours).state == "closed"


async def test_one_of_our_own():
    """It is alive when it is ready."""

    async def probe():
        await trio.sleep_forever()

    connection = lifecycle.Connection("provider", calls=SimpleNamespace(probe=probe))
    async with connection:
        assert liveness(connection) == Liveness("alive", by="state")
        connection.tell("failure")
        assert liveness(connection).state == "unknown"
    assert liveness(connection).state == "closed"


def test_a_protocol_without_a_socket():
    """Wsproto's, and what keeps one in `connection`, as httpx-ws does."""
    protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    assert liveness(protocol) == Liveness("unknown", by="state")
    protocol.send(wsproto.events.Request(host="a", target="/"))
    assert not liveness(SimpleNamespace(connection=protocol))


class State(enum.Enum):
    """As that of Starlette."""

    CONNECTING = 0
    CONNECTED = 1
    DISCONNECTED = 2


def test_two_states_that_differ():
    """Closed to one side is closed."""
    one = SimpleNamespace(client_state=State.CONNECTED, application_state=State.CONNECTED)
    assert liveness(one)
    one.client_state = State.DISCONNECTED
    assert liveness(one).state == "closed"
    one.client_state = State.CONNECTING
    assert liveness(one).state == "unknown"


def test_states_that_are_numbers():
    """They mean what its class says, as with autobahn; without that, nothing."""
    numbered = SimpleNamespace(state=3, STATE_OPEN=3, STATE_CLOSED=0, STATE_CLOSING=2)
    assert liveness(numbered)
    numbered.state = 2
    assert liveness(numbered).state == "closed"
    numbered.state = 1
    assert liveness(numbered).state == "unknown"
    assert liveness(SimpleNamespace(state=3)).state == "unknown"


@pytest.mark.parametrize(
    "connection",
    [
        object(),
        Mock(),
        ClientConnection,
        SimpleNamespace(closed=None),
        SimpleNamespace(closed=0),
        SimpleNamespace(closed=lambda: False),
        SimpleNamespace(connected="yes"),
        SimpleNamespace(state="connecting"),
        SimpleNamespace(state=1),
        SimpleNamespace(sock=object()),
    ],
    ids=range(10),
)
def test_who_says_nothing_is_not_alive(connection):
    """No such attribute, or one of another type than libraries have there: unknown, which is false."""
    found = liveness(connection)
    assert found.state == "unknown"
    assert not found


def test_none_is_closed():
    """Clients keep None where they have no connection."""
    assert liveness(None) == Liveness("closed", by="None")


def test_a_property_that_fails_says_nothing():
    """Whatever it raises."""

    class Failing:
        @property
        def closed(self):
            raise RuntimeError("not now")

        connected = True

    assert liveness(Failing()) == Liveness("alive", by="connected")


SAID = {
    "closed": st.booleans(),
    "open": st.booleans(),
    "connected": st.booleans(),
    "is_disconnected": st.booleans(),
    "state": st.sampled_from(["open", "closing", "closed", "connected", "whatever"]),
    "close_code": st.none() | st.integers(1000, 4999),
}
SHUT = {
    "closed": lambda value: value,
    "open": lambda value: not value,
    "connected": lambda value: not value,
    "is_disconnected": lambda value: value,
    "state": lambda value: value in ("closing", "closed"),
    "close_code": lambda value: value is not None,
}


@given(st.fixed_dictionaries({}, optional=SAID))
def test_closed_counts(said):
    """Whatever else is said, one sign of an end is the end; and without any sign of life nobody is alive."""
    found = liveness(SimpleNamespace(**said))
    if any(SHUT[name](value) for name, value in said.items()):
        assert found.state == "closed"
    elif said.get("state") == "whatever" or not {*said} - {"close_code"}:
        assert found.state == "unknown"
    else:
        assert found.state == "alive"
