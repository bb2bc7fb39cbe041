import contextlib
from collections.abc import Callable

import pytest
import trio

from lifecycle.wire.ending import ErrorEnding

from .raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawPeer
from .subject import FEW, Lane, Subject

Wrong = Callable[[RawPeer], bytes]


async def judged(subject: Subject, peer: RawPeer, *codes: int) -> None:
    """Wait for the verdict: `protocol`, told to the peer by one close frame and to nobody twice."""
    ending = await subject.ended()
    assert isinstance(ending, ErrorEnding)
    assert ending.word == "protocol"
    assert ending.text
    assert (await peer.hear_close()).code in codes
    subject.transport.abort()
    assert await peer.rest() == []


FRAMES: dict[str, Wrong] = {
    **{f"reserved bit {bit}": lambda peer, bit=bit: peer.frame(TEXT, b"x", reserved=bit) for bit in (1, 2, 4)},
    "reserved bit of a control frame": lambda peer: peer.frame(PING, reserved=4),
    **{f"opcode {code}": lambda peer, code=code: peer.frame(code, b"x") for code in (3, 4, 5, 6, 7)},
    **{f"opcode {code}": lambda peer, code=code: peer.frame(code, b"x") for code in (11, 12, 13, 14, 15)},
    "ping in fragments": lambda peer: peer.frame(PING, b"x", fin=False),
    "pong in fragments": lambda peer: peer.frame(PONG, b"x", fin=False),
    "close in fragments": lambda peer: peer.frame(CLOSE, b"\x03\xe8", fin=False),
    "ping too long": lambda peer: peer.frame(PING, bytes(126)),
    "pong too long": lambda peer: peer.frame(PONG, bytes(126)),
    "close too long": lambda peer: peer.close(1000, "x" * 124),
    "continuation of nothing": lambda peer: peer.frame(CONTINUATION, b"x"),
    "last continuation of nothing": lambda peer: peer.frame(CONTINUATION, b"x", fin=False),
    "continuation of a whole message": lambda peer: peer.message("x") + peer.frame(CONTINUATION, b"y"),
    "text inside a message": lambda peer: peer.frame(TEXT, b"x", fin=False) + peer.message("y"),
    "bytes inside a message": lambda peer: peer.frame(TEXT, b"x", fin=False) + peer.message(b"y"),
    "fragments inside a message": lambda peer: (
        peer.frame(BINARY, b"x", fin=False) + peer.frame(BINARY, b"y", fin=False)
    ),
    "close of one byte": lambda peer: peer.frame(CLOSE, b"\x03"),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("wrong", FRAMES.values(), ids=FRAMES)
async def test_a_wrong_frame(lane: Lane, wrong: Wrong) -> None:
    """A frame that RFC 6455 forbids ends the connection with 1002; what came before is delivered, what follows not."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("before"), wrong(peer), peer.message("after"))
        await judged(subject, peer, 1002)
        assert subject.messages[0] == "before"
        assert "after" not in subject.messages


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
async def test_a_wrong_mask(lane: Lane, opcode: int) -> None:
    """A server must not mask and a client must (5.1): whoever does it wrong is told 1002, whatever the frame."""
    async with lane.open() as (subject, peer):
        payload = b"\x03\xe8" if opcode == CLOSE else b"xy"
        peer.say(peer.message("before"), peer.frame(opcode, payload, masks=not peer.masks))
        await judged(subject, peer, 1002)
        assert subject.messages == ["before"]


TEXTS = {
    "a byte that is never there": (b"ab\xff",),
    "an end cut off": ("€".encode()[:2],),
    "an end cut off, after a whole character": ("a€".encode()[:-1],),
    "longer than it must be": (b"\xc0\xaf",),
    "half of a surrogate pair": (b"\xed\xa0\x80",),
    "above the last character": (b"\xf4\x90\x80\x80",),
    "a continuation byte alone": (b"\x80",),
    "in the second fragment": (b"a", b"\xff", b"c"),
    "over two fragments": (b"\xe2\x82", b"a"),
    "cut off by the last fragment": (b"a", "€".encode()[:2]),
    "cut off by an empty last fragment": ("€".encode()[:2], b""),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("parts", TEXTS.values(), ids=TEXTS)
async def test_text_that_is_no_text(lane: Lane, parts: tuple[bytes, ...]) -> None:
    """Text that is not UTF-8 ends the connection with 1007 (8.1), and nothing of it is delivered."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("before"), *peer.fragments(TEXT, *parts), peer.message("after"))
        await judged(subject, peer, 1007)
        assert subject.messages == ["before"]


async def test_bytes_need_not_be_text(lane: Lane) -> None:
    """A binary message may hold anything, in one frame or in several."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message(b"\xff\xc0"), *peer.fragments(BINARY, b"\xe2", b"\xff"))
        assert [await subject.message(), await subject.message()] == [b"\xff\xc0", b"\xe2\xff"]


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
async def test_a_code_that_may_not_be_on_the_wire(lane: Lane, code: int) -> None:
    """A close with a code that is reserved, unknown or out of range (7.4) is a violation, and never told as a close."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("before"), peer.close(code, "so there"))
        await judged(subject, peer, 1002)
        assert subject.messages == ["before"]


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("reason", [b"\xff", b"ok \xe2\x82", b"\xed\xa0\x80"], ids=["no byte", "cut off", "surrogate"])
async def test_a_reason_that_is_no_text(lane: Lane, reason: bytes) -> None:
    """The reason beside a code is UTF-8 too (5.5.1)."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(1000, reason))
        await judged(subject, peer, 1002, 1007)


async def test_a_violation_one_byte_at_a_time(lane: Lane) -> None:
    """It is seen as soon as it is there; the peer need not say more."""
    async with lane.open() as (subject, peer):
        await peer.drip(peer.message("before"))
        with contextlib.suppress(trio.BrokenResourceError):  # we may be gone before the last byte
            await peer.drip(peer.frame(TEXT, b"x", reserved=4))
        await judged(subject, peer, 1002)
        assert subject.messages == ["before"]


async def test_a_violation_behind_the_head(lane: Lane) -> None:
    """It may come in the segment that opens the connection, which was open then for a moment."""
    async with lane.open(lambda peer: peer.message("before") + peer.frame(3)) as (subject, peer):
        await judged(subject, peer, 1002)
        assert subject.messages == ["before"]


async def test_a_violation_after_our_goodbye(lane: Lane) -> None:
    """A peer that answers our close by breaking the protocol gets no second close frame, and we are done with it."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, "going")
        assert (await peer.hear_close()).code == 4000
        peer.say(peer.frame(TEXT, b"\xff"), peer.message("after"))
        await subject.ended()
        assert subject.messages == []
        subject.transport.abort()
        assert await peer.rest() == []
