"""The page's own laws: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_no_such_state(problems: Problems) -> None:
    """A law speaks of states by their whole paths."""
    page = """
variables: {n: {count: 0, max: 3}, token: {kept: secret}}
states:
  a:
    rest: true
    enter: {set: {n: 1, token: x}}
laws:
  - {never: {in: b, while: [a, a.c], when: transport.open}}
  - {leads_to: {from: a, to: closed}}
"""
    assert problems(page) == [
        "9:18: a law speaks of `b`, and there is no such state: there is a",
        "9:32: a law speaks of `a.c`, and there is no such state: there is a",
        "10:30: a law speaks of `closed`, and there is no such state: there is a",
    ]


def test_one_promise_each(problems: Problems) -> None:
    """A law is one promise."""
    page = """
variables: {n: {count: 0, max: 3}, token: {kept: secret}}
states:
  a:
    rest: true
    enter: {set: {n: 1, token: x}}
laws:
  - {never: {in: a}, sometimes: {in: a}}
  - {}
"""
    assert problems(page) == [
        "9:5: a law with `never` and `sometimes`: one of never, always, leads_to, sometimes: make it one law each",
        "10:5: a law without a promise: one of never, always, leads_to, sometimes: make it one law each",
    ]


def test_a_promise_of_something(problems: Problems) -> None:
    """A law says something."""
    page = """
variables: {n: {count: 0, max: 3}, token: {kept: secret}}
states:
  a:
    rest: true
    enter: {set: {n: 1, token: x}}
laws:
  - {always: {in: a}}
  - {never: {}}
"""
    assert problems(page) == [
        "9:14: `always` without `when`: say what holds there",
        "10:13: `never` of nothing: say `in`, `while` or `when`",
    ]


def test_names_in_a_law(problems: Problems) -> None:
    """A law reads parameters and variables, but nothing that is only kept."""
    page = """
variables: {n: {count: 0, max: 3}, token: {kept: secret}}
states:
  a:
    rest: true
    enter: {set: {n: 1, token: x}}
laws:
  - {always: {when: m < 3}}
  - {always: {when: token == 'x'}}
"""
    assert problems(page) == [
        "9:21: a law reads `m`, which is no parameter and no variable: there is n, token, transport.open",
        "10:21: a law reads `token`, which is only kept: what is kept is passed on, never asked",
    ]


def test_laws_that_are_fine(problems: Problems) -> None:
    """One promise about what exists is fine."""
    page = """
variables: {n: {count: 0, max: 3}, token: {kept: secret}}
states:
  a:
    rest: true
    enter: {set: {n: 1, token: x}}
laws:
  - {always: {when: n <= 3}}
  - {leads_to: {from: a, to: a}}
  - {sometimes: {in: a}}
"""
    assert problems(page) == []
