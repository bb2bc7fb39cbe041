"""Bytes both ways, written without waiting: `write` is synchronous, so no cancellation can tear what it was given.

Law: bytes leave in the order given. What the system does not take at once is kept whole and sent by a flusher, a task
that lives only while something is kept. `ready` is the only wait; a pipe has one reader and lives for one connection.
Whoever makes a pipe says in which nursery its flusher lives, and aborts the pipe.
It does not know frames, TLS, names, or that a connection may come back.
"""

import abc
import contextlib
import functools
import socket
from collections.abc import Awaitable, Callable
from typing import final

import trio
from trio.lowlevel import checkpoint, notify_closing, wait_readable, wait_writable

Spawn = Callable[[Callable[[], Awaitable[None]]], None]

# Frames of 64 KiB come nearly twice as fast by reads of 256 KiB; an idle connection is content with the smaller.
READ_LEAST = 64 * 1024
READ_MOST = 256 * 1024
_GROW = 4


@functools.cache
def _keep_large_blocks() -> None:
    """Tell the allocator, once, that blocks as large as our reads come and go.

    glibc gives each block above a threshold back to the system, and takes it anew, page by page: of a flood of large
    messages that is half the work. The threshold rises to the largest block that was given back (`mallopt`(3),
    M_MMAP_THRESHOLD); elsewhere this does nothing.
    """
    bytes(4 * READ_MOST)


