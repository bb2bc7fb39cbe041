import errno
import socket
import struct
from typing import Any

import pytest
import trio
import trio.testing

from lifecycle.trio.pipes.pipe import READ_LEAST, READ_MOST, BufferedPipe, Pipe, PipeStream, SocketPipe

EIGHT_MB = bytes(range(256)) * (32 * 1024)

Sockets = tuple[socket.socket, socket.socket]


async def read(pipe: Pipe) -> bytes:
    """Wait for the next bytes, or the end."""
    while True:
        await pipe.ready()
        data = pipe.read()
        if data is not None:
            return data


async def read_exactly(pipe: Pipe, count: int) -> bytes:
    """Read until so many bytes are there, or the end."""
    got = bytearray()
    while len(got) < count and (data := await read(pipe)):
        got += data
    return bytes(got)


def reset(sock: socket.socket) -> None:
    """Close a socket so that the other end sees a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class pipes:  # noqa: N801  # it reads as a verb after `async with`
    """Two pipes over two sockets, and the nursery of their flushers."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._manager = trio.open_nursery()

    async def __aenter__(self) -> tuple[SocketPipe, SocketPipe, trio.Nursery]:
        nursery = await self._manager.__aenter__()
        self._ends = [SocketPipe(sock, nursery.start_soon) for sock in self._sockets]
        return self._ends[0], self._ends[1], nursery

    async def __aexit__(self, *exception: Any) -> bool | None:  # noqa: PYI036  # handed on
        for pipe in self._ends:
            pipe.abort()
        return await self._manager.__aexit__(*exception)


class Scripted(BufferedPipe):
    """A pipe whose reads find what the test says."""

    def __init__(self, stock: list[int]) -> None:
        super().__init__(lambda _: None)
        self.stock = stock
        self.asked: list[int] = []

    def _receive(self, size: int) -> bytes:
        self.asked.append(size)
        return bytes(self.stock.pop(0))

    async def _readable(self) -> None: ...

    async def _writable(self) -> None: ...

    def _send(self, data: bytes | bytearray) -> int:
        return len(data)

    def _shut(self) -> None: ...

    def _close(self) -> None: ...


@pytest.mark.real_time
async def test_what_is_written_arrives(sockets: Sockets) -> None:
    """Bytes arrive in order, and both ends count them."""
    async with pipes(sockets) as (ours, theirs, _):
        ours.write(b"one ")
        ours.write(b"")
        ours.write(b"two")
        assert await read_exactly(theirs, 7) == b"one two"
        assert (ours.given, ours.sent) == (7, 7)
        theirs.write(b"back")
        assert await read(ours) == b"back"


@pytest.mark.real_time
async def test_a_read_does_not_wait(sockets: Sockets) -> None:
    """While nothing has come a read says None, which is not the end."""
    async with pipes(sockets) as (ours, _, _):
        assert ours.read() is None


@pytest.mark.real_time
async def test_a_cancelled_send_is_not_torn(sockets: Sockets) -> None:
    """Eight megabytes whose sender was cancelled and the ten bytes after them arrive whole and in order."""
    async with pipes(sockets) as (ours, theirs, nursery):
        stream = PipeStream(ours)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.send_all(EIGHT_MB)
            await stream.wait_send_all_might_not_block()
        assert scope.cancelled_caught
        await stream.send_all(b"0123456789")
        assert ours.given == len(EIGHT_MB) + 10
        assert ours.sent < len(EIGHT_MB)
        assert len(nursery.child_tasks) == 1
        assert await read_exactly(theirs, len(EIGHT_MB) + 10) == EIGHT_MB + b"0123456789"


@pytest.mark.real_time
async def test_the_flusher_lives_only_while_something_is_kept(sockets: Sockets) -> None:
    """A write that the system takes at once starts no task; a long one starts one, which ends when all is sent."""
    async with pipes(sockets) as (ours, theirs, nursery):
        ours.write(b"short")
        assert not nursery.child_tasks
        assert await read_exactly(theirs, 5) == b"short"
        for _ in range(2):
            ours.write(EIGHT_MB)
            ours.write(b"more")
            assert len(nursery.child_tasks) == 1
            assert await read_exactly(theirs, len(EIGHT_MB) + 4) == EIGHT_MB + b"more"
            while nursery.child_tasks:
                await trio.lowlevel.checkpoint()
            assert ours.sent == ours.given


