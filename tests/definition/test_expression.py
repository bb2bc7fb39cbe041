import math
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.expression import HELPERS, LONGEST, MOST_NODES, Expression, Name, is_number, parse
from lifecycle.definition.literal import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = ("n", "m", "waiting.attempts")
ANYTHING = ("x", "y", "event.code")
LEAVES = st.one_of(
    st.sampled_from((*NUMBERS, *ANYTHING, "true", "false", "none")),
    st.integers(0, 10**15).map(str),
    st.floats(0, 1e15).map(repr),
    st.text("ab' \\é", max_size=3).map(repr),
)
LISTS = st.lists(LEAVES.filter(lambda leaf: leaf not in {*NUMBERS, *ANYTHING}), max_size=3).map(", ".join)


def _inside(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, signs, inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} {} [{}])".format, inner, st.sampled_from(["in", "not in"]), LISTS),
        st.builds("(-{})".format, inner),
        st.builds("(not {})".format, inner),
    )


TEXTS = st.recursive(LEAVES, _inside, max_leaves=10).filter(lambda text: len(text) <= LONGEST)
WHOLE = st.integers(-(10**15), 10**15)
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=3)),
    *(st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=1), st.integers(), max_size=2)),
)


def parsed(text: str) -> Expression:
    """An expression, or none of the examples that Hypothesis shall try."""
    try:
        return parse(text)
    except ValueError:  # too many parts
        hypothesis.reject()


def same(one: object, other: object) -> bool:
    """Whether two results are one; nan is nan, and 1 is not true."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


def run(source: str, names: dict[str, Any]) -> Any:
    """Run what `python` wrote."""
    return eval(source, {**HELPERS, "n": names})  # noqa: S307 -- written by the code under test


@given(
    TEXTS,
    st.fixed_dictionaries(dict.fromkeys(NUMBERS, WHOLE | st.floats())),
    st.dictionaries(st.sampled_from(ANYTHING), VALUES),
)
def test_an_expression_is_total(text: str, numbers: dict[str, Any], others: dict[str, Any]) -> None:
    """Whatever the names stand for it has a value, and the same one by all three ways."""
    expression = parsed(text)
    names = {**numbers, **others}
    value = expression.function(names)

    def place(name: str) -> str:
        return f"n.get({name!r})"

    careful = expression.python(place)
    quick = expression.python(place, lambda name: name in NUMBERS)
    assert same(run(careful, names), value)
    assert same(run(quick, names), value)


@given(TEXTS, st.dictionaries(st.sampled_from((*NUMBERS, *ANYTHING)), VALUES))
def test_what_it_says_it_is_means_the_same(text: str, names: dict[str, Any]) -> None:
    """The canonical text is read back as the same expression, with the same value."""
    expression = parsed(text)
    again = parse(expression.text)
    assert again == expression
    assert again.text == expression.text == str(expression)
    assert again.names == expression.names
    assert same(again.function(names), expression.function(names))


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("1 + 2 * 3", {}, 7),
        ("7 // 2 + 7 % 2", {}, 4),
        ("attempts > max_attempts", {"attempts": 3, "max_attempts": 2}, True),
        ("1 < n <= 3", {"n": 3}, True),
        ("1 < n < 3", {"n": 3}, False),
        ("a == 'x' or not b", {"a": "y", "b": False}, True),
        ("event.code in [1001, 'gone', none]", {"event.code": None}, True),
        ("event.code not in (1001,)", {"event.code": 1000}, True),
        ("-n", {"n": 2}, -2),
        ("true and false", {}, False),
        ("none", {}, None),
    ],
)
def test_what_expressions_say(text: str, names: dict[str, Any], value: object) -> None:
    """Arithmetic, comparisons also chained, logic, and membership in a list that is written out."""
    assert same(parse(text).function(names), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("missing", None),
        ("missing + 1", None),
        ("missing < 1", False),
        ("missing >= 1", False),
        ("'a' < 1", False),
        ("'a' < 'b'", True),
        ("'a' + 'b'", None),
        ("'a' * 1000000", None),
        ("true + 1", None),
        ("-true", None),
        ("-'a'", None),
        ("1 / 0", None),
        ("1 % (1 - 1)", None),
        ("huge / 2", None),
        ("huge * 0.5", None),
        ("object == 1", False),
        ("object in [1]", False),
        ("object > 1", False),
    ],
)
def test_what_makes_no_sense_is_none_or_false(text: str, value: object) -> None:
    """A peer cannot break a guard by what it sends."""
    assert same(parse(text).function({"huge": 10**400, "object": {"a": []}}), value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "`` is no expression: invalid syntax"),
        ("a +", "`a +` is no expression: invalid syntax"),
        ("a = 1", "`a = 1` is no expression: invalid syntax"),
        ("abs(n)", "`abs(n)` holds a call; expressions cannot call anything"),
        ("n.bit_length()", "`n.bit_length()` holds a call; expressions cannot call anything"),
        ("x[0]", "`x[0]` holds a subscript; write a variable or `event.field`"),
        ("a if b else c", "`a if b else c` holds an `if`; write two clauses with `when`"),
        ("lambda: 1", "`lambda: 1` holds a function; expressions cannot hold one"),
        ("2 ** 9", "`2 ** 9` holds a power; write a multiplication"),
        ("f'{a}'", "`f'{a}'` holds a formatted text; texts are plain"),
        ("(a := 1)", "`(a := 1)` holds an assignment; `set` is the effect for that"),
        ("a is b", "`a is b` holds `Is`, which expressions do not know"),
        ("{1: 2}", "`{1: 2}` holds `Dict`, which expressions do not know"),
        ("n.__class__", "`n.__class__` holds the name `__class__`; names do not start with an underscore"),
        ("_n", "`_n` holds the name `_n`; names do not start with an underscore"),
        ("'a'.upper", "`'a'.upper` asks for a part of something that is no name"),
        ("(a + b).c", "`(a + b).c` asks for a part of something that is no name"),
        ("none.x", "`none.x` asks for a part of something that is no name"),
        ("True", "`True` holds `True`; write `true`"),
        ("None", "`None` holds `None`; write `none`"),
        ("b'x'", "`b'x'` holds b'x', which is no number and no text"),
        ("1j", "`1j` holds 1j, which is no number and no text"),
        ("1e400", "`1e400` holds a number above 1e+15"),
        ("x in y", "`x in y`: `in` goes with a list in brackets, and only `in` does"),
        ("x == [1]", "`x == [1]`: `in` goes with a list in brackets, and only `in` does"),
        ("x in [y]", "`x in [y]`: the list behind `in` holds plain numbers and texts only"),
        ("x in [[1]]", "`x in [[1]]`: the list behind `in` holds plain numbers and texts only"),
        ("[1, 2]", "`[1, 2]` holds a list where none can be; lists stand behind `in`"),
        ("[1] == x", "`[1] == x` holds a list where none can be; lists stand behind `in`"),
    ],
)
def test_what_is_no_expression_is_named(text: str, told: str) -> None:
    """Nothing is evaluated that a page cannot say, and what it is instead is said."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert str(caught.value) == told


