from typing import Any

import attrs
import pytest

from lifecycle.definition.expression import parse, value
from lifecycle.definition.literal import Secret
from lifecycle.definition.page import Unsupported
from lifecycle.definition.read import read
from lifecycle.errors import LifecycleError, RequestFailed, RequestUnsupported
from lifecycle.wire.requests import MOST_REMEMBERED, Requests, frame, frame_names
from lifecycle.wire.ticket import Fate, Ticket

UNKNOWN = (
    Unsupported(match={"code": ("NO_METHOD", 404)}),  # type: ignore[dict-item]
    Unsupported(match={"code": ("BAD",)}, text="^unknown method"),  # type: ignore[dict-item]
    Unsupported(text="(?i)not here"),
    Unsupported(),
)


@attrs.define(eq=False)
class Question:
    """A request, and what it was told."""

    method: str
    ticket: Ticket
    told: list[tuple[Any, LifecycleError | None]] = attrs.field(factory=list)

    def settle(self, value: Any, error: LifecycleError | None) -> None:
        """Remember."""
        self.told.append((value, error))


def ask(requests: Requests[Question], method: str = "chat", fate: Fate = "sent") -> tuple[str, Question]:
    """Ask something whose message has this fate by now."""
    id_, question = requests.next_id(), Question(method, Ticket("", fate))
    requests.pending[id_] = question
    return id_, question


def test_ids_are_never_used_again() -> None:
    """Each request has its own, as text."""
    requests = Requests[Question]()
    assert [requests.next_id() for _ in range(3)] == ["1", "2", "3"]


def test_a_good_answer() -> None:
    """It settles its request and no other, by the id as text or as a number; again it is late."""
    requests = Requests[Question]()
    (one, first), (two, second) = ask(requests), ask(requests)
    requests.answered(int(two), {"a": 1}, good=True)
    assert (first.told, second.told) == ([], [({"a": 1}, None)])
    assert list(requests.pending) == [one]
    requests.answered(two, "again", good=True)
    assert (len(second.told), requests.late) == (1, 1)


@pytest.mark.parametrize("id_", [None, True, 1.0, ["1"], {}, "", "one", 10**20])
def test_an_answer_to_nobody(id_: object) -> None:
    """An id that is none of ours is late, and nothing else."""
    requests = Requests[Question]()
    _, question = ask(requests)
    requests.answered(id_, "whose", good=False)
    assert (question.told, requests.late) == ([], 1)


def test_a_bad_answer() -> None:
    """The error holds the method and the peer's words as they were said."""
    requests = Requests[Question](UNKNOWN)
    id_, question = ask(requests)
    requests.answered(id_, {"code": 5}, good=False)
    ((_, error),) = question.told
    assert type(error) is RequestFailed
    assert (error.method, error.error) == ("chat", {"code": 5})
    assert str(error) == "chat was refused: {'code': 5}"
    assert requests.unsupported == {}


@pytest.mark.parametrize(
    ("error", "unsupported"),
    [
        ({"code": "NO_METHOD"}, True),
        ({"code": 404, "message": "gone"}, True),
        ({"code": "BAD", "message": "unknown method: x"}, True),
        ({"code": "BAD", "message": "an unknown method: x"}, False),
        ({"code": "BAD"}, False),
        ({"code": "OTHER", "message": "It is NOT HERE."}, True),
        ("not here", True),
        ("elsewhere", False),
        ({"code": "OTHER", "message": ["not here"]}, False),
        (None, False),
    ],
)
def test_what_a_peer_does_not_know(error: object, *, unsupported: bool) -> None:
    """By the page's rows, on the error's object, its message, or the error as text; it is remembered by its method."""
    requests = Requests[Question](UNKNOWN)
    id_, question = ask(requests)
    requests.answered(id_, error, good=False)
    assert isinstance(question.told[0][1], RequestUnsupported) is unsupported
    assert requests.unsupported == ({"chat": error} if unsupported else {})


def test_not_all_methods_are_remembered() -> None:
    """Whoever asks for ever new ones has the peer asked again, and the memory stays bounded."""
    requests = Requests[Question](UNKNOWN)
    for number in range(2000):
        id_, _ = ask(requests, f"method {number}")
        requests.answered(id_, "not here", good=False)
    assert len(requests.unsupported) == MOST_REMEMBERED


def test_who_was_asked() -> None:
    """Of those that wait, in order, all but those whose message waits too."""
    requests = Requests[Question]()
    fates: list[Fate] = ["sent", "queued", "taken", "maybe", "not_sent"]
    questions = [ask(requests, fate=fate)[1] for fate in fates]
    assert requests.sent() == [questions[0], *questions[2:]]


def test_a_frame_is_filled() -> None:
    """Expressions are replaced by values, deep inside; the rest stays."""
    page = read("openclaw-gateway")
    names = {"id": "7", "method": "chat.send", "params": {"a": ["=id"]}}
    assert frame(page, "request", names) == {"type": "req", "id": "7", "method": "chat.send", "params": {"a": ["=id"]}}
    assert frame_names(page, "request") == {"id", "method", "params"}
    assert frame_names(read("resume"), "resume") == {"cursor", "credentials.token"}


def test_a_frame_with_lists() -> None:
    """Templates may be nested as JSON is."""
    page = read("openclaw-gateway")
    template = {"list": [parse("id"), {"deep": parse("id + 1")}, "plain"], "none": None}
    page = attrs.evolve(page, messages=attrs.evolve(page.messages, frames={"x": template}))
    assert frame(page, "x", {"id": 1}) == {"list": [1, {"deep": 2}, "plain"], "none": None}
    assert frame_names(page, "x") == {"id"}


def test_a_value_of_the_page() -> None:
    """What is said is meant; an expression has the value that its names have now."""
    assert value(15.0, dict) == 15.0
    assert value(parse("patience * 2"), lambda: {"patience": 4}) == 8


def test_expressions_that_read_alike() -> None:
    """A secret does not show itself in an expression's text, so each expression is told apart by what it is."""
    one, two = (parse("token").rename(lambda _, text=text: Secret(text)) for text in ("one", "two"))
    assert str(one) == str(two)
    assert (value(one, dict), value(two, dict)) == ("one", "two")
