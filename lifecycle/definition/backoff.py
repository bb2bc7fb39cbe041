"""How long the next wait is: listed delays first, then a formula, then jitter, never below a floor.

Law: pure. `bounds` says between which two lengths a wait may lie; the driver throws the dice.
Sources: full, equal and decorrelated jitter are those of the AWS Architecture Blog,
"Exponential Backoff And Jitter"; decorrelated needs the wait before this one.
"""

from typing import Literal

import attrs

from .units import say_seconds

Jitter = Literal["none", "full", "equal", "decorrelated"] | tuple[float, float]
JITTERS = ("none", "full", "equal", "decorrelated")
_DEFAULT_FLOOR = 0.25


@attrs.frozen(kw_only=True)
class Backoff:
    """A row of waits; all lengths in seconds.

    Attributes:
        delays: the first waits, before the formula begins.
        first: the formula's first wait.
        factor: by which each wait is longer than the one before.
        max: no wait is longer than that, before jitter.
        jitter: a name, or the low and the high end as fractions of the wait.
        floor: no wait is shorter than that, after jitter.
    """

    delays: tuple[float, ...] = ()
    first: float = 1.0
    factor: float = 2.0
    max: float = 60.0
    jitter: Jitter = "full"
    floor: float = attrs.field(default=attrs.Factory(lambda self: min(self.first, _DEFAULT_FLOOR), takes_self=True))

    def __str__(self) -> str:
        """As a page would write it."""
        jitter = self.jitter if isinstance(self.jitter, str) else "[" + ", ".join(f"{p:.0%}" for p in self.jitter) + "]"
        delays = f"delays: [{', '.join(map(say_seconds, self.delays))}], " if self.delays else ""
        ends = f"max: {say_seconds(self.max)}, jitter: {jitter}, floor: {say_seconds(self.floor)}"
        return f"{{{delays}first: {say_seconds(self.first)}, factor: {self.factor:g}, {ends}}}"

    def nominal(self, attempt: int) -> float:
        """The wait before jitter; attempt 1 is the first wait."""
        attempt = max(attempt, 1)
        if attempt <= len(self.delays):
            return self.delays[attempt - 1]
        try:
            return min(self.first * self.factor ** (attempt - len(self.delays) - 1), self.max)
        except OverflowError:  # 2.0 ** 1024 is no float; `max` has decided long before
            return self.max if self.first else 0.0

    def bounds(self, attempt: int, previous: float | None = None) -> tuple[float, float]:
        """The shortest and the longest wait that jitter may choose, uniformly between.

        Args:
            attempt: which wait it is; 1 is the first.
            previous: the length of the wait before, in seconds; only decorrelated jitter asks.
        """
        wait = self.nominal(attempt)
        match self.jitter:
            case "none":
                low, high = wait, wait
            case "full":
                low, high = 0.0, wait
            case "equal":
                low, high = wait / 2, wait
            case "decorrelated":
                low = min(self.first, self.max)
                high = max(low, min(self.max, 3 * (low if previous is None else previous)))
                if attempt <= len(self.delays):
                    low, high = wait, wait  # a listed wait is no part of the row that grows
            case _:
                low, high = wait * self.jitter[0], wait * self.jitter[1]
        return max(low, self.floor), max(high, self.floor)
