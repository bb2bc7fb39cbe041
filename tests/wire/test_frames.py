import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.wire.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    TOO_BIG,
    WRONG_FRAME,
    Cutter,
    Messages,
    Violation,
    frame,
    payload_of,
)

LIMIT = 1000
MASK = b"\x37\xfa\x21\x3d"


class Taken:
    """Everything that a cutter gives away, in order; a close frame stops it.

    Attributes:
        messages: plain ones.
        others: whole frames.
    """

    def __init__(self, limit: int = LIMIT, most: int = LIMIT, *, masked: bool = False) -> None:
        self.cutter = Cutter(limit, most, masked=masked)
        self.messages: Messages = []
        self.others: list[bytes] = []

    def cut(self, data: bytes) -> None:
        self.cutter.cut(data, self.messages, self.other)

    def other(self, whole: bytes, messages: Messages) -> bool:
        assert messages is self.messages
        self.others.append(whole)
        return whole[0] & 0x0F != CLOSE


def test_a_frame_is_written_as_the_standard_shows() -> None:
    """The examples of RFC 6455 5.7."""
    assert frame(TEXT, b"Hello") == b"\x81\x05Hello"
    assert frame(TEXT, b"Hello", MASK) == b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert frame(PING, b"Hello") == b"\x89\x05Hello"
    assert frame(BINARY, bytes(256)) == b"\x82\x7e\x01\x00" + bytes(256)
    assert frame(BINARY, bytes(65_536)) == b"\x82\x7f" + struct.pack("!Q", 65_536) + bytes(65_536)


@pytest.mark.parametrize("mask", [b"", MASK], ids=["a server's", "a client's"])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_a_message_of_any_length(size: int, mask: bytes) -> None:
    """It is cut as it was written, also when it comes in two halves of any kind."""
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    whole = frame(BINARY, data, mask)
    for at in {1, 2, 3, 5, 9, 13, 14, len(whole) // 2, len(whole) - 1, len(whole)}:
        taken = Taken(300_000, 300_000, masked=bool(mask))
        taken.cut(whole[:at])
        taken.cut(whole[at:])
        assert taken.messages == [data]


FRAMES = st.one_of(
    st.tuples(st.just(TEXT), st.text(max_size=40).map(str.encode)),
    st.tuples(st.just(BINARY), st.binary(max_size=200)),
    st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)),
)


@given(
    frames=st.lists(FRAMES, max_size=8),
    masked=st.booleans(),
    cuts=st.lists(st.integers(0, 900), max_size=12),
)
def test_pieces_do_not_matter(frames: list[tuple[int, bytes]], cuts: list[int], *, masked: bool) -> None:
    """However the bytes are cut into pieces, the same messages and frames come out, in order."""
    wholes = [frame(opcode, payload, MASK if masked else b"") for opcode, payload in frames]
    data = b"".join(wholes)
    taken = Taken(masked=masked)
    places = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(places):
        taken.cut(data[start:end])
    taken.cut(b"")
    assert taken.messages == [
        payload.decode() if opcode == TEXT else payload for opcode, payload in frames if opcode < CLOSE
    ]
    assert taken.others == [whole for whole, (opcode, _) in zip(wholes, frames, strict=True) if opcode >= CLOSE]
    assert taken.cutter._kept is None


def test_one_byte_at_a_time() -> None:
    """The slowest peer is understood too, under a mask and with a long length."""
    data = frame(TEXT, b"x" * 500, MASK) + frame(PING, b"?", MASK) + frame(BINARY, b"y", MASK)
    taken = Taken(masked=True)
    for at in range(len(data)):
        taken.cut(data[at : at + 1])
    assert taken.messages == ["x" * 500, b"y"]
    assert [payload_of(other) for other in taken.others] == [b"?"]


