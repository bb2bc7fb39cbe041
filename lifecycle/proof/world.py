"""A page and everything around it that moves: what may happen in a node, and what comes of it.

Law: the table decides; this says only which events can come, and follows clocks, calls and the
transport. Variables that nothing asks for are no state; a length that reads one lies in its range.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lifecycle.definition.definition import Clause, Clock, Definition
from lifecycle.definition.expression import Expression, is_number, value
from lifecycle.definition.lint.common import effects
from lifecycle.definition.page import Effect, Variable
from lifecycle.definition.sources import covers
from lifecycle.errors import PageError
from lifecycle.machine.path import Log, Path, Row, Running
from lifecycle.machine.path import deeds as actions_of
from lifecycle.machine.phase import Phase, after_effect, after_fact
from lifecycle.machine.tables import table_of

from .graph import Armed, Deeds, Move, Node, Pending
from .happenings import FAILED, happenings
from .lengths import Length, length, measured, reach
from .races import lost, raced
from .values import Field, TooManyValues, valuations


class World:
    """The environment of one page under one setting of its parameters.

    Args:
        definition: the page.
        parameters: their values, in the page's order.
        whole: the page of which this one is a slice.
        races: whether clocks that cannot run out yet are held back.
    """

    def __init__(
        self,
        definition: Definition,
        parameters: tuple[Any, ...],
        *,
        whole: Definition | None = None,
        races: bool = True,
    ) -> None:
        self.whole = whole or definition
        self.races = races
        self.definition, self.parameters = definition, parameters
        self.settings = dict(zip(definition.parameters, parameters, strict=True))
        self.table = table_of(definition)
        self.clocks = {clock.name: index for index, clock in enumerate(definition.clocks)}
        self.happenings = happenings(definition)
        self.loose = {name: reach(definition, name, self.settings) for name in _loose(definition)}
        self._fixed = tuple(
            name in self.loose or variable.kind == "kept" for name, variable in definition.variables.items()
        )
        self._loose_clocks = {
            clock.name
            for clock in definition.clocks
            if isinstance(clock.length, Expression) and clock.length.names & self.loose.keys()
        }
        self._moves: dict[tuple[Row, Phase], tuple[Move, ...]] = {}
        self._ends: dict[tuple[Row, Pending], tuple[Move, ...]] = {}
        self._kinds: dict[Any, list[dict[str, Any]]] = {}
        self._armed: dict[Any, Armed | None] = {}
        self._measured: dict[Any, Armed | None] = {}
        self._timers: dict[Armed, Move] = {}
        self._pending: dict[tuple[str, float], Pending] = {}
        self._logs: dict[Path, Log] = {}
        self._given: dict[Path, tuple[tuple[str, Any], ...]] = {}
        self._deeds: dict[tuple[Path, Phase], Deeds] = {}

    @property
    def dials(self) -> bool:
        """Whether some state dials."""
        return any(effect.word == "open" for effect, _ in effects(self.definition))

    def first_phase(self) -> Phase:
        """The transport's phase before the start."""
        if self.definition.role == "server":
            return "open"
        return "none" if self.definition.role else self.definition.root.needs or "none"  # type: ignore[return-value]  # a need is a phase

    def moves(self, node: Node) -> Iterator[Move]:
        """What may happen in a node, the peer's silence left out."""
        key = (node.row, node.phase)
        known = self._moves.get(key)
        if known is None:
            known = self._moves[key] = tuple(self._told(node.row, node.phase))
        yield from known
        for armed in node.armed:
            move = self._timers.get(armed)
            if move is None:
                move = self._timers[armed] = Move("timer", armed.name, clock=armed)
            yield move
        for call in node.calls:
            ends = self._ends.get((node.row, call))
            if ends is None:
                ends = self._ends[node.row, call] = tuple(self._ended(node.row, call))
            yield from ends

    def deeds(self, path: Path, phase: Phase) -> Deeds:
        """What a path does to the transport, its phase being this."""
        known = self._deeds.get((path, phase))
        if known is None:
            opens, twice, late, now = 0, False, False, phase
            for effect, _ in path.effects:
                if effect.word == "open":
                    opens, twice = opens + 1, twice or now != "none"
                late |= effect.word in ("admit", "refuse") and now == "none"
                now = after_effect(now, effect.word)
            stops = frozenset(_mark(what) for what in path.stops)
            starts = frozenset(_mark(what) for what, _ in path.starts)
            known = Deeds("none" if path.after.ended else now, opens, twice, late, stops, stops | starts)
            self._deeds[path, phase] = known
        return known

    def after(
        self, node: Node, move: Move, variables: tuple[Any, ...], path: Path, values: tuple[Any, ...]
    ) -> Node | None:
        """The node that a step leads to; none if another clock must have run out before it."""
        phase = after_fact(node.phase, move.cause)
        armed, calls, races = node.armed, node.calls, node.races
        gone: frozenset[str] = frozenset()
        started: tuple[Armed | Pending, ...] = ()
        ended = move.clock or move.call
        if self.races and ended is not None:
            if races and lost(races, ended):
                return None
            gone = frozenset((ended.mark,))
        if move.clock is not None:
            armed = tuple(one for one in armed if one is not move.clock)
        elif move.call is not None:
            calls = tuple(one for one in calls if one is not move.call)
        if not path.plain:
            deeds = self.deeds(path, phase)
            phase = deeds.phase
            if deeds.stops:
                armed = tuple(one for one in armed if one.mark not in deeds.stops)
                calls = tuple(one for one in calls if one.mark not in deeds.stops)
            gone |= deeds.touches
            if path.starts:
                armed, calls = self._started(armed, calls, variables, path, values)
                marks = {_mark(what) for what, _ in path.starts}
                started = tuple(one for one in _all(armed, calls) if one.mark in marks)
            if path.after.ended:
                armed, calls = (), ()
        if variables is not node.variables:
            variables = self.plain(variables)
        if self.races and (gone or started):
            races = raced(races, gone, started, (*armed, *calls))
        return Node(path.after, variables, armed, calls, phase, races)

    def plain(self, variables: tuple[Any, ...]) -> tuple[Any, ...]:
        """Variables without those that nothing asks for."""
        initial = self.table.initial
        return tuple(
            first if fixed else value for value, first, fixed in zip(variables, initial, self._fixed, strict=True)
        )

    def passed(self, path: Path) -> frozenset[str]:
        """Every state that a path enters, be it for a moment."""
        states = self.table.plan.states
        return frozenset(states[number].path for kind, number, _ in self._log(path) if kind == "+")

    def given(self, path: Path) -> tuple[tuple[str, Any], ...]:
        """Variables and the plain numbers that a path sets them to; none is the first value."""
        known = self._given.get(path)
        if known is not None:
            return known
        variables = self.definition.variables
        rows = (row for each in self._done(path) if each.word == "set" for row in each.argument.items())
        firsts = ((name, variables[name].initial if value is None else value) for name, value in rows)
        known = self._given[path] = tuple((name, value) for name, value in firsts if is_number(value))
        return known

    def words(self, path: Path) -> tuple[str, ...]:
        """The words of all effects of a path, assignments included, in order."""
        return tuple(effect.word for effect in self._done(path))

    def _done(self, path: Path) -> Iterator[Effect]:
        return (action.effect for action in actions_of(self.table.plan, self._log(path)) if action.effect is not None)

    def _log(self, path: Path) -> Log:
        for index in range(len(self._logs), len(self.table.paths)):
            self._logs[self.table.paths[index]] = self.table.logs[index][2]
        return self._logs[path]

    def names(self, variables: tuple[Any, ...]) -> dict[str, Any]:
        """Parameters and variables by name."""
        return {**self.settings, **dict(zip(self.definition.variables, variables, strict=True))}

    def _started(
        self,
        armed: tuple[Armed, ...],
        calls: tuple[Pending, ...],
        variables: tuple[Any, ...],
        path: Path,
        values: tuple[Any, ...],
    ) -> tuple[tuple[Armed, ...], tuple[Pending, ...]]:
        for what, place in path.starts:
            if isinstance(what, Running):
                calls = (*(one for one in calls if one.state != what.state), self._call(what, variables))
                continue
            one = self._clock(what, variables, values[place])
            armed = tuple(other for other in armed if other.name != what.name)
            if one is not None:
                armed = tuple(sorted((*armed, one), key=_number))
        return armed, tuple(sorted(calls, key=_state))

    def _clock(self, clock: Clock, variables: tuple[Any, ...], value: Any) -> Armed | None:
        if clock.name not in self._loose_clocks:
            return self._one(clock, length(value))
        key = (clock.name, variables)
        if key not in self._measured:
            self._measured[key] = self._one(clock, measured(clock, self.names(variables), self.loose))
        return self._measured[key]

    def _one(self, clock: Clock, made: Length | None) -> Armed | None:
        key = (clock.name, made)
        if key not in self._armed:
            number = self.clocks[clock.name]
            self._armed[key] = None if made is None else Armed(number, clock.name, clock.kind, made)
        return self._armed[key]

    def _call(self, what: Running, variables: tuple[Any, ...]) -> Pending:
        timeout = self.definition.calls[what.use.name].timeout
        seconds = value(timeout, lambda: self.names(variables))
        key = (what.state, float(seconds or 0.0))
        if key not in self._pending:
            self._pending[key] = Pending(what.state, what.use.name, Length(0.0, 0.0, key[1]))
        return self._pending[key]

    def _told(self, row: Row, phase: Phase) -> Iterator[Move]:
        found: dict[Any, Move] = {}
        for one in self.happenings:
            if one.phase not in (None, phase) or (one.cause == "heard" and not row.hears):
                continue
            for fields in self._valuations(row, one.event, one.event, one.fields, one.said):
                key = (one.cause, one.event, tuple(fields.items()))
                known = found.get(key)
                rows = (*(known.rows if known else ()), *([one.row] if one.row else ()))
                found[key] = Move(one.cause, one.event, fields, rows, known.said if known else one.said)
        yield from found.values()

    def _ended(self, row: Row, call: Pending) -> Iterator[Move]:
        returns = {name: Field(shape) for name, shape in self.definition.calls[call.name].returns.items()}
        for outcome, fields in (("done", returns), ("failed", FAILED)):
            event = f"{outcome}.{call.state}" if call.state else outcome
            for values in self._valuations(row, outcome, event, fields, call.name):
                yield Move("call", f"{outcome}.{call.state}", values, call=call, said=call.name)

    def _valuations(
        self, row: Row, event: str, full: str, fields: Mapping[str, Field], said: str
    ) -> list[dict[str, Any]]:
        clauses = [
            clause
            for clause in self._clauses(row)
            if any(covers(family, event) or covers(family, full) for family in clause.on)
        ]
        key = (tuple(map(id, clauses)), tuple(fields.items()))
        try:
            if key not in self._kinds:
                self._kinds[key] = valuations(self.definition, clauses, fields, self.settings)
            return self._kinds[key]
        except TooManyValues as error:
            at = clauses[0].at if clauses else self.definition.at
            what = f"the event `{event}` ({said}) cannot be explored: {error}"
            raise PageError(
                [at.problem(what, "compare fewer of its fields, or put them into variables first")]
            ) from None

    def _clauses(self, row: Row) -> Iterator[Clause]:
        for number in row.states:
            yield from self.table.plan.states[number].clauses


