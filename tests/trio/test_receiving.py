"""What comes for users: handed over or kept, in order, with marks, and what happens when nobody takes it."""

from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.expression import parse
from lifecycle.definition.page import Dedupe, Route
from lifecycle.errors import ConnectionEnded, ConnectionFailed, LifecycleError
from lifecycle.trio.mail.sending import BREATH
from lifecycle.wire.inbox import Discontinuity

from .desk import Desk, inbox, page

NUMBERED = (Route(deliver="body", sequence="n", dedupe=Dedupe(by="n")),)


async def test_messages_wait_or_are_handed_over() -> None:
    """A waiting reader gets the message itself; marks stand in their place."""
    desk, got = Desk(), []

    async def reader() -> None:
        got.extend([await desk.mail.receive() for _ in range(3)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.read("one")
        assert len(desk.mail.inbox) == 0
        desk.mail.mark(Discontinuity("lost"))
        desk.read("two")
    assert got == ["one", Discontinuity("lost"), "two"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.mark(Discontinuity("resumed"))
        desk.read("a")
        desk.read("b")
    assert got[3:] == [Discontinuity("resumed"), "a", "b"]
    assert desk.mail.delivered == 4


async def test_who_waits_at_rest_and_at_the_end() -> None:
    """Readers are told; at rest the mail takes messages again later, at the end never; what is there comes first."""
    desk, told = Desk(), []

    async def reader() -> None:
        with pytest.raises(LifecycleError) as caught:
            await desk.mail.receive()
        told.append(caught.type)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.rest(lambda: ConnectionFailed("no"))
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.finish(lambda: ConnectionEnded("over"))
    assert told == [ConnectionFailed, ConnectionEnded]
    desk.read("last")
    assert await desk.mail.receive() == "last"
    with pytest.raises(ConnectionEnded):
        await desk.mail.receive()


async def test_a_reader_is_not_left_waiting() -> None:
    """One that finds nothing, though it saw something before its turn, is told that nothing will come."""
    desk = Desk()
    desk.mail.at_rest = lambda: lambda: ConnectionFailed("no")
    with pytest.raises(ConnectionFailed):
        await desk.mail.receive()


async def test_others_have_their_turn() -> None:
    """A user who takes without end lets other tasks run now and then, and a cancellation there loses nothing."""
    desk, turns = Desk(), []

    async def other() -> None:
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    for number in range(1000):
        desk.read(str(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        got: list[Any] = [await desk.mail.receive() for _ in range(900)]
        assert len(turns) >= 900 // BREATH - 1
        nursery.cancel_scope.cancel()
    for _ in range(2 * BREATH):
        with trio.CancelScope() as scope:
            scope.cancel()
            got.append(await desk.mail.receive())
    assert [*got, *await desk.drain()] == [str(number) for number in range(1000)]


async def test_another_reader_was_faster() -> None:
    """Of two that see the last message, one takes it, and the other waits for the next."""
    desk, got = Desk(), []

    async def reader() -> None:
        got.append(await desk.mail.receive())

    for number in range(BREATH - 1):
        desk.read(str(number))
    await desk.drain()
    desk.read("last")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)  # the one that lets others go first
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        assert got == ["last"]
        desk.read("next")
    assert got == ["last", "next"]


# Missing and doubled


async def test_gaps_and_doubles() -> None:
    """A gap stands before its message, also for a reader who waits; what is doubled does not come, and all is counted."""
    desk, got = Desk(page(routes=NUMBERED)), []

    async def reader() -> None:
        got.extend([await desk.mail.receive() for _ in range(3)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        for number in (1, 1, 4, 1, 5, 4, 5):
            desk.read({"n": number, "body": f"m{number}"})
    assert got == ["m1", Discontinuity("gap", 2, since=1, until=4), "m4"]
    assert await desk.drain() == ["m5"]
    mail = desk.mail
    assert (mail.delivered, mail.continuity.duplicates, mail.continuity.gaps) == (3, 4, 1)


async def test_marks_know_their_place() -> None:
    """The marks of the page say after which number they stand, and an overflow which numbers went."""
    desk = Desk(page(routes=NUMBERED, inbox=inbox(items=2)))
    for number in (1, 2, 3, 4):
        desk.read({"n": number, "body": number})
    desk.mail.mark(Discontinuity("lost", why="reset"))
    desk.read({"n": 1, "body": "known"})
    desk.read({"n": 2, "body": "known"})
    desk.mail.mark(Discontinuity("resumed", why="reset again"))
    assert await desk.drain() == [
        Discontinuity("overflow", 2, since=0, until=3),
        3,
        4,
        Discontinuity("lost", why="reset", since=4),
    ]
    desk.read({"n": 9, "body": 9})
    assert await desk.drain() == [Discontinuity("gap", 6, since=2, until=9), 9]


# Full


async def test_the_latest_of_each_key() -> None:
    """Keys are found by the page's path in the whole message, whatever values they are; one without stands for itself."""
    routes = (Route(deliver="body"),)
    desk = Desk(page(routes=routes, inbox=inbox("latest", key="about")))
    for number, about in enumerate(["x", ["y"], "x", None, ["y"], None, 1, 1.0]):
        desk.read({"about": about, "body": number})
    assert await desk.drain() == [Discontinuity("overflow", 1), 4, 3, 5, 7]
    assert (desk.mail.delivered, desk.mail.inbox.overflowed, desk.mail.inbox.replaced) == (8, 4, 3)


async def test_the_latest_of_all() -> None:
    """Without a key there is one message, the last."""
    desk = Desk(page(inbox=inbox("latest")))
    for text in "abc":
        desk.read(text)
    assert await desk.drain() == ["c"]


async def test_a_full_inbox_that_closes() -> None:
    """The driver is told, and what is there stays; what does not fit is told at its place, and may come again."""
    desk = Desk(page(routes=NUMBERED, inbox=inbox("close", items=2)))
    messages = [{"n": number, "body": number} for number in (1, 2, 3)]
    for message in messages:
        desk.read(message)
    assert desk.full == [("inbox_full", "2 messages wait, and nobody takes them")]
    assert desk.mail.inbox.overflowed == 1
    assert await desk.drain() == [1, 2, Discontinuity("overflow", 1, since=2, until=4)]
    desk.read(messages[-1])
    assert await desk.drain() == [3]
    assert (desk.mail.continuity.duplicates, desk.mail.continuity.gaps, desk.mail.delivered) == (0, 0, 4)


async def test_reading_stops_and_goes_on() -> None:
    """With `wait` it stops at the limit and goes on at half of it; nothing is lost."""
    desk = Desk(page(inbox=inbox("wait")))
    desk.open()
    for number in range(3):
        desk.read(str(number))
    assert desk.mail.reading
    await trio.sleep(7)
    desk.read("3")
    desk.read("of the same read")
    assert (desk.mail.reading, desk.mail.paused_since) == (False, 7)
    got = [await desk.mail.receive() for _ in range(2)]
    assert (desk.mail.reading, desk.resumed) == (False, 0)
    got.append(await desk.mail.receive())
    assert (desk.mail.reading, desk.resumed, desk.mail.paused_since) == (True, 1, None)
    assert [*got, *await desk.drain()] == ["0", "1", "2", "3", "of the same read"]
    assert (desk.mail.inbox.overflowed, len(desk.timers)) == (0, 0)


async def test_reading_stops_at_a_limit_of_bytes() -> None:
    """Half of them must be taken before it goes on."""
    desk = Desk(page(inbox=inbox("wait", size=10)))
    desk.open()
    for size in (4, 4, 4):
        desk.read("x", size)
    assert not desk.mail.reading
    await desk.mail.receive()
    assert not desk.mail.reading
    await desk.mail.receive()
    assert desk.mail.reading


async def test_only_a_ready_connection_stops_reading() -> None:
    """Handshake and goodbye are read though the inbox is full; when it is ready again, reading stops again."""
    desk = Desk(page(inbox=inbox("wait", pause=30.0)))
    for number in range(4):
        desk.read(str(number))
    assert desk.mail.reading
    desk.open()
    assert not desk.mail.reading
    desk.mail.detach("reset")
    assert (desk.mail.reading, len(desk.timers)) == (True, 0)
    desk.open()
    assert not desk.mail.reading
    desk.mail.finish(lambda: ConnectionEnded("over"))
    assert (desk.mail.reading, len(desk.timers), desk.full) == (True, 0, [])


async def test_a_stop_that_lasts_too_long() -> None:
    """After the page's time, here an expression of it, the connection is given up; each stop has its time."""
    desk = Desk(page(inbox=inbox("wait", items=2, pause=parse("patience * 2"))), patience=5)
    desk.open()
    for text in "ab":
        desk.read(text)
    await desk.sleep(9)
    await desk.drain()
    for text in "ab":
        desk.read(text)
    await desk.sleep(9)
    assert desk.full == []
    await desk.sleep(2)
    assert desk.full == [("inbox_full", "nobody takes messages, and reading has stopped for 10 s")]
    assert desk.armed == 2


async def test_a_reader_that_waits_stops_nothing() -> None:
    """What is handed over needs no room."""
    desk = Desk(page(inbox=inbox("wait", items=1)))
    desk.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.mail.receive)
        await trio.testing.wait_all_tasks_blocked()
        desk.read("x", 10_000)
        assert desk.mail.reading


@given(
    st.sampled_from(["oldest", "latest", "close", "wait"]),
    st.lists(st.sampled_from(["read", "take", "mark", "open", "lose"]), max_size=60),
)
async def test_every_message_is_accounted_for(policy: str, story: list[str]) -> None:
    """What was delivered was taken, gave way and was told, or is still there; order is kept."""
    desk, got, number = Desk(page(inbox=inbox(policy, items=3), routes=NUMBERED)), [], 0
    for word in story:
        match word:
            case "read" if desk.mail.reading:
                number += 1
                desk.read({"n": number, "body": number})
            case "take" if len(desk.mail.inbox):
                got.append(await desk.mail.receive())
            case "mark":
                desk.mail.mark(Discontinuity("resumed"))
            case "open" if not desk.mail.open:
                desk.open()
            case "lose":
                desk.mail.detach("lost")
    got += await desk.drain()
    messages = [item for item in got if not isinstance(item, Discontinuity)]
    marks = [item for item in got if isinstance(item, Discontinuity) and item.kind == "overflow"]
    missed = sum(mark.missed for mark in marks)
    assert messages == sorted(messages)
    assert len(messages) + missed + desk.mail.inbox.replaced == desk.mail.delivered == number
    if policy == "oldest":
        told = {each for mark in marks for each in range((mark.since or 0) + 1, mark.until or 0)}
        assert sorted([*messages, *told]) == list(range(1, number + 1))
    assert bool(desk.full) <= (policy == "close")
