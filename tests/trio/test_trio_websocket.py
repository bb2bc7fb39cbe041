import errno

import pytest
import trio
import trio.testing
import trio_websocket
from wsproto.events import CloseConnection

from lifecycle.trio.pipes.dial import connect_tcp
from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.pipes.pipe import Pipe, PipeStream, SocketPipe
from lifecycle.trio.transports.losses import MOST_OF_AN_ANSWER
from lifecycle.trio.transports.transport import Asking, Transport, TransportFailed
from lifecycle.trio.transports.trio_websocket import QUEUE, TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, ErrorEnding, HttpEnding

from .conformance.raw import PING, RawPeer, Wire, switching

# What every transport does is shown by the conformance suite; here is what only this library does, or needs.

REQUEST = DialRequest.parse("ws://peer.example/path?a=1", limit=1000)


async def host(
    request: DialRequest,
    pipe: Pipe,
    *,
    task_status: trio.TaskStatus[TrioWebsocketTransport] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a transport in a nursery, whose `start` gives it."""
    await TrioWebsocketTransport.dial(request, pipe, task_status.started)


async def dial(
    nursery: trio.Nursery, *, room: int = 65_536, after: str = "", code: int | None = None
) -> tuple[TrioWebsocketTransport, RawPeer]:
    """Open a connection to a peer by hand, which may send a message and say goodbye in the segment of its 101."""
    near, far = memory_pair(nursery.start_soon, room=room)
    peer = RawPeer(Wire(far), client=False)

    async def answer() -> None:
        said = [*map(peer.message, after), *([peer.close(code)] if code else [])]
        peer.say(switching(await peer.head()), *said)

    nursery.start_soon(answer)
    return await nursery.start(host, REQUEST, near), peer


async def everything(transport: Transport) -> list[str | bytes]:
    """Receive until the end."""
    got: list[str | bytes] = []
    while batch := await transport.receive():
        got += batch
    assert transport.ended
    assert await transport.receive() == ()
    return got


# With the library itself at the other end


async def test_a_server_of_the_library() -> None:
    """Resource, headers and subprotocols reach it, messages pass both ways, and its goodbye is told."""
    request = DialRequest.parse(
        "ws://peer.example:8080/path", {"a": "b c"}, {"Authorization": "Bearer é"}, ["one", "two"]
    )
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        seen: list[object] = []

        async def server() -> None:
            asked = await trio_websocket.wrap_server_stream(nursery, PipeStream(far))
            headers = dict(asked.headers)
            seen.extend([asked.path, headers[b"authorization"], asked.proposed_subprotocols])
            websocket = await asked.accept(subprotocol="two")
            await websocket.send_message("hello")
            seen.append(await websocket.get_message())
            await websocket.aclose(4000, "enough")

        nursery.start_soon(server)
        transport = await nursery.start(host, request, near)
        transport.send(b"there")
        assert await everything(transport) == ["hello"]
        assert transport.ended == CloseEnding(4000, "enough", "peer")
    assert seen == ["/path?a=b%20c", b"Bearer \xe9", ("one", "two"), b"there"]


async def test_a_client_of_the_library() -> None:
    """It is admitted with a subprotocol, messages pass both ways, and our goodbye is answered."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        seen: list[object] = []

        async def client() -> None:
            websocket = await trio_websocket.wrap_client_stream(
                nursery, PipeStream(far), "peer.example", "/path?a=1", subprotocols=["one", "two"]
            )
            seen.append(websocket.subprotocol)
            await websocket.send_message("hello")
            seen.append(await websocket.get_message())
            with pytest.raises(trio_websocket.ConnectionClosed):
                await websocket.get_message()
            assert websocket.closed
            seen.append((websocket.closed.code, websocket.closed.reason))
            await PipeStream(far).aclose()

        async def serve(asked: list[Transport]) -> None:
            (transport,) = asked
            assert await transport.receive() == ("hello",)
            transport.send(b"there")
            transport.close(4000, "enough")
            assert await everything(transport) == []
            assert transport.ended == CloseEnding(4000, "enough", "local")

        def asked(asking: Asking) -> None:
            seen.append(asking.upgrade.query)
            nursery.start_soon(serve, [asking.admit("two")])

        nursery.start_soon(client)
        await TrioWebsocketTransport.accept(near, 1000, "192.0.2.7", asked)
    assert seen == [{"a": "1"}, "two", b"there", (4000, "enough")]


@pytest.mark.real_time
async def test_on_a_socket() -> None:
    """The same over TCP, by the door of the library: a message there and back, then its close."""

    async def server(asked: trio_websocket.WebSocketRequest) -> None:
        websocket = await asked.accept()
        await websocket.send_message(await websocket.get_message())
        await websocket.aclose(1012, "restart")

    async with trio.open_nursery() as nursery:
        serve = trio_websocket.serve_websocket
        started: trio_websocket.WebSocketServer = await nursery.start(serve, server, "127.0.0.1", 0, None)
        pipe = SocketPipe(await connect_tcp("127.0.0.1", started.port), nursery.start_soon)
        transport = await nursery.start(host, DialRequest.parse(f"ws://127.0.0.1:{started.port}"), pipe)
        transport.send(bytes(1_000_000))
        assert await everything(transport) == [bytes(1_000_000)]
        assert transport.ended == CloseEnding(1012, "restart")
        nursery.cancel_scope.cancel()


# Its waits in the handshake


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\n" + bytes(10 * MOST_OF_AN_ANSWER), MOST_OF_AN_ANSWER),
        (b"HTTP/1.1 503 Busy\r\n\r\nless", 25),
    ],
    ids=["it goes on and on", "it ends"],
)
async def test_an_answer_without_a_length(said: bytes, kept: int) -> None:
    """The library would read it to its end, and wait for ever behind that; we stop when enough of it has come."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        peer = RawPeer(Wire(far), client=False)

        async def answer() -> None:
            await peer.head()
            peer.say(said)
            peer.wire.finish()

        nursery.start_soon(answer)
        with pytest.raises(TransportFailed) as caught:
            await TrioWebsocketTransport.dial(REQUEST, near, lambda _: pytest.fail("it was opened"))
        ending = caught.value.ending
        assert isinstance(ending, HttpEnding)
        assert said.startswith(b"HTTP/1.1 503 Busy\r\n\r\n" + ending.body)
        assert len(b"HTTP/1.1 503 Busy\r\n\r\n" + ending.body) == kept


# Its host


async def test_dial_returns_when_the_peer_has_ended() -> None:
    """The host returns though nobody receives; the messages that came are still there, then the ending."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery, after="12", code=1001)
        peer.wire.finish()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert transport.ended == CloseEnding(1001)
        assert await everything(transport) == ["1", "2"]


