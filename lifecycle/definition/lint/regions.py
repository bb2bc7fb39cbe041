"""Regions: what is active at once may not pull in two directions.

Law: across regions a page promises no order. So a region keeps to itself, an event belongs to the
regions or to what is around them, and one variable is set by one of them.
"""

from collections.abc import Iterator
from itertools import combinations

from lifecycle.definition.definition import Clause, Definition, State
from lifecycle.definition.lint.common import CALL_EVENTS, Problems, outward
from lifecycle.definition.sources import covers, overlap


def regions(definition: Definition) -> Problems:
    """Check each state that has regions, and each clause that would leave one."""
    for state in definition.states.values():
        for clause in state.clauses:
            yield from _crossing(definition, clause)
        if state.parallel:
            yield from _against(definition, state)
            yield from _let_out(definition, state)
            yield from _together(state)
            yield from _statuses(state)


def _crossing(definition: Definition, clause: Clause) -> Problems:
    if clause.to is None:
        return
    around = set(definition.around(clause.to))
    shared = next(path for path in definition.around(clause.state) if path in around)
    if definition.states[shared].parallel and clause.to != shared:
        place = f"`{shared}`" if shared else "the page"
        how = "from region to region" if clause.state != shared else "into a region"
        what = f"`{clause.id}` goes {how} of {place}, which would restart all of them"
        yield (clause.at / "to").problem(what, f"stay in the region, or enter {place} anew")


def _against(definition: Definition, state: State) -> Problems:
    for outer in (clause for around in outward(definition, state.path) for clause in around.clauses):
        for inner in _inside(state):
            event = _shared(outer, inner)
            if event:
                place = f"`{state.path}`" if state.path else "the page"
                what = (
                    f"`{inner.id}` takes `{event}` in a region of {place}, and `{outer.id}` takes it around the regions"
                )
                yield (inner.at / "on").problem(
                    what, "one of them would keep the other from happening: leave it to one side"
                )


def _let_out(definition: Definition, state: State) -> Problems:
    """What one region ignores is let out by the others, if they do not ignore it too."""
    outer = [clause for around in outward(definition, state.path) for clause in around.clauses]
    for region in state.states:
        others = {
            event for other in state.states if other is not region for each in other.walk() for event in each.ignore
        }
        for inner in region.walk():
            for index, event in enumerate(inner.ignore):
                taking = next((clause for clause in outer if any(overlap(event, each) for each in clause.on)), None)
                if taking is not None and not any(covers(each, event) for each in others):
                    place = f"`{state.path}`" if state.path else "the page"
                    what = (
                        f"`{inner.path}` ignores `{event}` in a region of {place}, and `{taking.id}` around it takes it"
                    )
                    yield (inner.at / "ignore" / index).problem(
                        what, f"the other regions let it out: ignore it in {place} itself, or leave it to one side"
                    )


def _together(state: State) -> Problems:
    for one, other in combinations(state.states, 2):
        for first in _inside(one, itself=True):
            for second in _inside(other, itself=True):
                event, both = _shared(first, second), _set_by(first) & _set_by(second)
                if event and both:
                    what = (
                        f"`{first.id}` and `{second.id}`, in two regions, both set `{min(both)}` when `{event}` comes"
                    )
                    yield (second.at / "do").problem(what, "there is no order between regions: let one of them do it")


def _statuses(state: State) -> Problems:
    with_status = [
        found for region in state.states if (found := next((inner for inner in region.walk() if inner.status), None))
    ]
    for found in with_status[1:]:
        what = f"`{found.path}` has a status, and so has `{with_status[0].path}` in another region"
        yield (found.at / "status").problem(what, "only one region says what a user sees", key=True)


def _inside(state: State, *, itself: bool = False) -> Iterator[Clause]:
    if itself:
        yield from state.clauses
    for child in state.states:
        yield from _inside(child, itself=True)


def _shared(one: Clause, other: Clause) -> str | None:
    """An event that both take, by its longer name."""
    for mine in one.on:
        for theirs in other.on:
            if mine not in CALL_EVENTS and overlap(mine, theirs):
                return max(mine, theirs, key=len)
    return None


def _set_by(clause: Clause) -> set[str]:
    return {name for effect in clause.do if effect.word == "set" for name in effect.argument}
