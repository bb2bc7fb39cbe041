"""What is told of each thing that happens to a connection, as it happens.

Law: an instrument is called in the middle of a step, so it does not wait, and does nothing to the connection. What
it raises costs nobody but itself: it is logged once, and told nothing more by that connection.
"""

from typing import Any, Protocol

from lifecycle.machine.effects import Effect, StartClock
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.step import Step


class Named(Protocol):
    """What a connection and its events are called; the page says where that is found, under `trace`."""

    @property
    def number(self) -> int:
        """Which connection of this process it is, counted from 1."""
        ...

    @property
    def session(self) -> str:
        """The connection's name; its number, where the page does not say."""
        ...

    @property
    def event(self) -> int | str | None:
        """The id of the last event that came or went, of whatever dial."""
        ...

    @property
    def came(self) -> tuple[int | str, int | str] | None:
        """The ids of the first and the last event that came in this dial."""
        ...

    @property
    def went(self) -> tuple[int | str, int | str] | None:
        """The ids of the first and the last event that went in this dial."""
        ...


class Observed(Protocol):
    """What an instrument may look at; one a connection."""

    @property
    def ids(self) -> Named:
        """What it and its events are called, in traces, logs and spans."""
        ...

    @property
    def machine(self) -> Machine:
        """Its page, and where it stands: states, variables, parameters; to be looked at only."""
        ...

    @property
    def status(self) -> str:
        """One of the nine statuses; `closed` and `failed` also where it was ended from outside."""
        ...

    @property
    def epoch(self) -> int:
        """Which dial it is, counted from 1; 0 before the first."""
        ...

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words."""
        ...

    @property
    def counters(self) -> Any:
        """What was counted since it began; see `lifecycle.Connection.counters`."""
        ...

    @property
    def traffic(self) -> tuple[int, int]:
        """How many messages of this epoch came, and how many went; handshakes and pings left out."""
        ...

    def length(self, started: StartClock) -> float:
        """How many seconds a clock runs that was just started; of a backoff, those that the dice gave."""
        ...


class Instrument:
    """Does nothing; say in a subclass what you want to hear.

    Times are seconds of the connection's clock, which has no date; `began` says which date that is.
    """

    def began(self, connection: Observed, at: float, wall: float) -> None:
        """A connection begins; nothing has happened yet.

        Args:
            connection: which.
            at: now, by its clock.
            wall: now, in seconds since 1970.
        """

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """The page took an event, and what it asked for was done. The first one is `@start`.

        Args:
            connection: which.
            step: what happened, in the page's words.
            event: what was taken, with its fields; among them may be secrets.
            effects: what was done; a clock that starts and stops is one.
        """

    def refused(self, connection: Observed, event: Event, at: float) -> None:
        """The page did not allow an event; nothing has changed."""

    def stale(self, connection: Observed, event: Event, at: float) -> None:
        """An event came whose dial, clock or call was gone; nothing has changed."""

    def kept(self, connection: Observed, variable: str, at: float) -> None:
        """A message moved a variable, such as a cursor, on its way to the user."""

    def slept(self, connection: Observed, seconds: float) -> None:
        """The machine has slept for so long; the connection's clock stood still."""

    def ended(self, connection: Observed, at: float, failure: BaseException | None) -> None:
        """A connection has ended; with the fault, if it was one of ours."""
