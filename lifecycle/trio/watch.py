"""Notices that the machine has slept: its wall clock went on while the steady one stood still.

Law: one look every few seconds for all connections of a run, made by the timer of one of them; when it ends the next
one takes over. No task of its own. A wall clock that is set forward looks alike, and does no harm.
"""

import time
from typing import ClassVar, Protocol, final

import trio

from .timers import Timers

LOOK_EVERY = 5.0
SLEPT = 2.0
"""Seconds that the wall clock must have gained since the last look."""
_KEY = "watch"


class Watched(Protocol):
    """Who is told."""

    @property
    def timers(self) -> Timers:
        """Where the look is set."""
        ...

    def armed(self) -> None:
        """A timer was set."""

    def slept(self, seconds: float) -> None:
        """The machine has slept."""


@final
class Watch:
    """The watch of one run of trio; `Watch.of_run()` finds it.

    Attributes:
        wanted: whether it looks at all: not where time is made up.
    """

    wall: ClassVar = staticmethod(time.time)
    steady: ClassVar = staticmethod(time.monotonic)

    def __init__(self) -> None:
        # a clock that jumps would be kept jumping by our look, and what it shows is no time that a machine slept
        self.wanted = not hasattr(trio.lowlevel.current_clock(), "autojump_threshold")
        self._members: dict[Watched, None] = {}
        self._gained = self._gain()

    @classmethod
    def of_run(cls) -> "Watch":
        """The one of this run."""
        try:
            return _WATCH.get()
        except LookupError:
            watch = cls()
            _WATCH.set(watch)
            return watch

    def join(self, member: Watched) -> None:
        """Tell it from now on."""
        if not self.wanted:
            return
        first = not self._members
        self._members[member] = None
        if first:
            self._gained = self._gain()
            self._set(member)

    def leave(self, member: Watched) -> None:
        """Tell it no more; if it had the look, another one takes it over."""
        looks = next(iter(self._members), None) is member
        self._members.pop(member, None)
        if looks and self._members:
            self._set(next(iter(self._members)))

    def _set(self, member: Watched) -> None:
        member.timers.set(_KEY, trio.current_time() + LOOK_EVERY, lambda _: self._look(member))
        member.armed()

    def _look(self, member: Watched) -> None:
        before, self._gained = self._gained, self._gain()
        slept = self._gained - before
        self._set(member)
        if slept >= SLEPT:
            for each in list(self._members):
                each.slept(slept)

    @classmethod
    def _gain(cls) -> float:
        return cls.wall() - cls.steady()


_WATCH: trio.lowlevel.RunVar[Watch] = trio.lowlevel.RunVar("lifecycle.watch")