@pytest.mark.real_time
async def test_drained_is_told_and_may_write(sockets: Sockets) -> None:
    """The flusher tells each time the system took something, and what is written then follows in order."""
    async with pipes(sockets) as (ours, theirs, _):
        tail = [b"a", b"b", b"c"]

        def refill() -> None:
            if tail:
                ours.write(tail.pop(0))

        ours.drained = refill
        ours.write(EIGHT_MB)
        assert await read_exactly(theirs, len(EIGHT_MB) + 3) == EIGHT_MB + b"abc"


@pytest.mark.real_time
async def test_of_a_flood_of_latest_frames_the_last_one_arrives(sockets: Sockets) -> None:
    """Frames that supersede each other while a long one is sent take no room, and tear nothing."""
    async with pipes(sockets) as (ours, theirs, _):
        ours.write(EIGHT_MB)
        for number in range(100_000):
            ours.write_latest(b"%06d" % number)
        assert ours.given == len(EIGHT_MB)
        ours.write(b"tail")
        assert await read_exactly(theirs, len(EIGHT_MB) + 10) == EIGHT_MB + b"tail099999"


@pytest.mark.real_time
async def test_heard_is_told_once_for_each_read_that_brought_bytes(sockets: Sockets) -> None:
    """Neither an empty read nor the end counts as a sign of life."""
    async with pipes(sockets) as (ours, theirs, _):
        heard: list[int] = []
        ours.heard = lambda: heard.append(1)
        assert ours.read() is None
        theirs.write(b"x")
        assert await read(ours) == b"x"
        theirs.abort()
        assert await read(ours) == b""
        assert heard == [1]


