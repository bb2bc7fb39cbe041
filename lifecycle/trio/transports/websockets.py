"""The protocol of `websockets`, without its I/O, on our pipe: both sides of the handshake, and the open connection.

Law: a read is cut into one batch, and plain messages never meet the library; pings and goodbyes are answered here,
everything else is the library's to judge. Its object for the handshake is dropped when the connection is open, and a
smaller one is made for the first such frame. It neither joins fragments nor checks their UTF-8, so we do.
It does not know reconnecting, states, or how long anybody is willing to wait.
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Final, Self, final

import trio
from trio.lowlevel import checkpoint
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.losses import DROPPED, loss, violation
from lifecycle.trio.transports.transport import MOST_PAYLOAD, Asking, Batch, Transport, TransportFailed, check_ping
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding
from lifecycle.wire.frames import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXT,
    TOO_BIG,
    WRONG_FRAME,
    WRONG_TEXT,
    Cutter,
    Messages,
    Violation,
    frame,
    payload_of,
)

from .websockets_opening import QUIET, Asked, ask, hear, judge, write

_MOST_REASON: Final = MOST_PAYLOAD - 2
_INTERNAL: Final = 1011

_NO_UPGRADE: Final = ErrorEnding("handshake", "the client's request opens no WebSocket connection")

_CODES: Final[Mapping[type[Exception], int]] = {
    ProtocolError: WRONG_FRAME,
    UnicodeDecodeError: WRONG_TEXT,
    PayloadTooBig: TOO_BIG,
}


@final
class WebsocketsTransport(Transport):
    """One connection by the protocol of websockets; made by `dial` and `accept`."""

    __slots__ = (
        "_client",
        "_cutter",
        "_early",
        "_ended",
        "_extensions",
        "_goodbye",
        "_joined",
        "_limit",
        "_pipe",
        "_protocol",
        "_text",
    )

    def __init__(self, pipe: Pipe, limit: int, opened: Protocol, early: bytes) -> None:
        self._pipe = pipe
        self._limit = limit
        self._client = opened.side is Side.CLIENT
        self._extensions = opened.extensions or None
        self._early = early  # came with the handshake, and was not yet cut
        self._cutter = Cutter(limit, _loose(limit) if self._extensions else limit, masked=not self._client)
        self._joined: bytearray | None = None  # of a message in fragments, if one has begun
        self._text = False  # whether it is text
        self._protocol: Protocol | None = None
        self._goodbye = False  # we said it
        self._ended: Ending | None = None

    @classmethod
    async def dial(cls, request: DialRequest, pipe: Pipe, opened: Callable[[Self], None]) -> None:
        """Dial on a pipe, and return when the connection is open; if it never is, the pipe is aborted.

        Args:
            request: what to ask for.
            pipe: connected, with TLS on it if the request is secure.
            opened: called once, in the step in which the connection is seen to be open.

        Raises:
            TransportFailed: the handshake failed: `http`, or an error `handshake` or `tls`.
        """
        try:
            protocol, early = await ask(request, pipe)
            opened(cls(pipe, request.limit, protocol, early))
        except BaseException:
            pipe.abort()
            raise

    @classmethod
    async def accept(cls, pipe: Pipe, limit: int, peer: str, asked: Callable[[Asking], None]) -> None:
        """Hear what a client asks for on a pipe, and return when somebody has it to answer.

        If the client has gone, or we are cancelled, the pipe is aborted. If it asked for something else, or is refused,
        nothing more is written after that; the caller may leave it some time to read before it aborts the pipe.

        Args:
            pipe: connected, with TLS on it if that is wanted.
            limit: the longest message to accept, in bytes.
            peer: the client's address.
            asked: called once, in the step in which the request is seen to be whole and valid.

        Raises:
            TransportFailed: an error `handshake`: the client asked for something else, which it is told, or has gone.
        """
        try:
            head, early = await hear(pipe)
            protocol, upgrade, answer = judge(head, peer)
            if upgrade and answer:
                asked(Asked(upgrade, pipe, protocol, answer, lambda: cls(pipe, limit, protocol, early)))
                return
        except BaseException:
            pipe.abort()
            raise
        with contextlib.suppress(trio.BrokenResourceError):
            if answer:
                protocol.send_response(answer)
            write(pipe, protocol)
        raise TransportFailed(_NO_UPGRADE) from protocol.handshake_exc

    @property
    def ended(self) -> Ending | None:
        """Why there is no connection any more; None while there is one."""
        return self._ended

    async def receive(self) -> Batch:
        """Wait for messages: all that one read completes. Empty only with `ended`."""
        if self._early or self._ended:
            await checkpoint()
        while not self._ended:
            if self._early:
                data, self._early = self._early, b""
            else:
                try:
                    await self._pipe.ready()
                except trio.ClosedResourceError:
                    self._ended = self._ended or DROPPED
                    break
                if (came := self._pipe.read()) is None:
                    continue
                data = came
            batch = self._cut(data)
            if batch:
                return tuple(batch)
        return ()

    def send(self, data: str | bytes) -> None:
        """Send one message, whole, without waiting.

        Raises:
            trio.BrokenResourceError: the connection has ended, or goodbye was said.
        """
        if self._ended or self._goodbye:
            raise trio.BrokenResourceError("the connection has ended")
        opcode, payload = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
        if self._extensions:
            library = self._library()
            (library.send_text if opcode == TEXT else library.send_binary)(payload)
            write(self._pipe, library)
        else:
            self._pipe.write(self._frame(opcode, payload))

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life, if the connection still stands.

        Raises:
            ValueError: the payload is longer than 125 bytes.
        """
        check_ping(payload)
        if not (self._ended or self._goodbye):
            with contextlib.suppress(trio.BrokenResourceError):
                self._pipe.write(self._frame(PING, payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if the connection still stands; it goes on until the peer has answered.

        Raises:
            ValueError: no close frame may hold this code (RFC 6455 7.4).
        """
        said = Close(code, reason.encode()[:_MOST_REASON].decode(errors="ignore"))
        try:
            payload = said.serialize()
        except ProtocolError:
            raise ValueError(f"a close frame cannot hold the code {code}") from None
        if not self._ended:
            self._say_goodbye(payload)

    def abort(self) -> None:
        """Drop the connection without a word. Again is no harm."""
        self._ended = self._ended or DROPPED
        self._pipe.abort()

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        return frame(opcode, payload, os.urandom(4) if self._client else b"")

    def _cut(self, data: bytes) -> Messages:
        batch: Messages = []
        try:
            if data:
                self._cutter.cut(data, batch, self._other)
            else:
                self._ended = loss(self._pipe.broken)
        except Violation as wrong:
            self._violated(wrong.code)
        except UnicodeDecodeError:
            self._violated(WRONG_TEXT)
        return batch

    def _other(self, whole: bytes, messages: Messages) -> bool:
        first = whole[0]
        if first == FIN | PONG:
            return True
        if first == FIN | PING:
            with contextlib.suppress(trio.BrokenResourceError):
                self._pipe.write_latest(self._frame(PONG, payload_of(whole)))
            return True
        if first == FIN | CLOSE:
            self._closed(payload_of(whole))
            return False
        library = self._library()
        library.receive_data(whole)
        for event in library.events_received():
            if isinstance(event, Frame):
                self._join(event, messages)
        if library.parser_exc:
            raise Violation(_CODES.get(type(library.parser_exc), _INTERNAL))
        return True

    def _closed(self, payload: bytes) -> None:
        try:
            said = Close.parse(payload)
        except ProtocolError:
            raise Violation(WRONG_FRAME) from None
        self._ended = CloseEnding(int(said.code), said.reason, "local" if self._goodbye else "peer")
        self._leave(payload)

    def _join(self, part: Frame, messages: Messages) -> None:
        if self._joined is None:
            self._joined, self._text = bytearray(), part.opcode is Opcode.TEXT
        self._joined += part.data
        if len(self._joined) > self._limit:
            raise Violation(TOO_BIG)
        if part.fin:
            joined, self._joined = self._joined, None
            messages.append(joined.decode() if self._text else bytes(joined))

    def _violated(self, code: int) -> None:
        self._ended = violation(code, self._limit)
        self._leave(Close(code, "").serialize())

    def _leave(self, payload: bytes) -> None:
        self._say_goodbye(payload)
        if not self._client:  # it is the server that ends the connection under it (RFC 6455 7.1.1)
            self._pipe.write_eof()

    def _say_goodbye(self, payload: bytes) -> None:
        if not self._goodbye:
            with contextlib.suppress(trio.BrokenResourceError):  # what is said to a peer that has gone changes nothing
                self._pipe.write(self._frame(CLOSE, payload))
                self._goodbye = True

    def _library(self) -> Protocol:
        if self._protocol is None:
            side = Side.CLIENT if self._client else Side.SERVER
            self._protocol = Protocol(side, max_size=_loose(self._limit), logger=QUIET)
            self._protocol.extensions = list(self._extensions or ())
        return self._protocol


def _loose(limit: int) -> int:
    # The library holds close frames to the limit too, and what is inflated to it before and after, though a message
    # of just that length may be longer before: so we give it room, and count ourselves.
    return limit + limit // 4 + MOST_PAYLOAD
