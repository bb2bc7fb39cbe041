"""Junctions and final states: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_the_last_has_a_condition(problems: Problems) -> None:
    """A junction is left in any case, so its last clause has no condition."""
    page = """
parameters: {f: {flag: true}}
states:
  a:
    clauses:
      X1: {when: f, to: b}
  b: {rest: true}
"""
    assert problems(page) == [
        (
            "7:7: `X1`, the last clause of the junction `a`, has a condition: "
            "a junction ends with a clause without `when` and `while`"
        ),
    ]


def test_behind_the_last(problems: Problems) -> None:
    """Behind a clause without a condition nothing is tried."""
    page = """
parameters: {f: {flag: true}}
states:
  a:
    clauses:
      X1: {to: b}
      X2: {to: b}
  b: {rest: true, clauses: {X3: {after: 1 s, when: f, to: a}, X4: {after: 1 s, to: b}}}
"""
    assert problems(page) == [
        "8:7: `X2` is never tried: `X1` before it has no condition: put it last",
    ]


def test_it_leads_nowhere(problems: Problems) -> None:
    """A clause of a junction has a target."""
    page = """
variables: {n: {count: 0, max: 1}}
states:
  a:
    clauses:
      X1: {do: {set: {n: 1}}}
  b: {rest: true, clauses: {X2: {after: 1 s, to: a}}}
clauses:
  X3: {after: 1 s, to: b}
"""
    assert problems(page) == [
        "7:7: `X1` leads nowhere, and `a` is a junction, left in the step that enters it: give it a `to`",
    ]


def test_it_waits_for_nothing(problems: Problems) -> None:
    """A junction has no call, no rest, no ignore and no states: nothing can happen in it."""
    page = """
hears: {e: {}}
calls: {c: {timeout: 1 s}}
states:
  a:
    rest: true
    ignore: e
    clauses:
      X1: {to: b}
    states:
      inner: {}
  b: {rest: true}
"""
    assert problems(page) == [
        "4:9: there is the call `c`, which nothing calls: use it or take it out",
        (
            "7:5: `a` is a junction, and has `rest`: a junction waits for nothing: "
            "give its clauses triggers, or take it out"
        ),
        (
            "8:5: `a` is a junction, and has `ignore`: a junction waits for nothing: "
            "give its clauses triggers, or take it out"
        ),
        (
            "11:5: `a` is a junction, and has `states`: a junction waits for nothing: "
            "give its clauses triggers, or take it out"
        ),
    ]


def test_a_call_in_a_junction(problems: Problems) -> None:
    """A call in a junction would be cancelled in the step that starts it."""
    page = """
calls: {c: {timeout: 1 s}}
states:
  a:
    call: c
    clauses:
      X1: {to: b}
  b: {rest: true}
clauses:
  X2: {on: failed, to: b}
"""
    assert problems(page) == [
        (
            "6:5: `a` is a junction, and has `call`: a junction waits for nothing: "
            "give its clauses triggers, or take it out"
        ),
        "6:11: nothing in `a` hears that the call `c` is done: give the state a clause with `on: done`",
    ]


def test_a_circle(problems: Problems) -> None:
    """A circle of junctions would never end."""
    page = """
parameters: {f: {flag: true}}
states:
  a:
    clauses:
      X1: {when: f, to: b}
      X2: {to: c}
  b:
    states:
      inner:
        clauses:
          X3: {to: a}
  c: {rest: true}
"""
    assert problems(page) == [
        "5:3: junctions in a circle: `a` leads to `b.inner` leads to `a`: one of them has to wait for something",
    ]


def test_no_circle(problems: Problems) -> None:
    """Junctions that lead to each other in one direction end."""
    page = """
parameters: {f: {flag: true}}
variables: {n: {count: 0, max: 1}}
states:
  a:
    enter: {set: {n: 1}}
    clauses:
      X1: {when: f, to: b}
      X2: {to: c}
  b:
    clauses:
      X3: {to: c}
  c: {rest: true}
"""
    assert problems(page) == []


def test_final_and_busy(problems: Problems) -> None:
    """A final state is an end: nothing happens there."""
    page = """
hears: {e: {}}
states:
  a:
    final: done
    clauses:
      X1: {on: e, to: a}
"""
    assert problems(page) == [
        "7:5: `a` is final, and has `clauses`: nothing happens in a final state",
    ]