def test_reads_grow_under_a_flood_and_fall_back() -> None:
    """After a full read the next one is longer, up to a limit; small ones bring it back."""
    pipe = Scripted([READ_LEAST, READ_MOST, READ_MOST, READ_MOST // 2, 10, 10, 10, 10])
    while pipe.stock:
        pipe.read()
    assert pipe.asked == [READ_LEAST, *[READ_MOST] * 4, READ_MOST // 2, *[READ_LEAST] * 2]


def test_a_size_that_is_asked_for_changes_nothing() -> None:
    """A read of a given size says nothing about how much is worth reading."""
    pipe = Scripted([READ_MOST, 1])
    pipe.read(READ_MOST)
    pipe.read()
    assert pipe.asked == [READ_MOST, READ_LEAST]


@pytest.mark.real_time
async def test_after_a_full_read_ready_does_not_wait(sockets: Sockets) -> None:
    """A full read may have left something, so the next one is tried without asking; then waiting is real again."""
    async with pipes(sockets) as (ours, theirs, _):
        theirs.write(b"ab")
        await ours.ready()
        assert ours.read(2) == b"ab"
        with trio.testing.assert_checkpoints():
            await ours.ready()
        assert ours.read() is None
        with trio.move_on_after(0.01) as scope:
            await ours.ready()
        assert scope.cancelled_caught


@pytest.mark.real_time
async def test_the_end_of_the_peer_is_told(sockets: Sockets) -> None:
    """After the peer's end of writing its bytes are read first, then the end, and we may still write."""
    async with pipes(sockets) as (ours, theirs, _):
        theirs.write(b"last words")
        theirs.write_eof()
        theirs.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            theirs.write(b"more")
        assert await read(ours) == b"last words"
        assert await read(ours) == b""
        assert ours.broken is None
        ours.write(b"answer")
        assert await read(theirs) == b"answer"


@pytest.mark.real_time
async def test_the_end_follows_what_is_kept(sockets: Sockets) -> None:
    """An end that is asked for while much is kept comes after all of it."""
    async with pipes(sockets) as (ours, theirs, _):
        ours.write(EIGHT_MB)
        ours.write_eof()
        assert await read_exactly(theirs, len(EIGHT_MB) + 1) == EIGHT_MB


@pytest.mark.real_time
async def test_a_reset_keeps_its_number(sockets: Sockets) -> None:
    """A reset is told to the reader as an end, its error is kept, and nothing can be written any more."""
    async with pipes(sockets) as (ours, _, _):
        reset(sockets[1])
        assert await read(ours) == b""
        assert ours.broken is not None
        assert ours.broken.errno == errno.ECONNRESET
        with pytest.raises(trio.BrokenResourceError) as caught:
            ours.write(b"x")
        assert caught.value.__cause__ is ours.broken


@pytest.mark.real_time
async def test_a_write_that_breaks_the_pipe_does_not_raise(sockets: Sockets) -> None:
    """The first write after a reset is silent, keeps nothing, and the reader tells the end."""
    async with pipes(sockets) as (ours, _, nursery):
        reset(sockets[1])
        await trio.lowlevel.wait_readable(sockets[0])
        ours.write(b"x")
        assert (ours.given, ours.sent) == (1, 0)
        assert not nursery.child_tasks
        assert ours.broken is not None
        assert await read(ours) == b""


@pytest.mark.real_time
async def test_a_reset_ends_the_flusher(sockets: Sockets) -> None:
    """What is kept when the peer resets is forgotten, and the flusher ends."""
    async with pipes(sockets) as (ours, _, nursery):
        ours.write(EIGHT_MB)
        reset(sockets[1])
        while nursery.child_tasks:
            await trio.lowlevel.checkpoint()
        assert ours.broken is not None
        assert ours.sent < ours.given


@pytest.mark.real_time
async def test_an_end_that_cannot_be_told_is_kept_as_an_error(sockets: Sockets) -> None:
    """Ending a connection that was reset breaks the pipe, and raises nothing."""
    async with pipes(sockets) as (ours, _, _):
        reset(sockets[1])
        await trio.lowlevel.wait_readable(sockets[0])
        sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        ours.write_eof()
        assert ours.broken is not None
        assert ours.broken.errno == errno.ENOTCONN


@pytest.mark.real_time
async def test_abort_ends_everything_at_once(sockets: Sockets) -> None:
    """A waiting reader is woken, the flusher ends, the peer sees the end; and again is no harm."""
    async with pipes(sockets) as (ours, theirs, nursery):
        ours.write(EIGHT_MB)

        async def reader() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await ours.ready()

        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert len(nursery.child_tasks) == 2
        ours.abort()
        ours.abort()
        assert ours.closed
        assert ours.read() == b""
        ours.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            ours.write(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await ours.ready()
        while nursery.child_tasks:
            await trio.lowlevel.checkpoint()
        assert len(await read_exactly(theirs, len(EIGHT_MB))) < len(EIGHT_MB)


async def test_an_abort_while_others_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that is aborted in the checkpoint after a full read says so."""
    pipe = Scripted([2])
    pipe.read(2)

    async def checkpoint() -> None:
        pipe.abort()

    monkeypatch.setattr("lifecycle.trio.pipes.pipe.checkpoint", checkpoint)
    with pytest.raises(trio.ClosedResourceError):
        await pipe.ready()


@pytest.mark.real_time
async def test_a_cancelled_flusher_is_started_again(sockets: Sockets) -> None:
    """What a cancelled flusher leaves is sent by the next one, in order."""
    async with pipes(sockets) as (ours, theirs, nursery):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                starts: list[Any] = []
                ours._spawn = starts.append
                ours.write(EIGHT_MB)
                inner.start_soon(starts.pop())
                await trio.testing.wait_all_tasks_blocked(0.01)
                scope.cancel()
        ours._spawn = nursery.start_soon
        ours.write(b"tail")
        assert await read_exactly(theirs, ours.given) == EIGHT_MB + b"tail"


@pytest.mark.real_time
async def test_a_pipe_is_a_stream(sockets: Sockets) -> None:
    """A library may read and write a pipe as a trio stream, and sees its ends as trio's errors."""
    async with pipes(sockets) as (ours, theirs, _):
        stream = PipeStream(ours)
        await stream.send_all(memoryview(b"hello"))
        assert await read(theirs) == b"hello"
        theirs.write(b"world")
        assert await stream.receive_some(2) == b"wo"
        assert await stream.receive_some() == b"rld"
        with pytest.raises(ValueError, match="at least 1, not 0"):
            await stream.receive_some(0)
        theirs.write_eof()
        assert await stream.receive_some() == b""
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")


@pytest.mark.real_time
async def test_a_stream_tells_a_reset(sockets: Sockets) -> None:
    """A reset is no regular end for a library."""
    async with pipes(sockets) as (ours, _, _):
        reset(sockets[1])
        with pytest.raises(trio.BrokenResourceError) as caught:
            await PipeStream(ours).receive_some()
        assert isinstance(caught.value.__cause__, ConnectionResetError)


@pytest.mark.real_time
async def test_a_stream_waits_for_bytes() -> None:
    """A wake-up without bytes is not the end; also a socket of the file system will do."""
    async with trio.open_nursery() as nursery:
        ours, theirs = (SocketPipe(sock, nursery.start_soon) for sock in socket.socketpair())
        ours._full = True  # the next `ready` returns though nothing has come
        nursery.start_soon(_write_later, theirs)
        assert await PipeStream(ours).receive_some() == b"late"
        ours.abort()
        theirs.abort()


async def _write_later(pipe: Pipe) -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)
    pipe.write(b"late")
