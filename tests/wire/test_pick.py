import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.page import Pick
from lifecycle.wire.pick import find, matches, take

MESSAGE = {"a": {"b": [10, {"c": None}], "0": "zero"}, "flag": True, "one": 1, "text": "words"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "²"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.0", 10),
        ("a.b.1.c", None),
        ("a.0", "zero"),
        ("a.b.2", None),
        ("a.b.x", None),
        ("a.b.²", None),
        ("a.b.-1", None),
        ("text.0", None),
        ("one.two", None),
        ("nothing.at.all", None),
    ],
)
def test_a_value_at_a_path(path: str, value: object) -> None:
    """Digits index lists, names index objects, and what is not there is none."""
    assert find(MESSAGE, path) == value


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({}, True),
        ({"text": ("other", "words")}, True),
        ({"text": ("words",), "one": (2,)}, False),
        ({"flag": (True,)}, True),
        ({"flag": (1,)}, False),
        ({"one": (True,)}, False),
        ({"one": (1.0,)}, True),
        ({"nothing": (None,)}, True),
    ],
)
def test_conditions(conditions: dict[str, tuple[object, ...]], *, fits: bool) -> None:
    """Each path must lead to one of its values; a flag is no number, though Python thinks so."""
    assert matches(MESSAGE, conditions) is fits  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [
        (1500, "ms", 1.5),
        (2, "s", 2.0),
        (2, "min", 120.0),
        (1, "h", 3600.0),
        (1, "d", 86_400.0),
        (0, "s", 0.0),
        (-1, "s", 7.0),
        (True, "s", 7.0),
        ("3", "s", 7.0),
        (float("inf"), "s", 7.0),
        (float("nan"), "s", 7.0),
        (10**400, "s", 7.0),
    ],
)
def test_a_duration_of_the_peer(value: object, unit: str, seconds: float) -> None:
    """A number with the page's unit; nonsense is what the page says instead."""
    assert take({"x": value}, Pick(path="x", unit=unit, else_=7.0)) == seconds  # type: ignore[arg-type]


def test_a_value_without_unit() -> None:
    """It is taken as it is, and nonsense without a substitute is none."""
    assert take(MESSAGE, Pick(path="text")) == "words"  # type: ignore[arg-type]
    assert take(MESSAGE, Pick(path="text", unit="s")) is None  # type: ignore[arg-type]


@given(ANYTHING, st.lists(st.sampled_from(["a", "b", "0", "1", "²", "-1"]), min_size=1).map(".".join))
def test_no_message_makes_it_raise(message: object, path: str) -> None:
    """Whatever the peer sends, a value is found or none is."""
    find(message, path)
    take(message, Pick(path=path, unit="ms"))  # type: ignore[arg-type]
    matches(message, {path: (1, None, True)})
