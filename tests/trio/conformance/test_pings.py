import pytest
import trio

from lifecycle.wire.ending import CloseEnding

from .raw import CLOSE, PING, PONG, Frame, RawPeer
from .subject import FEW, NO_TAP, TAP, WEBSOCKETS, Lane

MB = 1024 * 1024


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("payload", [b"", b"you?", bytes(125), b"\xff\x00"], ids=["empty", "text", "longest", "bytes"])
async def test_a_ping_is_answered(lane: Lane, payload: bytes) -> None:
    """The pong has the same payload (5.5.3), and no message comes of it."""
    async with lane.open() as (subject, peer):
        peer.say(peer.frame(PING, payload))
        assert await peer.hear() == Frame(PONG, payload)
        assert subject.messages == []
        peer.say(peer.message("next"))
        assert await subject.message() == "next"


async def test_pings_in_one_segment(lane: Lane) -> None:
    """While our writes leave at once, each is answered, in order, between the messages that we send."""
    async with lane.open() as (subject, peer):
        peer.say(*(peer.frame(PING, bytes([number])) for number in range(10)), peer.message("all said"))
        assert await subject.message() == "all said"
        subject.transport.send("done")
        assert [await peer.hear() for _ in range(10)] == [Frame(PONG, bytes([number])) for number in range(10)]
        assert await peer.hear_message() == "done"


@pytest.mark.matrix(libraries=(TAP, NO_TAP))
async def test_pings_are_answered_though_nobody_takes_messages(lane: Lane) -> None:
    """A library that reads by itself answers from the first moment on, before anybody asks for messages."""
    async with lane.open(driven=False) as (_, peer):
        peer.say(peer.message("waits"), peer.frame(PING, b"1"))
        assert await peer.hear() == Frame(PONG, b"1")
        peer.say(peer.frame(PING, b"2"))
        assert await peer.hear() == Frame(PONG, b"2")


@pytest.mark.matrix(libraries=(WEBSOCKETS,))
async def test_pings_are_answered_by_whoever_receives(lane: Lane) -> None:
    """Where only `receive` reads, a ping waits for it, behind the messages that came before, and is then answered."""
    async with lane.open(driven=False) as (subject, peer):
        peer.say(peer.frame(PING, b"1"), peer.message("m"))
        await trio.testing.wait_all_tasks_blocked()
        received = subject.pipe.sent
        assert await subject.transport.receive() == ("m",)
        assert subject.pipe.sent > received
        assert await peer.hear() == Frame(PONG, b"1")
        subject.drive()


def flood(peer: RawPeer, count: int) -> bytes:
    """Many pings, each with its number; the numbers go up."""
    return b"".join(peer.frame(PING, number.to_bytes(4) + bytes(121)) for number in range(count))


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("spoken", [True, False], ids=["behind a message", "by pongs alone"])
async def test_a_ping_flood_while_our_writes_are_blocked(lane: Lane, *, spoken: bool) -> None:
    """A peer that pings and never reads costs bounded memory; once it reads, the latest pong is there."""
    count = 3000
    async with lane.open() as (subject, peer):
        if spoken:
            subject.transport.send(bytes(2 * MB))
        kept_before = subject.kept
        peer.say(flood(peer, count), peer.message("flooded"))
        await trio.testing.wait_all_tasks_blocked()
        # pongs of 380 KB are due
        assert subject.kept - kept_before < 10_000
        if spoken:
            assert await peer.hear_message() == bytes(2 * MB)
        numbers = [-1]
        while numbers[-1] < count - 1:
            heard = await peer.hear()
            assert heard
            assert heard.opcode == PONG
            numbers.append(int.from_bytes(heard.payload[:4]))
        assert numbers == sorted(set(numbers))
        assert await subject.message() == "flooded"


async def test_a_goodbye_behind_pings_while_our_writes_are_blocked(lane: Lane) -> None:
    """The answer to a close does not give way to a pong, nor the other way round: it is there once the peer reads."""
    async with lane.open() as (subject, peer):
        subject.transport.send(bytes(2 * MB))
        peer.say(flood(peer, 100), peer.close(4000, "enough"), flood(peer, 100))
        assert await subject.ended() == CloseEnding(4000, "enough")
        assert await peer.hear_message() == bytes(2 * MB)
        heard = await peer.hear()
        while heard and heard.opcode == PONG:
            heard = await peer.hear()
        assert heard
        assert (heard.opcode, heard.code) == (CLOSE, 4000)


async def test_pongs_that_nobody_asked_for(lane: Lane) -> None:
    """They are ignored (5.5.3): not answered, no message, no end."""
    async with lane.open() as (subject, peer):
        for payload in (b"", b"news", bytes(125)):
            peer.say(peer.frame(PONG, payload))
        peer.say(peer.message("next"))
        assert await subject.message() == "next"
        subject.transport.send("here")
        assert await peer.hear_message() == "here"


@pytest.mark.parametrize("payload", [b"", b"you?", bytes(125)], ids=["empty", "text", "longest"])
async def test_our_ping(lane: Lane, payload: bytes) -> None:
    """It leaves with its payload, between messages, and its pong is no message."""
    async with lane.open() as (subject, peer):
        subject.transport.send("before")
        subject.transport.ping(payload)
        subject.transport.ping(payload)
        subject.transport.send("after")
        assert await peer.hear_message() == "before"
        assert [await peer.hear(), await peer.hear()] == [Frame(PING, payload)] * 2
        assert await peer.hear_message() == "after"
        peer.say(peer.frame(PONG, payload), peer.message("alive"))
        assert await subject.message() == "alive"


async def test_our_ping_is_too_long(lane: Lane) -> None:
    """More than 125 bytes are a fault of the caller: nothing is sent, and the connection lives on."""
    async with lane.open() as (subject, peer):
        with pytest.raises(ValueError, match="126"):
            subject.transport.ping(bytes(126))
        subject.transport.send("still here")
        assert await peer.hear_message() == "still here"


async def test_a_pong_is_a_sign_of_life(lane: Lane) -> None:
    """The pipe notices that bytes came, also where no message comes of them."""
    async with lane.open() as (subject, peer):
        heard = trio.Event()
        subject.pipe.heard = heard.set
        peer.say(peer.frame(PONG))
        await heard.wait()
        assert subject.messages == []


async def test_our_ping_waits_behind_what_is_kept(lane: Lane) -> None:
    """While a long message is on its way, a ping stands behind it, and does not tear it."""
    async with lane.open() as (subject, peer):
        subject.transport.send(bytes(2 * MB))
        subject.transport.ping(b"?")
        await trio.testing.wait_all_tasks_blocked()
        assert await peer.hear_message() == bytes(2 * MB)
        assert await peer.hear() == Frame(PING, b"?")
