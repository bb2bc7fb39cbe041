import functools
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.expression import parse
from lifecycle.definition.read import read_text
from lifecycle.proof.values import Field, TooManyValues, domain, ends, spread, valuations

PAGE = """
lifecycle: 1
page: p
role: session
stop: leave
parameters: {limit: {count: 3}, word: {text: yes}}
variables:
  n: {count: 0, max: limit}
  f: {flag: false}
  c: {choice: red, of: [red, green]}
  d: {duration: 0 s, min: 2 s, max: 9 s}
  x: {number: 0.5, min: -1, max: 1}
  k: {kept: text}
hears: {leave: {}, told: {a: number, b: text}}
states:
  here:
    status: idle
    rest: true
    ignore: [leave]
    clauses:
      A1: {on: told, when: event.a < limit and event.b == word, do: {set: {n: =event.a, f: =event.a, c: =event.b, d: =event.a, x: =event.a, k: =event.b}}}
      A2: {on: told, do: {emit: other}}
"""
PARAMETERS = {"limit": 3, "word": "yes"}


@functools.cache
def page() -> Definition:
    """A page with a variable of each type."""
    return read_text(PAGE)


def clause(when: str | None = None, **sets: str) -> Clause:
    """A clause for `told` with this guard that sets these variables."""
    plain = page().clauses["A2"]
    effect = attrs.evolve(page().clauses["A1"].do[0], argument={name: parse(value) for name, value in sets.items()})
    return attrs.evolve(plain, when=parse(when) if when else None, do=(effect,) if sets else ())


def tried(clauses: Iterable[Clause], field: Field, name: str = "a") -> list[Any]:
    """The values of one field that are tried."""
    return [each[name] for each in valuations(page(), clauses, {name: field}, PARAMETERS) if name in each]


NUMBER, TEXT, FLAG = Field("number"), Field("text"), Field("flag")
OTHER = "…"


@pytest.mark.parametrize(
    ("when", "field", "expected"),
    [
        ("event.a == 5", NUMBER, [None, 4, 5, 6]),
        ("event.a > 2 and event.a < 9", NUMBER, [None, 1, 2, 5.5, 9, 10]),
        ("event.a in [1, 4]", NUMBER, [None, 0, 1, 2.5, 4, 5]),
        ("event.a < -3", NUMBER, [None, -4, -3, -2]),
        ("event.a < limit", NUMBER, [None, 2, 3, 4]),  # a parameter
        ("event.a == n", NUMBER, [None, -1, 0, 1, 2, 3, 4]),  # each value of a count
        ("event.a < 1", Field("duration"), [None, 0, 1, 2]),
        ("event.a == 'on'", TEXT, [None, "on", OTHER]),
        ("event.a == word", TEXT, [None, "yes", OTHER]),
        ("event.a", TEXT, [None, OTHER]),
        ("event.a == 5", TEXT, [None]),
        ("event.a == true", FLAG, [None, True, False]),
        ("not event.a", FLAG, [None, True, False]),
        ("event.a in ['x', 2]", Field(), [None, 1, 2, 3, "x", OTHER]),
        ("event.a == 5", Field("number", ranges=((4, 5),)), [4, 5]),
        ("event.a == 5", Field("number", ranges=((4000, 4499),)), [4000, 4499]),
        ("event.a == 5", Field(only=(7, None)), [7, None]),
        ("event.a", Field("object"), [None]),
        ("event.b == 5", NUMBER, []),  # another field
        ("n < 2", NUMBER, []),
        (None, NUMBER, []),
    ],
)
def test_the_values_of_a_guard(when: str | None, field: Field, expected: list[Any]) -> None:
    """Tried are the values that a guard compares with, one beside and between them, and none."""
    found = tried([clause(when)], field)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ({"n": "event.a"}, {None, -1, 0, 1, 2, 3, 4, 5}),
        ({"f": "event.a"}, {None, True, False}),
        ({"c": "event.a"}, {None, "red", "green", OTHER}),
        ({"d": "event.a"}, {None, 0, 2, 9, 1e15}),
        ({"x": "event.a"}, {None, -2, -1, 0, 1, 2}),
        ({"k": "event.a"}, set()),  # what is kept is never asked
    ],
)
def test_the_values_of_an_assignment(sets: dict[str, str], expected: set[Any]) -> None:
    """Tried is what a variable could tell apart: its whole range, its ends, and what does not fit."""
    found = {(isinstance(value, bool), value) for value in tried([clause(**sets)], Field())}
    assert {(isinstance(value, bool), value) for value in expected} <= found
    assert bool(found) == bool(expected)


def test_fields_are_tried_with_each_other() -> None:
    """Two fields that are asked for are tried in every pair; one that nobody asks for is left out."""
    fields = {"a": Field("number", ranges=((1, 9),)), "b": TEXT, "c": TEXT}
    found = valuations(page(), [clause("event.a == 2 and event.b == 'x'")], fields, PARAMETERS)
    assert [each.keys() for each in found] == [{"a", "b"}] * 12
    assert {(each["a"], each["b"]) for each in found} == {(a, b) for a in (1, 2, 3, 9) for b in (None, "x", OTHER)}


