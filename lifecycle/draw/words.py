"""How what a page says is said in a diagram or a table: lengths, values, triggers, effects.

Law: one wording for all of them, close to the page's own; one line each, whatever a text holds;
a secret is never shown. Knows no format: who writes one escapes.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clause, Clock, Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.literal import Secret
from lifecycle.definition.page import OPTIONAL, REQUIRED, Effect, Parameter
from lifecycle.definition.parameters import said
from lifecycle.definition.units import say_seconds

WIDTH = 34
"""Characters of a line in a diagram."""
GLUE = "\N{NO-BREAK SPACE}"
_LONGEST_TEXT = 120
_UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|min|h|d)\b)")


def value(given: Any) -> str:
    """A value as a page would write it, on one line."""
    if isinstance(given, Secret):
        return "<secret>"
    if isinstance(given, Expression):
        return given.text
    if isinstance(given, Mapping):
        return f"{{{', '.join(f'{name}: {value(part)}' for name, part in given.items())}}}"
    if isinstance(given, list | tuple):
        return f"[{', '.join(map(value, given))}]"
    if given is None:
        return "none"
    return f"{given:g}" if isinstance(given, float) else json.dumps(given, ensure_ascii=False)


def backoff(given: Backoff) -> str:
    """The waits of a backoff: the listed ones, the formula, its end."""
    formula = f"{say_seconds(given.first)} \N{MULTIPLICATION SIGN} {given.factor:g} … {say_seconds(given.max)}"
    return ", ".join([*map(say_seconds, given.delays), formula])


def jitter(given: Backoff) -> str:
    """The spread of a backoff, and what no wait is shorter than."""
    spread = given.jitter if isinstance(given.jitter, str) else " to ".join(f"{end:.0%}" for end in given.jitter)
    return f"jitter {spread}, at least {say_seconds(given.floor)}"


def default(parameter: Parameter) -> str:
    """The default of a parameter, in its type's words."""
    if isinstance(parameter.default, Backoff):
        return f"{backoff(parameter.default)}, {jitter(parameter.default)}"
    return said(parameter, parameter.default)


def length(definition: Definition, given: Any) -> str:
    """A duration: `10 s`, or an expression with what it is by default: `connect_timeout (10 s)`."""
    if isinstance(given, Backoff):
        return backoff(given)
    if not isinstance(given, Expression):
        return "none" if given is None else say_seconds(given)
    usual = _usual(definition, given)
    return f"{given.text} ({usual})" if usual else given.text


def _usual(definition: Definition, given: Expression) -> str:
    values = {name: _first(definition, name) for name in given.names}
    if any(each in (None, REQUIRED, OPTIONAL) for each in values.values()):
        return ""
    found = given.function(values)
    if isinstance(found, Backoff):
        return backoff(found)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        return ""
    later = any(name in definition.variables for name in values)
    return f"{say_seconds(found)}{' at first' if later else ''}"


def _first(definition: Definition, name: str) -> Any:
    if name in definition.parameters:
        return definition.parameters[name].default
    variable = definition.variables.get(name)
    return None if variable is None or variable.kind == "kept" else variable.initial


def clock(definition: Definition, given: Clock) -> str:
    """A clock: `after connect_timeout (10 s)`."""
    return f"{given.kind} {length(definition, given.length)}"


def trigger(definition: Definition, clause: Clause) -> str:
    """What makes a clause happen: its events or its clock; '' in a junction."""
    return clock(definition, clause.clock) if clause.clock is not None else ", ".join(clause.on)


def within(definition: Definition, clause: Clause) -> tuple[str, ...]:
    """The states of a `while`, without the part of their paths that the clause's state shares."""
    around = [f"{path}." for path in definition.around(clause.state) if path]
    return tuple(_without(path, around) for path in clause.within)


def _without(path: str, prefixes: list[str]) -> str:
    return path.removeprefix(max((each for each in prefixes if path.startswith(each)), key=len, default=""))


def effect(given: Effect) -> str:
    """An effect: `open`, `set attempts = 0`, `send answer`."""
    argument = given.argument
    match given.word:
        case "set":
            return f"set {', '.join(f'{name} = {value(part)}' for name, part in argument.items())}"
        case "emit":
            return _with(f"emit {argument['name']}", argument["fields"])
        case "close":
            told = argument or {"code": 1000, "reason": ""}
            return _with(f"close {told['code']}", told["reason"])
        case "refuse":
            return f"refuse {argument['http']}"
    return (
        given.word if argument is None else f"{given.word} {argument if isinstance(argument, str) else value(argument)}"
    )


def _with(word: str, argument: Any) -> str:
    return f"{word} {value(argument)}" if argument else word


def short(text: str) -> str:
    """A text for a diagram: not endless, its rest is in the table."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def glued(text: str) -> str:
    """A text whose numbers do not lose their unit at the end of a line."""
    return _UNIT.sub(GLUE, text)


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """A text in lines of a diagram's width."""
    lines = textwrap.wrap(glued(text), width, break_on_hyphens=False)
    return [line.replace(GLUE, " ") for line in lines] or [""]
