"""Values found in a message by a path: `payload.policy.tickIntervalMs`.

Law: total. What is not there is none; a message cannot make it raise.
"""

from collections.abc import Mapping
from typing import Any

from lifecycle.definition.expression import is_number
from lifecycle.definition.page import Pick, Scalar

_NO_TIME = 1e300  # a longer whole number of JSON cannot become a float
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def find(message: Any, path: str) -> Any:
    """The value at a path; digits index lists; none where there is nothing."""
    for step in path.split("."):
        if isinstance(message, Mapping):
            message = message.get(step)
        elif isinstance(message, list) and step.isdecimal() and int(step) < len(message):
            message = message[int(step)]
        else:
            return None
    return message


def matches(message: Any, conditions: Mapping[Any, tuple[Scalar, ...]]) -> bool:
    """Whether each path leads to one of its values."""
    return all(any(_same(find(message, path), value) for value in values) for path, values in conditions.items())


def take(message: Any, pick: Pick) -> Any:
    """The value of a pick: a path's value, or a duration in seconds where it has a unit."""
    value = find(message, pick.path)
    if pick.unit is None:
        return value
    # the largest waits that a peer may name are for the page to clamp; only nonsense is refused here
    if not is_number(value) or not 0 <= value < _NO_TIME:
        return pick.else_
    return value * _UNITS[pick.unit]


def _same(found: Any, wanted: Scalar) -> bool:
    # True == 1 in Python, but not on the wire
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted
