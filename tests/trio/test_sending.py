"""What users send, and what becomes of it: at once, from the queue, refused, withdrawn, torn."""

from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import ConnectionEnded, LifecycleError, MaybeDelivered, NotSent
from lifecycle.trio.mail.mail import Mail
from lifecycle.trio.mail.sending import BREATH
from lifecycle.wire.ticket import SETTLED, Ticket

from .desk import Desk, outbox, page


async def send(mail: Mail, message: Any, told: list[Any]) -> None:
    """Send, and tell what became of it."""
    try:
        told.append((await mail.send(message)).fate)
    except LifecycleError as failure:
        told.append(type(failure))
    except trio.Cancelled:
        told.append("cancelled")
        raise


# At once


async def test_nothing_in_the_way() -> None:
    """A message leaves at once: it waits nowhere, and it is counted."""
    desk = Desk()
    desk.open(flowing=True)
    tickets = [desk.mail.post("hi"), await desk.mail.send("ho")]
    assert [(ticket.fate, ticket.epoch) for ticket in tickets] == [("sent", 1), ("sent", 1)]
    assert [message for _, message in desk.line.messages] == ["hi", "ho"]
    assert (desk.mail.outbox.counts["sent"], len(desk.mail.outbox.taken), len(desk.timers)) == (2, 0, 0)


async def test_one_message_is_beyond_recall() -> None:
    """While bytes wait in the pipe no further message is framed; the next one follows when it drains."""
    desk = Desk()
    desk.open()
    tickets = [desk.mail.post(bytes(70_000)) for _ in range(3)]
    assert [ticket.fate for ticket in tickets] == ["taken", "queued", "queued"]
    desk.line.flow(10_000)
    assert [ticket.fate for ticket in tickets] == ["taken", "taken", "queued"]
    desk.line.flow(60_000)
    assert [ticket.fate for ticket in tickets] == ["sent", "taken", "queued"]
    desk.mail.detach("reset")
    assert [ticket.fate for ticket in tickets] == ["sent", "not_sent", "queued"]
    desk.mail.give_up("over")
    assert [(ticket.fate, ticket.cause) for ticket in tickets[1:]] == [("not_sent", "reset"), ("not_sent", "over")]
    assert desk.mail.outbox.counts == {"sent": 1, "not_sent": 2, "maybe": 0, "withdrawn": 0}


async def test_nobody_overtakes() -> None:
    """While one message waits, a later one waits behind it, though the pipe has room for it."""
    desk = Desk()
    first = desk.mail.post("first")
    desk.open()
    for text in ("second", "third"):
        desk.mail.post(text)
    assert [message for _, message in desk.line.messages] == ["first", "second", "third"]
    assert first.fate == "taken"


async def test_a_transport_that_is_ending() -> None:
    """It takes nothing more: the message is not sent, whether it goes at once or had waited."""
    desk = Desk()
    early = desk.mail.post("early")
    desk.open()
    desk.line.flow(5)
    desk.line.over = True
    with pytest.raises(NotSent, match="was ending"):
        await desk.mail.send("x")
    late = desk.mail.post("x")
    assert (early.fate, late.fate) == ("sent", "not_sent")
    assert not desk.mail.outbox.taken
    assert desk.mail.outbox.counts["not_sent"] == 2


async def test_a_pipe_that_is_broken() -> None:
    """Its end is not yet told; the message waits for the next connection."""
    desk = Desk()
    desk.open(flowing=True)
    desk.line.broken = OSError()  # type: ignore[assignment]
    ticket = desk.mail.post("x")
    assert ticket.fate == "queued"
    desk.mail.detach("reset")
    desk.open(flowing=True)
    assert (ticket.fate, ticket.epoch) == ("sent", 2)


async def test_others_have_their_turn() -> None:
    """A user who sends without end lets other tasks run now and then; it is no point where he can be cancelled."""
    desk, turns = Desk(), []
    desk.open(flowing=True)

    async def other() -> None:
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(10 * BREATH):
            assert (await desk.mail.send("")).fate == "sent"
        assert len(turns) >= 9
        nursery.cancel_scope.cancel()
    with trio.CancelScope() as scope:
        scope.cancel()
        await desk.mail.send("never")
    assert scope.cancelled_caught
    assert desk.line.messages[-1][1] == ""


# Not ready


async def test_patience() -> None:
    """It runs only while the mail is not open, and begins anew with each loss."""
    desk = Desk(page(outbox=outbox(size=100_000)))
    ticket, other = desk.mail.post("a" * 70_000), desk.mail.post("b")
    await desk.sleep(14)
    desk.open()
    assert (ticket.fate, other.fate) == ("taken", "queued")
    await desk.sleep(100)
    assert other.fate == "queued"
    desk.mail.detach("reset")
    assert desk.timers.deadline(other) == trio.current_time() + 15
    await desk.sleep(16)
    assert (other.fate, other.cause) == ("not_sent", "the connection was not ready in time")
    assert (desk.mail.outbox.bytes, len(desk.timers)) == (0, 0)


async def test_no_patience() -> None:
    """A page that lets nothing wait refuses at once, counts it, and drops what waits when the connection is lost."""
    desk = Desk(page(outbox=outbox(size=100_000, until_ready=0.0)))
    with pytest.raises(NotSent, match="not ready, and the page lets nothing wait"):
        await desk.mail.send("c")
    desk.open()
    tickets = [desk.mail.post(bytes(70_000)), desk.mail.post("behind")]
    desk.mail.detach("reset")
    assert [ticket.fate for ticket in tickets] == ["not_sent", "not_sent"]
    assert tickets[1].cause == "the connection was lost, and the page lets nothing wait"
    assert (desk.mail.outbox.counts["not_sent"], len(desk.timers)) == (3, 0)


async def test_after_the_end() -> None:
    """Nothing is taken any more, and the refused are counted."""
    desk = Desk()
    ticket = desk.mail.post("x")
    desk.mail.finish(lambda: ConnectionEnded("over"))
    assert (ticket.fate, ticket.cause) == ("not_sent", "over")
    with pytest.raises(NotSent, match="the connection has ended: over"):
        desk.mail.post("x")
    desk.mail.at_rest = lambda: lambda: ConnectionEnded("closed")
    with pytest.raises(NotSent, match="the message was not sent: closed"):
        desk.mail.post("x")
    assert (desk.mail.outbox.counts["not_sent"], len(desk.timers)) == (3, 0)


# Who waits for the fate


@pytest.mark.parametrize(("flow", "told"), [(0, NotSent), (10, MaybeDelivered), (100, "sent")])
async def test_a_sender_is_told(flow: int, told: object) -> None:
    """By how far its message came."""
    desk, found = Desk(), []
    desk.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, desk.mail, bytes(100), found)
        await trio.testing.wait_all_tasks_blocked()
        desk.line.flow(flow)
        desk.mail.detach("reset")
    assert found == [told]


@pytest.mark.parametrize(("open_first", "fates"), [(False, {"withdrawn": 1}), (True, {"maybe": 1})])
async def test_a_cancelled_sender(fates: dict[str, int], *, open_first: bool) -> None:
    """He is told nothing but that; what was not taken never leaves, what was leaves whole or is lost."""
    desk, told = Desk(), []
    if open_first:
        desk.open()
    with trio.move_on_after(1):
        await send(desk.mail, "abc", told)
    assert told == ["cancelled"]
    assert len(desk.timers) == 0
    if not open_first:
        desk.open()
    assert len(desk.line.messages) == open_first
    desk.line.flow(1)
    desk.mail.detach("reset")
    assert {fate: count for fate, count in desk.mail.outbox.counts.items() if count} == fates


async def test_fate_and_cancellation_in_the_same_moment() -> None:
    """Whichever came first is what happened."""
    desk, told = Desk(), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, desk.mail, "x", told)
        await trio.testing.wait_all_tasks_blocked()
        desk.open(flowing=True)
        nursery.cancel_scope.cancel()
    assert told == ["sent"]


# Full


@pytest.mark.parametrize("policy", ["reject", "oldest", "wait", "close"])
@pytest.mark.parametrize("open_first", [False, True])
async def test_a_message_that_is_larger_than_the_outbox(policy: str, *, open_first: bool) -> None:
    """It is refused under every policy, also where it would not have to wait; nobody makes room for it."""
    desk = Desk(page(outbox=outbox(policy)))
    if open_first:
        desk.open(flowing=True)
    other = desk.mail.post("small")
    with pytest.raises(NotSent, match="the outbox is full: the message has 1001 bytes, and 1000 are the most"):
        await desk.mail.send(bytes(1001))
    assert other.fate == ("sent" if open_first else "queued")


async def test_the_oldest_makes_room() -> None:
    """It is not sent, and says why; its timer is gone with it."""
    desk = Desk(page(outbox=outbox("oldest")))
    tickets = [desk.mail.post(text) for text in "abcd"]
    assert [ticket.fate for ticket in tickets] == ["not_sent", "not_sent", "queued", "queued"]
    assert tickets[0].cause == "made room for a later message"
    assert len(desk.timers) == 2
    desk.open()
    assert [message for _, message in desk.line.messages] == ["c", "d"]


