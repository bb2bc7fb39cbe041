import pytest
import trio

from lifecycle.wire.ending import CloseEnding, ErrorEnding

from .raw import BINARY, CONTINUATION, PING, PONG, TEXT, RawPeer
from .subject import FEW, Lane

MB = 1024 * 1024
LIMIT = 1000


@pytest.mark.parametrize(
    "messages",
    [["text"], [b"\x00\xff"], ["", b""], ["é" * 62, "😀"], [bytes(125), bytes(126)], [bytes(65_535), bytes(65_536)]],
    ids=["text", "binary", "empty", "characters", "short and medium", "medium and long"],
)
async def test_a_message_arrives_as_it_is(lane: Lane, messages: list[str | bytes]) -> None:
    """Text stays text and bytes stay bytes, at each border between the three ways to write a length."""
    async with lane.open() as (subject, peer):
        for message in (*messages, "next"):
            peer.say(peer.message(message))
            assert await subject.message() == message


@pytest.mark.matrix(wires=FEW)
async def test_a_large_message(lane: Lane) -> None:
    """Eight megabytes arrive whole, and what follows them too."""
    data = bytes(range(256)) * (8 * MB // 256)
    async with lane.open() as (subject, peer):
        peer.say(peer.message(data), peer.message("next"))
        assert await subject.message() == data
        assert await subject.message() == "next"


@pytest.mark.matrix(wires=FEW)
async def test_order(lane: Lane) -> None:
    """A thousand messages arrive in the order in which they were sent, text and bytes mixed."""
    sent: list[str | bytes] = [bytes([1]) * number if number % 3 else str(number) for number in range(1000)]
    async with lane.open() as (subject, peer):
        for at in range(0, 1000, 7):
            peer.say(*map(peer.message, sent[at : at + 7]))
        assert [await subject.message() for _ in sent] == sent


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize(
    "parts",
    [(b"a", b"b"), (b"", b"", b"ab"), (b"ab", b"", b""), (b"a",) * 100, (b"a" * 70_000, b"b" * 70_000)],
    ids=["two", "empty ones first", "empty ones last", "hundred", "large"],
)
async def test_fragments(lane: Lane, opcode: int, parts: tuple[bytes, ...]) -> None:
    """A message in several frames is one message, also if some are empty."""
    whole = b"".join(parts)
    async with lane.open() as (subject, peer):
        peer.say(*peer.fragments(opcode, *parts), peer.message("next"))
        assert await subject.message() == (whole.decode() if opcode == TEXT else whole)
        assert await subject.message() == "next"


async def test_control_frames_between_fragments(lane: Lane) -> None:
    """A ping between fragments is answered before the message is whole, and a pong there is no part of it."""
    async with lane.open() as (subject, peer):
        first, second, third = peer.fragments(TEXT, b"one ", b"two ", b"three")
        peer.say(first, peer.frame(PING, b"1"), second, peer.frame(PONG, b"2"))
        answer = await peer.hear()
        assert answer
        assert (answer.opcode, answer.payload) == (PONG, b"1")
        assert subject.messages == []
        peer.say(third)
        assert await subject.message() == "one two three"


async def test_one_byte_at_a_time(lane: Lane) -> None:
    """Where segments begin and end means nothing, in each of the three forms of a length."""
    async with lane.open() as (subject, peer):
        sent: list[str | bytes] = ["é", b"", bytes(126)]
        for message in sent:
            await peer.drip(peer.message(message))
        await peer.drip(peer.frame(PING, b"?"))
        # the middle of a long frame comes at once, or this would take long
        long = peer.message(bytes(65_536))
        await peer.drip(long[:20])
        peer.say(long[20:-2])
        await peer.drip(long[-2:] + peer.message("end"))
        assert [await subject.message() for _ in range(5)] == [*sent, bytes(65_536), "end"]


async def test_frames_behind_the_head(lane: Lane) -> None:
    """What the peer says in the segment that opens the connection is heard: messages, a ping, half a frame."""
    parts: list[bytes] = []

    def after(peer: RawPeer) -> bytes:
        parts.extend([peer.message("one"), peer.frame(PING, b"you?"), peer.message(b"two"), peer.message("three")])
        return b"".join(parts)[:-2]

    async with lane.open(after) as (subject, peer):
        assert [await subject.message(), await subject.message()] == ["one", b"two"]
        peer.say(parts[-1][-2:])
        assert await subject.message() == "three"
        answer = await peer.hear()
        assert answer
        assert answer.payload == b"you?"


async def test_a_whole_conversation_behind_the_head(lane: Lane) -> None:
    """A peer may open, speak and say goodbye in one segment; the messages come before the end."""
    async with lane.open(lambda peer: peer.message("hi") + peer.close(4000, "bye")) as (subject, _):
        assert await subject.ended() == CloseEnding(4000, "bye")
        assert subject.messages == ["hi"]


async def test_several_frames_in_one_segment(lane: Lane) -> None:
    """Messages, fragments, pings and pongs in one segment are told apart."""
    async with lane.open() as (subject, peer):
        peer.say(
            peer.message("a"),
            peer.frame(PING),
            *peer.fragments(BINARY, b"b", b"c"),
            peer.frame(PONG, b"nobody asked"),
            peer.message(""),
            peer.message(b"d"),
        )
        assert [await subject.message() for _ in range(4)] == ["a", b"bc", "", b"d"]


async def test_a_character_cut_by_fragments(lane: Lane) -> None:
    """Text is judged as a whole: a character of two, three or four bytes may lie in several frames."""
    text = "aé€😀z"
    data = text.encode()
    async with lane.open() as (subject, peer):
        for at in range(len(data) + 1):
            peer.say(*peer.fragments(TEXT, data[:at], data[at:]))
        peer.say(*peer.fragments(TEXT, *(data[at : at + 1] for at in range(len(data)))))
        assert [await subject.message() for _ in range(len(data) + 2)] == [text] * (len(data) + 2)


async def test_messages_that_waited_come_first(lane: Lane) -> None:
    """Messages that came before somebody takes them are kept, in order, before those that come later."""
    async with lane.open(lambda peer: peer.message("1") + peer.message("2"), driven=False) as (subject, peer):
        peer.say(peer.message("3"))
        await trio.testing.wait_all_tasks_blocked()
        subject.drive()
        peer.say(peer.message("4"))
        assert [await subject.message() for _ in range(4)] == ["1", "2", "3", "4"]
        peer.say(peer.close(1000))
        assert await subject.ended() == CloseEnding(1000)


async def test_no_room_holds_the_peer_back(lane: Lane) -> None:
    """While there is no room, what the peer sends waits on its side; none of it is lost."""
    sent = [number.to_bytes(4) * 1024 for number in range(1000)]
    async with lane.open() as (subject, peer):
        subject.recorder.shut()
        peer.say(*map(peer.message, sent))
        await trio.testing.wait_all_tasks_blocked()
        assert peer.wire.pipe.sent < peer.wire.pipe.given
        assert len(subject.messages) < 500
        subject.recorder.widen()
        assert [await subject.message() for _ in sent] == sent


# The limit


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize(
    "message", [bytes(LIMIT), "x" * LIMIT, "é" * (LIMIT // 2)], ids=["binary", "text", "text of fewer characters"]
)
async def test_a_message_of_just_the_limit(lane: Lane, message: str | bytes) -> None:
    """It passes, in one frame or in several, and the limit begins anew with each message."""
    data = message if isinstance(message, bytes) else message.encode()
    opcode = BINARY if isinstance(message, bytes) else TEXT
    async with lane.open(limit=LIMIT) as (subject, peer):
        for _ in range(2):
            peer.say(peer.message(message), *peer.fragments(opcode, data[:1], data[1:501], data[501:]))
        assert [await subject.message() for _ in range(4)] == [message] * 4


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize(
    ("opcode", "parts"),
    [
        (BINARY, (bytes(LIMIT + 1),)),
        (TEXT, (b"x" * (LIMIT + 1),)),
        (TEXT, ("é".encode() * (LIMIT // 2 + 1),)),
        (BINARY, (bytes(600), bytes(401))),
        (TEXT, ("é".encode() * 300, "é".encode() * 201)),
        (BINARY, (bytes(LIMIT), b"", b"", b"x")),
        (BINARY, (bytes(MB),)),
    ],
    ids=["binary", "text", "text of fewer characters", "fragments", "fragments of text", "late", "far over"],
)
async def test_a_message_over_the_limit(lane: Lane, opcode: int, parts: tuple[bytes, ...]) -> None:
    """It ends the connection as `too_big`, the peer is told 1009; what came before it is delivered."""
    async with lane.open(limit=LIMIT) as (subject, peer):
        peer.say(peer.message("before"), *peer.fragments(opcode, *parts), peer.message("after"))
        ending = await subject.ended()
        assert isinstance(ending, ErrorEnding)
        assert ending.word == "too_big"
        assert str(LIMIT) in ending.text
        assert subject.messages == ["before"]
        assert (await peer.hear_close()).code == 1009


async def test_a_message_that_has_no_end(lane: Lane) -> None:
    """The limit holds for a message whose last fragment never comes."""
    async with lane.open(limit=LIMIT) as (subject, peer):
        peer.say(peer.frame(BINARY, bytes(600), fin=False))
        await trio.testing.wait_all_tasks_blocked()
        assert subject.transport.ended is None
        peer.say(peer.frame(CONTINUATION, bytes(401), fin=False))
        ending = await subject.ended()
        assert isinstance(ending, ErrorEnding)
        assert ending.word == "too_big"
