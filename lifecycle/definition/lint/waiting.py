"""Places where a page waits: each has an end in time, or says that it rests; each has a status.

Law: one clock, call or `rest` is enough for everything that is active at once. Whether a clock
that runs only `while` something else is active suffices is left to the explored laws.
"""

from collections.abc import Iterator

from lifecycle.definition.definition import Clock, Definition, State
from lifecycle.definition.expression import Expression
from lifecycle.definition.lint.common import Problems, named
from lifecycle.definition.page import OPTIONAL


def waiting(definition: Definition) -> Problems:
    """Check that no place waits for ever unsaid, and that every place has a status."""
    for state in _endless(definition, definition.root):
        if state.states:
            what = f"{named(state)} may wait for ever: no region of it has a clock or a call in each of its states"
            yield state.at.problem(what, "give one region an `after` everywhere, or say `rest: true`", key=True)
        else:
            what = f"{named(state)} may wait for ever: it has no clock and no call that ends it"
            yield state.at.problem(what, "give it an `after` with a `to`, or say `rest: true`", key=True)
    if definition.role:
        for state in _nameless(definition.root):
            yield state.at.problem(
                f"{named(state)} has no status, nor has a state around it",
                "say what a user sees there: `status:`",
                key=True,
            )


def _endless(definition: Definition, state: State) -> list[State]:
    """The places inside that nothing ends; of a state with regions itself, if none of them helps."""
    if state.final or state.junction or state.call or any(_ends(definition, state, clock) for clock in state.clocks):
        return []
    if not state.states:
        rests = state.rest or (state.slot and definition.role is None)
        return [] if rests else [state]
    inner = [_endless(definition, child) for child in state.states]
    if state.parallel:
        return [state] if all(inner) else []
    return [place for places in inner for place in places]


def _ends(definition: Definition, state: State, clock: Clock) -> bool:
    """Whether a clock leads out: it has a target, and a length even if its parameter is not given."""
    if isinstance(clock.length, Expression) and clock.length.text == "none":
        return False
    parameter = definition.parameters.get(clock.length.text) if isinstance(clock.length, Expression) else None
    given = parameter is None or parameter.default not in (OPTIONAL, None)
    return given and any(clause.to is not None for clause in state.clauses if clause.clock == clock)


def _nameless(state: State) -> Iterator[State]:
    if state.status or state.final or state.junction:
        return
    inner = [list(_nameless(child)) for child in state.states]
    if not inner or (state.parallel and all(inner)):
        yield state
    elif not state.parallel:
        for places in inner:
            yield from places
