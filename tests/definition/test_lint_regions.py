"""Regions: what is refused, with its sentence and its place."""

from collections.abc import Callable

Problems = Callable[..., list[str]]


def test_from_region_to_region(problems: Problems) -> None:
    """A clause stays in its region."""
    page = """
hears: {e: {}}
states:
  p:
    rest: true
    regions:
      one:
        states:
          a:
            clauses:
              X1: {on: e, to: two.c}
      two:
        states:
          c: {}
"""
    assert problems(page) == [
        (
            "12:31: `X1` goes from region to region of `p`, which would restart all of them: "
            "stay in the region, or enter `p` anew"
        ),
    ]


def test_into_a_region(problems: Problems) -> None:
    """A state with regions does not reach into one of them."""
    page = """
hears: {e: {}}
states:
  p:
    rest: true
    clauses:
      X1: {on: e, to: one.b}
    regions:
      one:
        states:
          a: {}
          b: {}
      two: {}
"""
    assert problems(page) == [
        "8:23: `X1` goes into a region of `p`, which would restart all of them: stay in the region, or enter `p` anew",
    ]


def test_regions_of_a_page(problems: Problems) -> None:
    """A page may have regions itself."""
    page = """
hears: {e: {}}
rest: true
regions:
  one:
    clauses:
      X1: {on: e, to: two}
  two: {}
"""
    assert problems(page) == [
        (
            "8:23: `X1` goes from region to region of the page, which would restart all of them: "
            "stay in the region, or enter the page anew"
        ),
    ]


def test_around_and_inside(problems: Problems) -> None:
    """An event belongs to the regions or to what is around them."""
    page = """
hears: {lost.silent: {}, e: {}}
states:
  p:
    rest: true
    regions:
      one:
        states:
          a:
            clauses:
              X1: {on: lost.silent, to: a}
      two: {}
clauses:
  X2: {on: lost, to: p}
"""
    assert problems(page) == [
        (
            "12:24: `X1` takes `lost.silent` in a region of `p`, and `X2` takes it around the regions: "
            "one of them would keep the other from happening: leave it to one side"
        ),
    ]


def test_one_variable_twice(problems: Problems) -> None:
    """Two regions do not set one variable when one event comes."""
    page = """
hears: {e: {}}
variables: {n: {count: 0, max: 3}}
states:
  p:
    rest: true
    regions:
      one:
        clauses:
          X1: {on: e, do: {set: {n: 1}}}
      two:
        states:
          a:
            clauses:
              X2: {on: e, do: {set: {n: 2}}}
"""
    assert problems(page) == [
        (
            "16:31: `X1` and `X2`, in two regions, both set `n` when `e` comes: there is no order between regions: "
            "let one of them do it"
        ),
    ]


def test_two_statuses(problems: Problems) -> None:
    """One region says what a user sees."""
    page = """
states:
  p:
    rest: true
    regions:
      one: {status: ready}
      two:
        states:
          a: {status: waiting}
"""
    assert problems(page) == [
        "10:15: `p.two.a` has a status, and so has `p.one` in another region: only one region says what a user sees",
    ]


def test_each_in_its_own(problems: Problems) -> None:
    """Regions that share an event but no variable, in a state that takes another event, are fine."""
    page = """
hears: {e: {}, f: {}, g: {}}
states:
  p:
    rest: true
    clauses:
      X3: {on: g, to: p}
    regions:
      one:
        states:
          a:
            clauses:
              X1: {on: e, to: b}
          b: {}
      two:
        clauses:
          X2: {on: [e, f], to: two}
"""
    assert problems(page) == []


def test_an_ignore_that_the_other_region_lets_out(problems: Problems) -> None:
    """What is ignored in one region only is heard around the regions; in both, or around one region only, it is not."""
    page = """
hears: {e: {}, f: {}}
states:
  outer:
    clauses:
      X1: {on: [e, f], to: end}
    regions:
      a:
        states:
          one: {rest: true, ignore: [e, f]}
      b:
        rest: true
        ignore: [f]
  end:
    rest: true
"""
    assert problems(page) == [
        (
            "11:38: `outer.a.one` ignores `e` in a region of `outer`, and `X1` around it takes it: "
            "the other regions let it out: ignore it in `outer` itself, or leave it to one side"
        ),
    ]
