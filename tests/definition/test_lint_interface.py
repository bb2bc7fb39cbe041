"""Used pages, and what flattening would lose: what is refused, with its sentence and its place."""

from collections.abc import Callable
from pathlib import Path

Problems = Callable[..., list[str]]


def test_two_clocks(problems: Problems) -> None:
    """A clause has one trigger: two clocks are two."""
    page = """
states:
  a:
    clauses:
      X1: {after: 1 s, silent: 1 s, to: a}
"""
    assert problems(page) == [
        "6:7: `X1` has two triggers, `after` and `silent`: make it two clauses",
    ]


def test_by_without_a_clock(problems: Problems) -> None:
    """`by` goes with a clock."""
    page = """
hears: {e: {}}
variables: {n: {count: 0, max: 3}}
states:
  a:
    rest: true
    clauses:
      X1: {on: e, by: n, do: {set: {n: 1}}}
"""
    assert problems(page) == [
        "9:19: `X1` has `by` and no clock: it says which wait of a backoff `after` is",
    ]


def test_a_retired_id(problems: Problems) -> None:
    """An id that was retired does not come back."""
    page = """
retired: [X1, X2]
states:
  a:
    clauses:
      X1: {after: 1 s, to: a}
"""
    assert problems(page) == [
        "7:7: `X1` is retired: an id is never used again: choose a new one",
    ]


def test_nothing_tells_what_it_hears(problems: Problems) -> None:
    """What a used page hears, the page around it tells."""
    page = """
states:
  a:
    use: handshake
    as: {challenged: greeted}
    clauses:
      X1: {on: [done, lost, refused], to: b}
  b: {rest: true}
hears: {greeted: {challenge: object}}
"""
    assert problems(page) == [
        "5:10: `handshake` hears `accepted`, which nothing here tells: did you mean `lost.unaccepted`?",
    ]


def test_renamed_in_vain(problems: Problems) -> None:
    """What is renamed by `as` exists in the used page, under the name that it has there."""
    page = """
states:
  a:
    use: handshake
    as: {answr: sign}
    clauses:
      X1: {on: [done, lost, refused], to: b}
  b: {rest: true}
hears: {challenged: {challenge: object}, accepted: {}}
"""
    assert problems(page) == [
        "6:10: `handshake` has no event and no call `answr`: did you mean `answer`?",
    ]


def test_nobody_takes_what_it_leaves(problems: Problems) -> None:
    """What a used page lets pass is taken around it, or let pass again."""
    page = """
hears: {disconnect: {}}
leaves: [ended]
states:
  a:
    use: connection
    clauses:
      X1: {on: [done, lost], to: b}
  b: {rest: true}
"""
    assert problems(page) == [
        (
            "7:10: `connection` lets `refused` pass, which no state around it takes: "
            "give the state that uses it, or one around, a clause for it"
        ),
    ]


def test_what_cannot_come_needs_no_taker(problems: Problems) -> None:
    """In a page with a role the causes are all there is, so only they need a taker."""
    page = """
role: client
hears: {disconnect: {}}
causes:
  - {close: 1000,      is: ended.normal}
  - {otherwise: true,  is: lost.network}
states:
  a:
    use: connection
    clauses:
      X1: {on: [done, lost], to: b}
  b: {rest: true, status: idle, ignore: [disconnect, ended]}
"""
    assert problems(page) == [
        (
            "10:10: `connection` lets `ended.normal` pass, which no state around it takes: "
            "give the state that uses it, or one around, a clause for it"
        ),
    ]


def test_a_page_used_by_a_used_page(problems: Problems, tmp_path: Path) -> None:
    """What a used page has from a page that it uses can be renamed as well."""
    used = """lifecycle: 1
page: used
states:
  a:
    use: heartbeat
    as: {lost: dead}
    clauses:
      U1: {on: dead, to: over}
  over: {final: done}
"""
    (tmp_path / "used.yaml").write_text(used, encoding="utf-8")
    page = """
states:
  a:
    use: used
    as: {dead: gone, found: gained}
    clauses:
      X1: {on: done, to: a}
"""
    assert problems(page, tmp_path) == ["6:22: `used` has no event and no call `found`: there is dead.silent"]
