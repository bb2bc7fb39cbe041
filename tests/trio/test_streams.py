import pytest
import trio
import trio.testing

from lifecycle.trio.pipes.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import PipeStream
from lifecycle.trio.transports.streams import READ_SIZE, AcceptStream, DialStream
from lifecycle.trio.transports.trio_websocket import TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest

from .conformance.raw import CLOSE, PING, PONG, RawPeer, Wire, asking, switching

REQUEST = DialRequest.parse("ws://peer.example/path")


async def dial(nursery: trio.Nursery, room: int) -> tuple[TrioWebsocketTransport, RawPeer]:
    """Open a connection to a peer by hand; each direction holds so many bytes."""
    near, far = memory_pair(nursery.start_soon, room=room)
    peer = RawPeer(Wire(far), client=False)

    async def host(*, task_status: trio.TaskStatus[TrioWebsocketTransport] = trio.TASK_STATUS_IGNORED) -> None:
        await TrioWebsocketTransport.dial(REQUEST, near, task_status.started)

    async def answer() -> None:
        peer.say(switching(await peer.head()))

    nursery.start_soon(answer)
    return await nursery.start(host), peer


async def test_a_ping_flood_while_our_writes_are_blocked() -> None:
    """Of the pongs for a peer that asks and does not read only the latest is kept; it comes behind a whole message."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery, room=4096)
        transport.send(bytes(100_000))
        await trio.testing.wait_all_tasks_blocked()
        kept = transport._pipe.given, transport._pipe.sent
        peer.say(*(peer.frame(PING, b"%06d" % number) for number in range(5000)))
        await trio.testing.wait_all_tasks_blocked()
        assert peer.wire.pipe.sent == peer.wire.pipe.given
        assert (transport._pipe.given, transport._pipe.sent) == kept
        assert await peer.hear_message() == bytes(100_000)
        pong = await peer.hear()
        assert pong
        assert (pong.opcode, pong.payload) == (PONG, b"004999")
        peer.say(peer.frame(PING, b"at once"))
        again = await peer.hear()
        assert again
        assert (again.opcode, again.payload) == (PONG, b"at once")
        transport.abort()


async def test_a_close_reply_is_never_superseded() -> None:
    """While nothing leaves, a pong may give way to the next; the answer to a close may not."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery, room=4096)
        transport.send(bytes(100_000))
        peer.say(peer.frame(PING, b"one"), peer.frame(PING, b"two"), peer.close(4000))
        await trio.testing.wait_all_tasks_blocked()
        assert await peer.hear_message() == bytes(100_000)
        rest = [await peer.hear(), await peer.hear()]
        assert {(frame.opcode, frame.payload) for frame in rest if frame} == {
            (PONG, b"two"),
            (CLOSE, (4000).to_bytes(2)),
        }
        transport.abort()


async def test_each_write_of_the_library_is_one_frame() -> None:
    """A frame is known by its first byte, so nothing may stand before it: so it is, whatever the library sends."""
    async with trio.open_nursery() as nursery:
        transport, peer = await dial(nursery, room=4096)
        wrote: list[bytes] = []
        send_all = DialStream.send_all

        async def spy(stream: DialStream, data: bytes) -> None:
            wrote.append(bytes(data))
            await send_all(stream, data)

        transport._websocket._stream.send_all = spy.__get__(transport._websocket._stream)
        peer.say(peer.frame(PING, b"one"), peer.frame(PING), peer.message("between"), peer.close(4000))
        assert await transport.receive() == ("between",)
        assert await transport.receive() == ()
        assert [data[0] & 0x0F for data in wrote] == [PONG, PONG, CLOSE]
        assert [len(data) for data in wrote] == [2 + 4 + 3, 2 + 4, 2 + 4 + 2]
        transport.abort()


async def test_a_stream_that_is_broken_ends_the_wait_for_an_answer() -> None:
    """If nothing can be written any more, whoever waits for the end of the handshake is told."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        stream = DialStream(near)
        far.reset()
        assert near.read() == b""
        with stream.waiting:
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"GET / HTTP/1.1")
            await trio.sleep_forever()
        assert stream.waiting.cancelled_caught


async def heard(stream: AcceptStream, far: MemoryPipe, *segments: bytes) -> bytes:
    """What a library hears of these segments before the client is answered."""
    got = b""
    for segment in segments:
        far.write(segment)
        got += await stream.receive_some()
    return got


@pytest.mark.parametrize("ends", [b"\r\n\r\n", b"\n\n", b"\n\r\n"], ids=["CRLF", "LF", "mixed"])
async def test_the_head_ends_where_it_ends(ends: bytes) -> None:
    """However the head is cut into segments and lines, the library hears all of it and nothing of what follows."""
    head = b"GET / HTTP/1.1\r\nHost: x" + ends
    for cut in range(1, len(head)):
        async with trio.open_nursery() as nursery:
            near, far = memory_pair(nursery.start_soon)
            stream = AcceptStream(near)
            assert await heard(stream, far, head[:cut], head[cut:] + b"early") == head == stream.head
            with trio.move_on_after(1) as scope:
                await stream.receive_some()
            assert scope.cancelled_caught
            stream.answer()
            assert await stream.receive_some() == b"early"
            near.abort()


async def test_a_client_that_is_not_admitted_is_held_back() -> None:
    """A stranger makes us keep little more than one read, and all that it sent is there when it is admitted."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon, room=1000)
        stream = AcceptStream(near)
        far.write(asking() + bytes(10 * READ_SIZE))
        got: list[bytes] = []

        async def library() -> None:
            while True:
                got.append(await stream.receive_some(READ_SIZE))

        nursery.start_soon(library)
        await trio.testing.wait_all_tasks_blocked()
        assert READ_SIZE <= far.sent < 2 * READ_SIZE
        assert b"".join(got) == asking()
        stream.answer()
        await trio.testing.wait_all_tasks_blocked()
        assert b"".join(got) == asking() + bytes(10 * READ_SIZE)
        nursery.cancel_scope.cancel()


async def test_a_server_ends_only_its_side() -> None:
    """When the library closes the stream, what was said last still leaves, and the client is still heard."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon, room=1000)
        stream = AcceptStream(near)
        await stream.send_all(bytes(5000))
        await stream.aclose()
        got = b""
        while data := await PipeStream(far).receive_some():
            got += data
        assert got == bytes(5000)
        far.write(b"ending too")
        far.write_eof()
        assert await stream.receive_some() == b"ending too"
        near.abort()
