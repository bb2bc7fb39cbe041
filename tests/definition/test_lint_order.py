"""The order in which clauses are tried: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_a_family_first(problems: Problems) -> None:
    """A family before its special case takes everything."""
    page = """
hears: {lost.network: {}, lost.busy: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: lost, to: b}
      X2: {on: lost.network, to: b}
  b: {rest: true}
"""
    assert problems(page) == [
        (
            "9:16: `X2` never sees `lost.network`: `X1` before it takes it: "
            "put the special case first, or take one of them out"
        ),
    ]


def test_the_same_guard_twice(problems: Problems) -> None:
    """What has the same condition as something before it never happens."""
    page = """
hears: {e: {}}
parameters: {f: {flag: true}}
states:
  a:
    rest: true
    clauses:
      X1: {on: e, when: f, to: b}
      X2: {on: e, when: f, to: a}
  b: {rest: true}
"""
    assert problems(page) == [
        "10:16: `X2` never sees `e`: `X1` before it takes it: put the special case first, or take one of them out",
    ]


def test_special_first(problems: Problems) -> None:
    """The special case first, then its family; and a guarded clause first, then a free one."""
    page = """
hears: {lost.network: {}, lost.busy: {}}
parameters: {f: {flag: true}}
states:
  a:
    rest: true
    clauses:
      X1: {on: lost.network, to: b}
      X2: {on: lost, when: f, to: a}
      X3: {on: lost, to: b}
  b: {rest: true}
"""
    assert problems(page) == []


def test_twice_in_one_list(problems: Problems) -> None:
    """A family in a list covers its members."""
    page = """
hears: {lost.network: {}}
states:
  a:
    rest: true
    clauses:
      X1: {on: [lost.network, lost], to: a}
"""
    assert problems(page) == [
        "8:17: `X1` names `lost.network`, which `lost` covers: one of them is enough",
    ]


def test_ignored_and_taken(problems: Problems) -> None:
    """What a state always takes it cannot ignore."""
    page = """
hears: {e: {}}
states:
  a:
    rest: true
    ignore: [e]
    clauses:
      X1: {on: e, to: a}
"""
    assert problems(page) == [
        "7:14: `a` ignores `e`, which its clause `X1` always takes: say one or the other",
    ]


def test_ignored_unless(problems: Problems) -> None:
    """What a state takes under a condition it may ignore otherwise."""
    page = """
hears: {e: {}}
parameters: {f: {flag: true}}
states:
  a:
    rest: true
    ignore: [e]
    clauses:
      X1: {on: e, when: f, to: a}
"""
    assert problems(page) == []


def test_ignored_around(problems: Problems) -> None:
    """What a state inside takes cannot be ignored around it: nobody would see that the clause is gone."""
    page = """
hears: {lost.network: {}}
states:
  a:
    rest: true
    ignore: [lost]
    states:
      inner:
        clauses:
          X1: {on: lost.network, to: inner}
"""
    assert problems(page) == [
        "7:14: `a` ignores `lost`, which `X1` in `a.inner` takes: say `ignore` in the states that mean it",
    ]


def test_a_clock_with_a_condition(problems: Problems) -> None:
    """A clock that runs out does something in any case."""
    page = """
parameters: {f: {flag: true}}
states:
  a:
    clauses:
      X1: {after: 1 s, when: f, to: a}
"""
    assert problems(page) == [
        (
            "7:7: `X1`, the last clause for `after 1 s`, has a condition, so nothing may happen: "
            "end with a clause without `when`"
        ),
    ]


def test_behind_a_free_clock(problems: Problems) -> None:
    """What stands behind the free clause of a clock is never tried."""
    page = """
parameters: {f: {flag: true}}
states:
  a:
    clauses:
      X1: {after: 1 s, to: a}
      X2: {after: 1 s, when: f, to: a}
"""
    assert problems(page) == [
        "8:7: `X2` is never tried: `X1` takes the clock `after 1 s` before it: put the one without `when` last",
    ]


def test_the_host_wins(problems: Problems) -> None:
    """What the host takes at a use-point, the used page does not take: that is the host's right."""
    page = """
hears: {disconnect: {}}
leaves: [lost, refused, ended]
parameters: {url: {url: required}}
states:
  a:
    use: connection
    clauses:
      X1: {on: done, to: b}
      X2: {on: disconnect, to: b}
  b: {rest: true}
"""
    assert problems(page) == []
