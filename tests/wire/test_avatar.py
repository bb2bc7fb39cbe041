"""Frames of avatar_live as values: what is on the wire, what it means, what is refused, and that nothing else happens."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.wire.avatar import HEADER, encode
from lifecycle.wire.codec import Undecodable, encoder, length, reader

LIMIT = 1_000
SSML = '<speak><audio url="http://a.example/x.wav" format="wav"/></speak>'


def decode(message: str | bytes) -> Any:
    """What one connection reads."""
    return reader("avatar", LIMIT).decode(message)


FRAMES: list[tuple[str | bytes, dict[str, Any]]] = [
    ('|MSG|00|{"code":1000}', {"header": "MSG00", "body": {"code": 1000}}),
    ('|MSG|01|{"code":4002,"message":"并发超限"}', {"header": "MSG01", "body": {"code": 4002, "message": "并发超限"}}),
    ("|MSG|02|", {"header": "MSG02"}),
    ('|CTL|00|{"live":{"live_id":"a"}}', {"header": "CTL00", "body": {"live": {"live_id": "a"}}}),
    ("|CTL|01|", {"header": "CTL01"}),
    ("|CTL|03|", {"header": "CTL03"}),
    ("|CTL|12|", {"header": "CTL12"}),
    (f"|DAT|01|{SSML}", {"header": "DAT01", "body": SSML}),
    ('|DAT|02|{"type":"voice_start"}', {"header": "DAT02", "body": {"type": "voice_start"}}),
    (b"|DAT|02|\x00\xff|{", {"header": "DAT02", "body": b"\x00\xff|{"}),
    (b"|DAT|02|", {"header": "DAT02", "body": b""}),
    ("|DAT|02|", {"header": "DAT02"}),
    ("|EXT|99|[1]", {"header": "EXT99", "body": "[1]"}),
]


@pytest.mark.parametrize(("message", "value"), FRAMES, ids=[str(message)[:24] for message, _ in FRAMES])
def test_frames_there_and_back(message: str | bytes, value: dict[str, Any]) -> None:
    """What stands on the wire is one value, and the value is written as it stood there."""
    assert decode(message) == value
    assert encode(value) == encoder("avatar")(value) == message
    assert reader("avatar", LIMIT).size(message) == length(message)


def test_a_header_is_eight_characters() -> None:
    """One public client says 9 in a comment; the ninth character is the body's first."""
    message = '|MSG|00|{"code":1000}'
    assert json.loads(message[HEADER:]) == {"code": 1000}
    with pytest.raises(ValueError, match="Extra data"):
        json.loads(message[HEADER + 1 :])


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ('|MSG|000|{"code":1000}', "such as `|MSG|02|`: its header has 9"),
        ("|MSGS|00|", "its header has 9"),
        (b"|DAT|002|\x00\x00", "its header has 9"),
        ("|MS|00|", "its header has 7"),
        ('|MSG|00||{"code":1000}', "begins with `|`: a header is 8 characters, not 9"),
        ("|MSG|00", "it is not three capitals and two digits between bars"),
        ("|MSG|0a|", "it is not three capitals and two digits between bars"),
        ("|msg|00|", "it is not three capitals and two digits between bars"),
        ("|MSG|\u0660\u0660|", "it is not three capitals and two digits between bars"),
        ("|MSG|00\n", "it is not three capitals and two digits between bars"),
        ("", "it does not begin with `|`"),
        (b"", "it does not begin with `|`"),
        (b"\xef\xbb\xbf|DAT|02|", "it does not begin with `|`"),
        ('{"code":1000}', "it does not begin with `|`"),
        ('|MSG|00|{"code":', "not JSON"),
        ('|MSG|00|{"code":NaN}', "not JSON"),
        ('|MSG|00|{"code":1000}secret', "not JSON"),
        ("|MSG|00|" + '{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_frame(message: str | bytes, why: str) -> None:
    """The error says what is wrong with the header, and shows nothing of the message."""
    with pytest.raises(Undecodable) as caught:
        decode(message)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "error", "why"),
    [
        ("|CTL|01|", TypeError, "the codec is avatar: send a frame such as .*, not str"),
        ({}, ValueError, "None is no header: three capitals and two digits, such as CTL03 for `|CTL|03|`"),
        ({"header": "|CTL|03|"}, ValueError, "is no header"),
        ({"header": "CTL3"}, ValueError, "is no header"),
        ({"header": "CTL03\n"}, ValueError, "is no header"),
        ({"header": 3}, ValueError, "is no header"),
        ({"header": "CTL03", "text": "x", "audio": b""}, ValueError, "no 'audio' and no 'text', but header and body"),
        ({"header": "DAT01", "body": 1}, TypeError, "an object, a text or bytes, not int"),
        ({"header": "DAT01", "body": ["x"]}, TypeError, "an object, a text or bytes, not list"),
        ({"header": "DAT01", "body": "{"}, ValueError, "send an object, not JSON, and no header"),
        ({"header": "DAT01", "body": ' {"a": 1}'}, ValueError, "send an object, not JSON, and no header"),
        ({"header": "DAT01", "body": "|DAT|01|"}, ValueError, "send an object, not JSON, and no header"),
        ({"header": "DAT01", "body": "\ud800"}, ValueError, "half a character"),
        ({"header": "DAT04", "body": {"audio": b""}}, TypeError, "bytes"),
        ({"header": "DAT04", "body": {"rate": float("nan")}}, ValueError, "JSON"),
    ],
)
def test_what_cannot_be_written(value: Any, error: type[Exception], why: str) -> None:
    """It is refused before a byte of it exists, and the error says what to send."""
    with pytest.raises(error) as caught:
        encode(value)
    assert all(part in str(caught.value) for part in why.split(".*"))


