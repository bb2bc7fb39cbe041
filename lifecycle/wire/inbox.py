"""What waits for the user: messages in order, and marks where continuity was lost.

Law: bounded in number and bytes; what gives way when it is full is counted, and told at its place.
No mark is lost, but those with no message between them become one: it promises no more than any of
them. Answers to requests do not come here.
"""

from collections import deque
from typing import Any, Literal, final

import attrs

Kind = Literal["lost", "gap", "replayed", "resumed", "overflow"]
_PROMISES = ("lost", "gap", "replayed", "resumed")
"""What a mark promises of the stream, the least first."""
HARD_BYTES = 2
HARD_ITEMS = 64
"""With `wait`: how many times what it holds there is room for, where reading has to go on although it is full.
By number only so that empty messages are bounded, too."""
_MARK = -1


@final
@attrs.frozen
class Discontinuity:
    """Between the message before and the message after, something may be missing.

    Attributes:
        kind: `lost` (another connection, and nobody knows what was missed), `resumed` (another
            connection, nothing is missing), `replayed` (another one, what follows was sent again),
            `overflow` (the inbox was full), or `gap` (the numbers of messages have a hole).
        missed: how many messages are known to be missing.
        why: what ended the connection before, in words; empty where none has ended.
        since: the last number before; None where the page numbers nothing, or nobody knows.
        until: the first number after, likewise; with `gap` and `overflow`.
    """

    kind: Kind
    missed: int = 0
    why: str = ""
    since: int | None = None
    until: int | None = None

    def then(self, other: "Discontinuity") -> "Discontinuity":
        """The one mark that stands for two of the stream, or two of the inbox, with no message between them."""
        known = self.kind in _PROMISES
        worse = min(self, other, key=lambda mark: _PROMISES.index(mark.kind)) if known else self
        why = worse.why or self.why or other.why
        return Discontinuity(worse.kind, self.missed + other.missed, why, self.since, other.until)


@final
class Inbox:
    """A queue of values with their sizes, and of marks, which have none.

    Args:
        items: the most messages that wait.
        size: the most bytes that wait.
        when_full: what gives way: the `oldest` message; the same with `latest`, where each replaces
            the one that waits with the same key; or the one that comes, and then the connection
            is to be given up (`close`), or nobody should have read so far (`wait`).

    Attributes:
        count, bytes: of the messages that wait.
        overflowed: how many messages gave way, those that were replaced among them.
        replaced: how many were replaced.
        stopped: with `wait`: it was full, and is not yet half empty.
    """

    __slots__ = (
        "_missed",
        "_places",
        "_queue",
        "_since",
        "_until",
        "bytes",
        "count",
        "items",
        "overflowed",
        "replaced",
        "size",
        "stopped",
        "when_full",
    )

    def __init__(
        self, items: int, size: int, when_full: Literal["oldest", "latest", "close", "wait"] = "oldest"
    ) -> None:
        self.items, self.size, self.when_full = items, size, when_full
        self.bytes = self.overflowed = self.replaced = 0
        self.stopped = False
        # [value, size, number, key] of what waits, a mark of no size; None while nothing does
        self._queue: deque[list[Any]] | None = None
        self._places: dict[Any, list[Any]] | None = None  # where in it the next message of a key goes
        self.count = 0
        self._missed = 0  # at the head, and not yet told; it makes a mark when it is taken
        self._since: int | None = None
        self._until: int | None = None

    def __len__(self) -> int:
        return (len(self._queue) if self._queue is not None else 0) + bool(self._missed)

    def put(self, value: Any, size: int, number: int | None = None, key: Any = None) -> bool:
        """Add a message.

        Args:
            value: the message.
            size: how many bytes it counts for.
            number: its place in the stream, if the page numbers it.
            key: with `latest`: what it is about; None if it is like no other.

        Returns:
            False if there was no room: it was dropped, counted, and is told at its place.
        """
        if not self.fits(size):
            self.overflowed += 1
            self.mark(_overflow(1, number, number))
            return False
        if self._replace(key, value, size, number):
            return True
        entry = [value, size, number, key]
        if self._queue is None:
            self._queue = deque()
        self._queue.append(entry)
        if key is not None:
            self._places = self._places or {}
            self._places[key] = entry
        self.bytes += size
        self.count += 1
        self._bound()
        return True

    def mark(self, mark: Discontinuity) -> None:
        """Add a mark; marks take no room."""
        self._places = None  # what stands before a mark is not replaced by what comes after it
        if self._queue is None:
            self._queue = deque()
        for entry in (self._queue[-back] for back in (1, 2) if len(self._queue) >= back):
            if entry[1] != _MARK:
                break
            if (entry[0].kind == "overflow") == (mark.kind == "overflow"):
                entry[0] = entry[0].then(mark)
                return
        self._queue.append([mark, _MARK, None, None])

    def take(self) -> Any:
        """The next message or mark.

        Raises:
            IndexError: there is none.
        """
        if self._missed:
            mark = _overflow(self._missed, self._since, self._until)
            self._missed, self._since, self._until = 0, None, None
            return mark
        if self._queue is None:
            raise IndexError("nothing waits")
        entry = self._queue.popleft()
        if entry[1] != _MARK:
            self._forget(entry)
        if not self._queue:
            self._queue = self._places = None
        if self.stopped and self.count <= self.items // 2 and self.bytes <= self.size // 2:
            self.stopped = False
        return entry[0]

    def fits(self, size: int) -> bool:
        """Whether a message of so many bytes would be taken."""
        count, total = self.count + 1, self.bytes + size
        if self.when_full == "close":
            return count <= self.items and total <= self.size
        if self.when_full == "wait" and self.count:
            return count <= self.items * HARD_ITEMS and total <= self.size * HARD_BYTES
        return True

    def _replace(self, key: Any, value: Any, size: int, number: int | None) -> bool:
        # in the place of the old one: at the tail, a key that speaks more often than it is read would never be read
        entry = self._places.get(key) if key is not None and self._places is not None else None
        if entry is None:
            return False
        self.bytes += size - entry[1]
        entry[:3] = value, size, number
        self.overflowed += 1
        self.replaced += 1
        self._bound()
        return True

    def _bound(self) -> None:
        if self.count < self.items and self.bytes < self.size:
            return
        if self.when_full == "wait":
            self.stopped = True
        elif self.count > self.items or self.bytes > self.size:
            self._drop()

    def _drop(self) -> None:
        """Let the oldest go until the bounds are kept."""
        queue, held = self._queue or deque(), None
        while self.count > self.items or self.bytes > self.size:
            entry = queue.popleft()
            value, size, number, _ = entry
            if size == _MARK:
                held = held.then(value) if held is not None else value
                continue
            self._forget(entry)
            self.overflowed += 1
            self._missed += 1
            self._since = number if self._since is None else self._since
            self._until = number if number is not None else self._until
        if held is not None and queue and queue[0][1] == _MARK:
            queue[0][0] = held.then(queue[0][0])
        elif held is not None:
            queue.appendleft([held, _MARK, None, None])
        if not queue:
            self._queue = self._places = None

    def _forget(self, entry: list[Any]) -> None:
        self.bytes -= entry[1]
        self.count -= 1
        if self._places is not None and self._places.get(entry[3]) is entry:
            del self._places[entry[3]]


def _overflow(missed: int, first: int | None, last: int | None) -> Discontinuity:
    """The mark for messages that went, from the first number to the last; after a new beginning, that is no range."""
    if first is None or last is None or last < first:
        return Discontinuity("overflow", missed)
    return Discontinuity("overflow", missed, since=first - 1, until=last + 1)
