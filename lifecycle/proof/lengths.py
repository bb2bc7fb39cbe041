"""How long clocks and calls last: at least, on average, at most.

Law: dice count by their mean, a peer by its worst. A length that a peer sets lies anywhere in its
variable's range, so its low end counts as its mean.
"""

import math
from collections.abc import Mapping
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.expression import Expression, is_number

from .intervals import Interval, interval
from .values import ends

_LONGEST_ROW = 200
"""After so many waits a row that grows has reached its `max`, or never will."""


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
    if backoff.jitter != "decorrelated" or attempt <= 1:
        return Length(least, (least + most) / 2, most)
    # the longest follows the longest; on average at least what follows the shortest
    shortest, longest = backoff.bounds(1)
    mean = shortest
    for each in range(2, min(attempt, _LONGEST_ROW) + 1):
        low, high = backoff.bounds(each, shortest)
        shortest, longest, mean = low, backoff.bounds(each, longest)[1], (low + high) / 2
    return Length(shortest, mean, longest)


def measured(clock: Clock, names: Mapping[str, Any], loose: Mapping[str, Interval]) -> Length | None:
    """The length of a clock that reads variables which a peer may have set to anything in their range.

    Args:
        clock: reads at least one of `loose`.
        names: the values of parameters and variables.
        loose: variable to its lowest and highest value.
    """
    if not isinstance(clock.length, Expression):
        return None
    known = {name: (value, value) for name, value in names.items() if is_number(value)}
    found = interval(clock.length.tree, {**known, **loose})
    if found is None:
        return None
    least, most = (max(0.0, end) for end in found)
    return Length(least, least, most)


def reach(definition: Definition, name: str, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """The lowest and the highest value of a variable that is measured."""
    variable = definition.variables[name]
    low, high = ends(variable, parameters)
    points = [variable.initial, variable.initial if low is None else low, math.inf if high is None else high]
    return min(points), max(points)
