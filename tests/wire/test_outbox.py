from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lifecycle.wire.outbox import Full, Outbox
from lifecycle.wire.ticket import SETTLED, Ticket

POLICIES = ("reject", "oldest", "wait", "close")


class Sending(RuleBasedStateMachine):
    """An outbox, a stream of bytes, and a plain model of what became of every message."""

    def __init__(self) -> None:
        super().__init__()
        self.given = self.gone = 0
        self.told: list[Ticket] = []
        self.order: list[Ticket] = []  # as they are to be sent
        self.past: list[Ticket] = []
        self.lobby: list[Ticket] = []
        self.taken: list[Ticket] = []

    @initialize(items=st.integers(0, 4), size=st.integers(0, 12), policy=st.sampled_from(POLICIES))
    def begin(self, items: int, size: int, policy: Any) -> None:
        self.box = Outbox(items, size, policy)

    @rule(message=st.text("aé", max_size=6) | st.binary(max_size=6), patient=st.booleans())
    def put(self, message: str | bytes, *, patient: bool) -> None:
        ticket = Ticket(message, told=self.told.append)
        assert ticket.size == len(message if isinstance(message, bytes) else message.encode())
        gone = []
        if self.box.when_full == "oldest" and ticket.size <= self.box.size:
            while self.order and not self.fits(ticket):
                gone.append(self.order.pop(0))
        fits = self.fits(ticket) and not self.lobby
        may_wait = patient and self.box.when_full == "wait" and ticket.size <= self.box.size
        if not fits and not may_wait:
            with pytest.raises(Full):
                self.box.put(ticket, patient=patient)
            return
        assert list(self.box.put(ticket, patient=patient)) == gone
        assert {(each.fate, each.cause) for each in gone} <= {("not_sent", "made room for a later message")}
        self.past.append(ticket)
        (self.order if fits else self.lobby).append(ticket)

    @rule()
    def take(self) -> None:
        ticket = self.box.take()
        assert ticket is (self.order.pop(0) if self.order else None)
        if ticket is not None:
            self.let_in()
            ticket.start, self.given = self.given, self.given + ticket.size + 2
            ticket.end = self.given
            self.box.framed(ticket, self.gone)
            assert ticket.fate == "taken"
            self.taken.append(ticket)

    @rule(part=st.floats(0, 1))
    def flow(self, part: float) -> None:
        self.gone += round((self.given - self.gone) * part)
        self.box.sent(self.gone)
        assert all(ticket.fate == ("sent" if ticket.end <= self.gone else "taken") for ticket in self.taken)

    @rule(pick=st.integers(0))
    def withdraw(self, pick: int) -> None:
        if self.past:
            ticket = self.past[pick % len(self.past)]
            queued = ticket.fate == "queued"
            assert self.box.withdraw(ticket) is queued
            assert not queued or ticket.fate == "withdrawn"
            for queue in (self.order, self.lobby):
                if ticket in queue:
                    queue.remove(ticket)
            if queued:
                self.let_in()

    @rule()
    def lose(self) -> None:
        left = [ticket for ticket in self.taken if ticket.fate == "taken"]
        self.box.lost(self.gone, "broken")
        for ticket in left:
            expected = "sent" if ticket.end <= self.gone else "not_sent" if ticket.start >= self.gone else "maybe"
            assert ticket.fate == expected
        self.given = self.gone = 0
        self.taken.clear()

    @rule(count=st.integers(1, 3))
    def put_back(self, count: int) -> None:
        tickets = [Ticket(bytes(3), told=self.told.append) for _ in range(count)]
        self.box.put_back(tickets)
        self.order[:0] = tickets
        self.past += tickets

    @rule()
    def give_up(self) -> None:
        waiting = [*self.order, *self.lobby]
        assert list(self.box.give_up("over")) == waiting
        assert all((ticket.fate, ticket.cause) == ("not_sent", "over") for ticket in waiting)
        self.order.clear()
        self.lobby.clear()

    def fits(self, ticket: Ticket) -> bool:
        return (
            len(self.order) < self.box.items
            and sum(each.size for each in self.order) + ticket.size <= self.box.size
            and ticket.size <= self.box.size
        )

    def let_in(self) -> None:
        while self.lobby and (not self.order or self.fits(self.lobby[0])):
            self.order.append(self.lobby.pop(0))

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "box"):
            return
        assert list(self.box.waiting) == self.order
        assert list(self.box.lobby) == self.lobby
        assert self.box.bytes == sum(ticket.size for ticket in self.box.waiting)
        assert all(ticket.fate == "taken" for ticket in self.box.taken)
        settled = [ticket for ticket in self.past if ticket.fate in SETTLED]
        assert sorted(map(id, self.told)) == sorted(map(id, settled))
        for fate, count in self.box.counts.items():
            assert count == sum(ticket.fate == fate for ticket in self.past)


TestSending = Sending.TestCase
TestSending.settings = settings(stateful_step_count=30)


def test_an_outbox_says_what_is_full() -> None:
    """By number or by bytes; the ticket is untouched."""
    box = Outbox(1, 10)
    ticket = Ticket("123456789")
    with pytest.raises(Full, match="the message has 11 bytes, and 10 are the most"):
        box.put(Ticket("12345678901"))
    box.put(Ticket("1"))
    with pytest.raises(Full, match="1 messages wait already"):
        box.put(ticket)
    box.items = 2
    box.put(Ticket("2"))
    box.items = 3
    with pytest.raises(Full, match="2 bytes wait already, and 10 are the most"):
        box.put(ticket)
    assert ticket.fate == "queued"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_never_fits_drives_nobody_out(policy: Any) -> None:
    """A message that is larger than the outbox is refused under every policy, and the others stay."""
    box = Outbox(1, 10, policy)
    box.put(Ticket("1"))
    with pytest.raises(Full, match="the message has 11 bytes"):
        box.put(Ticket("12345678901"), patient=True)
    assert len(box.waiting) == 1


def test_nobody_overtakes_who_waits_for_room() -> None:
    """A small message that would fit does not pass a large one that waits; who cannot wait is told so."""
    box = Outbox(4, 10, "wait")
    first, large, small = Ticket(bytes(6)), Ticket(bytes(8)), Ticket(bytes(1))
    box.put(first)
    box.put(large, patient=True)
    box.put(small, patient=True)
    with pytest.raises(Full, match="others wait for room already"):
        box.put(Ticket(bytes(1)))
    assert [box.take(), box.take(), box.take()] == [first, large, small]


def test_what_leaves_at_once_is_counted() -> None:
    """It is sent without having waited; of one that does not leave at once the stream tells later."""
    box = Outbox(1, 10)
    one, two, three = (Ticket(bytes(4), start=number * 4, end=number * 4 + 4) for number in range(3))
    box.framed(one, 4)
    box.framed(two, 6)
    assert [one.fate, two.fate] == ["sent", "taken"]
    box.framed(three, 12)
    assert [two.fate, three.fate, box.counts["sent"], len(box.taken)] == ["sent", "sent", 3, 0]


@given(st.integers(0, 30))
def test_what_became_of_a_lost_message(offset: int) -> None:
    """By how far the stream came: sent, torn, or not begun."""
    box = Outbox(9, 99)
    tickets = [Ticket(bytes(10), start=number * 10, end=number * 10 + 10) for number in range(3)]
    for ticket in tickets:
        box.framed(ticket, 0)
    box.lost(offset, "reset")
    for ticket in tickets:
        expected = "sent" if offset >= ticket.end else "maybe" if offset > ticket.start else "not_sent"
        assert ticket.fate == expected
