"""All clocks of a connection in one heap; nothing here waits.

Law: a timer that was cancelled or set anew never fires. The dead stay in the heap until they are
popped or are the majority, so that cancelling costs nothing and memory stays bounded.
"""

import heapq
import itertools
from collections.abc import Hashable, Iterator
from typing import Any, final

_SWEEP_ABOVE = 64


@final
class Timers:
    """Deadlines by key."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._live: dict[Hashable, tuple[int, float, Any]] = {}
        self._serial = itertools.count()

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: Hashable, when: float, what: Any) -> None:
        """Fire `what` at a time; one timer a key, the last one counts."""
        serial = next(self._serial)
        self._live[key] = (serial, when, what)
        heapq.heappush(self._heap, (when, serial, key))
        self._sweep()

    def cancel(self, key: Hashable) -> None:
        """Forget a timer; unknown ones are no harm."""
        self._live.pop(key, None)
        self._sweep()

    def clear(self) -> None:
        """Forget all."""
        self._live.clear()
        self._heap.clear()

    def deadline(self, key: Hashable) -> float | None:
        """When a timer fires, if it is set."""
        found = self._live.get(key)
        return found[1] if found else None

    def next(self) -> float:
        """When the next timer fires; infinity if there is none."""
        while self._heap and not self._alive(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")

    def due(self, now: float) -> Iterator[tuple[Hashable, Any]]:
        """Take out what is due, the earliest first; of equal ones, the one that was set first.

        What is set meanwhile waits for the next time, so that clocks of no length let others have a turn.
        """
        newest = next(self._serial)
        while self.next() <= now and self._heap[0][1] < newest:
            _, _, key = heapq.heappop(self._heap)
            yield key, self._live.pop(key)[2]

    def _alive(self, entry: tuple[float, int, Hashable]) -> bool:
        found = self._live.get(entry[2])
        return found is not None and found[0] == entry[1]

    def _sweep(self) -> None:
        if len(self._heap) > _SWEEP_ABOVE and len(self._heap) > 2 * len(self._live):
            self._heap = [entry for entry in self._heap if self._alive(entry)]
            heapq.heapify(self._heap)
