import errno
import tracemalloc

import pytest
import trio
import trio.testing

from lifecycle.trio.pipes.memory import ROOM, MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import Pipe


async def read(pipe: Pipe) -> bytes:
    """Wait for the next bytes, or the end."""
    while True:
        await pipe.ready()
        data = pipe.read()
        if data is not None:
            return data


async def read_exactly(pipe: Pipe, count: int) -> bytes:
    """Read until so many bytes are there, or the end."""
    got = b""
    while len(got) < count and (data := await read(pipe)):
        got += data
    return got


async def test_a_waiting_reader_is_woken() -> None:
    """Bytes pass both ways, and a reader that waits gets them in the moment they are written."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)

        async def peer() -> None:
            await trio.sleep(5)
            theirs.write(b"hello")

        nursery.start_soon(peer)
        assert ours.read() is None
        assert await read(ours) == b"hello"
        assert trio.current_time() == pytest.approx(5)
        ours.write(b"world")
        assert theirs.read(3) == b"wor"
        assert theirs.read() == b"ld"


async def test_a_peer_that_does_not_read_makes_bytes_wait() -> None:
    """A lane has room for so many bytes; the rest is kept, and follows whole and in order when the peer reads."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=10)
        ours.write(b"0123456789abcdefghij-")
        await trio.sleep(60)
        assert (ours.given, ours.sent) == (21, 10)
        assert len(nursery.child_tasks) == 1
        assert await read_exactly(theirs, 21) == b"0123456789abcdefghij-"
        await trio.testing.wait_all_tasks_blocked()
        assert ours.sent == 21
        assert not nursery.child_tasks


async def test_a_full_lane_takes_nothing() -> None:
    """A write that fits exactly starts no flusher; the next one finds no room at all, and waits."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=10)
        ours.write(b"0123456789")
        assert not nursery.child_tasks
        ours.write(b"x")
        assert (ours.given, ours.sent) == (11, 10)
        assert await read_exactly(theirs, 11) == b"0123456789x"


async def test_nobody_runs_while_both_wait() -> None:
    """An hour of two idle readers passes in one jump of the clock."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        nursery.start_soon(read, ours)
        nursery.start_soon(read, theirs)
        await trio.sleep(3600)
        steps = trio.lowlevel.current_statistics().tasks_runnable
        assert steps == 0
        nursery.cancel_scope.cancel()


async def test_a_cancelled_wait_takes_nothing() -> None:
    """Bytes that come after a cancelled wait are still there."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        with trio.move_on_after(1) as scope:
            await ours.ready()
        assert scope.cancelled_caught
        theirs.write(b"x")
        assert await read(ours) == b"x"


async def test_an_abort_is_an_end_for_the_peer() -> None:
    """The peer reads what was sent, then the end, and its next write breaks its pipe."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        ours.write(b"bye")
        ours.abort()
        assert await read(theirs) == b"bye"
        assert await read(theirs) == b""
        assert theirs.broken is None
        theirs.write(b"anybody?")
        assert theirs.broken is not None
        assert theirs.broken.errno == errno.EPIPE
        with pytest.raises(trio.BrokenResourceError):
            theirs.write(b"x")


async def test_an_abort_wakes_those_who_wait() -> None:
    """Our reader is told, our flusher and the peer's end, and again is no harm."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=1)

        async def reader() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await ours.ready()

        ours.write(b"much")
        theirs.write(b"more")
        assert await read(ours) == b"m"
        await trio.testing.wait_all_tasks_blocked()
        assert await read(ours) == b"o"
        nursery.start_soon(reader)
        await trio.lowlevel.checkpoint()
        ours.abort()
        ours.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks


# Frames that the next one supersedes


async def test_a_latest_frame_leaves_at_once() -> None:
    """While nothing is kept it is a write like others."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        ours.write_latest(b"one")
        ours.write_latest(b"two")
        assert (ours.given, ours.sent) == (6, 6)
        assert theirs.read() == b"onetwo"
        assert not nursery.child_tasks


