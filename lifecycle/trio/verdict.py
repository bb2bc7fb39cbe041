"""Why there was silence: the peer, our own loop, or a machine that slept.

Law: pure. A clock that waits for a sign of life is one that notices silence, or whose state takes `heard`.
"""

import attrs

from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.units import say_seconds

STALL = 0.5
"""Seconds by which a timer may be late before our own loop is suspected."""


@attrs.frozen
class Silence:
    """What is known when a clock that waits for a sign of life runs out.

    Attributes:
        since_heard: seconds since bytes came.
        late: seconds by which the clock fired too late.
        slept: seconds for which the machine slept meanwhile.
    """

    since_heard: float
    late: float = 0.0
    slept: float = 0.0

    def __str__(self) -> str:
        if self.slept:
            return f"this machine slept for {say_seconds(round(self.slept, 1))}"
        if self.late > STALL:
            return f"our own loop was stalled for {say_seconds(round(self.late, 1))}"
        return f"the peer was silent for {say_seconds(round(self.since_heard, 1))}"


def asks_for_life(definition: Definition, clock: Clock) -> bool:
    """Whether a clock waits for a sign of life."""
    if clock.kind == "silent":
        return True
    return any("heard" in clause.on for clause in definition.states[clock.state].clauses)
