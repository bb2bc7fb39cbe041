from typing import Any

import pytest

from lifecycle.definition.read import read
from lifecycle.errors import LifecycleError, MaybeDelivered, NotSent, RequestFailed, RequestTimeout
from lifecycle.wire.requests import Pending, Requests, frame
from lifecycle.wire.ticket import Fate, Ticket


class Asked:
    """Requests, and what they were told."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.told: list[tuple[str, Any, LifecycleError | None]] = []

    def ask(self, fate: Fate = "sent") -> str:
        """Ask something whose message has this fate by now."""
        id_ = self.requests.next_id()
        pending = Pending(id_, "chat", Ticket("", fate), lambda value, error: self.told.append((id_, value, error)))
        self.requests.pending[id_] = pending
        return id_


def test_ids_are_never_used_again() -> None:
    """Each request has its own, as text."""
    requests = Requests()
    assert [requests.next_id() for _ in range(3)] == ["1", "2", "3"]


def test_a_good_answer() -> None:
    """It settles its request and no other, by the id as text or as a number; again it is late."""
    asked = Asked()
    one, two = asked.ask(), asked.ask()
    asked.requests.answered(int(two), {"a": 1}, good=True)
    assert asked.told == [(two, {"a": 1}, None)]
    assert list(asked.requests.pending) == [one]
    asked.requests.answered(two, "again", good=True)
    asked.requests.answered(None, "whose", good=False)
    assert len(asked.told) == 1
    assert asked.requests.late == 2


def test_a_bad_answer() -> None:
    """The error holds the method and the peer's words as they were said."""
    asked = Asked()
    asked.requests.answered(asked.ask(), {"code": 5}, good=False)
    ((_, _, error),) = asked.told
    assert isinstance(error, RequestFailed)
    assert (error.method, error.error) == ("chat", {"code": 5})
    assert str(error) == "chat was refused: {'code': 5}"


def test_a_request_is_given_up_once() -> None:
    """A timeout after the answer says nothing."""
    asked = Asked()
    id_ = asked.ask()
    asked.requests.fail(id_, RequestTimeout("chat", 3))
    asked.requests.fail(id_, RequestTimeout("chat", 3))
    asked.requests.answered(id_, 1, good=True)
    assert [str(error) for _, _, error in asked.told] == ["chat was not answered within 3 s"]
    assert asked.requests.late == 1


@pytest.mark.parametrize(
    ("fate", "error"),
    [
        ("not_sent", NotSent),
        ("sent", MaybeDelivered),
        ("maybe", MaybeDelivered),
        ("taken", MaybeDelivered),
        ("queued", None),
    ],
)
def test_a_lost_connection(fate: Fate, error: type[LifecycleError] | None) -> None:
    """What left may have arrived, what did not has not, and what waits goes on waiting."""
    asked = Asked()
    asked.ask(fate)
    asked.requests.lost("reset")
    assert [type(told) for _, _, told in asked.told] == ([error] if error else [])
    assert bool(asked.requests.pending) is (error is None)
    assert all("chat" in str(told) and str(told).endswith(": reset") for _, _, told in asked.told)


def test_only_what_was_not_sent_is_given_up() -> None:
    """The others may still have an answer."""
    asked = Asked()
    sent, unsent = asked.ask(), asked.ask("not_sent")
    asked.requests.unsent("full")
    assert [id_ for id_, _, _ in asked.told] == [unsent]
    assert list(asked.requests.pending) == [sent]


def test_a_frame_is_filled() -> None:
    """Expressions are replaced by values, deep inside; the rest stays."""
    page = read("openclaw-gateway")
    names = {"id": "7", "method": "chat.send", "params": {"a": ["=id"]}}
    assert frame(page, "request", names) == {"type": "req", "id": "7", "method": "chat.send", "params": {"a": ["=id"]}}
