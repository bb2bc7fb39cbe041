"""What happens, for whoever watches: bounded, the oldest go, and how many is counted."""

from collections import deque
from typing import Generic, Self, TypeVar, final

import trio

from lifecycle.machine.step import Step

from .interrupts import ki_protected
from .parking import Parking

T = TypeVar("T")
MOST = 256


@final
@ki_protected
class Feed(Generic[T]):
    """An async iterator of what happens to something, that ends with it.

    Attributes:
        missed: how many were dropped because nobody took them; the last 256 are kept.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._told: deque[T] = deque()
        self._ended = False
        self._parked = Parking()

    def put(self, what: T) -> None:
        """Add one; told by whom it happens to."""
        if len(self._told) >= MOST:
            self._told.popleft()
            self.missed += 1
        self._told.append(what)
        self._parked.wake()

    def end(self) -> None:
        """No more come."""
        self._ended = True
        self._parked.wake()

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> T:
        """The next one; those that are there are given before the end.

        Raises:
            StopAsyncIteration: it has ended.
        """
        await trio.lowlevel.checkpoint()
        while not self._told:
            if self._ended:
                raise StopAsyncIteration
            await self._parked.wait()
        return self._told.popleft()


Changes = Feed[Step]
"""The steps of a connection."""
