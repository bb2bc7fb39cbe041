"""The form of a clause: one trigger, something that it does, and `by` and `proof` where they belong.

Law: looks at one clause and its state at a time.
"""

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.expression import Expression
from lifecycle.definition.lint.common import Problems, named, outward


def triggers(definition: Definition) -> Problems:
    """Check each clause by itself."""
    for state in definition.states.values():
        for clause in state.clauses:
            yield from _trigger(state, clause)
            yield from _deed(state, clause)
            yield from _waits(definition, clause)
            if clause.proof:
                yield from _proof(definition, clause)


def _trigger(state: State, clause: Clause) -> Problems:
    if clause.on and clause.clock:
        yield clause.at.problem(
            f"`{clause.id}` has two triggers, an event and a clock", "make it two clauses", key=True
        )
    if not clause.on and not clause.clock and not (state.junction and state.path):
        what = f"`{clause.id}` has no trigger, and {named(state)} is no junction"
        yield clause.at.problem(what, "give it `on`, `after` or `silent`", key=True)


def _deed(state: State, clause: Clause) -> Problems:
    if "heard" in clause.on and clause.to is None:
        what = f"`{clause.id}` takes `heard` and stays: it would be dispatched with every read"
        yield (clause.at / "on").problem(what, "give it a `to`, or let a `silent` clock look at the stamp")
    elif clause.to is None and not clause.do and not state.junction:
        remedy = f"say `ignore: [{', '.join(clause.on)}]`" if clause.on else "give it a `to` or a `do`"
        yield clause.at.problem(f"`{clause.id}` does nothing", remedy, key=True)
    if (
        clause.clock
        and clause.to == clause.state
        and not (isinstance(clause.clock.length, Expression) or clause.clock.length)
    ):
        what = f"`{clause.id}` leads back to {named(state)} after 0 s, so it would never end"
        yield (clause.at / clause.clock.kind).problem(what, "give the clock a length")


def _waits(definition: Definition, clause: Clause) -> Problems:
    clock = clause.clock
    if clock is None:
        return
    inside, backoff = _backoffs(definition, clock), _is_backoff(definition, clock)
    if inside and not backoff:
        what = f"`{clause.id}` computes with the backoff `{inside[0]}`"
        yield (clause.at / clock.kind).problem(what, "name the backoff alone: it is no number")
    elif backoff and clock.by is None:
        what = f"`{clause.id}` waits by a backoff and has no `by`"
        yield (clause.at / clock.kind).problem(what, "say which wait it is: `by:` and a count")
    elif clock.by is not None:
        yield from _by(definition, clause, clock.by, backoff=backoff)


def _by(definition: Definition, clause: Clause, by: str, *, backoff: bool) -> Problems:
    kind = definition.variables[by].kind
    if not backoff:
        yield (clause.at / "by").problem(
            f"`{clause.id}` has `by`, and waits by no backoff", "leave it out, or name a backoff"
        )
    elif kind != "count":
        yield (clause.at / "by").problem(f"`{clause.id}` has `by: {by}`, which is of type {kind}", "name a count")


def _backoffs(definition: Definition, clock: Clock) -> list[str]:
    """The backoffs in the length of a clock."""
    names = clock.length.names if isinstance(clock.length, Expression) else ()
    return sorted(name for name in names if (each := definition.parameters.get(name)) and each.kind == "backoff")


def _is_backoff(definition: Definition, clock: Clock) -> bool:
    """Whether a length is a backoff and nothing else; one that a `with` has fixed has no name any more."""
    return isinstance(clock.length, Backoff) or _backoffs(definition, clock) == [str(clock.length)]


def _proof(definition: Definition, clause: Clause) -> Problems:
    at = clause.at / "proof"
    status = next((state.status for state in outward(definition, clause.state) if state.status), None)
    if clause.clock is None or clause.clock.kind != "after":
        yield at.problem(
            f"`{clause.id}` proves health without having waited", "put `proof: true` on a clause with `after`"
        )
    elif status != "ready":
        yield at.problem(
            f"`{clause.id}` proves health where the status is {status or 'not said'}",
            "only a state that is ready can prove it",
        )
    elif not _lasts(definition, clause.clock):
        what = f"`{clause.id}` proves health after `{clause.clock.text.removeprefix('after ')}`, which may be 0 s"
        yield at.problem(what, "wait for a parameter with a `min` above 0 s")


def _lasts(definition: Definition, clock: Clock) -> bool:
    """Whether a length is surely above 0: a literal, or a parameter with a least value."""
    if not isinstance(clock.length, Expression):
        return bool(clock.length)
    parameter = definition.parameters.get(clock.length.text)
    return parameter is not None and bool(parameter.min)
