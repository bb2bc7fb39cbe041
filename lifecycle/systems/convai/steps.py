"""The steps of a connection, each with its place among the messages.

Law: it is told in the middle of a step, so it writes down and wakes, and does nothing else. Of what an event brings
only the fields of a call that has failed are kept; no secret is among them. Bounded: the oldest go.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import attrs

from lifecycle.machine.effects import Effect
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed
from lifecycle.trio.parking import Parking

MOST: Final = 4096


@attrs.frozen
class Row:
    """A step.

    Attributes:
        step: what happened.
        came: how many messages had come before.
        fields: of a call that has failed.
    """

    step: Step
    came: int
    fields: Mapping[str, Any]


@final
class Steps(Instrument):
    """Those of one connection that were not told yet.

    Attributes:
        over: whether the connection has ended.
        parked: woken by each step.
    """

    def __init__(self) -> None:
        self.over = False
        self.parked = Parking()
        self._rows: deque[Row] = deque(maxlen=MOST)

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:  # noqa: ARG002 -- an instrument's
        """The page took an event."""
        fields = event.fields if step.event.startswith("failed.") else {}
        self._rows.append(Row(step, connection.counters.delivered, fields))
        self.parked.wake()

    def ended(self, connection: Observed, at: float, failure: BaseException | None) -> None:  # noqa: ARG002 -- likewise
        """The connection has ended."""
        self.over = True
        self.parked.wake()

    def until(self, came: int | None) -> Iterator[Row]:
        """Take those that happened when no more than so many messages had come; None: all."""
        while self._rows and (came is None or self._rows[0].came <= came):
            yield self._rows.popleft()
