import errno
import ssl

import pytest

from lifecycle.trio.transports.losses import loss, violation, why_not_asked, why_not_open
from lifecycle.wire.ending import Ending, ErrorEnding, HttpEnding

RESET = OSError(errno.ECONNRESET, "…")
TLS = ssl.SSLError(1, "[SSL: CERTIFICATE_REQUIRED]")
TLS.reason = "CERTIFICATE_REQUIRED"
NAMELESS = ssl.SSLError(1, "…")
NAMELESS.reason = None


@pytest.mark.parametrize(
    ("broken", "ending"),
    [
        (None, ErrorEnding("eof", "the peer ended the connection without a close frame")),
        (RESET, ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)),
        (TLS, ErrorEnding("reset", "TLS broke off")),
        (OSError("?"), ErrorEnding("reset", "TLS broke off")),
    ],
)
def test_a_loss(broken: OSError | None, ending: Ending) -> None:
    """An open connection that just ends is `eof`; one that breaks is `reset`, with the number of the system."""
    assert loss(broken) == ending


def test_a_violation() -> None:
    """A message that is too long has a word of its own."""
    assert violation(1009, 7) == ErrorEnding("too_big", "a message was longer than 7 bytes")
    assert violation(1002, 7) == ErrorEnding("protocol", "the peer broke the protocol; we closed with code 1002")


NOTHING = ErrorEnding("handshake", "the peer ended the connection without an answer")
NONSENSE = ErrorEnding("handshake", "the peer's answer opens no WebSocket connection")


@pytest.mark.parametrize(
    ("answer", "broken", "ending"),
    [
        (b"", None, NOTHING),
        (b"", RESET, ErrorEnding("handshake", "Connection reset by peer", errno.ECONNRESET)),
        (b"HTTP/1.1 503 No\r\n\r\n", TLS, ErrorEnding("tls", "certificate required")),
        (b"", NAMELESS, ErrorEnding("tls", "TLS broke off")),
        (b"HTTP/1.1 503 No\r\n", None, NONSENSE),
        (b"220 mail\r\n\r\n", None, NONSENSE),
        (b"HTTP/1.1 101 Yes\r\n\r\n", None, NONSENSE),
        (b"HTTP/1.1 503 No\r\n\r\nwhy", RESET, HttpEnding(503, {}, b"why")),
        (b"HTTP/1.0 503 No\r\nX: 1\r\nx: 2\r\n\r\nwhy", None, HttpEnding(503, {"x": "1, 2"}, b"why")),
        (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nwhy", None, HttpEnding(503, {"content-length": "2"}, b"wh")),
        (b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nwhy", None, HttpEnding(503, {"content-length": "9"}, b"why")),
        *(
            (
                b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nw\r\n2\r\nhy" + rest,
                None,
                HttpEnding(503, {"transfer-encoding": "chunked"}, b"why"),
            )
            for rest in (b"", b"\r\n", b"\r\n0\r\n\r\n", b"\r\n9\r\n", b"\r\n?\r\n", b"\r\n" + b"9" * 30 + b"\r\n")
        ),
    ],
)
def test_a_handshake_that_failed(answer: bytes, broken: OSError | None, ending: Ending) -> None:
    """A refusal is told as far as it came; what is none, by what broke, or by what was said."""
    assert why_not_open(answer, broken) == ending


@pytest.mark.parametrize(
    ("broken", "ending"),
    [
        (None, ErrorEnding("handshake", "the client ended the connection before it had asked")),
        (RESET, ErrorEnding("handshake", "Connection reset by peer", errno.ECONNRESET)),
        (TLS, ErrorEnding("tls", "certificate required")),
    ],
)
def test_a_client_that_never_asked(broken: OSError | None, ending: Ending) -> None:
    """Whoever goes before a request is whole is told by what broke."""
    assert why_not_asked(broken) == ending