def test_an_expression_is_short() -> None:
    """In characters, in parts, and in depth; none of it costs more than a refusal."""
    assert parse("+".join(["a"] * 20)).names == {"a"}
    for text, told in (
        ("a" * (LONGEST + 1), f"the expression has {LONGEST + 1} characters; {LONGEST} are allowed"),
        ("+".join(["a"] * 30), f"has more than {MOST_NODES} parts"),
        ("-" * 150 + "1", f"has more than {MOST_NODES} parts"),
        ("(" * 190, "is no expression"),
    ):
        with pytest.raises(ValueError, match=told):
            parse(text)


def test_it_knows_its_names_and_the_fields_of_its_event() -> None:
    """Dotted names are one name each."""
    expression = parse("waiting.attempts > limit and event.code == 4000 and event.retry_after > 0")
    assert expression.names == {"waiting.attempts", "limit", "event.code", "event.retry_after"}
    assert expression.fields == {"code", "retry_after"}


def test_names_become_names_expressions_and_constants() -> None:
    """As `use` needs it: another name, what `with` gave, or a literal."""
    new: dict[str, object] = {"a": Name("u.a"), "b": parse("c + 1"), "c": 3, "d": None, "e": "x", "f": True}
    renamed = parse("a * b == c or d == e or f").rename(new.__getitem__)
    assert renamed.text == "u.a * (c + 1) == 3 or none == 'x' or true"
    assert renamed.names == {"u.a", "c"}
    assert renamed.function({"u.a": 1, "c": 2}) is True


def test_what_an_expression_means_is_made_once() -> None:
    """Who asks again and again, as a driver does for each call's deadline, does not have it made again."""
    patience = parse("patience * 2")
    assert patience.function is patience.function
    assert patience.function({"patience": 4}) == 8


def test_a_secret_is_used_and_not_shown() -> None:
    """What `with` fixes a secret to is its value, and no text of an expression shows it."""
    fixed = parse("token == event.token").rename(
        {"token": Secret("hush"), "event.token": Name("event.token")}.__getitem__
    )
    assert "hush" not in f"{fixed} {fixed!r}"
    assert fixed.function({"event.token": "hush"}) is True


def test_numbers_that_are_known_are_calculated_plainly() -> None:
    """Helpers stand only where an operand may be no number, or an operation may fail."""

    def numeric(name: str) -> bool:
        return name == "n"

    def written(text: str) -> str:
        return parse(text).python(str, numeric)

    assert written("n + 1 < 2 * n") == "(((n + 1) < (2 * n)))"
    assert written("-n / 2") == "((-n) / 2)"
    assert written("x + 1") == "arithmetic('+', x, 1)"
    assert written("-x") == "neg(x)"
    assert written("x < 1") == "(ordered('<', x, 1))"
    assert written("n / n") == "arithmetic('/', n, n)"
    assert written("n // 0") == "arithmetic('//', n, 0)"
    assert written("n * n * n") == "arithmetic('*', (n * n), n)"
    assert written("not n in [1, 'a']") == "(not ((n in (1, 'a', ))))"


def test_the_largest_product_does_not_run_over() -> None:
    """Not where every name is as large as it can be, and not in what `with` puts together."""
    largest: Callable[[str], str] = lambda _: "(10**15)"  # noqa: E731 -- shorter than a function
    product = parse("*".join("n" * 20))
    longer = parse("p * p * p / 2").rename(lambda _: product)
    for expression in (product, longer):
        source = expression.python(largest, lambda _: True)
        assert run(source, {}) == run(expression.python(largest), {})


def test_flags_are_no_numbers() -> None:
    """Python counts with them; pages do not."""
    told = {0: True, 0.5: True, "1": False, None: False}
    assert {value: is_number(value) for value in told} == told
    assert [is_number(value) for value in (True, False)] == [False, False]
