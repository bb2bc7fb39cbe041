"""The faults that are there now, and what the proxy has done: what all its connections share.

Law: whoever waits for better weather is woken by every change, and looks again.
"""

import math
from collections.abc import Callable
from typing import Literal, final

import attrs

from lifecycle.definition.units import say_seconds, say_size
from lifecycle.testing.schedule import Fault, Kind

Side = Literal["up", "down"]


@attrs.define(kw_only=True)
class Counts:
    """What the proxy has done.

    Attributes:
        dials: connections that came; those that a closed port refuses are known to nobody.
        unreachable: dials for which the target was not there.
        shut: how often the port was closed.
        refused: dials that were reset at once, by a `refuse` with `times`.
        answered: handshakes that were answered with a status.
        closed: connections that were ended with a close frame.
        reset: connections that were reset by a fault.
        dropped, corrupted, duplicated, reordered: messages.
        too_large: messages that were to be hit and have passed, for they were longer than 16 MiB.
        up: bytes that were passed from clients to the target.
        down: bytes that were passed from the target to clients.
    """

    dials: int = 0
    unreachable: int = 0
    shut: int = 0
    refused: int = 0
    answered: int = 0
    closed: int = 0
    reset: int = 0
    dropped: int = 0
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0
    too_large: int = 0
    up: int = 0
    down: int = 0

    def passed(self, way: Side, size: int) -> None:
        """Count bytes."""
        if way == "up":
            self.up += size
        else:
            self.down += size


@attrs.frozen(kw_only=True)
class Told:
    """One line of what happens at the proxy.

    Attributes:
        at: seconds since it began.
        what: listening, fault (one begins), over (one ends), dial, end (of a connection), or nothing (a fault that does
            nothing there).
        connection: its number, counted from 1; 0 if it is about none.
        text: in words.
    """

    at: float
    what: str
    connection: int
    text: str

    def __str__(self) -> str:
        """One line."""
        about = f"connection {self.connection}: " if self.connection else ""
        return f"{self.at:8.3f} s  {self.what:<9}  {about}{self.text}"


@attrs.define(eq=False)
class Active:
    """A fault that is there now.

    Attributes:
        fault: which.
        left: for how many more dials, if it is counted.
    """

    fault: Fault
    left: int | None = None


@final
class Weather:
    """The faults that are there now."""

    def __init__(self) -> None:
        self._active: list[Active] = []
        self._watchers: set[Callable[[], object]] = set()

    def begin(self, active: Active) -> None:
        """Let a fault be there."""
        self._active.append(active)
        self._changed()

    def end(self, active: Active) -> bool:
        """Let it be over, and say whether it was there."""
        if active not in self._active:
            return False
        self._active.remove(active)
        self._changed()
        return True

    def all(self) -> tuple[Active, ...]:
        """Those that are there."""
        return tuple(self._active)

    def of(self, kind: Kind, way: Side | None = None) -> list[Active]:
        """Those of a kind, in one direction if that is said."""
        return [one for one in self._active if one.fault.kind == kind and (way is None or one.fault.goes(way))]

    def watch(self, watcher: Callable[[], object]) -> None:
        """Call somebody on every change."""
        self._watchers.add(watcher)

    def forget(self, watcher: Callable[[], object]) -> None:
        """Call them no more."""
        self._watchers.discard(watcher)

    def _changed(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()


def said(fault: Fault) -> str:
    """A fault in words."""
    parts: list[str] = [fault.kind]
    if fault.by:
        parts.append(f"by {say_seconds(fault.by)}")
    if fault.rate:
        parts.append(f"to {say_size(round(fault.rate))}/s")
    if fault.share < 1:
        parts.append(f"{fault.share * 100:g} % of messages")
    if fault.kind == "close":
        parts.append(f"with {fault.code}")
    if fault.kind == "status":
        parts.append(f"{fault.status}")
    if fault.retry_after is not None:
        parts.append(f"and Retry-After {say_seconds(fault.retry_after)}")
    if fault.times is not None:
        parts.append(f"for {fault.times} dials")
    elif fault.lasts:
        parts.append(f"for {say_seconds(fault.lasts)}" if math.isfinite(fault.lasts) else "until it is healed")
    return " ".join([*parts, *(() if fault.way == "both" else (fault.way,))])
