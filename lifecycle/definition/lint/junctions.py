"""Junctions: states that are left in the step that enters them.

Law: a junction always has a way out, waits for nothing, and no circle of them has no end. A final
state is the opposite, and is checked here too: it has no way out at all.
"""

from collections.abc import Mapping

from lifecycle.definition.definition import Definition, State
from lifecycle.definition.lint.common import Problems, entered, named


def junctions(definition: Definition) -> Problems:
    """Check junctions and final states."""
    for state in definition.states.values():
        if state.junction and state.path:
            yield from _ways_out(state)
            yield from _idle(definition, state)
        if state.final:
            yield from _final(state)
    yield from _circles(definition)


def _ways_out(state: State) -> Problems:
    *others, last = state.clauses
    if not last.free:
        what = f"`{last.id}`, the last clause of the junction {named(state)}, has a condition"
        yield last.at.problem(what, "a junction ends with a clause without `when` and `while`", key=True)
    for index, clause in enumerate(others):
        if clause.free:
            later = state.clauses[index + 1]
            yield later.at.problem(
                f"`{later.id}` is never tried: `{clause.id}` before it has no condition", "put it last", key=True
            )
            break
    for clause in state.clauses:
        if clause.to is None:
            what = f"`{clause.id}` leads nowhere, and {named(state)} is a junction, left in the step that enters it"
            yield clause.at.problem(what, "give it a `to`", key=True)


def _idle(definition: Definition, state: State) -> Problems:
    rests = state.rest and not definition.states[definition.parents[state.path]].rest
    has = {"call": state.call, "rest": rests, "ignore": state.ignore, "states": state.states}
    for key, value in has.items():
        if value:
            what = f"{named(state)} is a junction, and has `{key}`"
            yield (state.at / key).problem(
                what, "a junction waits for nothing: give its clauses triggers, or take it out", key=True
            )


def _final(state: State) -> Problems:
    for key in ("clauses", "call", "states"):
        if getattr(state, key):
            yield (state.at / key).problem(
                f"{named(state)} is final, and has `{key}`", "nothing happens in a final state", key=True
            )


def _circles(definition: Definition) -> Problems:
    ways = {
        state.path: _next(definition, state) for state in definition.states.values() if state.junction and state.path
    }
    told: set[str] = set()
    for path in ways:
        circle = _circle(ways, (path,))
        if circle and not told & set(circle):
            told.update(circle)
            what = f"junctions in a circle: {' leads to '.join(f'`{each}`' for each in (*circle, path))}"
            yield definition.states[path].at.problem(what, "one of them has to wait for something", key=True)


def _next(definition: Definition, state: State) -> list[str]:
    targets = [definition.states[clause.to] for clause in state.clauses if clause.to is not None]
    return [inner.path for target in targets for inner in entered(target) if inner.junction]


def _circle(ways: Mapping[str, list[str]], path: tuple[str, ...]) -> tuple[str, ...]:
    """The way from a junction back to itself, or nothing."""
    for step in ways.get(path[-1], ()):
        if step == path[0]:
            return path
        if step not in path and (found := _circle(ways, (*path, step))):
            return found
    return ()
