"""One connection of a peer in memory, seen from behind the server: what a test may do to it, and what came on it.

Law: the server's machine, driver and WebSocket library are the real ones, and do not know that they are watched. A test
speaks past the page: what it sends and says is what a peer without manners would.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

from lifecycle.testing.puppet import NotThere
from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.pipes.pipe import Spawn
from lifecycle.trio.transports.transport import Asking, Transport, transmit
from lifecycle.wire.codec import Encode

from .pipe import GatedPipe
from .watch import Heard, WatchedAsking, WatchedTransport


@final
class Link:
    """One connection, from its dial on; `Peer` makes it.

    Args:
        spawn: starts tasks on the client's side.
        peer_spawn: starts tasks on the server's.
        gone: called when both ends have left.
        refusal: the status and headers to refuse the client with, or None.
        write: writes values that are neither text nor bytes.
    """

    def __init__(
        self,
        spawn: Spawn,
        peer_spawn: Spawn,
        gone: "Callable[[Link], None]",
        refusal: tuple[int, Mapping[str, str]] | None,
        write: Encode,
    ) -> None:
        near, far = memory_pair(spawn, peer_spawn)
        self._near, self._far = GatedPipe(near, self._left), GatedPipe(far, self._left)
        self._gone, self._refusal, self._write = gone, refusal, write
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
            message: text and bytes are sent as they are, also what is no message of the page; other values as packets
                where the codec is socketio, as frames where it is avatar, else as JSON.

        Raises:
            NotThere: the connection is not open.
            TypeError, ValueError: there is no way to write it.
        """
        transmit(self._there(), message if isinstance(message, str | bytes) else self._write(message))

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
            return WatchedTransport(transport, heard, lambda: self._over)

        return WatchedAsking(asking, admit)
