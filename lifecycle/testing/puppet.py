"""A machine on strings: the driver's part is played by a test, which says what happens and when.

Law: pure, and correct where a test would be careless. Every event brings the token that the machine
gave out with its dial, clock or call; what cannot happen any more is refused here, and never told.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import supposed_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import LifecycleError
from lifecycle.machine import effects as out
from lifecycle.machine.events import Cause, Event
from lifecycle.machine.machine import Machine, Snapshot
from lifecycle.machine.path import Path, Running
from lifecycle.machine.phase import Phase
from lifecycle.machine.tables import table_of

Told = Literal["opened", "closed", "end", "message", "heard"]
"""What the transport tells, as an event's cause."""
_NOTHING: Mapping[str, Any] = {}


class NotThere(LifecycleError):
    """What should happen cannot: its clock or call does not run, or its transport is gone. Nothing was told."""

    side = "caller"


class Puppet:
    """A machine of a page without a driver.

    Args:
        page: a `Definition`, the name of a bundled page, or a path.
        parameters: as to `lifecycle.open`. A `url`, text or secret that is required and not given is made up.

    Attributes:
        machine: what is moved.
        effects: what the last step gave out.

    Raises:
        PageError: the page is wrong.
        WrongParameters: they do not fit the page.
    """

    def __init__(self, page: PageLike, /, **parameters: Any) -> None:
        definition = read(page)
        self.machine = Machine(table_of(definition), supposed_values(definition, parameters))
        if definition.role is None and definition.root.needs in ("dialing", "open"):
            # the page that uses a fragment has dialled before it
            self.machine.phase, self.machine.transport = definition.root.needs, 1  # type: ignore[assignment]  # a need is a phase
        self.effects: tuple[out.Effect, ...] = ()
        self._transport = self.machine.transport
        self._clocks: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    @property
    def definition(self) -> Definition:
        """The page."""
        return self.machine.definition

    @property
    def states(self) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return self.machine.states

    @property
    def status(self) -> str:
        """One of the nine statuses."""
        return self.machine.status

    @property
    def ended(self) -> bool:
        """Whether the page has come to an end of its own."""
        return self.machine.ended

    @property
    def phase(self) -> Phase:
        """What the machine knows of its transport."""
        return self.machine.phase

    @property
    def variables(self) -> dict[str, Any]:
        """The page's variables by name; a copy."""
        return dict(zip(self.definition.variables, self.machine.variables, strict=True))

    @property
    def armed(self) -> tuple[str, ...]:
        """The names of the clocks that run."""
        return tuple(self._clocks)

    @property
    def calls(self) -> tuple[str, ...]:
        """The states whose calls run and would be heard."""
        return tuple(self._calls)

    @property
    def last(self) -> Path | None:
        """The last step: its clauses, what it did, where it led."""
        return self.machine.trace[-1] if self.machine.trace else None

    @property
    def clauses(self) -> tuple[str, ...]:
        """The ids of the clauses that took the last step."""
        return self.last.clauses if self.last is not None else ()

    def start(self, variables: Mapping[str, Any] = _NOTHING) -> tuple[out.Effect, ...]:
        """Enter the initial states.

        Args:
            variables: first values of variables, by name, other than the page's own.

        Raises:
            IllegalEvent: a variable cannot take what is set on entry.
        """
        return self._heed(self.machine.start(variables))

    def resume(self, snapshot: Snapshot) -> None:
        """Go on from where another machine of the page stood.

        Raises:
            IllegalEvent: a variable cannot take its value; nothing has changed.
            KeyError: the page has no such state, or a variable is missing; nothing has changed.
        """
        machine = self.machine
        machine.resume(snapshot)
        self._transport = machine.transport
        self._clocks, self._calls = machine.tokens()

    def tell(self, event: str, /, **fields: Any) -> tuple[out.Effect, ...]:
        """Tell a wish.

        Raises:
            IllegalEvent: it is not allowed here; nothing has changed.
        """
        return self._receive(Event(event, fields))

    def happen(self, cause: Told, event: str = "", fields: Mapping[str, Any] = _NOTHING) -> tuple[out.Effect, ...]:
        """Let the transport tell something.

        Args:
            cause: opened, heard (bytes came), message (one that a route raises), end (the transport is lost
                or refused), closed (the end of our own goodbye).
            event: its name, as `causes` or a route gives it; the cause's, if it is not said.
            fields: what it brings.

        Raises:
            NotThere: there is no transport, or it has said goodbye and tells nothing but `closed`.
            IllegalEvent: it is not allowed here; nothing has changed.
        """
        return self._receive(Event(event or cause, fields, cause, self._transport or -1))

    def run_out(self, clock: str) -> tuple[out.Effect, ...]:
        """Let a clock run out.

        Args:
            clock: its name (`timer.alive.silent_heartbeat_after`), or a part that only one running clock has.

        Raises:
            NotThere: no such clock runs, or several do.
            IllegalEvent: a variable cannot take what is set; nothing has changed.
        """
        found = [clock] if clock in self._clocks else [name for name in self._clocks if clock in name]
        if not found:
            raise self._silent(clock)
        if len(found) > 1:
            raise NotThere(f"several clocks have `{clock}` in their names: {_and(found)}")
        return self._receive(Event(found[0], {}, "timer", self._clocks[found[0]]))

    def end_call(
        self, state: str, outcome: Literal["done", "failed"] = "done", fields: Mapping[str, Any] = _NOTHING
    ) -> tuple[out.Effect, ...]:
        """Let the call of a state end.

        Args:
            state: its path.
            outcome: whether it did what it should.
            fields: what it returns; `code` and `message` of one that failed.

        Raises:
            NotThere: no call of this state runs.
            IllegalEvent: a variable cannot take what is set; nothing has changed.
        """
        if state not in self._calls:
            raise NotThere(f"no call of `{state}` runs in {_and(self.states)}; those that run: {_and(self.calls)}")
        return self._receive(Event(f"{outcome}.{state}", fields, "call", self._calls[state]))

    def step(self, cause: Cause, event: str, fields: Mapping[str, Any] = _NOTHING) -> tuple[out.Effect, ...]:
        """Let anything happen that is known by its cause and its full name, as traces say it.

        Raises:
            NotThere: its cause is not there.
            IllegalEvent: it is not allowed here; nothing has changed.
        """
        match cause:
            case "wish":
                return self.tell(event, **fields)
            case "timer" if event not in self._clocks:
                raise self._silent(event)
            case "timer":
                return self.run_out(event)
            case "call":
                outcome, _, state = event.partition(".")
                return self.end_call(state, "done" if outcome == "done" else "failed", fields)
            case "start":
                return self.start(fields)
        return self.happen(cause, event, fields)

    def _silent(self, clock: str) -> NotThere:
        return NotThere(f"no clock `{clock}` runs in {_and(self.states)}; those that run: {_and(self.armed)}")

    def _receive(self, event: Event) -> tuple[out.Effect, ...]:
        if not self.machine.lives(event):
            raise NotThere(f"`{event.name}` cannot be told: the transport is {self.phase}")
        made = self.machine.receive(event)
        if event.cause == "timer":
            del self._clocks[event.name]
        elif event.cause == "call":
            del self._calls[event.name.partition(".")[2]]
        return self._heed(made)

    def _heed(self, made: tuple[out.Effect, ...]) -> tuple[out.Effect, ...]:
        path = self.machine.trace[-1]
        # not by StopClock and StopCall alone: a call that outlives its state is not stopped, and not heard either
        for what in path.stops:
            if isinstance(what, Running):
                self._calls.pop(what.state, None)
            else:
                self._clocks.pop(what.name, None)
        for effect in made:
            match effect:
                case out.Open(token):
                    self._transport = token
                case out.Drop():
                    self._transport = 0
                case out.StartClock(clock, token):
                    self._clocks[clock.name] = token
                case out.StartCall(_, state, token):
                    self._calls[state] = token
        if path.after.ended:
            self._clocks.clear()
            self._calls.clear()
        self.effects = made
        return made


def _and(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
