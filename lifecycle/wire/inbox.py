"""What waits for the user: messages in order, and marks where continuity was lost.

Law: bounded in number and bytes; when it is full the oldest goes, is counted, and is told at its
place. A mark is never lost. Answers to requests do not come here.
"""

from collections import deque
from typing import Any, Literal, final

import attrs


@final
@attrs.frozen
class Discontinuity:
    """Between the message before and the message after, something may be missing.

    Attributes:
        kind: `lost` (another connection, and nobody knows what was missed), `resumed` (another
            connection, nothing is missing), `replayed` (the same, what follows was sent again), or
            `overflow` (the inbox was full).
        missed: with overflow: how many messages.
        why: what ended the connection before, in words.
    """

    kind: Literal["lost", "resumed", "replayed", "overflow"]
    missed: int = 0
    why: str = ""


@final
class Inbox:
    """A queue of values with their sizes.

    Args:
        items: the most messages that wait.
        size: the most bytes that wait.
    """

    __slots__ = ("_count", "_queue", "bytes", "items", "overflowed", "size")

    def __init__(self, items: int, size: int) -> None:
        self.items, self.size = items, size
        self.bytes = 0
        self.overflowed = 0
        self._queue: deque[tuple[Any, int]] = deque()
        self._count = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, value: Any, size: int) -> None:
        """Add a message of so many bytes."""
        self._queue.append((value, size))
        self.bytes += size
        self._count += 1
        if self._count > self.items or self.bytes > self.size:
            self._overflow()

    def mark(self, mark: Discontinuity) -> None:
        """Add a mark; marks take no room."""
        self._queue.append((mark, -1))

    def take(self) -> Any:
        """The next message or mark.

        Raises:
            IndexError: there is none.
        """
        value, size = self._queue.popleft()
        if size >= 0:
            self.bytes -= size
            self._count -= 1
        return value

    def _overflow(self) -> None:
        missed, marks = 0, []
        while self._count > self.items or self.bytes > self.size:
            value, size = self._queue.popleft()
            if size >= 0:
                self.bytes -= size
                self._count -= 1
                missed += 1
                self.overflowed += 1
            elif value.kind == "overflow":
                missed += value.missed
            else:
                marks.append((value, size))
        # the mark of an earlier overflow was at the head and is in the number of this one
        self._queue.extendleft(reversed([*marks, (Discontinuity("overflow", missed), -1)]))