def test_what_is_stored_is_tried_where_its_clause_can_be_taken() -> None:
    """A pause that comes with one status only does not multiply the others; a guard over variables may hold anyway."""
    fields = {"a": NUMBER, "b": Field("number", only=(1, 2, 3))}
    row = clause("event.a in [400, 401, 403]")
    always, sometimes = clause("event.a == 429", d="event.b"), clause("event.a == 429 and f", d="event.b")
    for stores in (always, sometimes):
        found = valuations(page(), [row, stores], fields, PARAMETERS)
        assert {each["b"] for each in found if each["a"] == 429} == {1, 2, 3}
        assert all(each["b"] == 1 for each in found if each["a"] != 429)
    never = clause("event.a == 429 and limit > 5", d="event.b")
    assert {each["b"] for each in valuations(page(), [row, never], fields, PARAMETERS)} == {1}
    both = valuations(page(), [always, clause("f or event.a == 1", x="event.b")], fields, PARAMETERS)
    assert {(each["a"], each["b"]) for each in both} >= {(429, 1), (429, 2), (0, 3)}  # of a variable nothing is known


def test_an_event_that_nobody_asks_about_is_one() -> None:
    """Without guards and assignments an event comes in one way only, without fields."""
    assert valuations(page(), [clause()], {"a": NUMBER}, PARAMETERS) == [{}]


def test_too_many_kinds_of_an_event_are_refused() -> None:
    """More than 64 ways are an error that says which field has how many."""
    row = " or ".join(f"event.{name} == {value}" for name in "ab" for value in (0, 10, 20))
    told = r"told apart by `event.a` \(8\), `event.b` \(10\), and no more than 64 kinds of it can be explored"
    with pytest.raises(TooManyValues, match=told):
        valuations(page(), [clause(row), clause("event.b == 30")], {"a": NUMBER, "b": NUMBER}, PARAMETERS)


def test_domains() -> None:
    """A count and a choice have all their values, a length its ends and its first, and what is kept has none."""
    variables = page().variables
    found = {name: list(domain(variable, PARAMETERS)) for name, variable in variables.items()}
    assert found == {
        "n": [0, 1, 2, 3],
        "f": [False, True],
        "c": ["red", "green"],
        "d": [0, 2, 9],
        "x": [-1, 0.5, 1],
        "k": [None],
    }
    assert {name: ends(variables[name], PARAMETERS) for name in "ndx"} == {"n": (0, 3), "d": (2, 9), "x": (-1, 1)}


@given(st.sets(st.integers(-20, 20), min_size=1))
def test_a_spread_has_a_value_in_every_gap(points: set[int]) -> None:
    """Each whole number has a neighbour in the spread that lies to it as it lies to the points."""
    found = spread(points)
    assert points <= set(found)
    for number in range(-22, 23):
        side = [(number < point, number == point) for point in sorted(points)]
        assert any([(x < point, x == point) for point in sorted(points)] == side for x in found)


CONSTANTS = [-2, 0, 1, 2, 7, "x", "yes"]
WHOLE = st.sampled_from([str(value) for value in CONSTANTS if isinstance(value, int)] + ["limit", "n"])
WORDS = st.sampled_from(["'x'", "'yes'", "word", "c"])
ATOMS = st.one_of(
    st.builds("event.a {} {}".format, st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), WHOLE),
    st.builds("{} {} event.a".format, WHOLE, st.sampled_from(["<", "<=", "==", "!=", ">=", ">"])),
    st.builds("{} < event.a <= {}".format, WHOLE, WHOLE),
    st.builds("event.a {} {}".format, st.sampled_from(["==", "!="]), WORDS),
    st.builds("event.a {} [1, 'x', 7]".format, st.sampled_from(["in", "not in"])),
    st.builds("event.a {} {}".format, st.sampled_from(["==", "!="]), st.sampled_from(["true", "false"])),
)
GUARDS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=4,
)
VALUES = st.one_of(st.integers(-5, 10), st.sampled_from([None, True, False, "x", "yes", "red", "other", 1e9]))
NAMES = st.fixed_dictionaries({"n": st.integers(0, 3), "c": st.sampled_from(["red", "green"])})


@given(GUARDS, VALUES, NAMES)
def test_every_value_has_one_that_is_tried_for_it(when: str, value: object, names: dict[str, Any]) -> None:
    """Whatever a field holds, some value is tried to which the guard gives the same answer.

    So of two values that a guard tells apart, both are tried.
    """
    answers = parse(when).function
    found = tried([clause(when)], Field())
    expected = bool(answers({**PARAMETERS, **names, "event.a": value}))
    assert expected in {bool(answers({**PARAMETERS, **names, "event.a": each})) for each in found}


@given(GUARDS, GUARDS, VALUES)
def test_two_guards_are_answered_together(one: str, other: str, value: object) -> None:
    """Whatever a field holds, one value is tried to which two guards give the same two answers."""
    names = {**PARAMETERS, "n": 1, "c": "red"}
    guards = [parse(one).function, parse(other).function]
    found = tried([clause(one), clause(other)], Field())
    expected = [bool(guard({**names, "event.a": value})) for guard in guards]
    assert expected in [[bool(guard({**names, "event.a": each})) for guard in guards] for each in found]
