"""The opening handshake by the protocol of `websockets`: a client asks, a server judges what it is asked.

Law: the library is fed the head and not one byte more, for frames may follow it in the same segment. A refusal is
read as far as it goes, or is of use. Nothing of the handshake but the extensions outlives it.
It does not know frames, nor what becomes of the connection.
"""

import contextlib
import http.client
import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, final

import trio
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.losses import MOST_OF_AN_ANSWER, why_not_asked, why_not_open
from lifecycle.trio.transports.transport import (
    Asking,
    Transport,
    TransportFailed,
    check_refusal,
    check_subprotocol,
)
from lifecycle.wire.dial_request import TOKEN, DialRequest
from lifecycle.wire.upgrade import Upgrade

MOST_OF_A_REQUEST: Final = 16 * 1024

# The library logs headers, queries and frames, and secrets travel in them: whatever is worth telling, we tell.
QUIET: Final = logging.Logger("websockets", logging.CRITICAL + 1)  # noqa: LOG001 -- nobody is to find and wake it

# The library's own defaults: where both sides want compression, what it costs is seen in every idle connection.
_DEFLATE: Final = {"memLevel": 5}
_OFFERED: Final = (ClientPerMessageDeflateFactory(compress_settings=_DEFLATE),)
_AGREED: Final = (
    ServerPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12, compress_settings=_DEFLATE),
)
_VERSION: Final = "Sec-WebSocket-Version"
# RFC 9110 5.5
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HEAD_ENDS: Final = b"\r\n\r\n"
_HELLO_OF_TLS: Final = b"\x16\x03"  # RFC 8446 5.1


def write(pipe: Pipe, protocol: Protocol) -> None:
    """Write what a protocol has to say, and end where it wants that.

    Raises:
        trio.BrokenResourceError: the pipe takes no more bytes.
    """
    for data in protocol.data_to_send():
        if data:
            pipe.write(data)
        else:
            pipe.write_eof()


async def ask(request: DialRequest, pipe: Pipe) -> tuple[ClientProtocol, bytes]:
    """Shake hands as a client.

    Returns:
        The protocol, open, and what came after the answer.

    Raises:
        TransportFailed: it did not open.
    """
    # all that the library does with a path is to write it
    uri = WebSocketURI(request.secure, request.host, request.port, path=request.resource, query="")
    subprotocols = [Subprotocol(name) for name in request.subprotocols]
    protocol = ClientProtocol(uri, extensions=_OFFERED, subprotocols=subprotocols or None, logger=QUIET)
    asking = protocol.connect()
    for name, value in request.headers:
        asking.headers[name] = value
    protocol.send_request(asking)
    answer = b""
    with contextlib.suppress(trio.BrokenResourceError):
        write(pipe, protocol)
        answer, end = await _head(pipe, MOST_OF_AN_ANSWER)
        if end:
            protocol.receive_data(_modern(answer[:end]))
            if protocol.state is State.OPEN:
                return protocol, answer[end:]
            answer = answer[:end] + await _body(pipe, protocol, answer[end:])
    raise TransportFailed(why_not_open(answer[:MOST_OF_AN_ANSWER], pipe.broken)) from protocol.handshake_exc


async def hear(pipe: Pipe) -> tuple[bytes, bytes]:
    """Wait for what a client asks.

    Returns:
        The head, empty if it is too long, and what came after it.

    Raises:
        TransportFailed: the client ended first.
    """
    heard, end = await _head(pipe, MOST_OF_A_REQUEST)
    if not end and len(heard) < MOST_OF_A_REQUEST and not heard.startswith(_HELLO_OF_TLS):
        raise TransportFailed(why_not_asked(pipe.broken))
    return heard[:end], heard[end:]


def judge(head: bytes, peer: str) -> tuple[ServerProtocol, Upgrade | None, Response | None]:
    """Judge what a client asks.

    Args:
        head: as `hear` gives it.
        peer: the client's address.

    Returns:
        A protocol; what is asked, if it may be answered with 101; and the answer, if the protocol has not given it.
    """
    protocol = ServerProtocol(extensions=_AGREED, logger=QUIET)
    if not head:
        return protocol, None, protocol.reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too long.\n")
    protocol.receive_data(head)
    requests = [event for event in protocol.events_received() if isinstance(event, Request)]
    if not requests:
        return protocol, None, None
    request, answer = requests[0], _answer(protocol, requests[0])
    if answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        return protocol, None, answer
    try:
        return protocol, Upgrade.parse(request.path, request.headers.raw_items(), peer), answer
    except ValueError:
        return protocol, None, protocol.reject(HTTPStatus.BAD_REQUEST, "The resource is none.\n")


