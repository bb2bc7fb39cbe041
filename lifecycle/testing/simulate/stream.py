"""What the user must receive, and in which order: the messages that were read, and marks where continuity was lost.

Law: made of what the links handed over and of what the page's steps say; compared, item by item, with what the user
got. A message may be missing only where a mark says so, by exactly as many as it says.
"""

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from lifecycle.definition.definition import Definition
from lifecycle.wire.continuity import canonical
from lifecycle.wire.inbox import Discontinuity

from .words import Said

if TYPE_CHECKING:
    from collections.abc import Callable

_PROMISES = ("lost", "gap", "replayed", "resumed")
"""The kinds of marks that stand for the stream, the worst first."""


class Stream:
    """The stream of one connection to its user.

    Args:
        page: the page.
        broken: is told what is wrong.
    """

    def __init__(self, page: Definition, broken: "Callable[[str, str], None]") -> None:
        self._routes, self._broken = page.messages.routes, broken
        self._closes = page.messages.inbox is not None and page.messages.inbox.when_full == "close"
        self._before: tuple[dict[str, int], dict[int, OrderedDict[Any, None]]] | None = None
        self._added = 0
        self._latest = page.messages.inbox is not None and page.messages.inbox.when_full == "latest"
        self._expected: deque[tuple[str, Any]] = deque()  # ("message", value), or the kind of a mark
        self._marks: list[Discontinuity] = []  # that came since the last message
        self._last: dict[str, int] = {}
        self._seen: dict[int, OrderedDict[Any, None]] = {}
        self.read = self.received = self.missed = 0
        self.told: Counter[str] = Counter()
        self._first = True

    def dialled(self, *, sent: bool) -> None:
        """Another connection begins."""
        self._first = not (self.read or sent)

    def mark(self, kind: str, *, sent: bool) -> None:
        """A mark must stand here, if anything was read or sent before; one that goes on, before this connection."""
        if (self.read or sent) and not (kind != "lost" and self._first):
            self._expected.append((kind, None))
            if kind == "lost":
                self._last.clear()

    def deliver(self, said: Said) -> None:
        """A message was handed to the driver."""
        route = self._routes[said.row] if self._routes else None
        self._before = (
            (dict(self._last), {row: seen.copy() for row, seen in self._seen.items()}) if self._closes else None
        )
        self._added = 0
        self.count(said)
        self.read += 1
        if route is None or route.dedupe is None or self._new(said, route.dedupe.window):
            self._expect("message", said.value)

    def count(self, said: Said) -> None:
        """A message with a number was handed to the driver; those that say theirs at the same path are one account."""
        path = self._routes[said.row].sequence if self._routes else None
        if path and isinstance(said.number, int):
            last = self._last.get(path)
            if last is None or said.number > last:
                self._last[path] = said.number
                if last is not None and said.number > last + 1:
                    self._expect("gap", None)

    def refused(self, said: Said) -> None:
        """There was no room for what was just handed over: it is missing, and does not count as come."""
        if self._before is not None:
            self._last, self._seen = self._before
        for _ in range(self._added):
            self._expected.pop()
        self._expect("message", said.value)

    def _expect(self, kind: str, value: Any) -> None:
        self._added += 1
        self._expected.append((kind, value))

    def _new(self, said: Said, window: int) -> bool:
        key = canonical(said.key)
        if key is None:
            return True
        seen = self._seen.setdefault(said.row, OrderedDict())
        if key in seen:
            return False
        seen[key] = None
        if len(seen) > window:
            seen.popitem(last=False)
        return True

    def took(self, item: Any) -> None:
        """The user has received something."""
        if isinstance(item, Discontinuity):
            self._marks.append(item)
            self.told[item.kind] += 1
            return
        self.received += 1
        missed = sum(mark.missed for mark in self._marks if mark.kind == "overflow")
        crossed = self._seek(item) if self._latest else self._skip(missed)
        if not self._expected:
            self._broken("nothing lost", f"the user received {_short(item)}, which was not sent, or not then")
            return
        _, value = self._expected.popleft()
        if value != item:
            what = f"the user received {_short(item)}, and {_short(value)} came before it"
            self._broken("nothing lost", f"{what}; {missed} messages were told as missing")
        self._compare(crossed)

    def _skip(self, missed: int) -> list[str]:
        """Go on to the next message behind those that are told as missing; the marks on the way."""
        crossed: list[str] = []
        self.missed += missed
        while self._expected:
            kind, _ = self._expected[0]
            if kind == "message":
                if not missed:
                    break
                missed -= 1
            else:
                crossed.append(kind)
            self._expected.popleft()
        if missed:
            self._broken("nothing lost", f"{missed} more messages were told as missing than there were")
        return crossed

    def _seek(self, item: Any) -> list[str]:
        """Go on to a message, where later ones take the place of those that wait; the marks on the way."""
        crossed: list[str] = []
        while self._expected and self._expected[0] != ("message", item):
            kind, _ = self._expected.popleft()
            if kind != "message":
                crossed.append(kind)
        return crossed

    def _compare(self, crossed: list[str]) -> None:
        told = [mark.kind for mark in self._marks if mark.kind != "overflow"]
        self._marks.clear()
        wanted, found = (min(kinds, key=_PROMISES.index, default="none") for kinds in (crossed, told))
        if wanted != found:
            self._broken("marks", f"the mark `{wanted}` had to stand before a message, and there was `{found}`")

    @property
    def waiting(self) -> int:
        """How many messages the user has not received yet, nor was told of."""
        told = sum(mark.missed for mark in self._marks if mark.kind == "overflow")
        return sum(kind == "message" for kind, _ in self._expected) - told

    def end(self) -> None:
        """The user has received all that he will."""
        if self.waiting and not self._latest:
            self._broken("nothing lost", f"{self.waiting} messages were read, and never given to the user")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}…"  # noqa: PLR2004 -- a line
