"""The form of clauses: what is refused, with its sentence and its place."""

from collections.abc import Callable
from pathlib import Path

Problems = Callable[..., list[str]]


def test_an_event_and_a_clock(problems: Problems) -> None:
    """A clause has one trigger: an event and a clock are two."""
    page = """
hears: {e: {}}
states:
  a:
    clauses:
      X1: {on: e, after: 1 s, to: b}
  b: {rest: true}
"""
    assert problems(page) == [
        "7:7: `X1` has two triggers, an event and a clock: make it two clauses",
    ]


def test_no_trigger(problems: Problems) -> None:
    """A clause without a trigger stands in junctions only, where none has one."""
    page = """
hears: {e: {}}
states:
  a:
    rest: true
    clauses:
      X1: {to: b}
      X2: {on: e, to: b}
  b: {rest: true}
"""
    assert problems(page) == [
        "8:7: `X1` has no trigger, and `a` is no junction: give it `on`, `after` or `silent`",
    ]


def test_the_page_is_no_junction(problems: Problems) -> None:
    """The page itself cannot be left, so it is no junction."""
    page = """
states:
  a: {rest: true}
clauses:
  X1: {to: a}
"""
    assert problems(page) == [
        "6:3: `X1` has no trigger, and the page is no junction: give it `on`, `after` or `silent`",
    ]


def test_a_bare_clause(problems: Problems) -> None:
    """A clause that takes an event and does nothing is an `ignore`."""
    page = """
hears: {e: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: e}
"""
    assert problems(page) == [
        "8:7: `X1` does nothing: say `ignore: [e]`",
    ]


def test_a_bare_clock(problems: Problems) -> None:
    """A clock that does nothing is a leftover."""
    page = """
states:
  a:
    rest: true
    clauses:
      X1: {after: 1 s}
"""
    assert problems(page) == [
        "7:7: `X1` does nothing: give it a `to` or a `do`",
    ]


def test_heard_and_stay(problems: Problems) -> None:
    """`heard` without a target would be dispatched with every read, for ever."""
    page = """
states:
  a:
    rest: true
    clauses:
      X1: {on: heard, do: ping}
"""
    assert problems(page) == [
        (
            "7:16: `X1` takes `heard` and stays: it would be dispatched with every read: "
            "give it a `to`, or let a `silent` clock look at the stamp"
        ),
    ]


def test_no_time_at_all(problems: Problems) -> None:
    """A clock of 0 s back to its own state would never end."""
    page = """
states:
  a:
    clauses:
      X1: {after: 0 s, to: a}
"""
    assert problems(page) == [
        "6:19: `X1` leads back to `a` after 0 s, so it would never end: give the clock a length",
    ]


def test_a_backoff_without_by(problems: Problems) -> None:
    """A backoff has many waits, so its clock says which one it is."""
    page = """
parameters: {redial: {backoff: {first: 1 s}}}
states:
  a:
    clauses:
      X1: {after: redial, to: a}
"""
    assert problems(page) == [
        "7:19: `X1` waits by a backoff and has no `by`: say which wait it is: `by:` and a count",
    ]


def test_a_backoff_that_is_fixed(problems: Problems) -> None:
    """A backoff that a `with` has fixed is still one."""
    page = """
states:
  a:
    use: reconnect
    with: {redial: {first: 1 s}}
    clauses:
      X1: {on: exhausted, to: b}
      X2: {on: done, to: a}
      X3: {after: 1 s, to: b}
  b: {rest: true}
"""
    assert problems(page) == []


def test_by_without_a_backoff(problems: Problems) -> None:
    """`by` says which wait of a backoff it is; a plain duration has one."""
    page = """
variables: {n: {count: 0, max: 3}}
states:
  a:
    clauses:
      X1: {after: 1 s, by: n, to: a}
"""
    assert problems(page) == [
        "7:28: `X1` has `by`, and waits by no backoff: leave it out, or name a backoff",
    ]


def test_by_without_a_count(problems: Problems) -> None:
    """`by` counts."""
    page = """
parameters: {redial: {backoff: {first: 1 s}}}
variables: {n: {flag: false}}
states:
  a:
    clauses:
      X1: {after: redial, by: n, to: a}
"""
    assert problems(page) == [
        "8:31: `X1` has `by: n`, which is of type flag: name a count",
    ]


def test_a_backoff_in_a_sum(problems: Problems) -> None:
    """A backoff is no number, so nothing can be computed with it."""
    page = """
parameters: {redial: {backoff: {first: 1 s}}}
variables: {n: {count: 0, max: 3}}
states:
  a:
    clauses:
      X1: {after: redial + 1, by: n, to: a}
"""
    assert problems(page) == [
        "8:19: `X1` computes with the backoff `redial`: name the backoff alone: it is no number",
    ]


def test_proof_without_waiting(problems: Problems) -> None:
    """Health is proven by having lasted, not by an event."""
    page = """
hears: {e: {}}
states:
  a:
    status: ready
    rest: true
    clauses:
      X1: {on: e, proof: true, to: a}
"""
    assert problems(page) == [
        "9:26: `X1` proves health without having waited: put `proof: true` on a clause with `after`",
    ]


def test_proof_elsewhere(problems: Problems) -> None:
    """Health is proven where the page is ready."""
    page = """
states:
  a:
    status: waiting
    clauses:
      X1: {after: 5 s, proof: true, to: a}
"""
    assert problems(page) == [
        "7:31: `X1` proves health where the status is waiting: only a state that is ready can prove it",
    ]


def test_proof_without_status(problems: Problems) -> None:
    """A state without any status cannot be ready."""
    page = """
states:
  a:
    clauses:
      X1: {after: 5 s, proof: true, to: a}
"""
    assert problems(page) == [
        "6:31: `X1` proves health where the status is not said: only a state that is ready can prove it",
    ]


def test_proof_that_may_be_nothing(problems: Problems) -> None:
    """A proof has a least length, or an embedder could turn it off."""
    page = """
parameters: {proven_after: {duration: 5 s}}
states:
  a:
    status: ready
    clauses:
      X1: {after: proven_after, proof: true, to: a}
"""
    assert problems(page) == [
        "8:40: `X1` proves health after `proven_after`, which may be 0 s: wait for a parameter with a `min` above 0 s",
    ]


def test_proof_is_fine(problems: Problems) -> None:
    """A proof of a literal length, or of a parameter with a least value, is one."""
    page = """
parameters: {proven_after: {duration: 5 s, min: 1 s}}
states:
  a:
    status: ready
    clauses:
      X1: {after: proven_after, proof: true, to: b}
  b:
    status: ready
    clauses:
      X2: {after: 5 s, proof: true, to: a}
"""
    assert problems(page) == []


def test_a_fixed_backoff_without_by(problems: Problems, tmp_path: Path) -> None:
    """A backoff that was fixed in `with` has lost its name, and is refused without `by` all the same."""
    used = """lifecycle: 1
page: used
parameters: {pause: {backoff: {first: 1 s}}, wanted: {flag: true}}
states:
  a:
    clauses:
      U1: {after: pause, when: wanted, to: a}
"""
    (tmp_path / "used.yaml").write_text(used, encoding="utf-8")
    page = """
states:
  a:
    use: used
    with: {pause: {first: 2 s}}
"""
    assert problems(page, tmp_path) == [
        (
            "used.yaml:7:7: `a/U1`, the last clause for `after a backoff`, has a condition, so nothing may happen: "
            "end with a clause without `when`"
        ),
        "used.yaml:7:19: `a/U1` waits by a backoff and has no `by`: say which wait it is: `by:` and a count",
    ]
