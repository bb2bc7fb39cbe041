"""Frames at the proxy: however they are cut, what no fault hits passes as it came; what one hits is hit whole."""

import itertools
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from lifecycle.testing.proxy import frames as proxy_frames
from lifecycle.testing.proxy.frames import Framer, Meddler, Opening, Piece
from lifecycle.testing.proxy.weather import Counts
from lifecycle.testing.schedule import Fault, Kind

REQUEST = b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"
SIZES = (0, 1, 125, 126, 127, 65_535, 65_536)


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    """A frame, as another library writes it."""
    return Frame(opcode, payload, fin).serialize(mask=mask)


def meddled(frames: Sequence[bytes], *kinds: Kind, share: float = 1.0, seed: str = "1") -> tuple[bytes, Counts]:
    """What passes of these frames under faults of these kinds, and what was counted."""
    counts = Counts()
    framer, meddler = Framer(), Meddler(seed, counts)
    faults = [Fault(kind=kind, lasts=1, share=share) for kind in kinds]
    passed = [meddler.take(piece, faults) for data in frames for piece in framer.cut(data)]
    return b"".join(piece.data for piece in passed if piece is not None), counts


@given(
    st.lists(
        st.tuples(st.sampled_from((Opcode.TEXT, Opcode.CONT)), st.booleans(), st.sampled_from(SIZES[:5]))
        | st.tuples(st.just(Opcode.PING), st.just(True), st.sampled_from(SIZES[:3])),
        max_size=6,
    ),
    st.booleans(),
    st.lists(st.integers(0, 900)),
)
def test_whatever_the_cuts_the_bytes_are_the_same(frames, masked, cuts):
    """The pieces put together are what came, and ends of frames are seen where they are."""
    whole = [frame(opcode, b"x" * size, fin=fin, mask=masked) for opcode, fin, size in frames]
    data = b"".join(whole)
    ends = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    framer, counts = Framer(), Counts()
    meddler = Meddler("1", counts)
    pieces: list[Piece] = []
    for begin, end in itertools.pairwise(ends):
        pieces += framer.cut(data[begin:end])
    assert b"".join(piece.data for piece in pieces) + framer.rest == data
    assert [meddler.take(piece, []) for piece in pieces] == pieces
    at, seen = 0, []
    for piece in pieces:
        at += len(piece.data)
        if piece.ends:
            seen.append(at)
    assert seen == list(itertools.accumulate(map(len, whole)))
    assert counts == Counts()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [False, True])
def test_a_corrupted_message_differs_in_one_byte_of_its_payload(size, masked):
    """Of every length, masked or not; a header is never touched, and where there is no payload, nothing is."""
    sent = frame(Opcode.BINARY, b"y" * size, mask=masked)
    got, counts = meddled([sent], "corrupt")
    changed = [index for index, (one, other) in enumerate(zip(sent, got, strict=True)) if one != other]
    assert len(changed) == counts.corrupted == (1 if size else 0)
    assert all(index >= len(sent) - size for index in changed)


def test_a_message_in_fragments_is_hit_whole():
    """All its frames are dropped, doubled or kept; the ping between them passes at once."""
    fragments = [
        frame(Opcode.TEXT, b"one", fin=False),
        frame(Opcode.PING, b"?"),
        frame(Opcode.CONT, b"two", fin=False),
        frame(Opcode.CONT, b"three"),
    ]
    ping = fragments.pop(1)
    hit = [fragments[0], ping, *fragments[1:]]
    assert meddled(hit, "drop") == (ping, Counts(dropped=1))
    assert meddled(hit, "duplicate") == (ping + 2 * b"".join(fragments), Counts(duplicated=1))
    assert meddled(hit, "corrupt")[1] == Counts(corrupted=1)


def test_control_frames_are_never_hit():
    """Pings, pongs and goodbyes pass, whatever is active."""
    frames = [frame(opcode, b"\x03\xe8") for opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE)]
    assert meddled(frames, "drop", "corrupt", "duplicate", "reorder") == (b"".join(frames), Counts())


def test_the_seed_decides_which_messages_are_hit():
    """The same seed hits the same ones; a share of 30 % hits about that."""
    frames = [frame(Opcode.TEXT, str(number).encode()) for number in range(1000)]
    first, again, other = (meddled(frames, "drop", share=0.3, seed=seed) for seed in ("1", "1", "2"))
    assert first == again
    assert first[0] != other[0]
    assert 250 < first[1].dropped < 350


def test_a_message_that_is_too_large_passes(monkeypatch):
    """What would have to be kept is bounded; that it was not hit is counted."""
    monkeypatch.setattr(proxy_frames, "LARGEST", 1000)
    large, small = frame(Opcode.TEXT, b"z" * 2000), frame(Opcode.TEXT, b"z" * 500)
    counts = Counts()
    framer, meddler = Framer(), Meddler("1", counts)
    drop = Fault(kind="drop", lasts=1)
    data = large + small + large
    parts = [data[begin : begin + 300] for begin in range(0, len(data), 300)]
    passed = [meddler.take(piece, [drop]) for part in parts for piece in framer.cut(part)]
    assert b"".join(piece.data for piece in passed if piece is not None) == large + large
    assert counts == Counts(dropped=1, too_large=2)


@given(st.lists(st.integers(0, len(ANSWER) + 10)), st.lists(st.integers(0, len(REQUEST))))
def test_the_handshake_is_known_however_it_is_cut(cuts, others):
    """Frames begin right behind the answer."""
    opening = Opening(lambda: None)
    for way, data, where in (("up", REQUEST, others), ("down", ANSWER + b"\x81\x01x", cuts)):
        ends = sorted({0, *(cut for cut in where if cut < len(data)), len(data)})
        split = [opening.split(way, data[begin:end]) for begin, end in itertools.pairwise(ends)]
        head, frames = (b"".join(part) for part in zip(*split, strict=True))
        assert (head, frames) == ((REQUEST, b"") if way == "up" else (ANSWER, b"\x81\x01x"))
    assert opening.framed is True
    assert opening.split("up", b"\x89\x00") == (b"", b"\x89\x00")


@pytest.mark.parametrize(
    "said",
    [
        [("up", b"\x16\x03\x01")],
        [("up", b"GET / HTTP/1.1\r\n\r\nmore")],
        [("up", b"GET / HTTP/1.1\r\n\r\n"), ("up", b"more")],
        [("up", b"GET / HTTP/1.1\r\n" + b"x" * 70_000)],
        [("up", REQUEST), ("down", b"HTTP/1.1 404 Not Found\r\n\r\n")],
        [("up", REQUEST), ("down", ANSWER.replace(b"WebSocket", b"h2c"))],
        [("down", b"220 mail.example\r\n")],
        [("down", ANSWER)],
    ],
)
def test_what_is_no_websocket_passes_untouched(said):
    """Whatever was said, all of it is plain, and so is all that follows."""
    told: list[bool] = []
    opening = Opening(lambda: told.append(True))
    for way, data in said:
        assert opening.split(way, data) == (data, b"")
    assert (opening.framed, told) == (False, [True])
    assert opening.split("down", b"\x81\x01x") == (b"\x81\x01x", b"")


def test_a_reordered_message_carries_its_fault():
    """Whoever writes holds it back as long as that fault is there."""
    reorder = Fault(kind="reorder", lasts=1)
    (piece,) = Framer().cut(frame(Opcode.TEXT, b"late"))
    taken = Meddler("1", Counts()).take(piece, [reorder])
    assert taken == attrs.evolve(piece, first=0, reorder=reorder)
