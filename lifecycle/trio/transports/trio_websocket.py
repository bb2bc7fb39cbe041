"""trio-websocket on our pipe: it parses, frames and answers pings; we map what it raises and close its gaps.

Law: its reader lives in a nursery of the connection's own, so nothing of it outlives `dial` or `accept`. What it
raises is mapped by class and by who said goodbye, never by its words. Of its private attributes we use `_wsproto`; the
channel of messages, which is replaced if it is what we know; and the request's `_connection`.
It does not know reconnecting, states, or how long anybody is willing to wait.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Self, cast, final

import h11
import trio
import trio_websocket
import wsproto
from trio.lowlevel import checkpoint
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, ProtocolError

from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import Protected
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .asking import Asked, read_upgrade, refuse_request
from .losses import DROPPED, TOO_BIG, loss, violation, why_not_open
from .streams import AcceptStream, DialStream, LibraryStream
from .tap import Message, Tap
from .transport import Asking, Batch, Sink, Transport, TransportFailed, check_ping

QUEUE: Final = 64

_ABNORMAL: Final = 1006
_CODES: Final = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))  # RFC 6455 7.4, IANA
_UNKNOWN: Final = 1014  # registered, but wsproto takes a frame that holds it for a violation
_WIDEST: Final = 4  # bytes of a character in UTF-8

# What its reader is known to die of; anything else is a fault and leaves as it is. Unicode: a header that is no ASCII.
_EXPECTED = (
    trio_websocket.HandshakeError,
    trio_websocket.ConnectionClosed,
    ProtocolError,
    h11.ProtocolError,
    UnicodeError,
)


@final
class TrioWebsocketTransport(Transport):
    """One connection by trio-websocket; made by `dial` and `accept`."""

    __slots__ = ("_deaf", "_ended", "_goodbye", "_left", "_limit", "_pipe", "_scope", "_tap", "_websocket")

    def __init__(
        self,
        websocket: trio_websocket.WebSocketConnection,
        stream: LibraryStream,
        pipe: Pipe,
        scope: trio.CancelScope,
        limit: int,
    ) -> None:
        self._websocket = websocket
        self._pipe = pipe
        self._scope = scope
        self._limit = limit
        self._tap: Tap | None = None
        self._goodbye: tuple[int, str] | None = None  # ours, if we said it first
        self._ended: Ending | None = None
        self._deaf = False  # what came is not told any more
        self._left: trio.Event | None = None  # for who waits until the host has left
        stream.goodbye = self._end

    @classmethod
    async def dial(cls, request: DialRequest, pipe: Pipe, opened: Callable[[Self], None]) -> None:
        """Dial on a pipe, and be the host of the connection until it has ended; the pipe is aborted then.

        Args:
            request: what to ask for.
            pipe: connected, with TLS on it if the request is secure.
            opened: called once, in the step in which the connection is seen to be open.

        Raises:
            TransportFailed: the handshake failed: `http`, or an error `handshake` or `tls`.
        """
        stream = DialStream(pipe)
        made: list[Self] = []

        async def begin(nursery: trio.Nursery) -> None:
            websocket = await _shake_hands(nursery, stream, request)
            if websocket:
                made.append(cls(websocket, stream, pipe, nursery.cancel_scope, request.limit))
                stream.opened()
                opened(made[0])
            else:
                # the library would go on reading an answer that has no end
                nursery.cancel_scope.cancel()

        try:
            cause = await cls._host(begin, made)
            if not made:
                raise TransportFailed(why_not_open(stream.answer, pipe.broken)) from cause
        finally:
            pipe.abort()

    @classmethod
    async def accept(cls, pipe: Pipe, limit: int, peer: str, asked: Callable[[Asking], None]) -> None:
        """Hear what a client asks for, and be the host of the connection until it has ended; the pipe is aborted then.

        After a refusal it stays until the client has ended its side too: whoever does not trust it to, sets a bound.

        Args:
            pipe: connected, with TLS on it if that is wanted.
            limit: the longest message to accept, in bytes.
            peer: the client's address.
            asked: called once, in the step in which the request is seen to be whole and valid; it may be answered
                then or later.

        Raises:
            TransportFailed: an error `handshake`: the client asked for something else, which it is told, or has gone.
        """
        stream = AcceptStream(pipe)
        made: list[Self] = []
        asking: list[Asked] = []

        async def begin(nursery: trio.Nursery) -> None:
            request = await _await_request(nursery, stream, limit)
            upgrade = read_upgrade(stream.head, peer) if request else None
            if request and upgrade:
                websocket = request._connection  # noqa: SLF001 -- the public way to it waits

                def make() -> Self:
                    made.append(cls(websocket, stream, pipe, nursery.cancel_scope, limit))
                    return made[0]

                asking.append(Asked(upgrade, pipe, stream, websocket._wsproto, make))  # noqa: SLF001 -- as below
                asked(asking[0])
            else:
                nursery.cancel_scope.cancel()

        try:
            cause = await cls._host(begin, made)
            if not (asking and asking[0].answered):
                raise TransportFailed(refuse_request(stream, pipe)) from cause
        finally:
            pipe.abort()

    @classmethod
    async def _host(cls, begin: Callable[[trio.Nursery], Awaitable[None]], made: list[Self]) -> BaseException | None:
        """Begin a connection, and stay until its reader has ended; whatever was made by then has ended too.

        Returns:
            What the reader died of, if that was to be expected.
        """
        try:
            cause = await _until_read(begin)
            for transport in made:
                transport._settle()  # noqa: SLF001 -- of this class, here and below
            return cause
        finally:
            for transport in made:
                transport._leave()  # noqa: SLF001

    @property
    def ended(self) -> Ending | None:
        """Why there is no connection any more; None while there is one."""
        return self._ended

    async def receive(self) -> Batch:
        """Wait for a message. Empty only with `ended`."""
        if self._deaf:
            await checkpoint()
            return ()
        try:
            message = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed:
            if self._websocket.closed is None and not self._ended:
                # its reader was cancelled, or has died: the host knows which
                self._left = trio.Event()
                await self._left.wait()
            self._settle()
            return ()
        return (message,) if self._wanted(message) else ()

    def attach(self, sink: Sink) -> bool:
        """Push messages into a sink from now on, those that wait first.

        If the connection has ended already, the sink is told so before this returns.

        Returns:
            Whether it can; if not, the library's channel is not what we know, and nothing has changed.
        """
        channel = getattr(self._websocket, "_send_channel", None)
        queue = getattr(self._websocket, "_recv_channel", None)
        if not (isinstance(channel, trio.MemorySendChannel) and isinstance(queue, trio.MemoryReceiveChannel)):
            return False
        self._tap = tap = Tap(sink, self._wanted, self._settle, self.abort)
        self._websocket._send_channel = cast("trio.MemorySendChannel[Message]", tap)  # noqa: SLF001 -- see the law
        tap.drain(queue)
        if tap.fault:
            raise tap.fault
        return True

    def send(self, data: str | bytes) -> None:
        """Send one message, whole, without waiting.

        Raises:
            trio.BrokenResourceError: the connection has ended, or goodbye was said.
        """
        message = TextMessage(data=data) if isinstance(data, str) else BytesMessage(data=data)
        if not self._say(message):
            raise trio.BrokenResourceError("the connection has ended")

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life, if the connection still stands.

        Raises:
            ValueError: the payload is longer than 125 bytes.
        """
        check_ping(payload)
        self._say(Ping(payload=payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if the connection still stands; it goes on until the peer has answered.

        Raises:
            ValueError: no close frame may hold this code (RFC 6455 7.4).
        """
        if code not in _CODES:
            raise ValueError(f"a close frame cannot hold the code {code}")
        if self._say(CloseConnection(code=code, reason=reason)):
            self._goodbye = code, reason

    def abort(self) -> None:
        """Drop the connection without a word, and end `dial` or `accept`. Again is no harm."""
        if not self._ended:
            self._ended, self._deaf = DROPPED, True
        self._pipe.abort()
        self._scope.cancel()

    @property
    def _wsproto(self) -> wsproto.WSConnection:
        return self._websocket._wsproto  # noqa: SLF001 -- see the law

    def _wanted(self, message: Message) -> bool:
        if self._deaf:
            return False
        # the library counts characters, the limit counts bytes
        if (
            isinstance(message, str)
            and len(message) * _WIDEST > self._limit
            and not message.isascii()
            and len(message.encode()) > self._limit
        ):
            self._deaf = True
            self._violated(TOO_BIG)
            self._end()
            return False
        return True

    def _say(self, event: Event) -> bool:
        # From framing to writing in one step: with an await between, a cancellation would leave the library closing
        # and nothing said.
        if self._ended:
            return False
        try:
            self._pipe.write(self._wsproto.send(event))
        except (LocalProtocolError, trio.BrokenResourceError):
            # goodbye was said already, or the connection is gone, which the reader tells
            return False
        return True

    def _end(self) -> None:
        if self._tap:
            self._tap.end()
        else:
            self._settle()

    def _leave(self) -> None:
        self.abort()
        self._end()
        if self._left is not None:
            self._left.set()
        if self._tap and self._tap.fault:
            raise self._tap.fault

    def _settle(self) -> None:
        if self._ended:
            return
        closed = self._websocket.closed
        theirs = self._wsproto.state in (ConnectionState.CLOSED, ConnectionState.REMOTE_CLOSING)
        if closed is None:
            self._ended = self._reader_died()
        elif closed.code == _ABNORMAL:
            self._ended = DROPPED if self._pipe.closed else loss(self._pipe.broken)
        elif theirs:
            self._ended = CloseEnding(closed.code, closed.reason or "", "local" if self._goodbye else "peer")
        elif self._goodbye and self._goodbye[0] == _UNKNOWN:
            self._ended = CloseEnding(*self._goodbye, by="local")
        else:
            self._violated(closed.code)

    def _reader_died(self) -> Ending:
        # The one known way: a ping comes after our goodbye, and the library may not answer it any more.
        if self._goodbye:
            return CloseEnding(*self._goodbye, by="local")
        return ErrorEnding("protocol", "the WebSocket library gave up")

    def _violated(self, code: int) -> None:
        # It shows its own verdict as if the peer had said it, and mostly keeps it to itself: so we say it.
        self._say(CloseConnection(code=code))
        self._ended = violation(code, self._limit)


async def _shake_hands(
    nursery: trio.Nursery, stream: DialStream, request: DialRequest
) -> trio_websocket.WebSocketConnection | None:
    with stream.waiting:
        return await trio_websocket.wrap_client_stream(
            cast("trio.Nursery", Protected(nursery)),  # it only starts its reader
            cast("trio.SocketStream", stream),  # any stream will do
            request.authority,
            request.resource,
            subprotocols=request.subprotocols,
            extra_headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers],
            message_queue_size=QUEUE,
            max_message_size=request.limit,
            receive_buffer_size=None,  # the pipe knows how much is worth reading
        )
    return None


async def _await_request(
    nursery: trio.Nursery, stream: AcceptStream, limit: int
) -> trio_websocket.WebSocketRequest | None:
    with stream.waiting:
        return await trio_websocket.wrap_server_stream(
            cast("trio.Nursery", Protected(nursery)),
            stream,
            message_queue_size=QUEUE,
            max_message_size=limit,
            receive_buffer_size=None,
        )
    return None


async def _until_read(begin: Callable[[trio.Nursery], Awaitable[None]]) -> BaseException | None:
    fault: Exception | None = None
    cause: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                await begin(nursery)
            except Exception as error:  # noqa: BLE001 -- raised below; in the group it might pass for the library's
                fault = error
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        cause, unexpected = group.split(_EXPECTED)
        if unexpected and not fault:
            raise alone(unexpected) from None
    if fault:
        raise fault
    return cause
