"""Places where a page waits: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_no_clock(problems: Problems) -> None:
    """A place that waits has a clock, a call, or says that it rests."""
    page = """
hears: {e: {}}
states:
  a:
    clauses:
      X1: {on: e, to: a}
"""
    assert problems(page) == [
        (
            "5:3: `a` may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
    ]


def test_a_page_without_states(problems: Problems) -> None:
    """A page without states is one place."""
    page = """
title: empty
"""
    assert problems(page) == [
        (
            "1:1: the page may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
    ]


def test_a_clock_that_leads_nowhere(problems: Problems) -> None:
    """A clock without a target ends nothing."""
    page = """
states:
  a:
    enter: ping
    clauses:
      X1: {after: 1 s, do: ping}
"""
    assert problems(page) == [
        (
            "4:3: `a` may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
    ]


def test_a_clock_that_is_optional(problems: Problems) -> None:
    """A clock whose length may be none ends nothing."""
    page = """
parameters: {patience: {duration: optional}}
states:
  a:
    clauses:
      X1: {after: patience, to: a}
"""
    assert problems(page) == [
        (
            "5:3: `a` may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
    ]


def test_a_clock_around(problems: Problems) -> None:
    """A clock of the state around is enough, and so is a call."""
    page = """
calls: {c: {timeout: 1 s}}
states:
  a:
    clauses:
      X1: {after: 1 s, to: b}
    states:
      inner: {}
  b:
    call: c
    clauses:
      X2: {on: [done, failed], to: a}
"""
    assert problems(page) == []


def test_no_region_helps(problems: Problems) -> None:
    """Of what is active at once, one region has a clock everywhere."""
    page = """
hears: {e: {}}
states:
  p:
    regions:
      one:
        states:
          a:
            clauses:
              X1: {after: 1 s, to: b}
          b: {}
      two: {}
"""
    assert problems(page) == [
        (
            "5:3: `p` may wait for ever: no region of it has a clock or a call in each of its states: "
            "give one region an `after` everywhere, or say `rest: true`"
        ),
    ]


def test_one_region_helps(problems: Problems) -> None:
    """One region with a clock everywhere is enough."""
    page = """
states:
  p:
    regions:
      one:
        states:
          a:
            clauses:
              X1: {after: 1 s, to: a}
      two: {}
"""
    assert problems(page) == []


def test_an_empty_slot(problems: Problems) -> None:
    """A slot of a fragment may rest while it is empty; a page with a role has to say so."""
    page = """
states:
  up: {slot: true}
"""
    assert problems(page) == []


def test_an_empty_slot_with_a_role(problems: Problems) -> None:
    """A slot of a page with a role is a state like others while it is empty."""
    page = """
role: session
hears: {disconnect: {}}
states:
  up: {slot: true, status: ready, clauses: {X1: {on: disconnect, to: over}}}
  over: {final: done}
"""
    assert problems(page) == [
        (
            "6:3: `up` may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
    ]


def test_no_status(problems: Problems) -> None:
    """In a page with a role every place has a status."""
    page = """
role: session
hears: {disconnect: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: disconnect, to: over}
  over: {final: done}
"""
    assert problems(page) == [
        "6:3: `a` has no status, nor has a state around it: say what a user sees there: `status:`",
    ]


def test_no_status_in_regions(problems: Problems) -> None:
    """Of regions, one has a status everywhere."""
    page = """
role: session
hears: {disconnect: {}}
states:
  p:
    rest: true
    clauses:
      X1: {on: disconnect, to: over}
    regions:
      one:
        states:
          a: {status: ready, clauses: {X2: {after: 1 s, to: b}}}
          b: {}
      two: {}
  q:
    rest: true
    regions:
      three: {status: ready}
      four: {}
  over: {final: done}
clauses:
  X3: {after: 1 s, to: q}
"""
    assert problems(page) == [
        "6:3: `p` has no status, nor has a state around it: say what a user sees there: `status:`",
    ]


def test_a_clock_of_none_ends_nothing(problems):
    """It never runs out."""
    page = "\nstates: {a: {clauses: {P1: {after: none, to: b}}}, b: {rest: true}}\n"
    assert any("may wait for ever" in problem for problem in problems(page))