def test_what_is_kept_grows_without_being_copied_each_time() -> None:
    """Pieces of a long message are added to one buffer, and nothing is looked at before it can say more."""
    taken = Taken(1 << 20, 1 << 20)
    whole = frame(BINARY, bytes(1 << 20))
    taken.cut(whole[:100])
    buffer = taken.cutter._kept
    for at in range(100, 500_000, 1000):
        taken.cut(whole[at : at + 1000])
        assert taken.cutter._kept is buffer
    taken.cut(whole[500_100:])
    assert taken.messages == [bytes(1 << 20)]


def test_fragments_are_given_away() -> None:
    """While a message in fragments is open, every frame of data is somebody else's, with pings between them."""
    frames = [b"\x01\x01a", b"\x89\x00", b"\x00\x01b", b"\x80\x01c", b"\x02\x00", b"\x80\x00"]
    taken = Taken()
    taken.cut(b"".join([frame(TEXT, b"before"), *frames, frame(TEXT, b"after")]))
    assert taken.messages == ["before", "after"]
    assert taken.others == frames


def test_what_follows_the_last_frame_is_forgotten() -> None:
    """Whoever takes a frame may say that it was the last one."""
    for first in (0, 3):
        taken = Taken()
        data = frame(TEXT, b"a") + frame(CLOSE, b"") + frame(TEXT, b"b") + b"\x81"
        taken.cut(data[:first])
        taken.cut(data[first:])
        assert (taken.messages, len(taken.others)) == (["a"], 1)
        assert taken.cutter._kept is None
    taken = Taken()
    taken.cut(b"\x88")
    taken.cut(b"\x00\x81\x01b")
    assert taken.messages == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x80", WRONG_FRAME),
        (b"\x88\xff", WRONG_FRAME),
        (b"\x89\x7e", WRONG_FRAME),
        (b"\x89\x7f", WRONG_FRAME),
        (b"\x82\x7e\x03\xe9", TOO_BIG),
        (b"\x02\x7e\x03\xe9", TOO_BIG),
        (b"\x82\x7f" + bytes(6) + b"\x03\xe9", TOO_BIG),
        (b"\x82\x7f" + b"\xff" * 8, TOO_BIG),
    ],
    ids=["mask", "mask of a close", "long ping", "longer ping", "one too many", "fragment", "in 8 bytes", "absurd"],
)
def test_a_header_is_enough(data: bytes, code: int) -> None:
    """What a header shows to be forbidden is refused before its payload comes; what came before is there."""
    taken = Taken()
    with pytest.raises(Violation) as caught:
        taken.cut(frame(TEXT, b"before") + data)
    assert caught.value.code == code
    assert taken.messages == ["before"]


def test_a_client_must_mask() -> None:
    """A frame without a mask is refused where there must be one."""
    with pytest.raises(Violation) as caught:
        Taken(masked=True).cut(frame(TEXT, b""))
    assert caught.value.code == WRONG_FRAME


def test_the_limit_is_for_messages() -> None:
    """A message of just the limit passes, and a control frame is no message."""
    taken = Taken(2, 2)
    taken.cut(frame(BINARY, b"xx") + frame(PING, bytes(125)))
    assert taken.messages == [b"xx"]
    with pytest.raises(Violation):
        taken.cut(frame(BINARY, b"xxx"))


def test_a_frame_longer_than_a_message() -> None:
    """Where frames may be longer than their messages, somebody else looks at what is over the limit."""
    taken = Taken(2, 3)
    taken.cut(frame(BINARY, b"xxx"))
    assert (taken.messages, taken.others) == ([], [frame(BINARY, b"xxx")])
    with pytest.raises(Violation):
        taken.cut(frame(BINARY, b"xxxx"))


def test_text_is_utf_8() -> None:
    """A text that is none is told, after the messages before it."""
    taken = Taken()
    with pytest.raises(UnicodeDecodeError):
        taken.cut(frame(TEXT, b"a") + frame(TEXT, b"\xff"))
    assert taken.messages == ["a"]


@given(payload=st.binary(max_size=125), mask=st.sampled_from([b"", MASK]))
def test_the_payload_of_a_control_frame(payload: bytes, mask: bytes) -> None:
    """It is read as it was written."""
    assert payload_of(frame(PONG, payload, mask)) == payload
