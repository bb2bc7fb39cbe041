"""Names of events and ids of clauses: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_nothing_tells_it(problems: Problems) -> None:
    """An event that nothing tells cannot occur; the nearest one is named."""
    page = """
hears: {disconnect: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: disconect, to: a}
"""
    assert problems(page) == [
        "8:16: `X1` waits for `disconect`, which nothing tells: did you mean `disconnect`?",
    ]


def test_ignored_in_vain(problems: Problems) -> None:
    """What cannot occur need not be ignored."""
    page = """
states:
  a:
    rest: true
    ignore: [xyzzy]
"""
    assert problems(page) == [
        "6:14: `a` ignores `xyzzy`, which nothing tells: tell it by `hears`, a cause, a route or a final state",
    ]


def test_good_in_vain(problems: Problems) -> None:
    """What a good peer lets happen is an event of the page."""
    page = """
good: {open: [resumed]}
states:
  a: {rest: true}
"""
    assert problems(page) == [
        "3:15: `good: open` has `resumed`, which nothing tells: tell it by `hears`, a cause, a route or a final state",
    ]


def test_too_special(problems: Problems) -> None:
    """A clause for a special case needs a source that is as special."""
    page = """
hears: {lost: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: lost.network, to: a}
"""
    assert problems(page) == [
        (
            "8:16: `X1` waits for `lost.network`, which nothing tells: "
            "tell it by `hears`, a cause, a route or a final state"
        ),
    ]


def test_any_of_what_is_left(problems: Problems) -> None:
    """What a fragment lets pass is a family, so any member of it may come."""
    page = """
leaves: [lost]
states:
  a:
    rest: true
    clauses:
      X1: {on: lost.network, to: a}
"""
    assert problems(page) == []


def test_our_names(problems: Problems) -> None:
    """Events of the library cannot be told by a page."""
    page = """
hears: {opened: {}}
causes:
  - {close: any, is: closed.normally}
messages:
  routes:
    - {match: {type: x}, raise: timer.x}
states:
  a:
    rest: true
    clauses:
      X1: {on: [opened, closed, timer], to: b}
  b:
    rest: true
    clauses:
      X2: {on: failed.badly, to: a}
    states:
      inner: {final: failed.badly}
"""
    assert problems(page) == [
        (
            "3:9: an event called `opened`: "
            "names that begin with done, failed, timer, opened, closed, heard are the library's: choose another"
        ),
        (
            "5:18: an event called `closed.normally`: "
            "names that begin with done, failed, timer, opened, closed, heard are the library's: choose another"
        ),
        (
            "8:26: an event called `timer.x`: "
            "names that begin with done, failed, timer, opened, closed, heard are the library's: choose another"
        ),
        (
            "19:15: an event called `failed.badly`: "
            "names that begin with done, failed, timer, opened, closed, heard are the library's: choose another"
        ),
    ]


def test_one_id_twice(problems: Problems) -> None:
    """An id stands for one clause of a page, also when that page fills a slot."""
    page = """
hears: {e: {}}
states:
  a: {rest: true, clauses: {X1: {on: e, to: b}}}
  b: {rest: true, clauses: {X1: {on: e, to: a}}}
"""
    assert problems(page) == [
        "6:29: `X1` is a clause of `a` already: an id is used once in a page: choose a new one",
    ]