def test_what_holds_itself_cannot_be_written() -> None:
    """Neither what is its own part, nor what is nested too deeply."""
    own: dict[str, Any] = {}
    own["own"] = own
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for body in (own, deep):
        with pytest.raises(ValueError, match=r"Circular|holds itself|JSON"):
            encode({"header": "DAT04", "body": body})


def test_sound_is_bytes_of_any_kind() -> None:
    """Whatever holds bytes is sent as a binary message; none as a body is no body."""
    for sound in (b"\x01\x02", bytearray(b"\x01\x02"), memoryview(b"\x01\x02")):
        assert encode({"header": "DAT02", "body": sound}) == b"|DAT|02|\x01\x02"
    assert encode({"header": "CTL12", "body": None}) == "|CTL|12|"


HEADERS = st.from_regex(r"[A-Z]{3}[0-9]{2}", fullmatch=True)
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict)) | st.dictionaries(st.text(), st.text(), max_size=3)  # fmt: skip
NEARLY = st.builds(
    lambda bars, body: bars + body,
    st.from_regex(r"\|?[A-Za-z]{2,4}\|[0-9a-z\u0660-\u0669]{1,3}\|{0,2}", fullmatch=True),
    st.text(max_size=20) | st.just('{"code":1000}') | st.just("{"),
)


@given(HEADERS, st.none() | OBJECTS | st.binary(max_size=50) | st.text(max_size=20))
def test_what_was_written_is_read(header: str, body: Any) -> None:
    """Each frame that can be written comes back as the same value."""
    value = {"header": header} if body is None or body == "" else {"header": header, "body": body}
    try:
        message = encode(value)
    except ValueError:
        assert isinstance(body, str)
        return
    assert decode(message) == value
    assert len(message) >= HEADER


@given(st.text() | st.binary() | NEARLY | st.builds(str.encode, NEARLY))
@example("|MSG|00|")
@example('|MSG|00| {"code": 1000}')
@example(b"|DAT|02|{")
def test_anything_is_a_value_or_refused(message: str | bytes) -> None:
    """Nothing but `Undecodable` is raised, and what was read is written as something that means the same."""
    try:
        value = decode(message)
    except Undecodable as error:
        assert len(str(error)) < 200
        return
    written = encode(value)
    assert type(written) is type(message)
    assert decode(written) == value
    assert written[:HEADER] == message[:HEADER]
