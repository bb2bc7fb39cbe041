"""Values of the types that parameters and variables have, as pages and embedders write them.

Law: one function decides for a page's default, a `with`, a keyword argument and `-p name=value`.
A page must write units; an embedder may pass plain numbers of seconds or bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from . import units
from .backoff import JITTERS, Backoff, Jitter
from .url import forbidden

_ENDS = 2
_LARGEST = 1e15  # as in expressions, so that their arithmetic cannot run over


class Secret(str):
    """A text that shows itself nowhere: not in a log, a trace, a diagram, or an exception."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


def literal(kind: str, value: object, of: Sequence[object] = (), *, in_page: bool = False) -> Any:
    """Turn what was written into a value of a type.

    Args:
        kind: duration, count, number, flag, text, choice, size, url, secret, backoff or jitter.
        value: what was written.
        of: the values of a choice.
        in_page: whether it stands in a page, where numbers need their unit.

    Returns:
        Durations in seconds, sizes in bytes, a `Backoff`, a `Secret`, or the plain value.

    Raises:
        ValueError: it is no value of that type. The message says what to write.
    """
    if in_page and kind in {"duration", "size"} and not isinstance(value, str):
        example = "10 s" if kind == "duration" else "4 MiB"
        raise ValueError(f"expected a {kind} with its unit, such as `{example}`, found {value!r}")
    if in_page and kind == "backoff" and isinstance(value, Mapping):
        delays = value.get("delays", ())
        for length in (*(delays if isinstance(delays, list) else ()), *(value[k] for k in _LENGTHS if k in value)):
            literal("duration", length, in_page=True)
    if kind == "choice":
        if value not in of:
            raise ValueError(f"{value!r} is not one of {', '.join(map(str, of))}")
        return value
    return _READERS[kind](value)


def _plain(kind: type, what: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if (isinstance(value, bool) and kind is not bool) or not isinstance(value, kind):
            raise ValueError(f"expected {what}, found {_shown(value)}")
        return value

    return read


def _shown(value: object) -> str:
    return f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(f"expected a whole number of 0 or more, found {_shown(value)}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"expected a number, found {_shown(value)}")
    return value


def _secret(value: object) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected a text for a secret, found something else")
    return Secret(value)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a URL such as `wss://host/path`, found {_shown(value)}")
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        # a secret may stand in its query, or before its host
        shown = "this" if "@" in value else repr(re.split("[?#]", value)[0])
        raise ValueError(f"{shown} is no WebSocket URL: write `ws://host:port/path` or `wss://…`")
    wrong = forbidden(value)
    if wrong:
        raise ValueError(wrong)
    return value


def is_url(value: object) -> bool:
    """Whether a value is a WebSocket URL."""
    try:
        _url(value)
    except ValueError:
        return False
    return True


def _jitter(value: object) -> Jitter:
    if isinstance(value, str) and value in JITTERS:
        return value  # type: ignore[return-value]  # it is one of the four
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == _ENDS:
        low, high = (part if isinstance(part, float) else units.fraction(part) for part in value)
        if low <= high:
            return low, high
    raise ValueError(f"expected none, full, equal, decorrelated or [low %, high %], found {value!r}")


def _backoff(value: object) -> Backoff:
    if isinstance(value, Backoff):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a backoff such as `{{first: 1 s, factor: 2, max: 60 s}}`, found {value!r}")
    unknown = set(value) - set(_BACKOFF)
    if unknown:
        raise ValueError(f"a backoff has no `{min(unknown)}`; it has {', '.join(_BACKOFF)}")
    made = Backoff(**{name: _BACKOFF[name](part) for name, part in value.items()})
    if made.floor <= 0:
        raise ValueError("the floor of a backoff is above 0, or a peer could make it dial without a pause")
    return made


def _delays(value: object) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"expected a list of durations, found {value!r}")
    return tuple(units.seconds(part) for part in value)


def _factor(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _LARGEST:
        raise ValueError(f"expected a factor of 1 or more, found {value!r}")
    return float(value)


_LENGTHS = ("first", "max", "floor")
_BACKOFF: dict[str, Callable[[object], Any]] = {
    "delays": _delays,
    "first": units.seconds,
    "factor": _factor,
    "max": units.seconds,
    "jitter": _jitter,
    "floor": units.seconds,
}
_READERS: dict[str, Callable[[object], Any]] = {
    "duration": units.seconds,
    "count": _count,
    "number": _number,
    "flag": _plain(bool, "true or false"),
    "text": _plain(str, "a text"),
    "size": units.size,
    "url": _url,
    "secret": _secret,
    "backoff": _backoff,
    "jitter": _jitter,
}
