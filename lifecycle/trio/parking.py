"""Tasks that wait for something that synchronous code will tell them.

Law: what is handed to a parked task cannot be lost to a cancellation that comes later; a task that
is cancelled first is forgotten before anything is handed to it. Most often one task waits, and an
empty queue has half a kibibyte: so one has a place of its own, and there is a queue for the others.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, final

import outcome
import trio


@final
class Parking:
    """A queue of waiting tasks; the first that came is served first."""

    __slots__ = ("_first", "_others")

    def __init__(self) -> None:
        self._first: trio.lowlevel.Task | None = None
        # a dict, for a deque is slow at forgetting one of many; ordered, for a plain one is slow at its head
        self._others: OrderedDict[trio.lowlevel.Task, None] | None = None

    def __len__(self) -> int:
        return (self._first is not None) + len(self._others or ())

    async def wait(self) -> Any:
        """Wait until somebody hands over a value or an error."""
        task = trio.lowlevel.current_task()
        if self._first is None:
            self._first = task
        else:
            self._others = self._others or OrderedDict()
            self._others[task] = None
        return await trio.lowlevel.wait_task_rescheduled(functools.partial(self._forget, task))

    def hand(self, value: Any = None) -> None:
        """Wake the first task with a value.

        Raises:
            IndexError: nobody waits.
        """
        trio.lowlevel.reschedule(self._next(), outcome.Value(value))

    def wake(self, value: Any = None) -> None:
        """Wake all tasks with a value."""
        while self._first is not None:
            self.hand(value)

    def fail(self, make: Callable[[], BaseException]) -> None:
        """Wake all tasks, each with an error of its own, for a traceback belongs to one raise."""
        while self._first is not None:
            trio.lowlevel.reschedule(self._next(), outcome.Error(make()))

    def _next(self) -> trio.lowlevel.Task:
        task = self._first
        if task is None:
            raise IndexError("nobody waits")
        self._first = self._others.popitem(last=False)[0] if self._others else None
        if not self._others:
            self._others = None
        return task

    def _forget(self, task: trio.lowlevel.Task, _: object) -> trio.lowlevel.Abort:
        if task is self._first:
            self._next()
        elif self._others is not None:
            del self._others[task]
        return trio.lowlevel.Abort.SUCCEEDED
