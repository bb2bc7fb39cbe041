import pytest
import trio

from lifecycle.wire.ending import CloseEnding, ErrorEnding

from .raw import CLOSE, PING, PONG, TEXT
from .subject import FEW, NO_TAP, TAP, Lane

MB = 1024 * 1024
CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("code", CODES)
async def test_a_goodbye_of_the_peer(lane: Lane, code: int) -> None:
    """A code that may be on the wire is told with its reason, and answered once by the same code (5.5.1)."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(code, "so ö"))
        if code == 1014 and lane.library in (TAP, NO_TAP):  # registered, and wsproto does not know it
            assert await subject.ended() == ErrorEnding(
                "protocol", "the peer broke the protocol; we closed with code 1002"
            )
            return
        assert await subject.ended() == CloseEnding(code, "so ö", "peer")
        assert (await peer.hear_close()).code == code
        subject.transport.abort()
        assert await peer.rest() == []


@pytest.mark.matrix(wires=("memory",), sides=("client",))
async def test_codes_of_libraries_and_applications(lane: Lane) -> None:
    """Everything from 3000 to 4999 is for them to use (7.4.2); every fiftieth is tried, and the borders."""
    for code in (*range(3000, 5000, 50), 3999, 4999):
        async with lane.open() as (subject, peer):
            peer.say(peer.close(code))
            assert await subject.ended() == CloseEnding(code)
            assert (await peer.hear_close()).code == code


async def test_a_goodbye_without_a_code(lane: Lane) -> None:
    """It is told as 1005, which is never written: the answer is empty too."""
    async with lane.open() as (subject, peer):
        peer.say(peer.frame(CLOSE))
        assert await subject.ended() == CloseEnding(1005)
        assert (await peer.hear_close()).payload == b""
        subject.transport.abort()
        assert await peer.rest() == []


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("reason", ["", "x" * 123, "é" * 61], ids=["none", "longest", "accents"])
async def test_a_reason(lane: Lane, reason: str) -> None:
    """The words beside the code are told as they are, up to the longest that fits."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(4000, reason))
        assert await subject.ended() == CloseEnding(4000, reason)


async def test_messages_before_a_goodbye(lane: Lane) -> None:
    """They are delivered first, though all came in one segment and nobody was quick to take them."""
    sent: list[str | bytes] = [str(number) for number in range(300)]
    async with lane.open() as (subject, peer):
        subject.recorder.shut()
        peer.say(*map(peer.message, sent), peer.close(1001, "enough"))
        await trio.testing.wait_all_tasks_blocked()
        subject.recorder.widen()
        assert await subject.ended() == CloseEnding(1001, "enough")
        assert subject.messages == sent


async def test_what_follows_a_goodbye_is_ignored(lane: Lane) -> None:
    """Neither a message nor a ping, nor even a broken frame, changes what the close frame said."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(4000, "bye"), peer.message("late"), peer.frame(PING), peer.close(4001), b"\xff" * 10)
        assert await subject.ended() == CloseEnding(4000, "bye")
        assert subject.messages == []
        assert (await peer.hear_close()).code == 4000
        subject.transport.abort()
        assert await peer.rest() == []


async def test_a_goodbye_inside_a_message(lane: Lane) -> None:
    """A control frame may stand between fragments, so a goodbye may too: it is told, and the torn message is not."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("whole"), peer.frame(TEXT, b"to", fin=False), peer.close(1001, "must go"))
        assert await subject.ended() == CloseEnding(1001, "must go")
        assert subject.messages == ["whole"]
        # the code of an answer is free: some say that the message was not whole
        await peer.hear_close()


