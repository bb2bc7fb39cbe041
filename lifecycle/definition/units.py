"""Durations, sizes and percentages, as people write them.

Law: what is read is what is said back: `seconds(say_seconds(x)) == x`.
Knows nothing of pages.
"""

import re
import sys
from datetime import timedelta
from decimal import Decimal

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_NUMBER = r"(?P<sign>-?)(?P<number>\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"{_NUMBER} ?(?P<unit>[A-Za-z]+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")


def looks_like_duration(text: str) -> bool:
    """Whether the text is a number with a unit (also a wrong one), hence no expression."""
    return _DURATION.fullmatch(text.strip()) is not None


def seconds(value: object) -> float:
    """Read a duration.

    Args:
        value: text with a unit (`"250 ms"`, `"10 s"`, `"2 min"`, `"1 h"`, `"30 d"`), a number of
            seconds, or a `timedelta`.

    Returns:
        The duration in seconds.

    Raises:
        ValueError: it is none of these, has no unit, an unknown unit, or is negative. The message
            says what to write.
    """
    if isinstance(value, timedelta):
        return _not_negative(value.total_seconds(), str(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(_not_negative(value, f"{value}"))
    if not isinstance(value, str):
        raise ValueError(f"expected a duration such as `10 s`, found {value!r}")
    return _parse(value, _UNITS, "duration", "10 s")


def size(value: object) -> int:
    """Read a size in bytes.

    Args:
        value: text with a unit (`"4 MiB"`, `"512 B"`) or a number of bytes.

    Raises:
        ValueError: it is neither, has no unit, an unknown unit, or is negative.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return int(_not_negative(value, f"{value}"))
    if not isinstance(value, str):
        raise ValueError(f"expected a size such as `4 MiB`, found {value!r}")
    return round(_parse(value, _SIZES, "size", "4 MiB"))


def fraction(value: object) -> float:
    """Read a percentage (`"50 %"`) as a fraction (0.5).

    Raises:
        ValueError: it is no percentage.
    """
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"expected a percentage such as `50 %`, found {value!r}")
    return float(found[1]) / 100


def say_seconds(value: float) -> str:
    """Write a duration in seconds as a page would: `0.25` is `250 ms`, `120` is `2 min`."""
    for unit in ("ms",) if 0 < value < 1 else ("d", "h", "min"):
        whole = unit == "ms" or (value >= _UNITS[unit] and value % _UNITS[unit] == 0)
        said = f"{_digits(round(value / _UNITS[unit], 9))} {unit}"
        if whole and seconds(said) == value:
            return said
    return f"{_digits(value)} s"


def say_size(value: int) -> str:
    """Write a size in bytes as a page would: `4194304` is `4 MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if value >= _SIZES[unit] and value % _SIZES[unit] == 0:
            return f"{value // _SIZES[unit]} {unit}"
    return f"{value} B"


def _digits(number: float) -> str:
    return f"{Decimal(repr(float(number))):f}".removesuffix(".0")  # all of them, and no exponent


def _parse(text: str, units: dict[str, float] | dict[str, int], what: str, example: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        bare = re.fullmatch(r"-?\d+(\.\d+)?", text.strip())
        remedy = f"it has no unit; write `{text.strip()} {example.split()[1]}`" if bare else f"write e.g. `{example}`"
        raise ValueError(f"{text!r} is no {what}: {remedy}")
    if found["unit"] not in units:
        raise ValueError(f"{text!r} has no unit that a {what} can have; units are {', '.join(units)}")
    # in decimals, so that 9 ms and 0.009 s are one length
    number = float(Decimal(found["number"]) * Decimal(str(units[found["unit"]])))
    return _not_negative(-number if found["sign"] else number, text)


def _not_negative(number: float, text: str) -> float:
    if not 0 <= number <= sys.float_info.max:
        raise ValueError(f"{text} is negative or endless; write a length of 0 or more")
    return number
