"""trio-websocket on our pipe: it parses, frames and answers pings; we map what it raises and close its gaps.

Law: its reader lives in a nursery of the connection's own, so nothing of it outlives `run`. What it raises is mapped
by class and by who said goodbye, never by its words. In the handshake it waits for ever when the peer ends or answers
without a length, so there we listen too. `_wsproto` is its one private attribute that we touch, in one place.
It does not know reconnecting, states, or how long anybody is willing to wait.
"""

import http.client
import io
import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self, cast, final

import h11
import trio
import trio_websocket
import wsproto
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, ProtocolError

from lifecycle.trio.pipe import Pipe, PipeStream
from lifecycle.trio.transport import Batch, Transport, TransportFailed
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding

if TYPE_CHECKING:
    import socket

QUEUE: Final = 64
READ_SIZE: Final = 64 * 1024
MOST_OF_AN_ANSWER: Final = 64 * 1024

_ABNORMAL: Final = 1006
_TOO_BIG: Final = 1009
_LEAST_CODE: Final = 1000
_MOST_CODE: Final = 4999
_MOST_PAYLOAD: Final = 125

# What its reader is known to die of; anything else is a fault and leaves as it is. Unicode: a header that is no ASCII.
_EXPECTED = (
    trio_websocket.HandshakeError,
    trio_websocket.ConnectionClosed,
    ProtocolError,
    h11.ProtocolError,
    UnicodeError,
)


_DROPPED: Final = ErrorEnding("eof", "dropped on this side")


class _Overheard(PipeStream):
    """The stream under the library; until the connection is open we hear the answer too, and its end."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self.opening = True
        self.waiting = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # it misreads trio's attrs
        self.answer = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await super().send_all(data)
        except trio.BrokenResourceError:
            self.waiting.cancel()
            raise

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = await super().receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.waiting.cancel()
            raise
        if self.opening:
            self._overhear(data)
        return data

    def opened(self) -> None:
        self.opening = False
        self.answer = b""

    def _overhear(self, data: bytes) -> None:
        # If the library has seen a 101 by now, its waiting is over and cancelling it does nothing.
        self.answer = (self.answer + data)[:MOST_OF_AN_ANSWER]
        endless = len(self.answer) == MOST_OF_AN_ANSWER and not self.answer.startswith(b"HTTP/1.1 101")
        if endless or not data:
            self.waiting.cancel()


@final
class TrioWebsocketTransport(Transport):
    """One connection by trio-websocket; made by `run`."""

    __slots__ = ("_ended", "_goodbye", "_limit", "_pipe", "_scope", "_websocket")

    def __init__(
        self, websocket: trio_websocket.WebSocketConnection, pipe: Pipe, scope: trio.CancelScope, limit: int
    ) -> None:
        self._websocket = websocket
        self._pipe = pipe
        self._scope = scope
        self._limit = limit
        self._goodbye: tuple[int, str] | None = None  # ours, if we said it first
        self._ended: Ending | None = None

    @classmethod
    async def run(cls, request: DialRequest, pipe: Pipe, opened: Callable[[Self], None]) -> None:
        """Dial on a pipe, and be the host of the connection until it has ended; the pipe is aborted then.

        Args:
            request: what to ask for.
            pipe: connected, with TLS on it if the request is secure.
            opened: called once, in the step in which the connection is seen to be open.

        Raises:
            TransportFailed: the handshake failed: `http`, or an error `handshake` or `tls`.
        """
        stream = _Overheard(pipe)
        transport: Self | None = None
        cause: BaseException | None = None
        try:
            try:
                async with trio.open_nursery() as nursery:
                    websocket = await _shake_hands(nursery, stream, request)
                    if websocket:
                        transport = cls(websocket, pipe, nursery.cancel_scope, request.limit)
                        stream.opened()
                        opened(transport)
                    else:
                        # the library would go on reading an answer that has no end
                        nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                cause, unexpected = group.split(_EXPECTED)
                if unexpected:
                    raise _alone(unexpected) from None
            if not transport:
                raise TransportFailed(_why_not_open(stream.answer, pipe.broken)) from cause
            transport._settle()
        finally:
            if transport:
                transport.abort()
            pipe.abort()

    @property
    def ended(self) -> Ending | None:
        """Why there is no connection any more; None while there is one."""
        return self._ended

    async def receive(self) -> Batch:
        """Wait for a message. Empty only with `ended`."""
        try:
            message = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed:
            self._settle()
            return ()
        # the library counts characters, the limit counts bytes
        if isinstance(message, str) and not message.isascii() and len(message.encode()) > self._limit:
            self._violated(_TOO_BIG)
            return ()
        return (message,)

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
        if len(payload) > _MOST_PAYLOAD:
            raise ValueError(f"the payload of a ping has at most {_MOST_PAYLOAD} bytes, not {len(payload)}")
        self._say(Ping(payload=payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if the connection still stands; it goes on until the peer has answered.

        Raises:
            ValueError: the code is not from 1000 to 4999.
        """
        if not _LEAST_CODE <= code <= _MOST_CODE:
            raise ValueError(f"a close code is a number from {_LEAST_CODE} to {_MOST_CODE}, not {code}")
        if self._say(CloseConnection(code=code, reason=reason)):
            self._goodbye = code, reason

    def abort(self) -> None:
        """Drop the connection without a word, and end `run`. Again is no harm."""
        self._ended = self._ended or _DROPPED
        self._pipe.abort()
        self._scope.cancel()

    @property
    def _wsproto(self) -> wsproto.WSConnection:
        return self._websocket._wsproto  # noqa: SLF001

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

    def _settle(self) -> None:
        if self._ended:
            return
        closed = self._websocket.closed
        theirs = self._wsproto.state in (ConnectionState.CLOSED, ConnectionState.REMOTE_CLOSING)
        if closed is None:
            self._ended = self._reader_died()
        elif closed.code == _ABNORMAL:
            self._ended = _DROPPED if self._pipe.closed else _loss(self._pipe.broken)
        elif theirs:
            self._ended = CloseEnding(closed.code, closed.reason or "", "local" if self._goodbye else "peer")
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
        if code == _TOO_BIG:
            self._ended = ErrorEnding("too_big", f"a message was longer than {self._limit} bytes")
        else:
            self._ended = ErrorEnding("protocol", f"the peer broke the protocol; we closed with code {code}")


