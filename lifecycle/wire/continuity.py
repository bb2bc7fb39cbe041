"""Whether a message is new, and whether one is missing before it: by numbers and keys that the page names.

Law: pure, and total: a message cannot make it raise. Routes that find their numbers at the same path
count together; keys are counted route by route, bounded by its window. A number that is no whole
number says nothing, and one that has passed neither; a message without a key is new. Where the
stream begins anew, numbers do, and keys stay.
"""

from collections import deque
from typing import Any, final

import attrs

from lifecycle.definition.page import Route

from .inbox import Discontinuity
from .pick import find


@final
class Continuity:
    """The account of one connection.

    Args:
        routes: the page's.

    Attributes:
        duplicates: messages that had come before.
        gaps: how often a number was missing.
        watches: whether there is anything to look for.
    """

    __slots__ = ("_last", "_numbered", "_routes", "_seen", "duplicates", "gaps", "watches")

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = routes
        self._numbered = len({row.sequence for row in routes if row.sequence is not None})
        self.watches = any(row.sequence is not None or row.dedupe is not None for row in routes)
        self.duplicates = self.gaps = 0
        self._last: dict[str | None, int] | None = None
        self._seen: dict[int, tuple[deque[Any], set[Any]]] | None = None

    def number(self, row: int, message: Any) -> int | None:
        """The number of a message, if its route has numbers."""
        path = self._routes[row].sequence
        return _whole(find(message, path)) if path is not None else None

    def gap(self, row: int, number: int) -> Discontinuity | None:
        """Count a number; the mark to put before its message, if some before it are missing."""
        if self._last is None:
            self._last = {}
        path = self._routes[row].sequence
        last = self._last.get(path)
        if last is not None and number <= last:
            return None
        self._last[path] = number
        if last is None or number == last + 1:
            return None
        self.gaps += 1
        return Discontinuity("gap", number - last - 1, since=last, until=number)

    def is_new(self, row: int, message: Any) -> bool:
        """Whether a message has not come before, as far back as its route remembers; it counts as come from now on."""
        dedupe = self._routes[row].dedupe
        key = canonical(find(message, dedupe.by)) if dedupe is not None else None
        if dedupe is None or key is None:
            return True
        if self._seen is None:
            self._seen = {}
        order, keys = self._seen.setdefault(row, (deque(), set()))
        if key in keys:
            self.duplicates += 1
            return False
        order.append(key)
        keys.add(key)
        if len(order) > dedupe.window:
            keys.remove(order.popleft())
        return True

    def place(self, number: int | None) -> int | None:
        """A number as a place in the stream; none where there are several accounts, for it would not say of which."""
        return number if self._numbered == 1 else None

    def told(self, mark: Discontinuity) -> Discontinuity:
        """A mark of the page with the place where it stands; after `lost`, the next number begins anew."""
        last = self._last
        if last and self._numbered == 1:
            mark = attrs.evolve(mark, since=next(iter(last.values())))
        if mark.kind == "lost":
            self._last = None
        return mark


def canonical(value: Any) -> Any:
    """A value as a key, the same for values that are the same in JSON; none if it is none.

    1 and 1.0 are the same, 1 and true are not, nor 1 and "1". What is nested too deeply has none.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        # bytes, so that it is not the same as a text that reads alike; half a character is a character here
        return _text(value).encode(errors="surrogatepass")
    except RecursionError:
        return None


def _text(value: Any) -> str:
    """A value as a text; texts are lengthened by their length, so that none looks like two."""
    if isinstance(value, dict):
        parts = sorted((name, _text(part)) for name, part in value.items())
        return "{" + "".join(f"{len(name)}:{name}{text}" for name, text in parts) + "}"
    if isinstance(value, list):
        return "[" + "".join([_text(part) for part in value]) + "]"
    if isinstance(value, str):
        return f"{len(value)}:{value}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value!r};"


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
