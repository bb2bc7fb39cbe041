import pytest

from lifecycle.wire.ticket import SETTLED, Fate, Ticket


def test_a_ticket_begins_in_the_queue() -> None:
    """It has a message, no epoch, and hides the message."""
    ticket = Ticket("a secrét")
    assert (ticket.fate, ticket.cause, ticket.epoch, ticket.size) == ("queued", "", 0, 9)
    assert "secr" not in repr(ticket)


@pytest.mark.parametrize("fate", sorted(SETTLED))
def test_a_ticket_is_settled_once(fate: Fate) -> None:
    """The first fate stays, is told once, and the message is let go."""
    told: list[Fate] = []
    ticket = Ticket(b"large", told=lambda settled: told.append(settled.fate))
    ticket.settle(fate, "because")
    for other in sorted(SETTLED):
        ticket.settle(other, "another")
    assert (ticket.fate, ticket.cause, ticket.message) == (fate, "because", b"")
    assert told == [fate]


def test_two_tickets_of_the_same_message_are_two() -> None:
    """They are told apart by what they are, not by what they hold."""
    one, two = Ticket("a"), Ticket("a")
    assert one != two
    assert len({one, two}) == 2
