"""One connection of a peer in memory, seen from behind the server: what a test may do to it, and what came on it.

Law: the server's machine, driver and WebSocket library are the real ones, and do not know that they are watched. A test
speaks past the page: what it sends and says is what a peer without manners would.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, final

from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.pipes.pipe import Pipe, Spawn
from lifecycle.trio.transports.library import Library
from lifecycle.trio.transports.transport import Asking, Batch, Sink, Transport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending

from .peer_pipe import GatedPipe
from .puppet import NotThere

Heard = Callable[[Batch], None]


@final
class Link:
    """One connection, from its dial on; `Peer` makes it.

    Args:
        spawn: starts tasks on the client's side.
        peer_spawn: starts tasks on the server's.
        gone: called when both ends have left.
        refusal: the status and headers to refuse the client with, or None.
    """

    def __init__(
        self,
        spawn: Spawn,
        peer_spawn: Spawn,
        gone: "Callable[[Link], None]",
        refusal: tuple[int, Mapping[str, str]] | None,
    ) -> None:
        near, far = memory_pair(spawn, peer_spawn)
        self._near, self._far = GatedPipe(near, self._left), GatedPipe(far, self._left)
        self._gone, self._refusal = gone, refusal
        self._transport: Transport | None = None
        self._silent = self._over = False

    @property
    def open(self) -> bool:
        """Whether the client was let in, and nothing has ended the connection since."""
        transport = self._transport
        ended = transport is None or transport.ended is not None
        return not (ended or self._silent or self._over or self._near.closed or self._far.closed)

    def send(self, message: Any) -> None:
        """Send a message to the client, past the page.

        Args:
            message: text and bytes are sent as they are, also what is no message of the page; any other value as JSON.

        Raises:
            NotThere: the connection is not open.
            TypeError, ValueError: JSON has no way to write it.
        """
        data = message if isinstance(message, str | bytes) else json.dumps(message, allow_nan=False)
        self._there().send(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye to the client, past the page; what the page still sends is lost.

        Args:
            code: from 1000 to 4999.
            reason: cut after 123 bytes.

        Raises:
            NotThere: the connection is not open.
            ValueError: no close frame may hold this code.
        """
        self._there().close(code, reason)
        self._over = True

    def drop(self) -> None:
        """End the connection without a close frame; both ends hear the end after what was sent before.

        Raises:
            NotThere: the connection is not open.
        """
        self._there()
        self._over = True
        self._near.drop()
        self._far.drop()

    def reset(self) -> None:
        """Break the connection (ECONNRESET on both ends); what was on its way is lost.

        Raises:
            NotThere: the connection is not open.
        """
        self._there()
        self._over = True
        self._near.reset()
        self._far.reset()

    def fall_silent(self) -> None:
        """Let nothing through any more, and tell nobody: both ends believe in the connection until they ask.

        Raises:
            NotThere: the connection is not open.
        """
        self._there()
        self._silent = True
        self._near.hold()
        self._far.hold()

    def _there(self) -> Transport:
        if self._transport is None or not self.open:
            raise NotThere("this connection is not open: `await peer.connected()` waits for one that is")
        return self._transport

    def _left(self) -> None:
        if self._near.closed and self._far.closed:
            self._gone(self)

    # -- for Peer

    @property
    def ends(self) -> tuple[GatedPipe, GatedPipe]:
        """The client's pipe, and the server's."""
        return self._near, self._far

    def hold(self, *, up: bool, down: bool) -> None:
        """Hold up what comes from the client (up), or goes to it (down)."""
        if up:
            self._far.hold()
        if down:
            self._near.hold()

    def release(self, *, up: bool, down: bool) -> None:
        """Let it through again; a connection that has fallen silent stays so."""
        if up and not self._silent:
            self._far.release()
        if down and not self._silent:
            self._near.release()

    def bury(self) -> None:
        """Tell the server that a connection which has fallen silent is gone."""
        if self._silent:
            self._far.reset()
            self._far.release()

    def asked(self, asking: Asking, heard: Heard, admitted: "Callable[[Link], None]") -> Asking | None:
        """A client asks to connect.

        Returns:
            What to show the server; None if the client is refused by the test.
        """
        if self._refusal is not None:
            asking.refuse(*self._refusal)
            return None

        def admit(transport: Transport) -> Transport:
            self._transport = transport
            admitted(self)
            return _Watched(transport, heard, lambda: self._over)

        return _Asking(asking, admit)


@final
class WatchedLibrary:
    """A WebSocket library that shows its clients, and what they say.

    Args:
        inner: which one.
        link_of: the connection of a server's pipe.
        heard: is told what clients say.
        admitted: is told who was let in.
    """

    def __init__(
        self, inner: Library, link_of: Callable[[Pipe], Link], heard: Heard, admitted: Callable[[Link], None]
    ) -> None:
        self._inner, self._link_of, self._heard, self._admitted = inner, link_of, heard, admitted

    async def dial(self, request: DialRequest, pipe: Pipe, opened: Callable[[Transport], None]) -> None:
        """Shake hands as a client, as the library does."""
        await self._inner.dial(request, pipe, opened)

    async def accept(self, pipe: Pipe, limit: int, peer: str, asked: Callable[[Asking], None]) -> None:
        """Read a client's request, as the library does."""
        link = self._link_of(pipe)

        def watched(asking: Asking) -> None:
            shown = link.asked(asking, self._heard, self._admitted)
            if shown is not None:
                asked(shown)

        await self._inner.accept(pipe, limit, peer, watched)


@final
class _Asking(Asking):
    __slots__ = ("_admitted", "_inner")

    def __init__(self, inner: Asking, admitted: Callable[[Transport], Transport]) -> None:
        super().__init__(inner.upgrade)
        self._inner, self._admitted = inner, admitted

    def admit(self, subprotocol: str | None = None) -> Transport:
        return self._admitted(self._inner.admit(subprotocol))

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self._inner.refuse(status, headers, body)


@final
class _Watched(Transport):
    """A transport that tells what it receives, and loses what is sent when the test has ended the connection."""

    __slots__ = ("_heard", "_inner", "_over")

    def __init__(self, inner: Transport, heard: Heard, over: Callable[[], bool]) -> None:
        self._inner, self._heard, self._over = inner, heard, over

    @property
    def ended(self) -> Ending | None:
        return self._inner.ended

    async def receive(self) -> Batch:
        batch = await self._inner.receive()
        self._heard(batch)
        return batch

    def attach(self, sink: Sink) -> bool:
        return self._inner.attach(_Ear(sink, self._heard))

    def send(self, data: str | bytes) -> None:
        if self._inner.ended is not None or not self._over():
            self._inner.send(data)

    def ping(self, payload: bytes = b"") -> None:
        self._inner.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._inner.close(code, reason)

    def abort(self) -> None:
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
