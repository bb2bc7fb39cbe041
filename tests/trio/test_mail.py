"""Mail without a driver: a transport of the test's own takes what is sent, as far as its pipe lets it."""

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from lifecycle.definition.read import read
from lifecycle.errors import ConnectionEnded, ConnectionFailed, LifecycleError, MaybeDelivered, NotSent
from lifecycle.trio.mail import BREATH, Mail
from lifecycle.trio.timers import Timers
from lifecycle.wire.inbox import Discontinuity

if TYPE_CHECKING:
    from collections.abc import Callable


class Line:
    """Transport and pipe in one: counts bytes, and gives the system as many as it is told to."""

    def __init__(self) -> None:
        self.given = self.sent = 0
        self.broken = None
        self.over = False
        self.messages: list[str | bytes] = []
        self.drained: Callable[[], None] | None = None

    def send(self, data: str | bytes) -> None:
        """Take a message."""
        if self.over:
            raise trio.BrokenResourceError
        self.messages.append(data)
        self.given += len(data)

    def flow(self, count: int) -> None:
        """The system takes so many bytes."""
        self.sent += count
        if self.drained:
            self.drained()


def check() -> None:
    """Something may still come."""


class Desk:
    """Mail with its timers."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.mail = Mail(read("websocket"), self.timers, check)
        self.line = Line()

    def open(self) -> None:
        """A connection is there, and ready."""
        self.mail.attach(self.line, self.line, 1)  # type: ignore[arg-type]
        self.mail.turn(now_open=True)
        self.mail.flush()

    def pass_time(self) -> None:
        """Fire what is due."""
        for key, what in self.timers.due(trio.current_time()):
            what(key)


async def test_one_message_is_beyond_recall() -> None:
    """While bytes wait in the pipe no further message is framed; the next one follows when it drains."""
    desk = Desk()
    desk.open()
    tickets = [desk.mail.post(bytes(70_000), 15) for _ in range(3)]
    assert [ticket.fate for ticket in tickets] == ["taken", "queued", "queued"]
    desk.line.flow(10_000)
    assert [ticket.fate for ticket in tickets] == ["taken", "taken", "queued"]
    desk.line.flow(60_000)
    assert [ticket.fate for ticket in tickets] == ["sent", "taken", "queued"]
    desk.mail.detach("reset")
    assert [ticket.fate for ticket in tickets] == ["sent", "not_sent", "queued"]
    desk.mail.give_up("over")
    assert [(ticket.fate, ticket.cause) for ticket in tickets[1:]] == [("not_sent", "reset"), ("not_sent", "over")]


async def test_patience() -> None:
    """It runs only while the mail is not open, and begins anew with each loss."""
    desk = Desk()
    ticket = desk.mail.post("a" * 70_000, 15)
    other = desk.mail.post("b", 15)
    await trio.sleep(14)
    desk.open()
    assert (ticket.fate, other.fate) == ("taken", "queued")
    await trio.sleep(100)
    desk.pass_time()
    assert other.fate == "queued"
    desk.mail.detach("reset")
    assert desk.timers.deadline(other) == trio.current_time() + 15
    await trio.sleep(16)
    desk.pass_time()
    assert other.fate == "not_sent"
    assert desk.mail.outbox.bytes == 0
    with pytest.raises(NotSent, match="lets nothing wait"):
        desk.mail.post("c", None)


@pytest.mark.parametrize(("flow", "error"), [(0, NotSent), (10, MaybeDelivered), (100, None)])
async def test_a_sender_is_told(flow: int, error: type[LifecycleError] | None) -> None:
    """By how far its message came."""
    desk = Desk()
    desk.open()
    told: list[type[LifecycleError] | None] = []

    async def send() -> None:
        try:
            await desk.mail.sent(desk.mail.post(bytes(100), 15))
        except LifecycleError as failure:
            told.append(type(failure))
        else:
            told.append(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        desk.line.flow(flow)
        desk.mail.detach("reset")
    assert told == [error]


async def test_a_transport_that_is_ending() -> None:
    """It takes nothing more: the message is not sent, and a request on it is told so."""
    desk = Desk()
    desk.open()
    desk.line.over = True
    with pytest.raises(NotSent, match="was ending"):
        await desk.mail.sent(desk.mail.post("x", 15))
    with pytest.raises(NotSent, match="was ending"):
        await desk.mail.request("ask", "x", "1", 15, check)
    assert not desk.mail.outbox.taken


async def test_a_cancelled_sender_withdraws() -> None:
    """What was not taken never leaves."""
    desk = Desk()
    with trio.move_on_after(1):
        await desk.mail.sent(ticket := desk.mail.post("x", 15))
    assert ticket.fate == "withdrawn"
    assert len(desk.timers) == 0
    desk.open()
    assert desk.line.messages == []


async def test_messages_wait_or_are_handed_over() -> None:
    """A waiting reader gets the message itself; marks stand in their place."""
    desk, got = Desk(), []

    async def reader() -> None:
        got.extend([await desk.mail.receive(check) for _ in range(3)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.deliver("one", 3)
        assert len(desk.mail.inbox) == 0
        desk.mail.mark(Discontinuity("lost"))
        desk.mail.deliver("two", 3)
    assert got == ["one", Discontinuity("lost"), "two"]
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.mark(Discontinuity("resumed"))
        desk.mail.deliver("a", 1)
        desk.mail.deliver("b", 1)
    assert got[3:] == [Discontinuity("resumed"), "a", "b"]


async def test_who_waits_at_rest_and_at_the_end() -> None:
    """Readers are told; at rest the mail takes messages again later, at the end never."""
    desk, told = Desk(), []

    async def reader() -> None:
        with pytest.raises(LifecycleError) as caught:
            await desk.mail.receive(check)
        told.append(caught.type)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        desk.mail.rest(lambda: ConnectionFailed("no"))
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        ticket = desk.mail.post("x", 15)
        desk.mail.finish(lambda: ConnectionEnded("over"))
    assert told == [ConnectionFailed, ConnectionEnded]
    assert ticket.fate == "not_sent"
    with pytest.raises(NotSent, match="has ended"):
        desk.mail.post("x", 15)
    with pytest.raises(ConnectionEnded):
        await desk.mail.receive(check)


async def test_a_reader_is_asked_before_it_waits() -> None:
    """A reader that finds nothing, though it saw something before its turn, is not left waiting."""
    desk = Desk()

    def at_rest() -> None:
        raise ConnectionFailed("no")

    with pytest.raises(ConnectionFailed):
        await desk.mail.receive(at_rest)


async def test_others_have_their_turn() -> None:
    """A user who sends or takes without end lets other tasks run now and then."""
    desk, turns = Desk(), []
    desk.open()

    async def other() -> None:
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(10 * BREATH):
            desk.line.sent = desk.line.given
            ticket = desk.mail.post("", 15)
            await desk.mail.sent(ticket)
            assert ticket.fate == "sent"
        sent = len(turns)
        assert sent >= 9
        for number in range(1000):
            desk.mail.deliver(number, 1)
        got: list[Any] = [await desk.mail.receive(check) for _ in range(1000)]
        assert got == list(range(1000))
        assert len(turns) - sent >= 1000 // BREATH - 1
        nursery.cancel_scope.cancel()
