"""One connection's state: a row of the table, the variables, and which causes are still alive.

Law: `receive` is synchronous and pure: no clock, no randomness, no I/O. It refuses what the page
does not allow and is then unchanged; whatever goes wrong, it is as it was. An event whose cause is
gone (a dial, a clock, a call) changes nothing and is counted.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.expression import is_number, value
from lifecycle.definition.literal import is_url
from lifecycle.errors import IllegalEvent

from . import effects as out
from .events import Event
from .path import Path, Row, Running
from .phase import Phase, after_effect, after_fact
from .plan import START
from .source import OutOfRange, store
from .table import Miss, Table

TRACE = 32
_NOTHING: Mapping[str, Any] = {}
_SILENT_WHEN_CLOSING = {"opened", "end", "message", "heard"}


@attrs.frozen(kw_only=True)
class Snapshot:
    """Where a machine stands; one of the same page can go on from it.

    Attributes:
        states: the paths of all active states, in page order.
        variables: by name; among them may be secrets.
        phase: what it knows of its transport.
        clocks, calls: the names of the clocks that run, and the states whose calls would be heard.
    """

    states: tuple[str, ...]
    variables: Mapping[str, Any] = attrs.field(repr=False)
    phase: Phase
    clocks: tuple[str, ...]
    calls: tuple[str, ...]


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "secret": lambda value: isinstance(value, str),
    "url": is_url,
    "flag": lambda value: isinstance(value, bool),
    "number": is_number,
    "duration": is_number,
    "object": lambda _: True,
}


@final
class Machine:
    """A machine of a table.

    Args:
        table: shared by all machines of a page.
        parameters: the values of the page's parameters, in its order.

    Attributes:
        row: the active states, and what follows from them.
        variables: the values of the page's variables, in its order.
        phase: what the machine knows of its transport.
        stale: how many events came whose cause was gone.
        trace: the last paths, oldest first.
    """

    __slots__ = (
        "_calls",
        "_clocks",
        "_serial",
        "parameters",
        "phase",
        "row",
        "stale",
        "table",
        "trace",
        "transport",
        "variables",
    )

    def __init__(self, table: Table, parameters: tuple[Any, ...] = ()) -> None:
        self.table = table
        self.row: Row = table.row(())
        self.variables: tuple[Any, ...] = table.initial
        self.parameters = parameters
        server = table.definition.role == "server"
        self.phase: Phase = "open" if server else "none"
        self.transport = 1 if server else 0
        self.stale = 0
        self.trace: list[Path] = []  # short; an empty deque is ten times as large
        self._clocks: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._serial = 1

    @property
    def definition(self) -> Definition:
        """The page."""
        return self.table.definition

    @property
    def states(self) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return self.row.leaves

    @property
    def status(self) -> str:
        """One of the nine statuses."""
        return self.row.status

    @property
    def ended(self) -> bool:
        """Whether the page has come to an end of its own."""
        return self.row.ended

    def start(self, variables: Mapping[str, Any] = _NOTHING) -> tuple[out.Effect, ...]:
        """Enter the initial states.

        Args:
            variables: first values of variables (role server: what the upgrade request brought).

        Raises:
            IllegalEvent: a variable cannot take its first value, or what is set on entry. The machine is as it was.
        """
        try:
            first = tuple(
                self._stored(name, variables[name]) if name in variables else value
                for name, value in zip(self.definition.variables, self.variables, strict=True)
            )
            changed, path, values = self.table.step(None, START, first, self.parameters, _NOTHING)
        except OutOfRange as error:
            raise self._illegal("start", str(error)) from None
        return self._commit(changed, path, values)

    def receive(self, event: Event) -> tuple[out.Effect, ...]:
        """Take an event.

        Returns:
            The effects, to be carried out in order.

        Raises:
            IllegalEvent: the page does not allow it here, or a variable cannot take what it brings.
                The machine is as it was.
        """
        if event.token and not self.lives(event):
            self.stale += 1
            return ()
        row = self.row
        try:
            changed, path, values = row.cells[event.name](self.variables, self.parameters, event.fields)
        except (KeyError, Miss):
            changed, path, values = self._first(event)
        except OutOfRange as error:
            raise self._illegal(event.name, str(error)) from None
        if not path.taken:
            raise self._illegal(event.name)
        if event.cause != "wish":
            self._happened(event)
        if path.plain:
            self.variables = changed
            self.row = path.after
            self._note(path)
            return ()
        return self._commit(changed, path, values)

    def lives(self, event: Event) -> bool:
        """Whether the cause of an event is still there."""
        match event.cause:
            case "wish":
                return True
            case "timer":
                return self._clocks.get(event.name) == event.token
            case "call":
                return self._calls.get(event.name.partition(".")[2]) == event.token
        if event.token != self.transport:
            return False
        # after our goodbye the transport says `closed` and nothing else
        return self.phase != "none" and not (self.phase == "closing" and event.cause in _SILENT_WHEN_CLOSING)

    def allowed(self) -> tuple[str, ...]:
        """The events that some clause takes here; clocks and calls left out."""
        found: dict[str, None] = {}
        if self.row.ended:
            return ()
        for number in reversed(self.row.states):
            state = self.table.plan.states[number]
            for name in (*(each for clause in state.clauses for each in clause.on), *state.ignore):
                if name not in ("done", "failed"):
                    found[name] = None
        return tuple(found)

    def snapshot(self) -> Snapshot:
        """Where it stands."""
        return Snapshot(
            states=tuple(self.table.plan.states[number].path for number in self.row.states),
            variables=dict(zip(self.definition.variables, self.variables, strict=True)),
            phase=self.phase,
            clocks=tuple(self._clocks),
            calls=tuple(self._calls),
        )

    def tokens(self) -> tuple[dict[str, int], dict[str, int]]:
        """What clocks and calls that run would bring with them; by name, and by state."""
        return dict(self._clocks), dict(self._calls)

    def resume(self, snapshot: Snapshot) -> None:
        """Stand there; the tokens are new.

        Raises:
            IllegalEvent: a variable cannot take its value. The machine is as it was.
            KeyError: the page has no such state, or a variable is missing; as above.
        """
        row = self.table.row(tuple(self.table.plan.number[path] for path in snapshot.states))
        try:
            self.variables = tuple(self._stood(name, snapshot.variables[name]) for name in self.definition.variables)
        except OutOfRange as error:
            raise self._illegal("start", str(error)) from None
        self.row, self.phase = row, snapshot.phase
        self.transport = self._next() if snapshot.phase != "none" else 0
        self._clocks = {name: self._next() for name in snapshot.clocks}
        self._calls = {state: self._next() for state in snapshot.calls}

    def value(self, given: Any) -> Any:
        """A value of the page, such as a deadline, with what parameters and variables are now."""
        return value(given, self.names)

    def names(self) -> dict[str, Any]:
        """Parameters and variables by their names."""
        names = dict(zip(self.definition.parameters, self.parameters, strict=False))
        return names | dict(zip(self.definition.variables, self.variables, strict=True))

    def keep(self, name: str, value: Any, *, highest: bool = False) -> None:
        """Store what a route takes from a message.

        Args:
            name: a variable that is kept, or a duration.
            value: one that is none, or not of the variable's shape, leaves it as it is: a peer sent it.
            highest: whether it never steps back (a cursor), and takes nothing but numbers.
        """
        index = self.table.writer.variables[name]
        old = self.variables[index]
        if value is None or (highest and not (is_number(value) and (not is_number(old) or value > old))):
            return
        variable = self.definition.variables[name]
        if variable.kind == "kept" and not _SHAPES[variable.initial](value):
            return
        self.variables = (*self.variables[:index], self._stored(name, value), *self.variables[index + 1 :])

    def _stored(self, name: str, value: Any) -> Any:
        variable = self.definition.variables[name]
        return store(name, variable)(value, *(self.value(getattr(variable, end)) for end in ("min", "max")))

    def _stood(self, name: str, value: Any) -> Any:
        stored = None if value is None else self._stored(name, value)
        # a first value may lie outside the range that later ones are held to
        return stored if self.definition.variables[name].kind == "kept" else value

    def _first(self, event: Event) -> tuple[tuple[Any, ...], Path, tuple[Any, ...]]:
        """A step that was not recorded yet; names outside the page never reach the chart."""
        if event.name not in self.table.plan.alphabet or self.row.ended:
            raise self._illegal(event.name)
        try:
            return self.table.step(self.row, event.name, self.variables, self.parameters, event.fields)
        except OutOfRange as error:
            raise self._illegal(event.name, str(error)) from None

    def _happened(self, event: Event) -> None:
        match event.cause:
            case "timer":
                del self._clocks[event.name]
            case "call":
                del self._calls[event.name.partition(".")[2]]
            case cause:
                self.phase = after_fact(self.phase, cause)

    def _note(self, path: Path) -> None:
        self.trace.append(path)
        if len(self.trace) > TRACE:
            del self.trace[0]

    def _commit(self, changed: tuple[Any, ...], path: Path, values: tuple[Any, ...]) -> tuple[out.Effect, ...]:
        self.variables = changed
        self.row = path.after
        self._note(path)
        made: list[out.Effect] = []
        for stopped in path.stops:
            self._stop(stopped, made)
        for effect, place in path.effects:
            self._do(effect.word, effect.argument, values[place] if place >= 0 else None, made)
        for started, place in path.starts:
            self._begin(started, values[place], made)
        if path.after.ended:
            self._end(made)
        return tuple(made)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _stop(self, what: Clock | Running, made: list[out.Effect]) -> None:
        if isinstance(what, Clock):
            if self._clocks.pop(what.name, None) is not None:
                made.append(out.StopClock(what))
        # one that outlives its state is not stopped, but its result is stale
        elif self._calls.pop(what.state, None) is not None and self.definition.calls[what.use.name].scope == "state":
            made.append(out.StopCall(what.use.name, what.state))

    def _begin(self, what: Clock | Running, value: Any, made: list[out.Effect]) -> None:
        if isinstance(what, Running):
            token = self._calls[what.state] = self._next()
            made.append(out.StartCall(what.use.name, what.state, token, value))
            return
        length, attempt = value if isinstance(value, tuple) else (value, 1)
        if isinstance(length, Backoff):
            token = self._clocks[what.name] = self._next()
            made.append(out.StartClock(what, token, None, length, attempt))
        elif is_number(length):
            token = self._clocks[what.name] = self._next()
            made.append(out.StartClock(what, token, max(0.0, length)))
        # any other length, such as none, never runs out

    def _do(self, word: str, argument: Any, value: Any, made: list[out.Effect]) -> None:
        match word:
            case "open":
                self._drop(made)
                self.transport, self.phase = self._next(), after_effect(self.phase, word)
                made.append(out.Open(self.transport, value["url"], value["query"], value["headers"]))
            case "close":
                if self.phase in ("dialing", "open"):
                    self.phase = after_effect(self.phase, word)
                    made.append(out.Close((argument or {}).get("code", 1000), str(value or "")))
            case "drop":
                self._drop(made)
            case "send":
                made.append(out.Send(argument, value))
            case "emit":
                made.append(out.Emit(argument["name"], value))
            case "refuse":
                self.phase = after_effect(self.phase, word)
                made.append(out.Refuse(argument["http"]))
            case "mark":
                made.append(out.Mark(argument))
            case "ping":
                made.append(out.Ping())
            case "admit":
                made.append(out.Admit())

    def _drop(self, made: list[out.Effect]) -> None:
        if self.transport:
            self.transport, self.phase = 0, after_effect(self.phase, "drop")
            made.append(out.Drop())

    def _end(self, made: list[out.Effect]) -> None:
        self._drop(made)
        made += [out.StopCall(self.table.definition.states[state].call.name, state) for state in self._calls]  # type: ignore[union-attr]
        self._clocks.clear()
        self._calls.clear()

    def _illegal(self, event: str, reason: str = "") -> IllegalEvent:
        return IllegalEvent(self.definition.name, event, self.states, self.allowed(), reason)