@final
class Asked(Asking):
    """A client that waits for our answer; made by `accept`."""

    __slots__ = ("_answer", "_made", "_pipe", "_protocol")

    def __init__(
        self, upgrade: Upgrade, pipe: Pipe, protocol: ServerProtocol, answer: Response, made: Callable[[], Transport]
    ) -> None:
        super().__init__(upgrade)
        self._pipe = pipe
        self._protocol: ServerProtocol | None = protocol  # until it is answered
        self._answer = answer
        self._made = made

    def admit(self, subprotocol: str | None = None) -> Transport:
        """Answer with 101, without waiting. The transport is open when it returns.

        Raises:
            ValueError: the subprotocol was not asked for.
            RuntimeError: the client was answered already.
            trio.BrokenResourceError: the client has gone.
        """
        check_subprotocol(self.upgrade, subprotocol)
        if subprotocol is not None:
            self._answer.headers["Sec-WebSocket-Protocol"] = subprotocol
        protocol = self._once()
        protocol.send_response(self._answer)
        write(self._pipe, protocol)
        return self._made()

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer with another status, without waiting; nothing more is sent after it.

        Raises:
            ValueError: the status is not from 400 to 599, or a header cannot be sent.
            RuntimeError: the client was answered already.
        """
        check_refusal(status)
        answer = Headers([("Connection", "close"), ("Content-Length", str(len(body)))])
        for name, value in headers.items():
            if not (TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
                raise ValueError(f"the header {name!r} cannot be sent")
            answer[name] = value
        protocol = self._once()
        protocol.send_response(Response(status, http.client.responses.get(status, ""), answer, body))
        with contextlib.suppress(trio.BrokenResourceError):
            write(self._pipe, protocol)

    def _once(self) -> ServerProtocol:
        protocol, self._protocol = self._protocol, None
        if protocol is None:
            raise RuntimeError("this client was answered already")
        return protocol


def _answer(protocol: ServerProtocol, request: Request) -> Response:
    answer = protocol.accept(request)
    wrong = protocol.handshake_exc
    if len(request.headers.get_all("Host")) != 1:
        return protocol.reject(HTTPStatus.BAD_REQUEST, "There must be one Host header.\n")
    if isinstance(wrong, InvalidHeader) and wrong.name == _VERSION:
        # RFC 6455 4.4: tell which versions there are; the library says 400 and no more
        answer = protocol.reject(HTTPStatus.UPGRADE_REQUIRED, "The version of WebSocket must be 13.\n")
        answer.headers[_VERSION] = "13"
    return answer


def _modern(head: bytes) -> bytes:
    # the library reads no HTTP/1.0, in which old proxies refuse; nobody may accept in it
    version, _, rest = head.partition(b" ")
    return b"HTTP/1.1 " + rest if version == b"HTTP/1.0" and not rest.startswith(b"101") else head


async def _next(pipe: Pipe) -> bytes:
    """Wait for bytes; empty is the end, whoever made it."""
    data = None
    while data is None:
        with contextlib.suppress(trio.ClosedResourceError):
            await pipe.ready()
        data = pipe.read()
    return data


async def _head(pipe: Pipe, most: int) -> tuple[bytes, int]:
    """Read until a head is whole, and tell where it ends: 0 if everything ended before, or it is too long."""
    heard = bytearray()
    while len(heard) < most and (data := await _next(pipe)):
        heard += data
        if heard.startswith(_HELLO_OF_TLS):  # no head will ever be whole
            break
        end = heard.find(_HEAD_ENDS, max(len(heard) - len(data) - len(_HEAD_ENDS) + 1, 0)) + len(_HEAD_ENDS)
        if len(_HEAD_ENDS) <= end <= most:
            return bytes(heard), end
    return bytes(heard), 0


async def _body(pipe: Pipe, protocol: ClientProtocol, begun: bytes) -> bytes:
    """Read on until a refusal is whole, has ended, or is long enough."""
    body = bytearray(begun)
    protocol.receive_data(begun)
    while not protocol.handshake_exc and len(body) < MOST_OF_AN_ANSWER and (data := await _next(pipe)):
        body += data
        protocol.receive_data(data)
    return bytes(body)
