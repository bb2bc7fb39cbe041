"""What the network does at the moment: the faults that are active, and what they make of a message.

Law: asked by the link for each message; a fault that has ended does nothing more. What is hit by a share is thrown by
the link's own dice, so that two links do not decide about each other.
"""

import random
from collections.abc import Iterator
from typing import Literal

import attrs

from lifecycle.testing.schedule import Fault
from lifecycle.wire.ending import Ending, ErrorEnding, HttpEnding

Way = Literal["up", "down"]


@attrs.define
class _Active:
    fault: Fault
    until: float
    left: int | None


class Network:
    """The faults of one run."""

    def __init__(self) -> None:
        self._active: list[_Active] = []

    def begin(self, fault: Fault, now: float) -> None:
        """A fault begins that lasts."""
        until = now + fault.lasts if fault.lasts else float("inf")
        self._active.append(_Active(fault, until, fault.times))

    def heal(self) -> None:
        """All faults end."""
        self._active.clear()

    def _now(self, now: float, way: Way | None = None) -> Iterator[Fault]:
        if not self._active:
            return
        self._active = [each for each in self._active if each.until > now and each.left != 0]
        for each in self._active:
            if way is None or each.fault.way in ("both", way):
                yield each.fault

    def refusal(self, now: float) -> Ending | None:
        """How a dial is refused now; counts it."""
        for fault in self._now(now):
            if fault.kind in ("refuse", "status"):
                for each in self._active:
                    if each.fault is fault and each.left is not None:
                        each.left -= 1
                if fault.kind == "refuse":
                    return ErrorEnding("refused", "nobody listens")
                pause = fault.retry_after
                return HttpEnding(fault.status, {} if pause is None else {"retry-after": str(round(pause))})
        return None

    def mute(self, now: float, way: Way) -> bool:
        """Whether nothing gets through."""
        return any(fault.kind == "half-open" for fault in self._now(now, way))

    def delay(self, now: float, way: Way) -> float:
        """Seconds by which everything is late."""
        return sum(fault.by for fault in self._now(now, way) if fault.kind == "delay")

    def rate(self, now: float, way: Way) -> float | None:
        """Bytes a second, if that is limited."""
        return min((fault.rate for fault in self._now(now, way) if fault.kind == "throttle"), default=None)

    def hits(self, now: float, way: Way, dice: random.Random) -> set[str]:
        """What happens to one message: drop, corrupt, duplicate, reorder."""
        return {fault.kind for fault in self._now(now, way) if fault.kind in _FRAMED and dice.random() < fault.share}


_FRAMED = ("drop", "corrupt", "duplicate", "reorder")
