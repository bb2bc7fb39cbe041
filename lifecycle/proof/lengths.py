"""How long clocks and calls last: at least, on average, at most.

Law: dice count by their mean, a peer by its worst. A length that a peer sets lies anywhere in its
variable's range, so its low end counts as its mean.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.expression import Expression, is_number

from .values import ends


@attrs.frozen
class Length:
    """Seconds."""

    least: float
    mean: float
    most: float


def length(value: Any) -> Length | None:
    """The length of a clock that starts with this value; none if it never runs out.

    Args:
        value: seconds, none, or a backoff and its attempt.
    """
    value, attempt = value if isinstance(value, tuple) else (value, 1)
    if isinstance(value, Backoff):
        return _backoff(value, attempt if is_number(attempt) else 1)
    if not is_number(value):
        return None
    seconds = max(0.0, value)
    return Length(seconds, seconds, seconds)


def _backoff(backoff: Backoff, attempt: int) -> Length:
    least, most = backoff.bounds(attempt)
    mean = (least + most) / 2
    if backoff.jitter == "decorrelated" and attempt > len(backoff.delays):
        # each wait is at most three times the longest before; on average at least between first and three firsts
        grown = attempt - len(backoff.delays) - 1
        most = min(backoff.max, backoff.first * 3.0 ** min(grown + 1, 100))
        mean = (least + max(least, min(backoff.max, 3 * backoff.first))) / 2
    return Length(least, mean, max(least, most))


def measured(clock: Clock, names: Mapping[str, Any], loose: Mapping[str, tuple[float, float]]) -> Length | None:
    """The length of a clock that reads variables which a peer may have set to anything in their range.

    Args:
        clock: reads at least one of `loose`.
        names: the values of parameters and variables.
        loose: variable to its lowest and highest value.
    """
    if not isinstance(clock.length, Expression):
        return None
    read = [name for name in loose if name in clock.length.names]
    function = clock.length.function()
    found = []
    for corner in itertools.product(*(loose[name] for name in read)):
        value = function({**names, **dict(zip(read, corner, strict=True))})
        if is_number(value):
            found.append(max(0.0, value))
    return Length(min(found), min(found), max(found)) if found else None


def reach(definition: Definition, name: str, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """The lowest and the highest value of a variable that is measured."""
    variable = definition.variables[name]
    low, high = ends(variable, parameters)
    points = [variable.initial, variable.initial if low is None else low, math.inf if high is None else high]
    return min(points), max(points)
