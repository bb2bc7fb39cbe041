"""The table of routes: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_behind_everything(problems: Problems) -> None:
    """Behind a route without `match` nothing is reached."""
    page = """
messages:
  routes:
    - {deliver: true}
    - {match: {type: x}, discard: true}
states:
  a:
    rest: true
"""
    assert problems(page) == [
        "6:7: this route never matches: route 1 matches first: put the special case first, or take one of them out",
    ]


def test_a_narrower_match(problems: Problems) -> None:
    """Behind a match no narrower one is reached."""
    page = """
messages:
  routes:
    - {match: {type: [a, b]}, discard: true}
    - {match: {type: a, more: 1}, deliver: true}
    - {match: {type: [b, c]}, deliver: true}
states:
  a:
    rest: true
"""
    assert problems(page) == [
        "6:7: this route never matches: route 1 matches first: put the special case first, or take one of them out",
    ]


def test_two_outcomes(problems: Problems) -> None:
    """A route has one outcome, but that it may deliver beside an event or a refusal."""
    page = """
messages:
  routes:
    - {match: {type: a}, deliver: true, discard: true}
    - {match: {type: b}}
    - {match: {type: c}, deliver: true, raise: c}
    - {match: {type: d}, deliver: d, refusal: d}
states:
  a:
    rest: true
"""
    assert problems(page) == [
        (
            "5:7: a route with `deliver` and `discard`: one of deliver, answer, raise, refusal, clause, discard: "
            "say what becomes of the message"
        ),
        (
            "6:7: a route without an outcome: one of deliver, answer, raise, refusal, clause, discard: "
            "say what becomes of the message"
        ),
    ]


def test_beside_the_wrong_one(problems: Problems) -> None:
    """What goes with one outcome means nothing beside another."""
    page = """
messages:
  routes:
    - {match: {type: a}, discard: true, sequence: seq, dedupe: {by: seq}}
    - {match: {type: b}, deliver: true, ok: ok, result: r, error: e, fields: {a: b}}
states:
  a:
    rest: true
"""
    assert problems(page) == [
        "5:41: `sequence` without `deliver` or `raise`: it means nothing here: leave it out",
        "5:56: `dedupe` without `deliver`: it means nothing here: leave it out",
        "6:41: `ok` without `answer`: it means nothing here: leave it out",
        "6:49: `result` without `answer`: it means nothing here: leave it out",
        "6:60: `error` without `answer`: it means nothing here: leave it out",
        "6:70: `fields` without `raise`: it means nothing here: leave it out",
    ]


def test_a_clause_of_no_clock(problems: Problems) -> None:
    """A route for monitors names a clause of a clock."""
    page = """
messages:
  routes:
    - {match: {type: a}, clause: X1}
    - {match: {type: b}, clause: X2}
    - {match: {type: c}, clause: X3}
states:
  a:
    rest: true
    clauses:
      X1: {after: 1 s, to: a}
      X2: {on: e, to: a}
hears: {e: {}}
"""
    assert problems(page) == [
        (
            "6:34: a route reports `X2`, which is no clause of a clock: "
            "monitors are told of clocks by `clause`, and of events by `raise`"
        ),
        (
            "7:34: a route reports `X3`, which is no clause of a clock: "
            "monitors are told of clocks by `clause`, and of events by `raise`"
        ),
    ]
