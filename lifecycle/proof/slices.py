"""Regions that nothing else depends on, told apart: so that they add to what is explored, and do not multiply it.

Law: a region is a passenger if it moves no transport, raises nothing outward, leads nowhere else,
shields nothing from the states around it, and is asked for by nobody. What holds of the page without
one of two passengers, and of the page without the other, holds of the page.
"""

from collections.abc import Iterable, Iterator

import attrs

from lifecycle.definition.definition import Clause, Definition, State
from lifecycle.definition.lint.common import names_in
from lifecycle.definition.page import Effect, Law
from lifecycle.definition.sources import covers, overlap

_MOVING = {"open", "close", "drop", "admit", "refuse"}


def slices(definition: Definition) -> tuple[Definition, ...]:
    """The pages to explore instead of this one: one for each passenger, without the others; or the page itself."""
    passengers = [state.path for state in _regions(definition) if _rides(definition, state)]
    # of two inside each other the outer one goes as a whole
    outer = [path for path in passengers if not any(path.startswith(f"{other}.") for other in passengers)]
    if len(outer) < 2:  # noqa: PLR2004 -- one alone multiplies nothing
        return (definition,)
    return tuple(_without(definition, [other for other in outer if other != path]) for path in outer)


def _regions(definition: Definition) -> Iterator[State]:
    for state in definition.states.values():
        if state.parallel:
            yield from state.states


def _rides(definition: Definition, region: State) -> bool:
    inside = {state.path for state in region.walk()}
    rest = [state for path, state in definition.states.items() if path not in inside]
    set_here = {name for effect in _effects(region.walk()) if effect.word == "set" for name in effect.argument}
    around = [definition.states[path] for path in definition.around(definition.parents[region.path])]
    return not (
        any(effect.word in _MOVING for effect in _effects(region.walk()))
        or set_here & _read(definition, rest)
        or any(clause.to is not None and clause.to not in inside for state in region.walk() for clause in state.clauses)
        or any(set(clause.within) & inside for state in rest for clause in state.clauses)
        or any(set(_named(law)) & inside for law in definition.laws)
        or any(_escapes(definition, state, region.path) for state in region.walk())
        or any(overlap(one, other) for one in _taken(region.walk()) for other in _taken(around))
        or any(state.needs or state.status for state in region.walk())
    )


def _effects(states: Iterable[State]) -> Iterator[Effect]:
    for state in states:
        yield from (*state.enter, *state.exit)
        for clause in state.clauses:
            yield from clause.do


def _read(definition: Definition, states: list[State]) -> set[str]:
    """Every name that states read, laws and outward values included."""
    found = {name for law in definition.laws for name in names_in(law)}
    found |= set(names_in([definition.dial, definition.messages, definition.requests]))
    for state in states:
        found |= set(names_in([state.enter, state.exit, state.call]))
        for clause in state.clauses:
            found |= set(names_in([clause.when, clause.do, clause.clock]))
            found |= {clause.clock.by} if clause.clock is not None and clause.clock.by else set()
        found |= {name for effect in _effects([state]) if effect.word == "set" for name in effect.argument}
    return found


def _named(law: Law) -> Iterator[str]:
    for situation in (law.never, law.always, law.sometimes):
        yield from (*situation.in_, *situation.while_) if situation is not None else ()
    if law.leads_to is not None:
        yield from (*law.leads_to.from_, *law.leads_to.to)


def _escapes(definition: Definition, state: State, region: str) -> bool:
    """Whether a final, or the failure of a call, is heard outside of the region."""
    if state.call is not None and not _answered(definition, state.path, region, "failed"):
        return True
    if state.final is None:
        return False
    parent = definition.parents[state.path]
    return state.path == region or (
        parent == region if state.final == "done" else not _answered(definition, parent, region, state.final)
    )


def _answered(definition: Definition, path: str, region: str, event: str) -> bool:
    """Whether a state of the region surely takes what comes from inside."""
    for outer in definition.around(path):
        if any(
            clause.free and any(covers(family, event) for family in clause.on)
            for clause in definition.states[outer].clauses
        ):
            return True
        if outer == region:
            return False
    return False


def _taken(states: Iterable[State]) -> set[str]:
    return {event for state in states for event in (*_waits(state.clauses), *state.ignore)} - {"done", "failed"}


def _waits(clauses: Iterable[Clause]) -> Iterator[str]:
    for clause in clauses:
        yield from clause.on


def _without(definition: Definition, regions: list[str]) -> Definition:
    """The page without some of its regions, and without the events that only they take."""
    root = _pruned(definition.root, set(regions))
    inside = {state.path for region in regions for state in definition.states[region].walk()}
    left = _taken(state for path, state in definition.states.items() if path not in inside)
    dropped = {event for event in _taken(definition.root.walk()) if not any(overlap(event, other) for other in left)}

    def told(event: str) -> bool:
        return not any(overlap(event, gone) for gone in dropped)

    return attrs.evolve(
        definition,
        root=root,
        hears={event: fields for event, fields in definition.hears.items() if told(event)},
        sources={event: kind for event, kind in definition.sources.items() if told(event)},
    )


def _pruned(state: State, gone: set[str]) -> State:
    kept = tuple(_pruned(inner, gone) for inner in state.states if inner.path not in gone)
    if kept == state.states:
        return state
    # what only they take is taken here, and whether they do so is judged where they are
    left = _taken(each for inner in kept for each in inner.walk())
    theirs = _taken(each for inner in state.states if inner.path in gone for each in inner.walk())
    ignored = sorted(event for event in theirs if not any(overlap(event, other) for other in left))
    return attrs.evolve(state, states=kept, ignore=(*state.ignore, *ignored))
