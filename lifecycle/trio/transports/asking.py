"""A client's request under trio-websocket, and our answer to it.

Law: an answer is made and written in one step, so nothing can come between; the library's own would wait. Whoever is
answered after he has gone is told nothing.
It does not know who may connect.
"""

import contextlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, cast, final

import h11
import trio
import wsproto
from wsproto.events import AcceptConnection, RejectConnection, RejectData

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.wire.ending import ErrorEnding
from lifecycle.wire.upgrade import Upgrade

from .losses import why_not_asked
from .streams import AcceptStream
from .transport import Asking, Transport, check_refusal, check_subprotocol

BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_LEAST_HTTP: Final = b"1.1"  # RFC 6455 4.1


def read_upgrade(head: bytes, peer: str) -> Upgrade | None:
    """Take the head of a request apart, one that the library has found to be a valid upgrade.

    Args:
        head: from the request line to the empty line.
        peer: the client's address.

    Returns:
        What it asks for; None if its resource is none, or it speaks an older HTTP.
    """
    # the library shows it without the host and the extensions
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head)
    request = cast("h11.Request", parser.next_event())
    headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers]
    if request.http_version < _LEAST_HTTP:
        return None
    try:
        return Upgrade.parse(request.target.decode("ascii"), headers, peer)
    except ValueError:
        return None


def refuse_request(stream: AcceptStream, pipe: Pipe) -> ErrorEnding:
    """Say why there is nobody to admit, and tell the client, if it is still there and the library has not.

    Args:
        stream: under the library.
        pipe: under the stream.
    """
    if stream.asked and stream.gone and not pipe.broken:
        return ErrorEnding("handshake", "the client ended the connection before it was answered")
    if stream.gone or pipe.broken or pipe.closed:
        return why_not_asked(pipe.broken)
    if not stream.answered:
        with contextlib.suppress(trio.BrokenResourceError):
            pipe.write(BAD_REQUEST)
    pipe.write_eof()
    return ErrorEnding("handshake", "the client's request opens no WebSocket connection")


@final
class Asked(Asking):
    """A client that asked by way of trio-websocket.

    Attributes:
        transport: the connection, if the client was admitted.
        answered: whether one of the two answers was given.
    """

    __slots__ = ("_make", "_pipe", "_stream", "_wsproto", "answered", "transport")

    def __init__(
        self,
        upgrade: Upgrade,
        pipe: Pipe,
        stream: AcceptStream,
        parser: wsproto.WSConnection,
        make: Callable[[], Transport],
    ) -> None:
        super().__init__(upgrade)
        self._pipe = pipe
        self._stream = stream
        self._wsproto = parser
        self._make = make
        self.transport: Transport | None = None
        self.answered = False

    def admit(self, subprotocol: str | None = None) -> Transport:
        """Answer with 101, without waiting. The transport is open when it returns.

        Raises:
            ValueError: the subprotocol was not asked for.
            RuntimeError: the client was answered already.
            trio.BrokenResourceError: the client has gone.
        """
        check_subprotocol(self.upgrade, subprotocol)
        if self._gone:
            raise trio.BrokenResourceError("the client has gone")
        self._once()
        # Besides, the library would note path and subprotocol, which we have, and set an event for which nobody waits.
        self._pipe.write(self._wsproto.send(AcceptConnection(subprotocol=subprotocol)))
        self.transport = self._make()
        self._stream.answer()
        return self.transport

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer with another status, without waiting; nothing more is sent after it.

        Raises:
            ValueError: the status is not from 400 to 599, or a header cannot be sent.
            RuntimeError: the client was answered already.
        """
        check_refusal(status)
        told = [(b"Connection", b"close"), (b"Content-Length", b"%d" % len(body))]
        for name, value in headers.items():
            _add(told, name, value)
        if self._gone:
            return
        self._once()
        answer = self._wsproto.send(RejectConnection(status_code=status, headers=told, has_body=True))
        self._pipe.write(answer + self._wsproto.send(RejectData(data=body)))
        self._pipe.write_eof()
        self._stream.answer()

    @property
    def _gone(self) -> bool:
        return self._stream.gone or self._pipe.closed or self._pipe.broken is not None

    def _once(self) -> None:
        if self.answered:
            raise RuntimeError("this client was answered already")
        self.answered = True


def _add(headers: list[tuple[bytes, bytes]], name: str, value: str) -> None:
    try:
        headers.append((name.encode("ascii"), value.encode("latin-1")))
        h11.Response(status_code=HTTPStatus.BAD_REQUEST, headers=headers)
    except (UnicodeEncodeError, h11.LocalProtocolError):
        # not chained: what they say shows the value
        raise ValueError(f"the header {name!r} cannot be sent") from None
