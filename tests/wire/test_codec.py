import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.wire.codec import Undecodable, encoder, from_json, length, reader, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_there_and_back(value: object) -> None:
    """What is encoded is what is decoded, and every encoded message can be sent as UTF-8."""
    message = to_json(value)
    assert from_json(message) == value
    assert from_json(message.encode()) == value


@given(st.lists(st.sampled_from(["a", "\ud800", "\udc00", "é", "😀"])).map("".join))
def test_half_characters_in_json(text: str) -> None:
    """JSON can write half a character, as an escape; then nothing of the message is lost."""
    message = to_json({"text": text})
    assert message.encode()
    assert from_json(message)["text"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(st.text() | st.binary())
def test_text_and_bytes_stay_as_they_are(message: str | bytes) -> None:
    """The codecs text and binary change nothing."""
    for codec in ("text", "binary"):
        assert reader(codec, 1).decode(message) is message
        assert encoder(codec)(message) is message


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("{", "not JSON at character 1"),
        ("NaN", "not JSON"),
        ("-Infinity", "not JSON"),
        (b"\xff", "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[-1e999]", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=[
        "cut off",
        "NaN",
        "infinity",
        "no UTF-8",
        "a number without end",
        "a number beyond all",
        "a hole without bottom",
    ],
)
def test_what_is_no_json(message: str | bytes, why: str) -> None:
    """The error says why, and shows nothing of the message."""
    with pytest.raises(Undecodable, match=why) as caught:
        from_json(message)
    assert str(message)[:100] not in str(caught.value) or len(message) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_numbers_that_json_does_not_have(value: object) -> None:
    """They are refused at the caller."""
    with pytest.raises(ValueError, match="JSON"):
        to_json(value)


def test_what_cannot_be_written() -> None:
    """An object in JSON, a number as text and half a character as text are refused at the caller."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_json(object())
    with pytest.raises(TypeError, match="the codec is text: send text or bytes, not int"):
        encoder("text")(1)
    with pytest.raises(ValueError, match="half a character"):
        encoder("text")("a\ud800")


@given(st.text() | st.binary())
def test_the_length_is_that_of_the_bytes(message: str | bytes) -> None:
    """A text counts for as many bytes as it has on the wire."""
    assert length(message) == len(message if isinstance(message, bytes) else message.encode())
