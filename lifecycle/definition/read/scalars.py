"""How each kind of scalar of a page is written.

Law: strict. One function a kind; each returns the value or raises `Misfit` with the remedy.
"""

import re
import warnings
from collections.abc import Callable
from typing import Any

from lifecycle.definition import page, units
from lifecycle.definition.expression import Expression, parse

from .misfit import Misfit, shown

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_DOTTED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_CLAUSE = re.compile(r"[A-Z]{1,4}[0-9]+[a-z]?")
_PAGE = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_OWN_WORDS = {
    "true",
    "false",
    "none",
    "and",
    "or",
    "not",
    "in",
    "event",
    "if",
    "else",
    "is",
    "lambda",
    "for",
    "transport",
}
_BARE = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_RANGE = re.compile(r"([0-9]{3,4})(?:-([0-9]{3,4}))?")
_LEAST_CODE, _GREATEST_CODE = 100, 4999


def text(value: Any, _: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Misfit(f"expected a text, found {shown(value)}", "put it in quotes" if value is not None else "")
    return value


def whole_number(value: Any, _: Any) -> int:
    """A whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Misfit(f"expected a whole number, found {shown(value)}")
    return value


def flag(value: Any, _: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Misfit(f"expected true or false, found {shown(value)}")
    return value


def word(value: Any, _: Any) -> str:
    """A name: of a page, a state, a parameter, a variable."""
    if not isinstance(value, str) or not (_WORD.fullmatch(value) or _PAGE.fullmatch(value)):
        raise Misfit(f"{shown(value)} is no name", "names are small letters, digits and underscores")
    if value in _OWN_WORDS:
        raise Misfit(f"`{value}` is a word of the language", "choose another name")
    return value


def dotted(value: Any, _: Any) -> str:
    """A name with dots: of an event, or of a state inside others."""
    if isinstance(value, bool) or value is None:
        raise Misfit(f"{shown(value)} is no name", "put it in quotes if it is meant as one")
    if not isinstance(value, str) or not _DOTTED.fullmatch(value):
        raise Misfit(f"{shown(value)} is no name", "names are small letters, digits and underscores, with dots between")
    return value


def clause_id(value: Any, _: Any) -> str:
    """Capitals and a number."""
    if not isinstance(value, str) or not _CLAUSE.fullmatch(value):
        raise Misfit(f"{shown(value)} is no clause id", "ids are capitals and a number, such as `WS1`")
    return value


def path(value: Any, _: Any) -> str:
    """Keys with dots between."""
    if not isinstance(value, str) or not value or any(not part for part in value.split(".")):
        raise Misfit(f"{shown(value)} is no path", "write the keys with dots between, such as `error.code`")
    return value


def regex(value: Any, _: Any) -> str:
    """A regular expression, as text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text(value, _))
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise Misfit(f"{shown(value)} is no regular expression: {error}") from None
    return str(value)


def seconds(value: Any, _: Any) -> float:
    """A duration with its unit."""
    if not isinstance(value, str):
        raise Misfit(f"expected a duration, found {shown(value)}", "write the number with its unit, such as `10 s`")
    try:
        return units.seconds(value)
    except ValueError as error:
        raise Misfit(str(error)) from None


def size(value: Any, _: Any) -> int:
    """A size with its unit."""
    if not isinstance(value, str):
        raise Misfit(f"expected a size, found {shown(value)}", "write the number with its unit, such as `4 MiB`")
    try:
        return units.size(value)
    except ValueError as error:
        raise Misfit(str(error)) from None


def expression(value: Any, _: Any) -> Expression:
    """A condition; always an expression."""
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str):
        raise Misfit(f"expected an expression, found {shown(value)}")
    if value.startswith("="):
        raise Misfit(f"{shown(value)} begins with `=`", "a condition is always an expression: leave the `=` out")
    try:
        return parse(value)
    except ValueError as error:
        raise Misfit(str(error)) from None


def length(value: Any, kind: Any) -> float | Expression:
    """A clock's length or a deadline: a literal with its unit, or an expression."""
    if isinstance(value, str) and not units.looks_like_duration(value) and not _BARE.fullmatch(value.strip()):
        return expression(value, kind)
    return seconds(value, kind)


def value(given: Any, kind: Any) -> Any:
    """What is said is what is meant; `=` begins an expression; the word none is none."""
    if isinstance(given, dict):
        return {name: value(part, kind) for name, part in given.items()}
    if isinstance(given, list):
        return [value(part, kind) for part in given]
    if isinstance(given, str):
        if given == "none":
            return None
        if given.startswith("="):
            try:
                return parse(given[1:])
            except ValueError as error:
                raise Misfit(str(error)) from None
    return given


def scalar(given: Any, _: Any) -> Any:
    """A plain value of any kind."""
    if isinstance(given, dict | list):
        raise Misfit(f"expected a plain value, found {shown(given)}")
    return given


def codes(given: Any, _: Any) -> Any:
    """A close code or HTTP status, a range of them, a list of both, or `any`."""
    if given == "any":
        return "any"
    if not isinstance(given, list):
        return (_code(given, ()),)
    return tuple(_code(code, (index,)) for index, code in enumerate(given))


def _code(given: Any, steps: tuple[int, ...]) -> tuple[int, int]:
    found = _RANGE.fullmatch(str(given)) if not isinstance(given, bool) else None
    if found is None:
        raise Misfit(
            f"{shown(given)} is no code",
            "write a number, a range such as 4000-4499, a list of them, or any",
            steps=steps,
        )
    low = int(found[1])
    high = int(found[2] or low)
    if not _LEAST_CODE <= low <= high <= _GREATEST_CODE:
        raise Misfit(
            f"{shown(given)} lies outside {_LEAST_CODE} to {_GREATEST_CODE}, or ends before it begins", steps=steps
        )
    return low, high


def flag_or_path(given: Any, kind: Any) -> bool | str:
    """True, or a path."""
    return given if given is True else path(given, kind)


HOOKS: dict[Any, Callable[[Any, Any], Any]] = {
    str: text,
    int: whole_number,
    bool: flag,
    page.Word: word,
    page.Event: dotted,
    page.StateName: dotted,
    page.Reference: dotted,
    page.ClauseId: clause_id,
    page.Path: path,
    page.Regex: regex,
    page.Seconds: seconds,
    page.Size: size,
    page.Condition: expression,
    page.Value: value,
}
