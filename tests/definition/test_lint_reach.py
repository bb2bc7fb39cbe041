"""Ways to states and causes: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_never_entered(problems: Problems) -> None:
    """A state is initial, or a clause leads to it; what is inside goes without saying."""
    page = """
states:
  a: {rest: true}
  b:
    rest: true
    states:
      c: {}
      d: {}
"""
    assert problems(page) == [
        "5:3: `b` is never entered: no clause leads to it and it is not initial: lead one there, or take it out",
    ]


def test_beside_in_regions(problems: Problems) -> None:
    """A state in a region is entered with the states beside it."""
    page = """
hears: {e: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: e, to: p.one.b}
  p:
    rest: true
    regions:
      one:
        states:
          x: {}
          b: {clauses: {X2: {on: e, to: x}}}
      two:
        states:
          c: {clauses: {X3: {on: e, to: d}}}
          d: {}
"""
    assert problems(page) == []


def test_a_cause_that_nobody_takes(problems: Problems) -> None:
    """Each cause is taken by some state."""
    page = """
causes:
  - {close: 1000, is: ended.normal}
  - {close: any,  is: lost.closed}
states:
  a:
    rest: true
    clauses:
      X1: {on: lost, to: a}
"""
    assert problems(page) == [
        (
            "4:23: this cause is `ended.normal`, which no state takes: give a state a clause with `on: "
            "ended.normal`, or a family of it"
        ),
    ]


def test_a_preset_that_nobody_takes(problems: Problems) -> None:
    """Of a preset, each family is taken by some state; it is told once, with its name."""
    page = """
causes:
  - {use: rfc6455}
states:
  a:
    rest: true
    clauses:
      X1: {on: lost.network, to: a}
      X2: {on: refused, to: a}
"""
    assert problems(page) == [
        (
            "4:5: the preset `rfc6455` tells `ended.normal`, and no state takes anything of `ended`: "
            "give a state a clause with `on: ended`"
        ),
    ]


def test_a_cause_that_is_left(problems: Problems) -> None:
    """A cause may be ignored, or left to whoever uses the page."""
    page = """
leaves: [lost]
causes:
  - {close: 1000, is: ended.normal}
  - {close: any,  is: lost.closed}
states:
  a:
    rest: true
    ignore: [ended]
"""
    assert problems(page) == []