def _loose(definition: Definition) -> Iterator[str]:
    """Durations and numbers that no guard and no law asks for."""
    asked = set[str]()
    for clause in definition.clauses.values():
        asked |= clause.when.names if clause.when is not None else set()
        asked |= {clause.clock.by} if clause.clock is not None and clause.clock.by else set()
    for law in definition.laws:
        for situation in (law.never, law.always, law.sometimes):
            asked |= situation.when.names if situation is not None and situation.when is not None else set()
    sets = [effect.argument for effect, _ in effects(definition) if effect.word == "set"]
    asked |= {name for name, variable in definition.variables.items() if _counted(variable)}
    while True:
        read = {
            name
            for each in sets
            for target, value in each.items()
            if target in asked and isinstance(value, Expression)
            for name in value.names
        }
        if read <= asked:
            break
        asked |= read
    return (
        name
        for name, variable in definition.variables.items()
        if variable.kind in ("duration", "number") and name not in asked and _moved(definition, sets, name)
    )


def _counted(variable: Variable) -> bool:
    """Whether an assignment can leave its range, or only a guard would want it."""
    ends_ = variable.min is not None or variable.max is not None
    return variable.kind in ("count", "flag", "choice") or (variable.kind == "number" and ends_)


def _moved(definition: Definition, sets: list[Mapping[str, Any]], name: str) -> bool:
    """Whether it is ever anything but its first value."""
    return any(name in each for each in sets) or any(name in route.keep for route in definition.messages.routes)


def _all(armed: tuple[Armed, ...], calls: tuple[Pending, ...]) -> tuple[Armed | Pending, ...]:
    return (*armed, *calls)


def _mark(what: Clock | Running) -> str:
    return what.name if isinstance(what, Clock) else f"call {what.state}"


def _number(armed: Armed) -> int:
    return armed.number


def _state(call: Pending) -> str:
    return call.state