async def test_a_peer_that_reads_too_slowly() -> None:
    """With `close` the connection is given up once, for what does not fit; while there is none, it is only refused."""
    desk = Desk(page(outbox=outbox("close", size=100_000)))
    for _ in range(2):
        desk.mail.post("x")
    with pytest.raises(NotSent, match="2 messages wait already"):
        desk.mail.post("x")
    assert desk.full == []
    desk.open()
    desk.line.flow(2)
    tickets = [desk.mail.post(bytes(70_000)), *(desk.mail.post("x") for _ in range(2))]
    with pytest.raises(NotSent, match="2 messages wait already"):
        desk.mail.post("x")
    assert desk.full == [("outbox_full", "the peer reads too slowly: 2 messages wait already")]
    with pytest.raises(NotSent, match="the message has 100001 bytes, and 100000 are the most"):
        desk.mail.post(bytes(100_001))
    assert len(desk.full) == 1  # that is no fault of the peer's
    assert [ticket.fate for ticket in tickets] == ["taken", "queued", "queued"]


async def test_who_can_wait_for_room() -> None:
    """Senders wait in the order in which they came, also those who are cancelled meanwhile; `post` cannot wait."""
    desk, told = Desk(page(outbox=outbox("wait", size=100_000))), []
    desk.open()
    desk.mail.post(bytes(70_000))
    async with trio.open_nursery() as nursery:
        for text in "abc":
            nursery.start_soon(send, desk.mail, text, told)
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(NotSent, match="others wait for room already"):
            desk.mail.post("no")
        with trio.move_on_after(1):
            await desk.mail.send("cancelled")
        nursery.start_soon(send, desk.mail, "d", told)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(desk.mail.outbox.waiting), len(desk.mail.outbox.lobby)) == (2, 2)
        desk.line.flow(80_000)
        desk.line.flow(10)
    assert told == ["sent"] * 4
    assert [message for _, message in desk.line.messages][1:] == ["a", "b", "c", "d"]


async def test_who_waits_for_room_has_the_same_patience() -> None:
    """While it is not ready a sender waits no longer than the page says, in the queue and before it; then for nothing."""
    desk, told = Desk(page(outbox=outbox("wait", items=1))), []
    async with trio.open_nursery() as nursery:
        for text in "ab":
            nursery.start_soon(send, desk.mail, text, told)
            await trio.testing.wait_all_tasks_blocked()
        await desk.sleep(14)
        assert told == []
        await desk.sleep(1)
        await trio.testing.wait_all_tasks_blocked()
        assert told == [NotSent, NotSent]
        for text in "cd":
            nursery.start_soon(send, desk.mail, text, told)
            await trio.testing.wait_all_tasks_blocked()
        desk.mail.finish(lambda: ConnectionEnded("over"))
    assert told == [NotSent] * 4
    assert desk.mail.outbox.counts["not_sent"] == 4


# Whatever happens

OPERATIONS = st.one_of(
    st.tuples(st.just("post"), st.sampled_from([1, 10, 100, 40_000, 70_000])),
    st.tuples(st.just("flow"), st.sampled_from([0, 1, 50, 40_000, 200_000])),
    st.tuples(st.sampled_from(["lose", "open", "wait", "withdraw", "say"]), st.integers(0, 20)),
)


@given(st.sampled_from(["reject", "oldest", "wait", "close"]), st.lists(OPERATIONS, max_size=40))
async def test_fates_are_exact(policy: str, story: list[tuple[str, int]]) -> None:
    """Whatever is sent, flows, waits and is lost: each ticket says what the bytes of the lines say, and order is kept."""
    desk = Desk(page(outbox=outbox(policy, items=3, size=150_000)))
    tickets: list[Ticket] = []
    is_open = False
    for word, number in story:
        match word:
            case "post":
                try:
                    tickets.append(desk.mail.post(f"{len(tickets):03}".encode().ljust(number, b".")))
                except NotSent:
                    continue
            case "flow" if is_open:
                desk.line.flow(number)
            case "lose" if is_open:
                desk.mail.detach("lost")
            case "open" if not is_open:
                desk.open(flowing=number > 10)
            case "wait":
                await desk.sleep(number)
            case "withdraw" if number < len(tickets):
                desk.mail.outbox.withdraw(tickets[number])
            case "say" if is_open:
                desk.line.send(b"frame of the page")
        is_open = desk.mail.open
    desk.mail.detach("end")
    desk.mail.finish(lambda: ConnectionEnded("over"))
    framed = {
        int(data[:3]): (line, offset, len(data))
        for line in desk.lines
        for offset, data in line.messages
        if not data.startswith(b"frame")
    }
    assert list(framed) == sorted(framed)
    for number, ticket in enumerate(tickets):
        assert ticket.fate in SETTLED
        line, offset, size = framed.get(number, (None, 0, 0))
        if line is None:
            assert ticket.fate in ("not_sent", "withdrawn")
        else:
            left = min(max(line.sent - offset, 0), size)
            assert ticket.fate == ("sent" if left == size else "maybe" if left else "not_sent")
            assert ticket.epoch == desk.lines.index(line) + 1
    counts = desk.mail.outbox.counts
    assert counts["sent"] == sum(ticket.fate == "sent" for ticket in tickets)
    assert counts["maybe"] == sum(ticket.fate == "maybe" for ticket in tickets)
    assert len(desk.timers) == 0
