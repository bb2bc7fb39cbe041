"""The demo's account finds whatever is lost or doubled; else the demo proves nothing."""

import pytest

from lifecycle.testing.demo import most_in
from lifecycle.testing.demo.account import Account, Tally
from lifecycle.wire.ticket import Ticket


def ticket(fate, epoch=1):
    """A ticket with a fate."""
    return Ticket("x", fate=fate, epoch=epoch)


def account(fates, got=(), marks=()):
    """An account with tickets of these fates."""
    made = Account()
    made.tickets = {
        number: ticket(*fate) if isinstance(fate, tuple) else ticket(fate) for number, fate in enumerate(fates)
    }
    made.got.update(got)
    made.marks = list(marks)
    return made


@pytest.mark.parametrize(
    ("fates", "got", "marks", "expected"),
    [
        (["sent"], [0], [], "delivered"),
        (["not_sent"], [], [], "not_sent"),
        (["maybe"], [], [], "maybe"),
        (["maybe"], [0], [], "delivered"),
        ([("sent", 1)], [], [2], "gap"),
        ([("sent", 2)], [], [2], "lost"),
        (["sent"], [], [], "lost"),
        (["queued"], [], [], "lost"),
        (["sent"], [0, 0], [], "doubled"),
        (["not_sent"], [0], [], "doubled"),
    ],
)
def test_each_fate_of_the_clients_messages(fates, got, marks, expected):
    """A message is delivered, told of, or counted against us."""
    tally = account(fates, got, marks).to_server()
    assert getattr(tally, expected) == 1
    assert tally.good == (expected not in ("lost", "doubled"))


def test_messages_that_were_refused_at_once_are_not_sent():
    """A message that never got a ticket is not sent, and must not arrive."""
    made = Account()
    made.unsent = {0, 1}
    made.got.update([1])
    assert made.to_server() == Tally(sent=2, not_sent=1, doubled=1)


def received(items, sent):
    """An account of what the server sent and the client received."""
    made = Account()
    made.received = items
    made.server_sent.update(sent)
    return made.to_client()


def test_everything_in_order_is_good():
    """Two connections, a mark between them, and what was on its way in between is a gap that was told."""
    tally = received([("a", 0), ("a", 1), None, ("b", 0)], {"a": 3, "b": 1})
    assert tally == Tally(sent=4, delivered=3, gap=1)
    assert tally.good


def test_a_hole_within_a_connection_is_a_loss():
    """Nobody told of the missing one."""
    assert received([("a", 0), ("a", 2)], {"a": 3}).lost == 1


def test_a_new_connection_without_a_mark_is_a_loss():
    """A reconnection that the user does not see is not allowed."""
    tally = received([("a", 0), ("b", 0)], {"a": 1, "b": 1})
    assert not tally.good


def test_a_doubled_message_is_seen():
    """The same number on the same connection twice."""
    assert received([("a", 0), ("a", 0)], {"a": 1}).doubled == 1


def test_the_last_connection_must_bring_everything():
    """At the end nothing is on its way any more."""
    assert received([("a", 0)], {"a": 2}).lost == 1


def test_most_dials_in_a_window():
    """The worst window counts, wherever it begins."""
    assert most_in([0, 10, 50, 65, 69, 70], 60) == 4
    assert most_in([], 60) == 0
