from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.page import Pick, Route
from lifecycle.wire.routes import Outcome, route


def row(**keys: Any) -> Route:
    """A route from plain values."""
    keys["match"] = {
        path: value if isinstance(value, tuple) else (value,) for path, value in keys.get("match", {}).items()
    }
    return Route(**keys)


def test_a_page_without_routes_delivers_everything() -> None:
    """Whole, whatever it is."""
    found = route((), {"a": 1})
    assert found == Outcome("deliver", {"a": 1}, delivers=True)
    assert found.message == {"a": 1}


def test_the_first_route_that_matches_decides() -> None:
    """What no route takes is told as such; which route took it, and the whole message, are known beside its part."""
    routes = (row(match={"t": "x"}, discard=True), row(match={"t": ("x", "y")}, deliver="body"))
    assert route(routes, {"t": "x"}) == Outcome("discard")
    found = route(routes, {"t": "y", "body": [1]})
    assert found == Outcome("deliver", [1], delivers=True, row=1)
    assert found.message == {"t": "y", "body": [1]}
    assert route(routes, {"t": "z"}) == Outcome("unrouted")
    assert route(routes, "no object at all") == Outcome("unrouted")


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ({"id": 7, "ok": True, "r": 1, "e": 2}, Outcome("answer", 1, id=7)),
        ({"id": 7, "ok": False, "r": 1, "e": 2}, Outcome("answer", 2, id=7, good=False)),
        ({"id": 7, "ok": 1, "e": 2}, Outcome("answer", 2, id=7, good=False)),
        ({"e": "x"}, Outcome("answer", "x", id=None, good=False)),
    ],
)
def test_an_answer(message: object, outcome: Outcome) -> None:
    """It is good only if its flag is true; then it is the result, else the error."""
    assert route((row(answer="id", ok="ok", result="r", error="e"),), message) == outcome


def test_an_answer_that_says_no_more() -> None:
    """Without a flag it is good, without a path of the result it is none."""
    assert route((row(answer="id"),), {"id": "a", "result": 5}) == Outcome("answer", None, id="a")


def test_an_event_with_fields() -> None:
    """Fields are found by their paths, and a missing one is none."""
    routes = (row(raise_="ticked", fields={"at": "p.at", "no": "p.no"}),)
    assert route(routes, {"p": {"at": 3}}) == Outcome("raise", event="ticked", fields={"at": 3, "no": None})


def test_a_refusal() -> None:
    """The object that the causes look at."""
    assert route((row(refusal="error"),), {"error": {"code": 1}}) == Outcome("refusal", refused={"code": 1})


def test_a_message_for_the_user_may_be_an_event_too() -> None:
    """Beside an event or a refusal it is delivered, whole or in part."""
    found = route((row(raise_="ticked", fields={"no": "n"}, deliver="body"),), {"n": 1, "body": 2})
    assert found == Outcome("raise", 2, delivers=True, event="ticked", fields={"no": 1})
    message = {"error": {"code": 1}}
    found = route((row(refusal="error", deliver=True),), message)
    assert found == Outcome("refusal", message, delivers=True, refused={"code": 1})


def test_what_is_kept() -> None:
    """Values for variables come with any outcome, before it."""
    cursor, pause = Pick(path="seq", max=True), Pick(path="wait", unit="ms")  # type: ignore[arg-type]
    found = route((row(keep={"cursor": cursor, "pause": pause}, discard=True),), {"seq": 9, "wait": 1500})
    assert found.keep == (("cursor", cursor, 9), ("pause", pause, 1.5))


def test_an_outcome_hides_what_the_peer_said() -> None:
    """Neither values nor fields show in a repr."""
    assert "hidden" not in repr(Outcome("deliver", "hidden", fields={"a": "hidden"}))


MESSAGES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("aeio"), inner, max_size=3),
    max_leaves=6,
)


@given(MESSAGES)
def test_no_message_makes_it_raise(message: object) -> None:
    """Whatever comes, something becomes of it."""
    routes = (
        row(match={"a": 1}, answer="i", ok="o", error="e"),
        row(match={"a.e": None}, raise_="x", fields={"f": "i.0"}, keep={"k": Pick(path="o.0", unit="s")}),  # type: ignore[arg-type]
    )
    assert route(routes, message).kind in {"answer", "raise", "unrouted"}