async def test_only_the_latest_frame_is_kept() -> None:
    """Of those that come while the system takes nothing the last one arrives, once, behind what was kept."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=10)
        ours.write(b"0123456789 kept ")
        for number in range(5):
            ours.write_latest(b"pong %d " % number)
        assert ours.given == 16
        ours.write(b"and more ")
        assert await read_exactly(theirs, 32) == b"0123456789 kept and more pong 4 "
        await trio.testing.wait_all_tasks_blocked()
        assert theirs.read() is None
        assert ours.given == ours.sent == 32


async def test_a_flood_of_latest_frames_needs_no_memory() -> None:
    """A hundred thousand of them for a peer that reads nothing, then a byte now and then, need room for two."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=10)
        ours.write(bytes(100))
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(100_000):
                ours.write_latest(b"pong %06d" % number)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most - before < 4096
        assert ours.given == 100
        for number in range(100_000, 100_300):
            ours.write_latest(b"pong %06d" % number)
            assert theirs.read(1)
            await trio.testing.wait_all_tasks_blocked()
            assert ours.given - ours.sent <= 100
        got = bytearray()
        while (data := theirs.read()) is not None:
            got += data
            await trio.testing.wait_all_tasks_blocked()
        frames = [int(frame) for frame in bytes(got).lstrip(b"\0").split(b"pong ")[1:]]
        assert frames == sorted(set(frames))
        assert frames[-1] == 100_299


async def test_a_refill_cannot_keep_a_latest_frame_back() -> None:
    """A `drained` that writes each time comes after it, so it leaves though there is always something to send."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=10)
        ours.drained = lambda: ours.write(b"0123456789")
        ours.write(bytes(20))
        ours.write_latest(b"pong")
        assert (await read_exactly(theirs, 40))[:34] == bytes(20) + b"pong0123456789"
        ours.abort()


async def test_the_end_follows_a_latest_frame() -> None:
    """One that is held leaves before the end, and none can be written after it, whatever is kept."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=1)
        ours.write(b"kept ")
        ours.write_latest(b"pong")
        ours.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            ours.write_latest(b"late")
        assert await read_exactly(theirs, 100) == b"kept pong"


async def test_a_latest_frame_that_cannot_leave() -> None:
    """It raises as a write does; one that is held when the connection breaks is forgotten without a word."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon, room=1)
        ours.write(b"kept")
        ours.write_latest(b"pong")
        theirs.reset()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        with pytest.raises(trio.BrokenResourceError):
            ours.write_latest(b"more")
        ours.abort()
        with pytest.raises(trio.BrokenResourceError):
            ours.write_latest(b"more")


async def test_an_end_of_writing_leaves_the_other_direction_open() -> None:
    """After `write_eof` the peer reads the end and may still answer."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        ours.write_eof()
        assert await read(theirs) == b""
        theirs.write(b"answer")
        assert await read(ours) == b"answer"


async def test_a_reset_is_told_at_once() -> None:
    """A reset overtakes what was sent, and keeps its number."""
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair(nursery.start_soon)
        ours.write(b"lost")
        ours.reset()
        assert await read(theirs) == b""
        assert theirs.broken is not None
        assert theirs.broken.errno == errno.ECONNRESET


async def test_each_end_has_its_own_flusher() -> None:
    """The nursery of a peer may be another one."""
    async with trio.open_nursery() as ours, trio.open_nursery() as theirs:
        pair = memory_pair(ours.start_soon, theirs.start_soon)
        pair[1].write(bytes(ROOM + 1))
        assert (len(ours.child_tasks), len(theirs.child_tasks)) == (0, 1)
        pair[0].abort()


def test_a_pair_needs_room() -> None:
    """A lane without room is refused."""
    with pytest.raises(ValueError, match="at least 1 byte, not 0"):
        memory_pair(lambda _: None, room=0)


def test_a_pair_is_two_memory_pipes() -> None:
    """Both ends are of the same kind."""
    assert [type(pipe) for pipe in memory_pair(lambda _: None)] == [MemoryPipe, MemoryPipe]
