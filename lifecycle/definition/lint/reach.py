"""Ways from the initial states: each state has one, and each cause is taken somewhere.

Law: generous; conditions and the order of events are not looked at. What has no way here has none
at all; what has one here is for the explored law `reachable` to say.
"""

from collections.abc import Iterator

from lifecycle.definition.definition import Definition, State
from lifecycle.definition.lint.common import Problems, cause_rows, entered, outward
from lifecycle.definition.sources import covers, overlap


def reach(definition: Definition) -> Problems:
    """Check that no state and no cause is in vain."""
    found = _reached(definition)
    for state in definition.states.values():
        # inside a state that is never entered, nothing else needs saying
        if state.path not in found and definition.parents[state.path] in found:
            yield state.at.problem(
                f"`{state.path}` is never entered",
                "no clause leads to it and it is not initial: lead one there, or take it out",
                key=True,
            )
    yield from _causes(definition)


def _reached(definition: Definition) -> set[str]:
    found: set[str] = set()
    todo = [""]
    while todo:
        for state in _active(definition, todo.pop()):
            if state.path not in found:
                found.add(state.path)
                todo += [clause.to for clause in state.clauses if clause.to is not None]
    return found


def _active(definition: Definition, path: str) -> Iterator[State]:
    """What may be active when a state is entered: what is around it, beside it in regions, and initial in it."""
    yield from entered(definition.states[path])
    for around in outward(definition, path):
        yield from entered(around) if around.parallel else (around,)


def _causes(definition: Definition) -> Problems:
    taken = [
        event
        for state in definition.states.values()
        for event in (*state.ignore, *(e for c in state.clauses for e in c.on))
    ]
    taken += definition.leaves
    told: set[str] = set()
    for row, at in cause_rows(definition):
        event = row.is_ or ""
        family = event.partition(".")[0]
        if row.use is None and event and not any(covers(each, event) for each in taken):
            what = f"this cause is `{event}`, which no state takes"
            yield (at / "is").problem(what, f"give a state a clause with `on: {event}`, or a family of it")
        # one page need not care for all that a preset tells apart, but its family must lead somewhere
        if (
            row.use is not None
            and f"{row.use} {family}" not in told
            and not any(overlap(each, family) for each in taken)
        ):
            told.add(f"{row.use} {family}")
            what = f"the preset `{row.use}` tells `{event}`, and no state takes anything of `{family}`"
            yield at.problem(what, f"give a state a clause with `on: {family}`")
