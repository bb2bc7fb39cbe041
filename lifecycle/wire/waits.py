"""What a watched client waits for: its clocks and calls that run, and between which times each may end.

Law: pure. A clock ends within its bounds, those of its jitter; a call ends at any time up to its deadline. What
is not here does not run, and cannot end.
"""

from collections.abc import Iterator, Mapping
from typing import final

import attrs

from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.units import say_seconds
from lifecycle.machine import effects as out

_MILLI = 3


@attrs.define(eq=False)
class Wait:
    """A clock or a call that runs.

    Attributes:
        event: what its end is: `timer.…`, or `failed.…` for the deadline of a call.
        state: the path of its state.
        said: it in words, with its clause.
        clause: the first of its clauses; empty for a call.
        since: when it began to count, in seconds.
        shortest, longest: between which lengths it ends, in seconds.
        silent: whether bytes from the peer let it count anew.
        told: whether it was told that it is overdue.
    """

    event: str
    state: str
    said: str
    clause: str
    since: float
    shortest: float
    longest: float
    silent: bool = False
    told: bool = False

    @property
    def length(self) -> str:
        """How long it may last, in words."""
        return " to ".join(dict.fromkeys(seconds(each) for each in (self.shortest, self.longest)))


@final
class Waits:
    """All clocks and calls of a page that run.

    Args:
        definition: the page.

    Attributes:
        clocks: by the names of their events.
        calls: by the paths of their states.
    """

    def __init__(self, definition: Definition) -> None:
        self.clocks: dict[str, Wait] = {}
        self.calls: dict[str, Wait] = {}
        self._lasted: dict[str, float] = {}
        self._ids: Mapping[str, list[str]] = {
            clock.name: [clause.id for clause in definition.clauses.values() if clause.clock == clock]
            for clock in definition.clocks
        }

    def __iter__(self) -> Iterator[Wait]:
        """Clocks, then calls; each in the order in which they began."""
        yield from self.clocks.values()
        yield from self.calls.values()

    def ends(self) -> Iterator[str]:
        """The events that their ends are."""
        yield from self.clocks
        for state in self.calls:
            yield f"done.{state}"
            yield f"failed.{state}"

    def start_clock(self, effect: out.StartClock, at: float) -> None:
        """A clock begins to count."""
        clock, name = effect.clock, effect.clock.name
        if effect.backoff is not None:
            # a wait that was cut short may have been meant to be as long as any
            before = self._lasted.get(name, effect.backoff.max) if effect.attempt > 1 else None
            low, high = effect.backoff.bounds(effect.attempt, before)
        else:
            low = high = effect.seconds or 0.0
        said = f"`{clock.text}` ({', '.join(self._ids[name])})"
        self.clocks[name] = Wait(name, clock.state, said, self._ids[name][0], at, low, high, clock.kind == "silent")

    def start_call(self, name: str, state: str, timeout: float, at: float) -> None:
        """A call begins."""
        self.calls[state] = Wait(f"failed.{state}", state, f"the call `{name}`", "", at, 0.0, timeout)

    def stop_clock(self, clock: Clock) -> None:
        """A clock stops before its end."""
        if self.clocks.pop(clock.name, None) is not None:
            self._lasted.pop(clock.name, None)

    def end_clock(self, name: str, at: float) -> None:
        """A clock has run out."""
        self._lasted[name] = at - self.clocks.pop(name).since

    def heard(self, at: float) -> None:
        """Bytes came from the peer: whoever listens for silence counts anew."""
        for wait in self.clocks.values():
            if wait.silent:
                wait.since, wait.told = at, False

    def clear(self) -> None:
        """Nothing runs any more."""
        self.clocks.clear()
        self.calls.clear()

    def overdue(self, at: float) -> list[Wait]:
        """What should have ended by then and was not told of yet, the earliest first; now it counts as told."""
        found = [wait for wait in self if not wait.told and wait.since + wait.longest < at]
        for wait in found:
            wait.told = True
        return sorted(found, key=lambda wait: wait.since + wait.longest)


def seconds(value: float) -> str:
    """A length in words, to the millisecond."""
    return say_seconds(round(value, _MILLI))
