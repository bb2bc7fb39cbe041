"""Variables, parameters and conditions: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_a_count_without_end(problems: Problems) -> None:
    """A count is explored, so it has an end."""
    page = """
variables: {n: {count: 0}}
states:
  a: {rest: true, enter: {set: {n: 1}}}
"""
    assert problems(page) == [
        "3:13: the count `n` has no `max`: say how far it can go: a number, or an expression over parameters",
    ]


def test_a_first_value_outside(problems: Problems) -> None:
    """A first value lies between its ends; of a duration it may lie outside."""
    page = """
parameters: {limit: {count: 3, max: 2}, wait: {duration: 1 s, min: 2 s}}
variables:
  n: {count: 5, max: 4}
  x: {number: 0, min: 0.5}
  told: {duration: 0 s, min: wait, max: 10 s}
  pause: {duration: 0 s, min: 1 s, max: 10 s}
states:
  a: {rest: true, enter: {set: {n: =limit, x: 1, told: none, pause: none}}}
"""
    assert problems(page) == [
        "3:14: the default of the parameter `limit` is above its `max`: change one of them",
        "3:41: the default of the parameter `wait` is below its `min`: change one of them",
        "5:3: the first value of `n` is above its `max`: change one of them",
        "6:3: the first value of `x` is below its `min`: change one of them",
    ]


def test_kept_is_not_asked(problems: Problems) -> None:
    """What is kept is passed on, and no condition and no clock asks for it."""
    page = """
hears: {e: {}}
variables: {k: {kept: number}}
states:
  a:
    clauses:
      X1: {on: e, when: k > 1, to: a}
      X2: {after: k, to: a}
"""
    assert problems(page) == [
        (
            "8:25: `X1` asks for `k`, which is only kept: what is kept is passed on, never asked: "
            "keep what you need in a count, flag, choice or duration"
        ),
        (
            "9:19: `X2` asks for `k`, which is only kept: what is kept is passed on, never asked: "
            "keep what you need in a count, flag, choice or duration"
        ),
    ]


def test_what_is_kept_becomes_nothing_that_is_asked(problems: Problems) -> None:
    """A way round by a kept value would put into a variable what nobody explores; from kept to kept is no harm."""
    page = """
hears: {e: {pause: duration}}
variables: {k: {kept: duration}, other: {kept: duration}, d: {duration: 0 s, max: 9 s}}
states:
  a:
    rest: true
    clauses:
      X1: {on: e, do: [{set: {k: =event.pause}}, {set: {other: =k}}, {set: {d: =k + 1}}]}
      X2: {on: e, do: {set: {d: =event.pause}}, to: b}
  b: {clauses: {X3: {after: d, to: a}}}
"""
    assert [each for each in problems(page) if "only kept" in each] == [
        (
            "9:70: `d` is set to `k`, which is only kept: set it where the value comes from: "
            "by the event's field, or by the route"
        ),
    ]


def test_from_without_a_request(problems: Problems) -> None:
    """Only a server has an upgrade request to read from."""
    page = """
role: session
hears: {disconnect: {}}
variables: {k: {kept: number, from: query.id}}
states:
  a: {rest: true, status: ready, clauses: {X1: {on: disconnect, do: {set: {k: 1}}, to: a}}}
"""
    assert problems(page) == [
        "5:31: `k` has `from` in a page with the role session: only a server has an upgrade request",
    ]


def test_a_condition_asks_for_what_has_no_end(problems: Problems) -> None:
    """What conditions and laws ask for is explored, so a number needs two ends and a duration its `max`."""
    page = """
hears: {e: {n: number}}
variables:
  n: {number: 0}
  d: {duration: 1 s, min: 1 s}
  good: {number: 0, min: 0, max: 2}
states:
  a:
    rest: true
    clauses:
      X1: {on: e, when: n > 1 and d > 1 and good > 1, do: {set: {n: =event.n, d: =event.n, good: 1}}, to: a}
laws:
  - {never: {when: n > 5}}
"""
    remedy = "say how far it can go, for what conditions ask is explored"
    assert problems(page) == [
        f"12:25: a condition asks for `d`, a duration without `max`: {remedy}",
        f"12:25: a condition asks for `n`, a number without `min` and `max`: {remedy}",
        f"14:20: a condition asks for `n`, a number without `min` and `max`: {remedy}",
    ]
