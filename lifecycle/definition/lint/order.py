"""The order in which a state tries its clauses: each of them, and each `ignore`, must have its turn.

Law: page order decides, so what stands behind something that always happens is dead, and dead
text is a mistake. A clause of the host may take what the used page would have taken: that is its
right, and no problem.
"""

from itertools import combinations

from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.lint.common import CALL_EVENTS, Problems, named, said, takes, writer
from lifecycle.definition.sources import covers, overlap


def order(definition: Definition) -> Problems:
    """Check that nothing is shadowed, and that every clock leads somewhere."""
    for state in definition.states.values():
        yield from _shadowed(state)
        yield from _twice(state)
        yield from _ignored(state)
        yield from _covering(state)
        for clock in state.clocks:
            yield from _alternatives(state, clock)


def _shadowed(state: State) -> Problems:
    for earlier, later in combinations(state.clauses, 2):
        if writer(earlier) == writer(later) and _always_before(earlier, later):
            for index, event in enumerate(later.on):
                if takes(earlier, event):
                    what = f"`{later.id}` never sees `{event}`: `{earlier.id}` before it takes it"
                    yield (later.at / "on" / index).problem(what, "put the special case first, or take one of them out")


def _always_before(earlier: Clause, later: Clause) -> bool:
    """Whether the earlier clause's conditions hold whenever the later one's do."""
    same = earlier.when is None or earlier.when == later.when
    return same and set(earlier.within) <= set(later.within)


def _twice(state: State) -> Problems:
    for clause in state.clauses:
        for first, second in combinations(range(len(clause.on)), 2):
            one, other = clause.on[first], clause.on[second]
            if overlap(one, other):
                special, family = (other, one) if covers(one, other) else (one, other)
                at = clause.at / "on" / (second if special == other else first)
                yield at.problem(f"`{clause.id}` names `{special}`, which `{family}` covers", "one of them is enough")


def _ignored(state: State) -> Problems:
    for index, event in enumerate(state.ignore):
        for clause in state.clauses:
            if clause.free and takes(clause, event):
                what = f"{named(state)} ignores `{event}`, which its clause `{clause.id}` always takes"
                yield (state.at / "ignore" / index).problem(what, "say one or the other")


def _covering(state: State) -> Problems:
    """Else nobody would notice that a clause inside is gone: its event would be ignored instead."""
    for index, event in enumerate(state.ignore):
        for inner in (inner for child in state.states for inner in child.walk()):
            for clause in inner.clauses:
                if any(overlap(event, each) for each in clause.on if each not in CALL_EVENTS):
                    what = f"{named(state)} ignores `{event}`, which `{clause.id}` in `{inner.path}` takes"
                    yield (state.at / "ignore" / index).problem(what, "say `ignore` in the states that mean it")


def _alternatives(state: State, clock: Clock) -> Problems:
    clauses = [clause for clause in state.clauses if clause.clock == clock]
    free = next((index for index, clause in enumerate(clauses) if clause.when is None), None)
    if free is None:
        what = f"`{clauses[-1].id}`, the last clause for `{said(clock)}`, has a condition, so nothing may happen"
        yield clauses[-1].at.problem(what, "end with a clause without `when`", key=True)
    elif free < len(clauses) - 1:
        later = clauses[free + 1]
        what = f"`{later.id}` is never tried: `{clauses[free].id}` takes the clock `{said(clock)}` before it"
        yield later.at.problem(what, "put the one without `when` last", key=True)