class Pipe(abc.ABC):
    """What every pipe can do.

    Attributes:
        drained: called by the flusher each time the system took some of what was kept; it may write.
        heard: called once for each read that brought bytes.
    """

    __slots__ = ("_latest", "_latest_end", "drained", "heard")

    def __init__(self) -> None:
        self.drained: Callable[[], None] | None = None
        self.heard: Callable[[], None] | None = None
        self._latest = b""
        self._latest_end = 0  # in `given`, of the last one that had to wait

    @property
    @abc.abstractmethod
    def given(self) -> int:
        """How many bytes were written to the pipe so far."""

    @property
    @abc.abstractmethod
    def sent(self) -> int:
        """How many of them the system has taken; it does not follow that the peer has them."""

    @property
    @abc.abstractmethod
    def broken(self) -> OSError | None:
        """The first error of the connection; None after a regular end."""

    @property
    @abc.abstractmethod
    def closed(self) -> bool:
        """Whether the pipe was aborted on this side."""

    @abc.abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of it, in order, without waiting.

        Raises:
            trio.BrokenResourceError: the pipe was already broken, aborted, or ended by `write_eof`.
        """

    def write_latest(self, data: bytes) -> None:
        """Send a control frame that the next one supersedes (a pong, RFC 6455 5.5.3), without waiting.

        If nothing is kept it is written at once. Else it is held, and a later one takes its place, until the system
        has taken some of what is kept: then it is written, before `drained` is told. While one that had to wait is
        still kept, the next is held on; so a flood needs room for two, however little the peer reads. It stands
        between whole writes, and counts in `given` when it is written.

        Raises:
            trio.BrokenResourceError: the pipe was already broken, aborted, or ended by `write_eof`.
        """
        if self.given > self.sent:
            self.write(b"")  # raises where the frame would
            self._latest = data
        else:
            self.write(data)

    @abc.abstractmethod
    def read(self, size: int | None = None) -> bytes | None:
        """Take what has come, without waiting: None means nothing yet, empty means the end.

        Args:
            size: at most so many bytes; by default as many as are worth it.
        """

    @abc.abstractmethod
    async def ready(self) -> None:
        """Wait until a read is worth trying, and let other tasks run. May wake too early.

        Raises:
            trio.ClosedResourceError: the pipe was aborted on this side.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Close at once and forget what is kept. Again is no harm."""

    @abc.abstractmethod
    def write_eof(self) -> None:
        """Tell the peer that nothing follows what was written. Again is no harm."""

    def _taken(self) -> None:
        # what waits goes first: a `drained` that writes each time would keep it back for ever
        if self.sent >= self._latest_end:
            self._let_go()
        if self.drained:
            self.drained()

    def _let_go(self) -> None:
        if self._latest:
            latest, self._latest = self._latest, b""
            # if it cannot leave any more, the reader tells why
            with contextlib.suppress(trio.BrokenResourceError):
                self.write(latest)
            self._latest_end = self.given


class BufferedPipe(Pipe):
    """A pipe over something that takes and gives what it can, and raises BlockingIOError where it cannot."""

    __slots__ = ("_broken", "_closed", "_eof", "_flushing", "_full", "_given", "_kept", "_sent", "_spawn", "_worth")

    def __init__(self, spawn: Spawn) -> None:
        super().__init__()
        self._spawn = spawn
        self._kept = bytearray()
        self._given = 0
        self._sent = 0
        self._worth = READ_LEAST
        self._full = False  # the last read gave all it was asked for, so there may be more
        self._broken: OSError | None = None
        self._closed = False
        self._eof = False
        self._flushing = False

    @property
    def given(self) -> int:
        """How many bytes were written to the pipe so far."""
        return self._given

    @property
    def sent(self) -> int:
        """How many of them the system has taken."""
        return self._sent

    @property
    def broken(self) -> OSError | None:
        """The first error of the connection."""
        return self._broken

    @property
    def closed(self) -> bool:
        """Whether the pipe was aborted on this side."""
        return self._closed

    def write(self, data: bytes) -> None:
        """Send all of it, in order, without waiting.

        Raises:
            trio.BrokenResourceError: the pipe was already broken, aborted, or ended by `write_eof`.
        """
        if self._closed or self._eof or self._broken:
            raise trio.BrokenResourceError("this pipe takes no more bytes") from self._broken
        self._given += len(data)
        taken = 0 if self._kept else self._offer(data)
        # an error here is told by the reader, once; what is left over can never leave
        if taken == len(data) or self._broken:
            return
        self._kept += memoryview(data)[taken:]
        if not self._flushing:
            self._spawn(self._flush)
            self._flushing = True

    def read(self, size: int | None = None) -> bytes | None:
        """Take what has come, without waiting: None means nothing yet, empty means the end."""
        if self._closed:
            return b""
        worth = size or self._worth
        try:
            data = self._receive(worth)
        except BlockingIOError:
            self._full = False
            return None
        except OSError as error:
            self._break(error)
            return b""
        self._full = len(data) == worth
        if size is None:
            self._adapt(len(data))
        if data and self.heard:
            self.heard()
        return data

    async def ready(self) -> None:
        """Wait until a read is worth trying, and let other tasks run. May wake too early.

        Raises:
            trio.ClosedResourceError: the pipe was aborted on this side.
        """
        if self._full and not self._closed:
            # the next read answers faster than a question to the system; the checkpoint keeps a flood fair
            self._full = False
            await checkpoint()
        elif not self._closed:
            await self._readable()
        if self._closed:
            raise trio.ClosedResourceError("this pipe was aborted")

    def abort(self) -> None:
        """Close at once and forget what is kept. Again is no harm."""
        if not self._closed:
            self._closed = True
            self._kept.clear()
            self._close()

    def write_eof(self) -> None:
        """Tell the peer that nothing follows what was written. Again is no harm."""
        if not self._eof:
            self._let_go()
            self._eof = True
            self._finish()

    def _finish(self) -> None:
        if not (self._kept or self._closed or self._broken):
            try:
                self._shut()
            except OSError as error:
                self._break(error)

    async def _flush(self) -> None:
        try:
            while self._kept:
                await self._writable()
                taken = self._offer(self._kept)
                del self._kept[:taken]
                if self._broken:
                    self._kept.clear()
                if taken:
                    self._taken()
            if self._eof:
                self._finish()
        except trio.ClosedResourceError:
            # aborted while we waited: nothing is kept any more
            return
        finally:
            self._flushing = False

    def _offer(self, data: bytes | bytearray) -> int:
        try:
            taken = self._send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError as error:
            self._break(error)
            return 0
        self._sent += taken
        return taken

    def _adapt(self, got: int) -> None:
        if got == self._worth:
            _keep_large_blocks()
            self._worth = min(self._worth * _GROW, READ_MOST)
        elif got < self._worth // _GROW:
            self._worth = max(self._worth // 2, READ_LEAST)

    def _break(self, error: OSError) -> None:
        # the first error says what happened; a later one often only that it did
        self._broken = self._broken or error

    @abc.abstractmethod
    def _send(self, data: bytes | bytearray) -> int: ...

    @abc.abstractmethod
    def _receive(self, size: int) -> bytes: ...

    @abc.abstractmethod
    def _readable(self) -> Awaitable[None]: ...

    @abc.abstractmethod
    def _writable(self) -> Awaitable[None]: ...

    @abc.abstractmethod
    def _shut(self) -> None: ...

    @abc.abstractmethod
    def _close(self) -> None: ...


@final
class SocketPipe(BufferedPipe):
    """A pipe over a connected stream socket of the standard library, which it owns from now on."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket, spawn: Spawn) -> None:
        """Take over a socket.

        Args:
            sock: connected; it is made non-blocking, and a small write on TCP will leave at once.
            spawn: starts the flusher in a nursery that outlives the pipe.
        """
        super().__init__(spawn)
        self._socket = sock
        sock.settimeout(0)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _send(self, data: bytes | bytearray) -> int:
        return self._socket.send(data)

    def _receive(self, size: int) -> bytes:
        return self._socket.recv(size)

    def _readable(self) -> Awaitable[None]:
        return wait_readable(self._socket.fileno())  # noqa: ASYNC105 -- whoever calls it awaits it

    def _writable(self) -> Awaitable[None]:
        return wait_writable(self._socket.fileno())  # noqa: ASYNC105 -- as above

    def _shut(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def _close(self) -> None:
        notify_closing(self._socket.fileno())
        self._socket.close()


class PipeStream(trio.abc.Stream):
    """A pipe shown as a trio stream, to be put under a library: `send_all` has no await, so it cannot be torn."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Give all of it to the pipe; not even a checkpoint, for a cancellation there would come after the deed.

        Raises:
            trio.BrokenResourceError: the pipe takes no more.
        """
        self._pipe.write(data if isinstance(data, bytes) else bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Return after a checkpoint: it never blocks."""
        await checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; empty is the end.

        Args:
            max_bytes: at most so many; by default as many as the pipe finds worth it.

        Raises:
            ValueError: `max_bytes` is not above 0.
            trio.ClosedResourceError: the pipe was aborted on this side.
            trio.BrokenResourceError: the connection broke.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        while True:
            await self._pipe.ready()
            data = self._pipe.read(max_bytes)
            if data:
                return data
            if data is not None:
                if self._pipe.broken:
                    raise trio.BrokenResourceError("the connection broke") from self._pipe.broken
                return b""

    async def aclose(self) -> None:
        """Abort the pipe."""
        self._pipe.abort()
        await checkpoint()