async def test_the_first_ending_stays(lane: Lane) -> None:
    """Neither the peer's end of the connection nor our abort changes what the close frame said."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(4401, "bad"))
        peer.wire.finish()
        assert await subject.ended() == CloseEnding(4401, "bad")
        await trio.testing.wait_all_tasks_blocked()
        subject.transport.abort()
        assert subject.transport.ended == CloseEnding(4401, "bad")


@pytest.mark.matrix(sides=("server",))
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "theirs"])
async def test_a_server_ends_the_connection(lane: Lane, *, ours: bool) -> None:
    """When both have said goodbye, whoever began, the server ends it and need not wait for the client (7.1.1)."""
    async with lane.open() as (subject, peer):
        if ours:
            subject.transport.close(4000)
            assert (await peer.hear_close()).code == 4000
        peer.say(peer.close(4000))
        await subject.ended()
        heard = await peer.rest()
        assert [frame.opcode for frame in heard] == ([] if ours else [CLOSE])


# Our goodbye


async def test_our_goodbye_is_answered(lane: Lane) -> None:
    """It leaves in one frame; what was on its way is still heard; the answer ends it, and it was us who began."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, "gehe ö")
        said = await peer.hear_close()
        assert (said.code, said.reason) == (4000, "gehe ö")
        assert subject.transport.ended is None
        peer.say(peer.message("on its way"), peer.frame(PONG), peer.close(4000, "gehe ö"))
        assert await subject.ended() == CloseEnding(4000, "gehe ö", "local")
        assert subject.messages == ["on its way"]
        subject.transport.abort()
        assert await peer.rest() == []


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("code", [1000, 1001, 1010, 1014, 3000, 4999])
async def test_our_codes(lane: Lane, code: int) -> None:
    """Whatever may be on the wire may be said by us."""
    async with lane.open() as (subject, peer):
        subject.transport.close(code)
        assert (await peer.hear_close()).code == code
        peer.say(peer.close(code))
        assert await subject.ended() == CloseEnding(code, "", "local")


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_536])
async def test_what_we_may_not_say(lane: Lane, code: int) -> None:
    """A code that no frame may carry (7.4) is a fault of the caller: nothing is sent, and the connection lives on."""
    async with lane.open() as (subject, peer):
        with pytest.raises(ValueError, match=str(code)):
            subject.transport.close(code)
        subject.transport.send("still here")
        assert await peer.hear_message() == "still here"


async def test_another_answer(lane: Lane) -> None:
    """A peer may answer by a code of its own, or by none: that is told, and it was still us who began."""
    for answer, told in ((4001, CloseEnding(4001, "why", "local")), (None, CloseEnding(1005, "", "local"))):
        async with lane.open() as (subject, peer):
            subject.transport.close(4000, "going")
            assert (await peer.hear_close()).code == 4000
            peer.say(peer.close(answer, "why" if answer else ""))
            assert await subject.ended() == told


async def test_goodbyes_that_cross(lane: Lane) -> None:
    """Both say it at once: neither is answered, for each is the answer to the other."""
    async with lane.open() as (subject, peer):
        peer.say(peer.close(1001, "restart"))
        subject.transport.close(4000)
        assert await subject.ended() == CloseEnding(1001, "restart", "local")
        assert (await peer.hear_close()).code == 4000
        subject.transport.abort()
        assert await peer.rest() == []


async def test_our_second_goodbye_is_not_said(lane: Lane) -> None:
    """The first one counts, on the wire and in the ending."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, "first")
        subject.transport.close(4001, "second")
        assert (await peer.hear_close()).reason == "first"
        peer.say(peer.close(4000, "first"))
        assert await subject.ended() == CloseEnding(4000, "first", "local")
        subject.transport.close(4002)
        subject.transport.abort()
        assert await peer.rest() == []


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("reason", ["x" * 200, "é" * 100, "😀" * 50, "x" + "€" * 60])
async def test_our_reason_is_cut(lane: Lane, reason: str) -> None:
    """A reason that does not fit is cut between two characters, as late as possible."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, reason)
        said = (await peer.hear_close()).reason
        assert reason.startswith(said)
        assert len(said.encode()) > 119


async def test_a_ping_crosses_our_goodbye(lane: Lane) -> None:
    """A ping that comes before the peer's answer does no harm: the close that we asked for is what is told."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, "going")
        assert (await peer.hear_close()).code == 4000
        peer.say(peer.frame(PING, b"?"), peer.close(4000, "going"))
        assert await subject.ended() == CloseEnding(4000, "going", "local")


async def test_no_answer_to_our_goodbye(lane: Lane) -> None:
    """A peer that ends the connection instead of answering has not said goodbye: it is an end without close (7.1.5)."""
    async with lane.open() as (subject, peer):
        subject.transport.close(4000, "going")
        assert (await peer.hear_close()).code == 4000
        peer.wire.finish()
        ending = await subject.ended()
        assert isinstance(ending, ErrorEnding)
        assert ending.word == "eof"


@pytest.mark.matrix(wires=FEW)
async def test_leaving_under_back_pressure(lane: Lane) -> None:
    """Forty megabytes wait for a peer that does not read: close returns at once, and abort ends everything at once."""
    async with lane.open() as (subject, _):
        for _ in range(40):
            subject.transport.send(bytes(MB))
        await trio.testing.wait_all_tasks_blocked()
        assert subject.kept > 35 * MB
        subject.transport.close(1001)
        subject.transport.abort()
        await subject.ended()
        await subject.hosted.wait()


async def test_a_goodbye_behind_what_waits(lane: Lane) -> None:
    """What was sent before our close reaches a slow peer whole, then the close."""
    async with lane.open() as (subject, peer):
        subject.transport.send(bytes(MB))
        subject.transport.close(4000)
        await trio.testing.wait_all_tasks_blocked()
        assert await peer.hear_message() == bytes(MB)
        assert (await peer.hear_close()).code == 4000
