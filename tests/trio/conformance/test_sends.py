from collections.abc import Callable

import pytest
import trio

from .raw import CLOSE, PING, PONG, Frame, RawPeer
from .subject import FEW, Lane, Subject

MB = 1024 * 1024


@pytest.mark.parametrize(
    "messages",
    [["text"], [b"\x00\xff"], ["", b""], ["é" * 62, "😀"], [bytes(125), bytes(126)], [bytes(65_535), bytes(65_536)]],
    ids=["text", "binary", "empty", "characters", "short and medium", "medium and long"],
)
async def test_a_message_leaves_as_it_is(lane: Lane, messages: list[str | bytes]) -> None:
    """Text and bytes reach the peer whole, with the right mask and the shortest form of the length."""
    async with lane.open() as (subject, peer):
        for message in (*messages, "next"):
            subject.transport.send(message)
            assert await peer.hear_message() == message


@pytest.mark.matrix(wires=FEW)
async def test_order(lane: Lane) -> None:
    """A thousand messages leave in the order in which they were sent, though nobody waited between them."""
    sent: list[str | bytes] = [bytes([1]) * number if number % 3 else str(number) for number in range(1000)]
    async with lane.open() as (subject, peer):
        for message in sent:
            subject.transport.send(message)
        assert [await peer.hear_message() for _ in sent] == sent


async def test_a_mask_is_new_for_each_frame(lane: Lane) -> None:
    """A client masks every frame with another key (5.3), and a server masks none."""
    async with lane.open() as (subject, peer):
        for _ in range(20):
            subject.transport.send("the same")
        masks = {heard.mask for _ in range(20) if (heard := await peer.hear())}
        assert masks == {None} if lane.side == "server" else len(masks - {None}) == 20


async def test_both_ways_at_once(lane: Lane) -> None:
    """While a megabyte goes out in pieces, another one comes in, and neither holds the other up."""
    async with lane.open() as (subject, peer):
        for _ in range(16):
            subject.transport.send(bytes(MB // 16))
            peer.say(peer.message(bytes(MB // 16)))
        for _ in range(16):
            assert await subject.message() == bytes(MB // 16)
            assert await peer.hear_message() == bytes(MB // 16)


@pytest.mark.matrix(wires=FEW)
async def test_eight_megabytes_to_a_peer_that_reads_later(lane: Lane) -> None:
    """A send gives its message whole and does not wait; the next message stands behind it, not inside."""
    data = bytes(range(256)) * (8 * MB // 256)
    async with lane.open() as (subject, peer):
        subject.transport.send(data)
        subject.transport.send(b"0123456789")
        await trio.testing.wait_all_tasks_blocked()
        assert subject.kept > MB
        assert await peer.hear_message() == data
        assert await peer.hear_message() == b"0123456789"
        assert subject.kept == 0


async def test_a_sender_that_is_cancelled_has_sent(lane: Lane) -> None:
    """Cancelling whoever sends tears no message and hurts no later one."""
    async with lane.open() as (subject, peer):
        with trio.CancelScope() as scope:
            scope.cancel()
            subject.transport.send(bytes(2 * MB))
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        subject.transport.send("after")
        assert await peer.hear_message() == bytes(2 * MB)
        assert await peer.hear_message() == "after"


async def test_a_pong_does_not_split_a_message(lane: Lane) -> None:
    """Pongs that become due while a long message is on its way stand between messages, never inside a frame."""
    async with lane.open() as (subject, peer):
        for number in range(3):
            subject.transport.send(bytes([number]) * MB)
            peer.say(peer.frame(PING, bytes([number])), peer.message("heard"))
            await trio.testing.wait_all_tasks_blocked()
        heard: list[Frame] = []
        while len([frame for frame in heard if frame.opcode != PONG]) < 3 or heard[-1].opcode != PONG:
            found = await peer.hear()
            assert found
            heard.append(found)
        assert [frame.payload[:1] for frame in heard if frame.opcode != PONG] == [b"\0", b"\1", b"\2"]
        assert all(len(frame.payload) == MB for frame in heard if frame.opcode != PONG)
        # the answer to the last ping is owed; earlier ones may be left out (5.5.3)
        assert heard[-1].payload == b"\2"


async def eof(_: Subject, peer: RawPeer) -> None:
    """The peer ends the connection."""
    peer.wire.finish()


async def goodbye(_: Subject, peer: RawPeer) -> None:
    """The peer says goodbye."""
    peer.say(peer.close(1001))


async def reset(_: Subject, peer: RawPeer) -> None:
    """The connection breaks."""
    peer.wire.reset()


async def violation(_: Subject, peer: RawPeer) -> None:
    """The peer breaks the protocol."""
    peer.say(peer.frame(3))


async def abort(subject: Subject, _: RawPeer) -> None:
    """We drop it."""
    subject.transport.abort()


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("end", [eof, goodbye, reset, violation, abort])
async def test_after_the_end_nothing_is_sent(lane: Lane, end: Callable) -> None:
    """A send raises BrokenResourceError, whatever the end was; close and ping do nothing, and nothing reaches the peer."""
    async with lane.open() as (subject, peer):
        await end(subject, peer)
        ending = await subject.ended()
        for message in ("text", b"bytes"):
            with pytest.raises(trio.BrokenResourceError):
                subject.transport.send(message)
        subject.transport.ping()
        subject.transport.close()
        subject.transport.abort()
        assert subject.transport.ended == ending
        if not peer.wire.pipe.closed:
            assert [frame.opcode for frame in await peer.rest()] in ([], [CLOSE])


async def test_after_our_goodbye_nothing_is_sent(lane: Lane) -> None:
    """A message may not follow a close (5.5.1): a send raises, though the peer has not answered yet."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000)
        with pytest.raises(trio.BrokenResourceError):
            subject.transport.send("more")
        assert (await peer.hear_close()).code == 4000
        peer.say(peer.close(4000))
        await subject.ended()
        subject.transport.abort()
        assert await peer.rest() == []
