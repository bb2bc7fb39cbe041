"""Tasks that wait for something that synchronous code will tell them.

Law: what is handed to a parked task cannot be lost to a cancellation that comes later; a task that
is cancelled first is forgotten before anything is handed to it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, final

import outcome
import trio


@final
class Parking:
    """A queue of waiting tasks; the first that came is served first."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: deque[trio.lowlevel.Task] = deque()

    def __len__(self) -> int:
        return len(self._tasks)

    async def wait(self) -> Any:
        """Wait until somebody hands over a value or an error."""
        task = trio.lowlevel.current_task()
        self._tasks.append(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._tasks.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(abort)

    def hand(self, value: Any = None) -> None:
        """Wake the first task with a value."""
        trio.lowlevel.reschedule(self._tasks.popleft(), outcome.Value(value))

    def wake(self, value: Any = None) -> None:
        """Wake all tasks with a value."""
        while self._tasks:
            self.hand(value)

    def fail(self, make: Callable[[], BaseException]) -> None:
        """Wake all tasks, each with an error of its own, for a traceback belongs to one raise."""
        while self._tasks:
            trio.lowlevel.reschedule(self._tasks.popleft(), outcome.Error(make()))
