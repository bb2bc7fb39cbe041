"""A pipe whose reading can be held up, and whose connection can be cut under it: the network of a peer in memory.

Law: what is held up is not lost; it waits in the bounded lane behind, so the other end feels it as TCP does. Who writes
to a connection that was cut is told by its reader and by nothing else, as by a system.
It does not know why, nor what the bytes mean.
"""

import errno
import os
from collections.abc import Callable
from typing import final

import trio
from trio.lowlevel import checkpoint

from lifecycle.trio.parking import Parking
from lifecycle.trio.pipes.pipe import Pipe


@final
class GatedPipe(Pipe):
    """A gate before the reader of another pipe.

    Args:
        inner: whose bytes these are; it is owned from now on.
        gone: called once, when this end is aborted.
    """

    __slots__ = ("_after", "_gate", "_gone", "_held", "_inner", "_over", "_reset", "_waiting")

    def __init__(self, inner: Pipe, gone: Callable[[], None]) -> None:
        super().__init__()
        self._inner, self._gone = inner, gone
        self._held = False
        self._gate = Parking()
        self._over = False
        self._after = 0  # bytes written after that
        self._reset: OSError | None = None
        self._waiting: trio.CancelScope | None = None  # of who waits for the inner pipe
        inner.drained = self._taken

    def hold(self) -> None:
        """Let nothing through to the reader, neither bytes nor an end, until `release`."""
        self._held = True

    def release(self) -> None:
        """Let everything through again."""
        self._held = False
        self._gate.wake()

    def drop(self) -> None:
        """End the connection on this end: the other hears it after what was written; what is written later is lost."""
        self.write_eof()
        self._over = True

    def reset(self) -> None:
        """Break the connection on this end: what is on its way to it, or written later, is lost."""
        self._over = True
        self._reset = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if self._waiting is not None:
            self._waiting.cancel()

    @property
    def given(self) -> int:
        """How many bytes were written so far."""
        return self._inner.given + self._after

    @property
    def sent(self) -> int:
        """How many of them the network has taken."""
        sent = self._inner.sent
        return sent + self._after if sent == self._inner.given and self._reset is None else sent

    @property
    def broken(self) -> OSError | None:
        """The first error of the connection."""
        return self._inner.broken or self._reset

    @property
    def closed(self) -> bool:
        """Whether the pipe was aborted on this side."""
        return self._inner.closed

    def write(self, data: bytes) -> None:
        """Send all of it, in order, without waiting.

        Raises:
            trio.BrokenResourceError: the pipe was already broken, aborted, or ended by `write_eof`.
        """
        if self._over and not self.closed:
            self._after += len(data)
        else:
            self._inner.write(data)

    def read(self, size: int | None = None) -> bytes | None:
        """Take what has come and is let through, without waiting: None means nothing yet, empty means the end."""
        if self._held and not self.closed:
            return None
        if self._reset is not None:
            return b""
        data = self._inner.read(size)
        if data and self.heard:
            self.heard()
        return data

    async def ready(self) -> None:
        """Wait until a read is worth trying, and let other tasks run. May wake too early.

        Raises:
            trio.ClosedResourceError: the pipe was aborted on this side.
        """
        while self._held and not self.closed:
            await self._gate.wait()
        if self._reset is not None and not self.closed:
            await checkpoint()
            return
        with trio.CancelScope() as self._waiting:
            await self._inner.ready()
        self._waiting = None

    def abort(self) -> None:
        """Close at once and forget what is kept. Again is no harm."""
        if not self.closed:
            self._inner.abort()
            self._gate.wake()
            self._gone()

    def write_eof(self) -> None:
        """Tell the peer that nothing follows what was written. Again is no harm."""
        self._let_go()
        self._inner.write_eof()
