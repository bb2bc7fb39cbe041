import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.definition.units import fraction, looks_like_duration, say_seconds, say_size, seconds, size


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("250 ms", 0.25),
        ("10 s", 10.0),
        ("10s", 10.0),
        ("9 ms", 0.009),
        (" 1.5 min ", 90.0),
        ("1 h", 3600.0),
        ("30 d", 2_592_000.0),
        ("0 s", 0.0),
        (7, 7.0),
        (0.5, 0.5),
        (dt.timedelta(minutes=2), 120.0),
    ],
)
def test_a_duration_is_seconds(written: object, meant: float) -> None:
    """Text with a unit, a number and a timedelta say the same."""
    assert seconds(written) == meant
    assert isinstance(seconds(written), float)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("10", "'10' is no duration: it has no unit; write `10 s`"),
        ("-2.5", "'-2.5' is no duration: it has no unit; write `-2.5 s`"),
        ("soon", "'soon' is no duration: write e.g. `10 s`"),
        ("", "'' is no duration: write e.g. `10 s`"),
        ("10 sec", "'10 sec' has no unit that a duration can have; units are ms, s, min, h, d"),
        ("10 MiB", "'10 MiB' has no unit that a duration can have; units are ms, s, min, h, d"),
        ("-10 s", "-10 s is negative or endless; write a length of 0 or more"),
        (-1, "-1 is negative or endless; write a length of 0 or more"),
        (float("inf"), "inf is negative or endless; write a length of 0 or more"),
        (float("nan"), "nan is negative or endless; write a length of 0 or more"),
        (dt.timedelta(-1), "-1 day, 0:00:00 is negative or endless; write a length of 0 or more"),
        (True, "expected a duration such as `10 s`, found True"),
        (None, "expected a duration such as `10 s`, found None"),
    ],
)
def test_what_is_no_duration_says_what_to_write(written: object, told: str) -> None:
    """A missing, unknown or misplaced unit, a negative and an endless length each have their sentence."""
    with pytest.raises(ValueError, match=r".") as caught:
        seconds(written)
    assert str(caught.value) == told


@pytest.mark.parametrize("huge", [10**400, f"{'9' * 400} s"])
def test_a_length_beyond_all_numbers_is_endless(huge: object) -> None:
    """What is too large for a float is refused like infinity, and raises nothing else."""
    with pytest.raises(ValueError, match=r"is negative or endless"):
        seconds(huge)
    with pytest.raises(ValueError, match=r"is negative or endless"):
        size(10**400)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("4 MiB", 4 * 1024**2), ("512 B", 512), ("1.5 KiB", 1536), ("2 kB", 2000), ("1GB", 10**9), (77, 77)],
)
def test_a_size_is_bytes(written: object, meant: int) -> None:
    """Binary and decimal units are told apart."""
    assert size(written) == meant
    assert isinstance(size(written), int)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("4", "'4' is no size: it has no unit; write `4 MiB`"),
        ("4 mb", "'4 mb' has no unit that a size can have; units are B, KiB, MiB, GiB, kB, MB, GB"),
        ("-4 B", "-4 B is negative or endless; write a length of 0 or more"),
        (1.5, "expected a size such as `4 MiB`, found 1.5"),
        (True, "expected a size such as `4 MiB`, found True"),
    ],
)
def test_what_is_no_size_says_what_to_write(written: object, told: str) -> None:
    """Sizes have their own units, and no halves of a byte."""
    with pytest.raises(ValueError, match=r".") as caught:
        size(written)
    assert str(caught.value) == told


def test_a_percentage_is_a_fraction() -> None:
    """Half is 50 %, and a number without its sign is none."""
    assert fraction("50 %") == 0.5
    assert fraction("150%") == 1.5
    for wrong in ("50", 0.5, None):
        with pytest.raises(ValueError, match=r"expected a percentage such as `50 %`"):
            fraction(wrong)


def test_what_looks_like_a_duration_is_no_expression() -> None:
    """A number with any word behind it was meant as a length, even where the unit is wrong."""
    assert looks_like_duration("10 s")
    assert looks_like_duration("-3 parsecs")
    assert not looks_like_duration("lifetime * 0.8")
    assert not looks_like_duration("10")


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "min", "h", "d"]))
@example(7, "ms")
@example(1_234_567, "s")
def test_what_is_read_is_said_back(number: int, unit: str) -> None:
    """A duration as it is said means exactly what was read."""
    length = seconds(f"{number} {unit}")
    assert seconds(say_seconds(length)) == length


@given(st.floats(0, 1e300))
def test_every_length_can_be_said(length: float) -> None:
    """Also one that no person would write."""
    assert seconds(say_seconds(length)) == length


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0.25, "250 ms"),
        (0.057, "57 ms"),
        (1.5, "1.5 s"),
        (0, "0 s"),
        (90, "90 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (86400, "1 d"),
    ],
)
def test_a_duration_is_said_in_its_largest_whole_unit(length: float, said: str) -> None:
    """As a person would write it."""
    assert say_seconds(length) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 B"), (1000, "1000 B"), (4 * 1024**2, "4 MiB"), (1024**3, "1 GiB")])
def test_a_size_is_said_in_its_largest_whole_unit(number: int, said: str) -> None:
    """And means the same when it is read."""
    assert say_size(number) == said
    assert size(said) == number
