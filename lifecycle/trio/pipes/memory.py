"""Two pipes joined in memory: no socket and no thread, so a virtual clock sees when everybody really waits.

Law: each direction holds a bounded number of bytes, so a peer that does not read makes the other side's bytes wait,
as TCP does. An end is told after what was sent before it; a reset is told at once.
It does not know frames, nor how long anything takes.
"""

import errno
import os
from collections.abc import Callable
from typing import final

from trio.lowlevel import ParkingLot, checkpoint

from lifecycle.trio.pipes.pipe import BufferedPipe, Spawn

ROOM = 64 * 1024


class _Lane:
    """One direction: bytes on their way, and who waits for them or for room."""

    __slots__ = ("bytes", "changed", "error", "left", "over", "room")

    def __init__(self, room: int) -> None:
        self.bytes = bytearray()
        self.room = room
        self.over = False  # nothing more will be put in
        self.left = False  # nothing more will be taken out
        self.error = 0  # told to the reader before anything else
        self.changed = ParkingLot()

    def wake(self) -> None:
        self.changed.unpark_all()

    @property
    def readable(self) -> bool:
        return bool(self.bytes or self.over or self.error)

    @property
    def writable(self) -> bool:
        return len(self.bytes) < self.room or self.left


@final
class MemoryPipe(BufferedPipe):
    """One end of a pair; made by `memory_pair`."""

    __slots__ = ("_inward", "_outward")

    def __init__(self, spawn: Spawn, inward: _Lane, outward: _Lane) -> None:
        super().__init__(spawn)
        self._inward = inward
        self._outward = outward

    def reset(self) -> None:
        """Abort, and let the peer's next read fail with ECONNRESET, even if bytes are on their way."""
        self._outward.error = errno.ECONNRESET
        self.abort()

    def _send(self, data: bytes | bytearray) -> int:
        lane = self._outward
        if lane.left:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        taken = min(len(data), lane.room - len(lane.bytes))
        if not taken:
            raise BlockingIOError
        with memoryview(data) as view:
            lane.bytes += view[:taken]
        lane.wake()
        return taken

    def _receive(self, size: int) -> bytes:
        lane = self._inward
        if lane.error:
            raise OSError(lane.error, os.strerror(lane.error))
        if not lane.readable:
            raise BlockingIOError
        data = bytes(lane.bytes[:size])
        del lane.bytes[:size]
        lane.wake()
        return data

    async def _readable(self) -> None:
        await self._park(self._inward, lambda: self._inward.readable)

    async def _writable(self) -> None:
        await self._park(self._outward, lambda: self._outward.writable)

    async def _park(self, lane: _Lane, good: Callable[[], bool]) -> None:
        if good() or self._closed:
            await checkpoint()
        while not (good() or self._closed):
            await lane.changed.park()

    def _shut(self) -> None:
        self._outward.over = True
        self._outward.wake()

    def _close(self) -> None:
        self._inward.left = True
        self._inward.wake()
        self._shut()


def memory_pair(spawn: Spawn, peer_spawn: Spawn | None = None, *, room: int = ROOM) -> tuple[MemoryPipe, MemoryPipe]:
    """Make two pipes, each the other's peer.

    Args:
        spawn: starts the flusher of the first pipe.
        peer_spawn: starts the flusher of the second; by default as the first.
        room: how many bytes each direction holds before a write must wait.

    Raises:
        ValueError: there is no room.
    """
    if room < 1:
        raise ValueError(f"the room must be at least 1 byte, not {room}")
    there, back = _Lane(room), _Lane(room)
    return MemoryPipe(spawn, back, there), MemoryPipe(peer_spawn or spawn, there, back)
