"""One of two parties: where it stands, and what it does with what happens to it.

Law: the table decides. A party keeps its row, its variables, the phase of its transport, the clocks
that are armed and the calls that are pending; what it cannot know of a value is tried in each way
that its clauses tell apart. Calls are done with any values; a number that a call of the server
returns is the server's own position. Other kept values, and durations that no guard asks for, are
no state. Silence, requests and `admit` are left out, and what breaks a law of the page
alone does not happen.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.expression import Expression, is_number
from lifecycle.definition.page import Route, Variable
from lifecycle.definition.parameters import supposed_values
from lifecycle.definition.sources import covers
from lifecycle.machine.path import Path, Row, Running
from lifecycle.machine.phase import Phase, after_effect, after_fact
from lifecycle.machine.plan import START
from lifecycle.machine.source import OutOfRange
from lifecycle.machine.tables import table_of
from lifecycle.proof.happenings import FAILED
from lifecycle.proof.values import Field, valuations

from .frames import UNKNOWN, Frame, Frames, Item, find, number, route
from .naming import ending, refusal
from .patience import giving_up, leading, runs
from .standing import Deed, Standing, Turn

_NOTHING: Mapping[str, Any] = {}


class Party:
    """One page, as one of two.

    Args:
        definition: the page.
        most: the highest number of a message.
    """

    def __init__(self, definition: Definition, most: int) -> None:
        self.definition, self.most = definition, most
        self.table = table_of(definition)
        self.parameters = supposed_values(definition, {})
        self.settings = dict(zip(definition.parameters, self.parameters, strict=True))
        cursors = {
            name for name, each in definition.variables.items() if (each.kind, each.initial) == ("kept", "number")
        }
        self.frames = Frames(definition, cursors)
        self._leading, self._giving_up = leading(definition), giving_up(definition)
        asked = _asked(definition)
        self._fixed = tuple(
            name not in asked and name not in self.frames.cursors and each.kind in ("kept", "duration", "number")
            for name, each in definition.variables.items()
        )
        self._counts = tuple(name in cursors for name in definition.variables)
        self._known: dict[Any, Standing] = {}
        self._turns: dict[Any, tuple[Turn, ...]] = {}
        self._routes: dict[Frame, Route | None] = {}
        self.absent = self._standing(Standing(self.table.row(()), self.table.initial, "none"))

    # -- what may happen

    def start(self, phase: Phase, query: tuple[tuple[str, Any], ...] = ()) -> Turn:
        """Enter the initial states; a server is told what the dial has brought."""
        given = dict(query)
        first = tuple(
            value if each.from_ is None else _asked_for(each, given.get(each.from_.removeprefix("query.")))
            for value, each in zip(self.table.initial, self.definition.variables.values(), strict=True)
        )
        variables, path, values = self.table.step(None, START, first, self.parameters, _NOTHING)
        return self._commit(Standing(self.absent.row, variables, phase), path, values)

    def told(self, at: Standing, cause: str, event: str) -> Turn:
        """The transport tells a fact; a page that does not take it has no step, and still the fact is one."""
        turns = self._reactions(at, event, cause)
        return turns[0] if turns else Turn(self._standing(attrs.evolve(at, phase=after_fact(at.phase, cause))))

    def ended(self, at: Standing, how: int | str) -> Turn:
        """The connection ends, by a close code or by an error; after our own close it is closed, and no more."""
        if at.phase == "closing":
            return self.told(at, "closed", "closed")
        return self.told(at, "end", ending(self.definition.causes, how))

    def wish(self, at: Standing, event: str) -> tuple[Turn, ...]:
        """The user wishes something, with any values."""
        return self._reactions(at, event, "wish", unknown=dict.fromkeys(self.definition.hears[event], Field()))

    def rings(self, at: Standing, *, last: bool) -> Iterator[tuple[str, Turn]]:
        """Clocks that run out: without a transport each, else those that give up, and only as a last resort."""
        for clock in at.clocks:
            if at.phase == "none" or (last and clock in self._giving_up):
                for turn in self._reactions(at, clock, "timer"):
                    yield clock.removeprefix("timer."), turn

    def returns(self, at: Standing, state: str, outcome: str, position: int) -> tuple[Turn, ...]:
        """The call of a state is done, or has failed."""
        if outcome == "failed":
            return self._reactions(at, f"failed.{state}", "call", unknown=FAILED)
        shapes = self.definition.calls[self.call(state)].returns
        known = tuple((name, position) for name, shape in shapes.items() if shape == "number")
        unknown = {name: Field(shape) for name, shape in shapes.items()}
        return self._reactions(at, f"done.{state}", "call", known, unknown)

    def call(self, state: str) -> str:
        """The name of the call of a state."""
        use = self.definition.states[state].call
        return use.name if use is not None else ""

    def yields(self, state: str) -> str | None:
        """The frame that the call of a state sends messages as."""
        return self.definition.calls[self.call(state)].yields

    def route(self, frame: Frame) -> Route | None:
        """The route that a frame of the other page takes."""
        if frame not in self._routes:
            self._routes[frame] = route(self.definition, frame)
        return self._routes[frame]

    def hear(self, at: Standing, frame: Frame) -> tuple[Turn, ...]:
        """A frame of the other page arrives: what it keeps and raises; in several ways if it holds any value."""
        key = (at, frame)
        if key not in self._turns:
            self._turns[key] = self._heard(at, frame)
        return self._turns[key]

    # -- what comes of it

    def _heard(self, at: Standing, frame: Frame) -> tuple[Turn, ...]:
        row = self.route(frame)
        if row is None:
            return (Turn(at),)
        kept = self._standing(attrs.evolve(at, variables=self._kept(at.variables, row, frame)))
        event, fields = row.raise_, {name: find(frame.content, path) for name, path in row.fields.items()}
        if row.refusal:
            event = refusal(self.definition.causes, find(frame.content, row.refusal))
        # after our own close, messages are still delivered, and nothing else
        if event is None or at.phase == "closing":
            return (Turn(kept),)
        unknown = {name: Field() for name, each in fields.items() if each == UNKNOWN or isinstance(each, dict | list)}
        known = tuple((name, _plain(value)) for name, value in fields.items() if name not in unknown)
        return self._reactions(kept, event, "message", known, unknown) or (Turn(kept),)

    def _kept(self, variables: tuple[Any, ...], row: Route, frame: Frame) -> tuple[Any, ...]:
        after = dict(zip(self.definition.variables, variables, strict=True))
        for name, pick in row.keep.items():
            new, old = number(find(frame.content, pick.path)), after[name]
            if name in self.frames.cursors and new is not None and not (pick.max and old is not None and new <= old):
                after[name] = new
        return tuple(after.values())

    def _reactions(
        self,
        at: Standing,
        event: str,
        cause: str,
        known: tuple[tuple[str, Any], ...] = (),
        unknown: Mapping[str, Field] = _NOTHING,
    ) -> tuple[Turn, ...]:
        """The steps that an event may lead to, each once; none if the page does not take it."""
        key = (at, event, known, tuple(unknown))
        if key not in self._turns:
            name = event.partition(".")[0] if cause == "call" else event
            clauses = [clause for clause in self._clauses(at.row) if any(covers(family, name) for family in clause.on)]
            found: dict[Any, Turn] = {}
            for fields in valuations(self.definition, clauses, unknown, self.settings):
                turn = self._step(at, event, cause, {**dict(known), **fields})
                if turn is not None:
                    found.setdefault((turn.after, turn.deeds), turn)
            self._turns[key] = tuple(found.values())
        return self._turns[key]

    def _clauses(self, row: Row) -> Iterator[Clause]:
        for state in row.states:
            yield from self.table.plan.states[state].clauses

    def _step(self, at: Standing, event: str, cause: str, fields: Mapping[str, Any]) -> Turn | None:
        if at.row.ended or event not in self.table.plan.alphabet:
            return None
        try:
            variables, path, values = self.table.step(at.row, event, at.variables, self.parameters, fields)
        except OutOfRange:
            return None
        if not path.taken:
            return None
        clocks, calls = at.clocks, at.calls
        if cause == "timer":
            clocks = tuple(clock for clock in clocks if clock != event)
        if cause == "call":
            calls = tuple(state for state in calls if state != event.partition(".")[2])
        return self._commit(Standing(at.row, variables, after_fact(at.phase, cause), clocks, calls), path, values)

    def _commit(self, at: Standing, path: Path, values: tuple[Any, ...]) -> Turn:
        deeds: list[Deed] = []
        stopped = {what.state if isinstance(what, Running) else what.name for what in path.stops}
        clocks = [clock for clock in at.clocks if clock not in stopped]
        calls = [state for state in at.calls if state not in stopped]
        phase = at.phase
        for effect, place in path.effects:
            value = values[place] if place >= 0 else None
            phase = self._done(phase, effect.word, effect.argument, value, deeds)
        for what, place in path.starts:
            if isinstance(what, Running):
                calls.append(what.state)
                if self.yields(what.state):
                    deeds.append(Deed("log", self._after(what, values[place])))
            elif what.name in self._leading and runs(values[place]):
                clocks.append(what.name)
        if path.after.ended:
            phase, clocks, calls = self._done(phase, "drop", None, None, deeds), [], []
        after = Standing(path.after, at.variables, phase, tuple(sorted(clocks)), tuple(sorted(calls)))
        return Turn(self._standing(after), tuple(deeds), path.clauses)

    def _done(self, phase: Phase, word: str, argument: Any, value: Any, deeds: list[Deed]) -> Phase:
        """Note an effect, as far as the other party or the user sees it; returns the phase after it."""
        if phase != "none" and word in ("open", "drop"):
            deeds.append(Deed("drop"))
        match word:
            case "open":
                deeds.append(Deed(word, tuple(self._query(value["query"]))))
            case "refuse":
                deeds.append(Deed(word, argument["http"]))
            case "send" if phase == "open":
                deeds.append(Deed(word, self.frames.make(argument, value)))
            case "close" if phase in ("dialing", "open"):
                deeds.append(Deed(word, self.frames.end((argument or {}).get("code", 1000))))
            case "mark":
                deeds.append(Deed(word, argument))
        return after_effect(phase, word)

    def _query(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """What is known of a dial's query: numbers, and what the page itself says."""
        said = self.definition.dial.query if self.definition.dial is not None else {}
        return ((name, one) for name, one in values.items() if is_number(one) or one == said.get(name))

    def _after(self, what: Running, arguments: Mapping[str, Any]) -> int | None:
        """The number after which a call sends; none: the server's own position, for it was given no number."""
        takes = self.definition.calls[what.use.name].takes
        name = next((name for name, shape in takes.items() if shape == "number" and name in arguments), None)
        return None if name is None else max(0, min(self.most, number(arguments[name]) or 0))

    def _standing(self, at: Standing) -> Standing:
        # a cursor beyond the last message is as good as at it
        variables = tuple(
            first if fixed else self.most if counts and value is not None and value > self.most else value
            for value, first, fixed, counts in zip(
                at.variables, self.table.initial, self._fixed, self._counts, strict=True
            )
        )
        key = (at.row, variables, at.phase, at.clocks, at.calls)
        if key not in self._known:
            self._known[key] = attrs.evolve(at, variables=variables)
        return self._known[key]


def _asked_for(variable: Variable, value: Any) -> Any:
    """The first value of a variable for which a client has said this."""
    fits = value is not None and (variable.kind != "choice" or value in variable.of)
    return value if fits else variable.else_


def _asked(definition: Definition) -> set[str]:
    """Names that a guard or an assignment reads."""
    found = set[str]()
    for clause in definition.clauses.values():
        found |= clause.when.names if clause.when is not None else set()
    for state in definition.states.values():
        for effect in (*state.enter, *state.exit, *(each for clause in state.clauses for each in clause.do)):
            if effect.word == "set":
                for value in effect.argument.values():
                    found |= value.names if isinstance(value, Expression) else set()
    return found


def _plain(value: Any) -> Any:
    return value.number if isinstance(value, Item) else value