async def _shake_hands(
    nursery: trio.Nursery, stream: _Overheard, request: DialRequest
) -> trio_websocket.WebSocketConnection | None:
    with stream.waiting:
        return await trio_websocket.wrap_client_stream(
            nursery,
            cast("trio.SocketStream", stream),  # any stream will do
            request.authority,
            request.resource,
            subprotocols=request.subprotocols,
            extra_headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers],
            message_queue_size=QUEUE,
            max_message_size=request.limit,
            receive_buffer_size=READ_SIZE,
        )
    return None


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found


def _loss(broken: OSError | None) -> ErrorEnding:
    if broken is None:
        return ErrorEnding("eof", "the peer ended the connection without a close frame")
    if isinstance(broken, ssl.SSLError) or not broken.errno:
        return ErrorEnding("reset", "TLS broke off")
    return ErrorEnding("reset", os.strerror(broken.errno), broken.errno)


def _why_not_open(answer: bytes, broken: OSError | None) -> Ending:
    if isinstance(broken, ssl.SSLError):
        return ErrorEnding("tls", (broken.reason or "TLS broke off").replace("_", " ").lower())
    refusal = _refusal(answer)
    if refusal:
        return refusal
    if broken and broken.errno:
        return ErrorEnding("handshake", os.strerror(broken.errno), broken.errno)
    if answer:
        return ErrorEnding("handshake", "the peer's answer opens no WebSocket connection")
    return ErrorEnding("handshake", "the peer ended the connection without an answer")


class _Heard(io.BytesIO):
    def makefile(self, _mode: str) -> Self:
        return self


def _refusal(answer: bytes) -> HttpEnding | None:
    """Read an answer of HTTP as far as it came; None if it is none, or no refusal."""
    if b"\r\n\r\n" not in answer:
        return None
    response = http.client.HTTPResponse(cast("socket.socket", _Heard(answer)))  # it asks for a file, no more
    try:
        response.begin()
        if response.status == http.client.SWITCHING_PROTOCOLS:
            return None
        body = response.read()
    except http.client.IncompleteRead as error:
        body = error.partial
    except (http.client.HTTPException, ValueError):
        return None
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    return HttpEnding(response.status, headers, body)
