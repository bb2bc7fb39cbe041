"""A clock that jumps to the next deadline in the very moment in which every task waits, and wakes who sleeps by it.

Law: nothing outside of trio is waited for. The clock of `trio.testing` looks first whether something comes, which
takes a turn of the loop for each jump; a simulation has nothing that could come, and lives as many hours in less time.
Who sleeps by this clock is woken in the same turn as by a deadline of trio's, without a scope to be cancelled; only
who is cancelled in that very turn is told so by the next wait.
"""

import heapq
import math

import trio.abc


class JumpingClock(trio.abc.Clock):
    """Begins at 0.

    Attributes:
        autojump_threshold: as that of trio's MockClock: it tells that time is made up.
    """

    autojump_threshold = 0.0

    def __init__(self) -> None:
        self._now = 0.0
        self._count = 0
        self._naps: list[tuple[float, int, Nap]] = []

    def start_clock(self) -> None:
        """Nothing is to be begun."""

    def current_time(self) -> float:
        """The time, in seconds."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Trio asks how long to sleep, which it does when no task can run: the deadline is now."""
        naps = self._naps
        while naps and not naps[0][2].lasts_until(naps[0][0]):
            heapq.heappop(naps)
        until = min(deadline, naps[0][0]) if naps else deadline
        if self._now < until < math.inf:
            self._now = until
        while naps and naps[0][0] <= self._now:
            when, _, nap = heapq.heappop(naps)
            if nap.lasts_until(when):
                nap.end()
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """As `trio.sleep` does."""
        await self.nap().sleep_until(self._now + seconds)

    def nap(self) -> "Nap":
        """For a task that sleeps and may be told meanwhile to wake up earlier."""
        return Nap(self)

    def wake(self, nap: "Nap", when: float) -> None:
        """End a nap then, if it still lasts and is to."""
        self._count += 1
        heapq.heappush(self._naps, (when, self._count, nap))


class Nap:
    """A task that sleeps, and can be told meanwhile to wake up earlier.

    Args:
        clock: by which it sleeps.
    """

    __slots__ = ("_clock", "_task", "_until")

    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        self._task: trio.lowlevel.Task | None = None
        self._until = math.inf

    async def sleep_until(self, when: float) -> None:
        """Sleep; one task at a time."""
        if when <= self._clock.current_time():
            await trio.sleep_until(when)
            return
        self._task, self._until = trio.lowlevel.current_task(), math.inf
        self.no_later(when)
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def no_later(self, when: float) -> None:
        """Wake up then, if anybody sleeps, and not before."""
        if self._task is None or when >= self._until:
            return
        self._until = when
        if when <= self._clock.current_time():
            self.end()
        else:
            self._clock.wake(self, when)

    def lasts_until(self, when: float) -> bool:
        """Whether somebody sleeps, and just until then."""
        return self._task is not None and self._until == when

    def end(self) -> None:
        """Wake up now."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
