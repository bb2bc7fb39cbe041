"""Steps for whoever watches: bounded, the oldest go, and how many is counted."""

from collections import deque
from typing import Self, final

import trio

from lifecycle.machine.step import Step

from .interrupts import ki_protected
from .parking import Parking

MOST = 256


@final
@ki_protected
class Changes:
    """An async iterator of steps that ends with the connection.

    Attributes:
        missed: how many steps were dropped because nobody took them; the last 256 are kept.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._steps: deque[Step] = deque()
        self._ended = False
        self._parked = Parking()

    def put(self, step: Step) -> None:
        """Add a step; told by the connection."""
        if len(self._steps) >= MOST:
            self._steps.popleft()
            self.missed += 1
        self._steps.append(step)
        self._parked.wake()

    def end(self) -> None:
        """No more steps come."""
        self._ended = True
        self._parked.wake()

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Step:
        """The next step; those that are there are given before the end.

        Raises:
            StopAsyncIteration: the connection has ended.
        """
        await trio.lowlevel.checkpoint()
        while not self._steps:
            if self._ended:
                raise StopAsyncIteration
            await self._parked.wait()
        return self._steps.popleft()
