import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lifecycle.wire.outbox import Full, Outbox
from lifecycle.wire.ticket import SETTLED, Ticket


class Sending(RuleBasedStateMachine):
    """An outbox, a stream of bytes, and a plain model of what became of every message."""

    def __init__(self) -> None:
        super().__init__()
        self.given = self.gone = 0
        self.told: list[Ticket] = []
        self.order: list[Ticket] = []  # as they were put
        self.taken: list[Ticket] = []
        self.sizes: dict[Ticket, int] = {}

    @initialize(items=st.integers(0, 4), size=st.integers(0, 12))
    def begin(self, items: int, size: int) -> None:
        self.box = Outbox(items, size)

    @rule(message=st.text("aé", max_size=6) | st.binary(max_size=6))
    def put(self, message: str | bytes) -> None:
        size = len(message if isinstance(message, bytes) else message.encode())
        fits = len(self.box.waiting) < self.box.items and self.box.bytes + size <= self.box.size
        ticket = Ticket(message, told=self.told.append)
        self.sizes[ticket] = size
        try:
            self.box.put(ticket)
        except Full:
            assert not fits
        else:
            assert fits
            self.order.append(ticket)

    @rule()
    def take(self) -> None:
        first = next((ticket for ticket in self.order if ticket.fate == "queued"), None)
        ticket = self.box.take()
        assert ticket is first
        if ticket is not None:
            ticket.start, self.given = self.given, self.given + self.sizes[ticket] + 2
            ticket.end = self.given
            self.taken.append(ticket)

    @rule(part=st.floats(0, 1))
    def flow(self, part: float) -> None:
        self.gone += round((self.given - self.gone) * part)
        self.box.sent(self.gone)
        for ticket in self.taken:
            if ticket.end <= self.gone:
                assert ticket.fate in SETTLED - {"maybe", "withdrawn"}

    @rule(pick=st.integers(0))
    def withdraw(self, pick: int) -> None:
        if self.order:
            ticket = self.order[pick % len(self.order)]
            queued = ticket.fate == "queued"
            assert self.box.withdraw(ticket) is queued
            assert not queued or ticket.fate == "withdrawn"

    @rule()
    def lose(self) -> None:
        left = [ticket for ticket in self.taken if ticket.fate == "taken"]
        self.box.lost(self.gone, "broken")
        for ticket in left:
            expected = "sent" if ticket.end <= self.gone else "not_sent" if ticket.start >= self.gone else "maybe"
            assert ticket.fate == expected
        self.given = self.gone = 0
        self.taken.clear()

    @rule()
    def give_up(self) -> None:
        waiting = list(self.box.waiting)
        self.box.give_up("over")
        assert all((ticket.fate, ticket.cause) == ("not_sent", "over") for ticket in waiting)

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "box"):
            return
        assert list(self.box.waiting) == [ticket for ticket in self.order if ticket.fate == "queued"]
        assert self.box.bytes == sum(self.sizes[ticket] for ticket in self.box.waiting)
        assert all(ticket.fate == "taken" for ticket in self.box.taken)
        settled = [ticket for ticket in self.order if ticket.fate in SETTLED]
        assert sorted(map(id, self.told)) == sorted(map(id, settled))


TestSending = Sending.TestCase


def test_an_outbox_says_what_is_full() -> None:
    """By number or by bytes; the ticket is untouched."""
    box = Outbox(1, 10)
    ticket = Ticket("12345678901")
    with pytest.raises(Full, match="0 bytes wait already, and 10 are the most"):
        box.put(ticket)
    box.put(Ticket("1"))
    with pytest.raises(Full, match="1 messages wait already"):
        box.put(ticket)
    assert ticket.fate == "queued"


@given(st.integers(0, 30))
def test_what_became_of_a_lost_message(offset: int) -> None:
    """By how far the stream came: sent, torn, or not begun."""
    box = Outbox(9, 99)
    for _ in range(3):
        box.put(Ticket(bytes(10)))
    tickets = list(iter(box.take, None))
    for number, ticket in enumerate(tickets):
        ticket.start, ticket.end = number * 10, number * 10 + 10
    box.lost(offset, "reset")
    for ticket in tickets:
        expected = "sent" if offset >= ticket.end else "maybe" if offset > ticket.start else "not_sent"
        assert ticket.fate == expected
