"""Why a connection failed or was lost, in the same words under every WebSocket library.

Law: told from what came on the pipe and what became of it, never from a library's exception. A refusal by HTTP is
read as far as it came.
It does not know which library asked.
"""

import contextlib
import http.client
import io
import os
import ssl
from typing import TYPE_CHECKING, Final, Self, cast

from lifecycle.trio.pipes.tls import tls_failure
from lifecycle.wire.ending import Ending, ErrorEnding, HttpEnding

if TYPE_CHECKING:
    import socket

MOST_OF_AN_ANSWER: Final = 64 * 1024

DROPPED: Final = ErrorEnding("eof", "dropped on this side")

TOO_BIG: Final = 1009
_ALERT_OF_TLS: Final = b"\x15\x03"  # RFC 8446 5.1: the type of the record, and the first byte of its version


def loss(broken: OSError | None) -> ErrorEnding:
    """Say why an open connection ended without a close frame.

    Args:
        broken: the first error of its pipe.
    """
    if broken is None:
        return ErrorEnding("eof", "the peer ended the connection without a close frame")
    if isinstance(broken, ssl.SSLError) or not broken.errno:
        return ErrorEnding("reset", "TLS broke off")
    return ErrorEnding("reset", os.strerror(broken.errno), broken.errno)


def violation(code: int, limit: int) -> ErrorEnding:
    """Say why we end a connection whose peer broke a rule.

    Args:
        code: what we close with.
        limit: the longest message, in bytes.
    """
    if code == TOO_BIG:
        return ErrorEnding("too_big", f"a message was longer than {limit} bytes")
    return ErrorEnding("protocol", f"the peer broke the protocol; we closed with code {code}")


def why_not_open(answer: bytes, broken: OSError | None) -> Ending:
    """Say why an opening handshake failed.

    Args:
        answer: what the peer sent, at most MOST_OF_AN_ANSWER bytes of it.
        broken: the first error of the pipe.
    """
    if isinstance(broken, ssl.SSLError):
        return tls_failure(broken)
    refusal = _refusal(answer)
    if refusal:
        return refusal
    if broken and broken.errno:
        return ErrorEnding("handshake", os.strerror(broken.errno), broken.errno)
    if answer.startswith(_ALERT_OF_TLS):
        return ErrorEnding("handshake", "the peer speaks TLS: dial wss:// instead of ws://")
    if answer:
        return ErrorEnding("handshake", "the peer's answer opens no WebSocket connection")
    return ErrorEnding("handshake", "the peer ended the connection without an answer")


def why_not_asked(broken: OSError | None) -> ErrorEnding:
    """Say why a client was gone before its request was whole.

    Args:
        broken: the first error of the pipe.
    """
    if isinstance(broken, ssl.SSLError):
        return tls_failure(broken)
    if broken and broken.errno:
        return ErrorEnding("handshake", os.strerror(broken.errno), broken.errno)
    return ErrorEnding("handshake", "the client ended the connection before it had asked")


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
    except (http.client.HTTPException, ValueError):
        return None
    body = b""
    # in pieces: `read` would forget a chunk that was cut off
    with contextlib.suppress(http.client.IncompleteRead, ValueError, OverflowError):
        while piece := response.read1():
            body += piece
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    return HttpEnding(response.status, headers, body)