async def test_cancelled_at_every_step() -> None:
    """Wherever a dial and its first messages are cancelled, only the scope notices, and the pipe is aborted."""
    step = 0
    while True:
        step += 1
        async with trio.open_nursery() as nursery:
            near, far = memory_pair(nursery.start_soon)
            peer = RawPeer(Wire(far), client=False)

            async def answer(peer: RawPeer = peer) -> None:
                peer.say(switching(await peer.head()), peer.message("hi"), peer.close(1000))
                peer.wire.finish()

            async def cancel_after(steps: int, scope: trio.CancelScope) -> None:
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

            nursery.start_soon(answer)
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_after, step, scope)
                await TrioWebsocketTransport.dial(REQUEST, near, lambda _: None)
            assert near.closed
            nursery.cancel_scope.cancel()
        if not scope.cancelled_caught:
            break
    assert step > 5


async def test_a_full_queue_holds_the_reader_back() -> None:
    """While nobody receives, only so many messages are taken, and the peer is held back; none is lost."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery, room=1024)
        sent = [str(number) for number in range(5000)]
        peer.say(*map(peer.message, sent), peer.close(1000))
        await trio.testing.wait_all_tasks_blocked()
        assert transport._websocket._recv_channel.statistics().current_buffer_used == QUEUE
        assert peer.wire.pipe.sent < peer.wire.pipe.given
        assert await everything(transport) == sent
        transport.abort()


# What its reader dies of


async def test_a_ping_after_our_close_ends_it() -> None:
    """The library dies of a ping that it may not answer any more; it is the close that we asked for."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery)
        transport.close(1001, "away")
        peer.say(peer.frame(PING))
        assert await everything(transport) == []
        assert transport.ended == CloseEnding(1001, "away", "local")


async def test_a_library_that_dies_without_a_known_reason() -> None:
    """It is `protocol`, whoever is to blame: the connection is of no use."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery)
        transport._wsproto.send(CloseConnection(code=1000))  # as nobody does
        peer.say(peer.frame(PING))
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("protocol", "the WebSocket library gave up")


async def test_a_sender_meets_a_broken_pipe() -> None:
    """A loss is told to the next sender at once, and to the receiver with its number."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery)
        peer.wire.pipe.abort()
        transport._pipe.write(b"breaks it")
        with pytest.raises(trio.BrokenResourceError):
            transport.send("x")
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "Broken pipe", errno.EPIPE)
