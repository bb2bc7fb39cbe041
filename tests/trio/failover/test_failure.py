"""What exceptions of clients mean."""

from types import SimpleNamespace

import pytest
import trio

from lifecycle.errors import CallFailed, MaybeDelivered, NotReady, RequestFailed, RequestTimeout
from lifecycle.trio.failover.failure import failure_of


def with_(error: Exception, **attributes: object) -> Exception:
    """An exception with attributes."""
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (TimeoutError(), "timeout", None),
        (trio.TooSlowError(), "timeout", None),
        (RequestTimeout("m", 1), "timeout", None),
        (NotReady("no"), "timeout", None),
        (ConnectionResetError(), "connection", None),
        (trio.BrokenResourceError(), "connection", None),
        (MaybeDelivered("gone"), "connection", None),
        (RequestFailed("m", "no"), "RequestFailed", None),
        (ValueError(), "ValueError", None),
        (with_(RuntimeError(), status_code=503), "RuntimeError", 503),
        (with_(OSError(), status=404), "OSError", 404),
        (with_(RuntimeError(), response=SimpleNamespace(status_code=429)), "RuntimeError", 429),
        (with_(RuntimeError(), status_code=True, status="open"), "RuntimeError", None),
    ],
)
def test_what_it_means(error: Exception, code: str, status: int | None) -> None:
    """The status says more than the class; a flag or a text is none."""
    found = failure_of(error)
    assert (found.code, found.status, found.message) == (code, status, "")


def test_whoever_knows_says_it() -> None:
    """A CallFailed is left as it is."""
    error = CallFailed("locked", "It is locked.", status=423)
    assert failure_of(error) is error
