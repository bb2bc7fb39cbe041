"""What stands between a server and its WebSocket library when a test watches: it tells, and hands on.

Law: the library and the server behave as without it, but for what the test has ended. It does not know what is done
with what it tells.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, final

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.library import Library
from lifecycle.trio.transports.transport import Asking, Batch, Sink, Transport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending

if TYPE_CHECKING:
    from .link import Link

Heard = Callable[[Batch], None]


@final
class WatchedLibrary:
    """A WebSocket library that shows its clients, and what they say.

    Args:
        inner: which one.
        link_of: the connection of a server's pipe.
        listener: makes who is told what one client says.
        admitted: is told who was let in.
    """

    def __init__(
        self,
        inner: Library,
        link_of: "Callable[[Pipe], Link]",
        listener: Callable[[], Heard],
        admitted: "Callable[[Link], None]",
    ) -> None:
        self._inner, self._link_of, self._listener, self._admitted = inner, link_of, listener, admitted

    async def dial(self, request: DialRequest, pipe: Pipe, opened: Callable[[Transport], None]) -> None:
        """Shake hands as a client, as the library does."""
        await self._inner.dial(request, pipe, opened)

    async def accept(self, pipe: Pipe, limit: int, peer: str, asked: Callable[[Asking], None]) -> None:
        """Read a client's request, as the library does."""
        link = self._link_of(pipe)

        def watched(asking: Asking) -> None:
            shown = link.asked(asking, self._listener(), self._admitted)
            if shown is not None:
                asked(shown)

        await self._inner.accept(pipe, limit, peer, watched)


@final
class WatchedAsking(Asking):
    """A client's request that tells when the client is admitted.

    Args:
        inner: the library's.
        admitted: gets the transport, and gives the one that the server is to have.
    """

    __slots__ = ("_admitted", "_inner")

    def __init__(self, inner: Asking, admitted: Callable[[Transport], Transport]) -> None:
        super().__init__(inner.upgrade)
        self._inner, self._admitted = inner, admitted

    def admit(self, subprotocol: str | None = None) -> Transport:
        """Answer with 101, as the library does."""
        return self._admitted(self._inner.admit(subprotocol))

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer with another status, as the library does."""
        self._inner.refuse(status, headers, body)


@final
class WatchedTransport(Transport):
    """A transport that tells what it receives, and loses what is sent when the test has ended the connection.

    Args:
        inner: the library's.
        heard: is told each batch before the server.
        over: whether the test has ended it.
    """

    __slots__ = ("_heard", "_inner", "_over")

    def __init__(self, inner: Transport, heard: Heard, over: Callable[[], bool]) -> None:
        self._inner, self._heard, self._over = inner, heard, over

    @property
    def ended(self) -> Ending | None:
        """Why there is no connection any more; None while there is one."""
        return self._inner.ended

    async def receive(self) -> Batch:
        """Wait for messages, and tell them."""
        batch = await self._inner.receive()
        self._heard(batch)
        return batch

    def attach(self, sink: Sink) -> bool:
        """Push messages into a sink from now on, and tell them."""
        return self._inner.attach(_Ear(sink, self._heard))

    def send(self, data: str | bytes) -> None:
        """Send one message, as the library does, or lose it."""
        if self._inner.ended is not None or not self._over():
            self._inner.send(data)

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life."""
        self._inner.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye."""
        self._inner.close(code, reason)

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._inner.abort()


@final
class _Ear:
    """A sink that tells what is put into it, and hands it on."""

    def __init__(self, sink: Sink, heard: Heard) -> None:
        self._sink, self._heard = sink, heard
        self.room, self.over = sink.room, sink.over

    def put(self, batch: Batch) -> None:
        self._heard(batch)
        self._sink.put(batch)
