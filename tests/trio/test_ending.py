import attrs
import pytest

from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding


@pytest.mark.parametrize(
    ("ending", "kind", "sentence"),
    [
        (HttpEnding(401), "http", "the peer answered with HTTP status 401"),
        (CloseEnding(1000), "close", "the peer closed with code 1000"),
        (CloseEnding(4401, "bad token", "local"), "close", "this side closed with code 4401: bad token"),
        (ErrorEnding("refused", "Connection refused", 111), "error", "refused: Connection refused"),
        (ErrorEnding("eof"), "error", "eof"),
    ],
)
def test_an_ending_says_itself(ending: Ending, kind: str, sentence: str) -> None:
    """Each kind has its name and makes its own sentence, which the error of a dial repeats."""
    assert isinstance(ending, Ending)
    assert ending.kind == kind
    assert str(ending) == sentence
    assert str(TransportFailed(ending)) == sentence
    assert TransportFailed(ending).ending is ending


def test_an_ending_keeps_secrets() -> None:
    """Neither headers nor body of a refusal are shown, for they may hold a session."""
    ending = HttpEnding(403, {"set-cookie": "secret"}, b"secret")
    assert repr(ending) == "HttpEnding(status=403)"


def test_an_ending_does_not_change() -> None:
    """What happened has happened."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        CloseEnding(1000).code = 1001  # type: ignore[misc]
