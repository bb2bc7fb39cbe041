"""All clocks of a connection in one heap; nothing here waits.

Law: a timer that was cancelled or set anew never fires. The dead stay in the heap until they are
popped or are the majority, so that cancelling costs nothing and memory stays bounded.
"""

import heapq
from collections.abc import Hashable, Iterator
from typing import Any, final

_SWEEP_ABOVE = 64
_Entry = tuple[float, int, Hashable, Any]
"""When, a serial that tells equal times apart, the key, and what fires."""


@final
class Timers:
    """Deadlines by key."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._live: dict[Hashable, _Entry] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: Hashable, when: float, what: Any) -> None:
        """Fire `what` at a time; one timer a key, the last one counts."""
        self._serial += 1
        entry = self._live[key] = (when, self._serial, key, what)
        heapq.heappush(self._heap, entry)
        self._sweep()

    def cancel(self, key: Hashable) -> None:
        """Forget a timer; unknown ones are no harm."""
        if self._live.pop(key, None) is not None:
            self._sweep()

    def hasten(self, key: Hashable, seconds: float) -> None:
        """Fire a timer so much earlier; unknown ones are no harm."""
        found = self._live.get(key)
        if found is not None:
            self.set(key, found[0] - seconds, found[3])

    def clear(self) -> None:
        """Forget all."""
        self._live.clear()
        self._heap.clear()

    def deadline(self, key: Hashable) -> float | None:
        """When a timer fires, if it is set."""
        found = self._live.get(key)
        return found[0] if found else None

    def next(self) -> float:
        """When the next timer fires; infinity if there is none."""
        while self._heap and not self._alive(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")

    def due(self, now: float) -> Iterator[tuple[Hashable, Any]]:
        """Take out what is due, the earliest first; of equal ones, the one that was set first.

        What is set meanwhile waits for the next time, so that clocks of no length let others have a turn.
        """
        newest = self._serial
        while self.next() <= now and self._heap[0][1] <= newest:
            _, _, key, what = heapq.heappop(self._heap)
            del self._live[key]
            yield key, what

    def _alive(self, entry: _Entry) -> bool:
        return self._live.get(entry[2]) is entry

    def _sweep(self) -> None:
        if len(self._heap) > _SWEEP_ABOVE and len(self._heap) > 2 * len(self._live):
            self._heap = [entry for entry in self._heap if self._alive(entry)]
            heapq.heapify(self._heap)
