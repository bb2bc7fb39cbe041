"""Calls, final states and who hears their end: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_a_call_that_nobody_hears(problems: Problems) -> None:
    """The end of a call is heard by its state, its failure there or further out."""
    page = """
calls: {c: {timeout: 1 s}}
states:
  a:
    call: c
"""
    assert problems(page) == [
        (
            "6:11: neither `a` nor a state around it hears that the call `c` has failed: "
            "give one of them a clause with `on: failed`"
        ),
        "6:11: nothing in `a` hears that the call `c` is done: give the state a clause with `on: done`",
    ]


def test_failure_goes_outward(problems: Problems) -> None:
    """The failure of a call may be taken around its state."""
    page = """
calls: {c: {timeout: 1 s}}
states:
  a:
    call: c
    clauses:
      X1: {on: done, to: b}
  b: {rest: true}
clauses:
  X2: {on: failed, to: b}
"""
    assert problems(page) == []


def test_an_end_that_nobody_hears(problems: Problems) -> None:
    """A final state ends the state around it, which hears that."""
    page = """
states:
  a:
    states:
      inner: {final: done}
"""
    assert problems(page) == [
        "6:22: `a.inner` ends `a`, which does not hear `done`: give `a` a clause with `on: done`",
    ]


def test_an_exit_that_nobody_takes(problems: Problems) -> None:
    """A named exit is taken by some state around it."""
    page = """
states:
  a:
    states:
      inner: {final: lost.silent}
"""
    assert problems(page) == [
        "6:22: `a.inner` ends with `lost.silent`, which no state around it takes: give one of them a clause for it",
    ]


def test_an_exit_that_is_left(problems: Problems) -> None:
    """A named exit may be left to whoever uses the page, and at the top it is."""
    page = """
leaves: [lost]
states:
  a:
    states:
      inner:
        clauses:
          X1: {after: 1 s, to: over}
      over: {final: lost.silent}
    clauses:
      X2: {after: 1 s, to: b}
  b: {final: refused.here}
"""
    assert problems(page) == []


def test_done_in_vain(problems: Problems) -> None:
    """`done` is heard right around a final state, not further out."""
    page = """
states:
  a:
    clauses:
      X1: {on: done, to: b}
    states:
      inner:
        clauses:
          X2: {on: done, to: last}
        states:
          over: {final: done}
      last: {rest: true}
  b: {rest: true}
"""
    assert problems(page) == [
        "6:16: `X1` waits for `done`, and `a` has no call, and no final state right in it: `done` is heard there only",
    ]


def test_failed_in_vain(problems: Problems) -> None:
    """`failed` needs a call, here or inside."""
    page = """
states:
  a:
    rest: true
    clauses:
      X1: {on: failed, to: a}
"""
    assert problems(page) == [
        "7:16: `X1` waits for `failed`, and `a` has no call in it: put it where the call is, or around it",
    ]
