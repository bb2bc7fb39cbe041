"""What several checks ask of a definition.

Law: questions only; no check lives here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import Cause, Effect
from lifecycle.definition.presets import causes as presets
from lifecycle.definition.problem import Problem, Spot
from lifecycle.definition.sources import covers

Problems = Iterator[Problem]
CALL_EVENTS = ("done", "failed")
"""Events that belong to a state, and have no source of their own."""
_PLACES = {"at", "sources", "origins", "used"}


def named(state: State) -> str:
    """A state as a sentence names it."""
    return f"`{state.path}`" if state.path else "the page"


def outward(definition: Definition, path: str) -> Iterator[State]:
    """A state, then those around it."""
    return (definition.states[each] for each in definition.around(path))


def entered(state: State) -> Iterator[State]:
    """What is entered when a state is: itself, and what is initial in it."""
    yield state
    for inner in state.states if state.parallel else state.states[:1]:
        yield from entered(inner)


def said(clock: Clock) -> str:
    """A clock as a sentence names it."""
    return f"{clock.kind} a backoff" if isinstance(clock.length, Backoff) else clock.text


def takes(clause: Clause, event: str) -> bool:
    """Whether a clause waits for an event, or for a family that it is of."""
    return any(covers(family, event) for family in clause.on)


def writer(clause: Clause) -> str:
    """The use-point whose page wrote the clause; '' is the page itself."""
    return clause.id.rpartition("/")[0]


def effects(definition: Definition) -> Iterator[tuple[Effect, Spot]]:
    """Every effect, with its place."""
    for state in definition.states.values():
        for when in ("enter", "exit"):
            for index, effect in enumerate(getattr(state, when)):
                yield effect, state.at / when / index
        for clause in state.clauses:
            for index, effect in enumerate(clause.do):
                yield effect, clause.at / "do" / index


def names_in(value: Any) -> Iterator[str]:
    """Every name that an expression anywhere in a value reads."""
    if isinstance(value, Expression):
        yield from value.names
    elif isinstance(value, Mapping):
        yield from names_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from names_in(part)
    elif attrs.has(type(value)):
        yield from names_in(
            [getattr(value, field.name) for field in attrs.fields(type(value)) if field.name not in _PLACES]
        )


def declared(definition: Definition, group: str, name: str) -> Spot:
    """Where a parameter, variable or call is declared; of a used page, where that is used."""
    origin = definition.origins.get(name, definition.name)
    user = next((state for state in definition.states.values() if state.used == origin), None)
    return user.at / "use" if user else definition.at / group / name


def cause_rows(definition: Definition) -> Iterator[tuple[Cause, Spot]]:
    """Every row of causes, with its place: a preset's where it is named, a used page's at `causes` as a whole."""
    all_of_them = definition.at / "causes"
    own = sum(1 for path in definition.at.source.values if path[:-1] == all_of_them.path)
    last = definition.causes[-1] if own and definition.causes[-1].otherwise else None
    index, left = 0, 0
    for row in definition.causes:
        if row is last:  # it was moved behind the rows of used pages
            yield row, all_of_them / (own - 1)
            return
        yield row, all_of_them / index if index < own - (last is not None) else all_of_them
        left = (left or len(presets()[row.use])) - 1 if row.use else 0
        index += not left
