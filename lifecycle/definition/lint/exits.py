"""Ends of what was begun: calls end done or failed, final states are heard, and nobody waits for an end that is none.

Law: `done` is heard by the one state that it belongs to; `failed` and named exits go outward to
the first state that takes them.
"""

from lifecycle.definition.definition import Definition, State
from lifecycle.definition.lint.common import Problems, named, outward, takes
from lifecycle.definition.sources import covers


def exits(definition: Definition) -> Problems:
    """Check calls, final states and the clauses that hear them."""
    for state in definition.states.values():
        yield from _call(definition, state)
        yield from _final(definition, state)
        yield from _vain(state)


def _call(definition: Definition, state: State) -> Problems:
    if state.call is None:
        return
    at = state.at / "call"
    if not _hears(state, "done"):
        yield at.problem(
            f"nothing in {named(state)} hears that the call `{state.call.name}` is done",
            "give the state a clause with `on: done`",
        )
    if not any(_hears(around, "failed") for around in outward(definition, state.path)):
        what = f"neither {named(state)} nor a state around it hears that the call `{state.call.name}` has failed"
        yield at.problem(what, "give one of them a clause with `on: failed`")


def _final(definition: Definition, state: State) -> Problems:
    parent = definition.parents.get(state.path)
    if not state.final or not parent:  # at the top it ends the page, and whoever uses the page hears it
        return
    at = state.at / "final"
    around = list(outward(definition, parent))
    if state.final == "done":
        if not _hears(around[0], "done"):
            yield at.problem(
                f"`{state.path}` ends `{parent}`, which does not hear `done`",
                f"give `{parent}` a clause with `on: done`",
            )
    elif not any(_hears(each, state.final) for each in around) and not any(
        covers(family, state.final) for family in definition.leaves
    ):
        yield at.problem(
            f"`{state.path}` ends with `{state.final}`, which no state around it takes",
            "give one of them a clause for it",
        )


def _vain(state: State) -> Problems:
    for clause in state.clauses:
        for index, event in enumerate(clause.on):
            at = clause.at / "on" / index
            if event == "done" and state.call is None and not any(inner.final == "done" for inner in state.states):
                what = f"`{clause.id}` waits for `done`, and {named(state)} has no call, and no final state right in it"
                yield at.problem(what, "`done` is heard there only")
            if event == "failed" and not any(inner.call for inner in state.walk()):
                yield at.problem(
                    f"`{clause.id}` waits for `failed`, and {named(state)} has no call in it",
                    "put it where the call is, or around it",
                )


def _hears(state: State, event: str) -> bool:
    return any(takes(clause, event) for clause in state.clauses)
