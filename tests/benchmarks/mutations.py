"""Every small mistake that could be made in a page: each is one mutant of its definition.

Law: pure and deterministic. A mutant differs from the page in one place, and is never equal to it;
whether anybody could notice is for others to say. What one parameter, variable or clock is to
several clauses changes for all of them.
"""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.expression import Expression, is_number
from lifecycle.definition.page import Effect, Parameter
from lifecycle.definition.sources import overlap

RETARGETS = 3
_LONGER = 100
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


@attrs.frozen(eq=False)
class Mutant:
    """A page with one mistake.

    Attributes:
        what: the mistake, beginning with the clause or state that has it.
        kind: which sort of mistake.
        owner: the page whose text has it: the page itself, or one that it uses.
        definition: the page with the mistake.
    """

    what: str
    kind: str
    owner: str
    definition: Definition


def mutants(definition: Definition) -> Iterator[Mutant]:
    """Every mutant of a page, in page order."""
    for state in definition.states.values():
        for clause in state.clauses:
            yield from _clause(definition, state, clause)
        yield from _order(definition, state)
        yield from _state(definition, state)
    yield from _clocks(definition)
    yield from _parameters(definition)
    yield from _causes(definition)


def with_state(definition: Definition, path: str, change: Callable[[State], State]) -> Definition:
    """The page with one state changed."""

    def walk(state: State) -> State:
        if state.path == path:
            return change(state)
        inside = tuple(walk(child) if _around(child.path, path) else child for child in state.states)
        return attrs.evolve(state, states=inside)

    return attrs.evolve(definition, root=walk(definition.root))


def _around(outer: str, path: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")


def _owner(definition: Definition, at: Any) -> str:
    """The page in whose file it stands."""
    name = at.source.name.rpartition("/")[2].removesuffix(".yaml")
    return name if name and not name.startswith("<") else definition.name


def _with_clause(definition: Definition, clause: Clause, *new: Clause) -> Definition:
    """The page with other clauses, or none, in the place of one."""

    def change(state: State) -> State:
        rows = [new if each is clause else (each,) for each in state.clauses]
        return attrs.evolve(state, clauses=tuple(itertools.chain.from_iterable(rows)))

    return with_state(definition, clause.state, change)


def _clause(definition: Definition, state: State, clause: Clause) -> Iterator[Mutant]:
    owner, called = _owner(definition, clause.at), clause.id

    def made(kind: str, what: str, **changes: Any) -> Mutant:
        new = attrs.evolve(clause, **changes)
        return Mutant(f"{called} {what}", kind, owner, _with_clause(definition, clause, new))

    yield Mutant(f"{called} dropped", "drop clause", owner, _with_clause(definition, clause))
    if clause.to is not None:
        for path in _elsewhere(definition, clause)[:RETARGETS]:
            yield made("retarget", f"to `{path}`, not `{clause.to}`", to=path)
        yield made("targetless", f"stays, not to `{clause.to}`", to=None)
    if clause.when is not None:
        yield made("drop guard", f"without `{clause.when}`", when=None)
        tree = ast.UnaryOp(ast.Not(), copy.deepcopy(clause.when.tree))
        yield made("negate guard", f"when not ({clause.when})", when=Expression.of(tree))
        for other in _off_by_one(clause.when):
            yield made("off by one", f"when {other}, not {clause.when}", when=other)
    for which, do in _effects(definition, clause.do):
        yield made(*which, do=do)
    if clause.within:
        clock = clause.clock and _freed(state, clause.clock)
        yield made("drop while", f"without while {', '.join(clause.within)}", within=(), clock=clock)


def _freed(state: State, clock: Clock) -> Clock:
    """A clock without its `while`; one that the state has already, if it is the same."""
    tail = "".join(f".{path.replace('.', '_')}" for path in clock.within)
    name = clock.name.removesuffix(tail)
    freed = attrs.evolve(clock, name=name, within=())
    while any(other.name == freed.name and other != freed for other in state.clocks):
        freed = attrs.evolve(freed, name=f"{freed.name}_")
    return freed


def _elsewhere(definition: Definition, clause: Clause) -> list[str]:
    """Other states that a hurried hand could name: siblings of the target, the next first; then those around the state."""
    found: list[str] = []
    for start in (str(clause.to), clause.state):
        for path in definition.around(start):
            parent = definition.states.get(definition.parents.get(path, ""))
            if not path or parent is None or parent.parallel:
                continue
            row = [state.path for state in parent.states]
            place = row.index(path)
            found += [*row[place + 1 :], *row[:place]]
    return [path for path in dict.fromkeys(found) if path != clause.to]


def _off_by_one(when: Expression) -> Iterator[Expression]:
    """The guard with one number one more or less, or with one `<` for `<=`."""
    count = sum(1 for _ in ast.walk(when.tree))
    for index in range(count):
        for change in (1, -1, None):
            tree = copy.deepcopy(when.tree)
            node = next(itertools.islice(ast.walk(tree), index, None))
            if isinstance(node, ast.Constant) and is_number(node.value) and change is not None:
                node.value += change
            elif isinstance(node, ast.Compare) and change is None and type(node.ops[0]) in _FLIPPED:
                node.ops = [_FLIPPED[type(node.ops[0])](), *node.ops[1:]]
            else:
                continue
            yield Expression.of(tree)


def _effects(
    definition: Definition, effects: tuple[Effect, ...]
) -> Iterator[tuple[tuple[str, str], tuple[Effect, ...]]]:
    """Kind and words of each mistake in a row of effects, and the row that it makes."""
    for index, effect in enumerate(effects):
        before, behind = effects[:index], effects[index + 1 :]
        yield ("drop effect", f"without {_said(effect)}"), (*before, *behind)
        if effect.word != "set":
            continue
        for name, value in effect.argument.items():
            if len(effect.argument) > 1:
                rest = {other: each for other, each in effect.argument.items() if other != name}
                row = (*before, attrs.evolve(effect, argument=rest), *behind)
                yield ("drop effect", f"without set {name}"), row
            for new in _values(definition, name, value):
                row = (*before, attrs.evolve(effect, argument={**effect.argument, name: new}), *behind)
                yield ("set value", f"set {name}: {new}, not {value}"), row


def _said(effect: Effect) -> str:
    if effect.word == "set":
        return f"set {', '.join(effect.argument)}"
    if effect.word in ("send", "mark"):
        return f"{effect.word} {effect.argument}"
    return effect.word


def _values(definition: Definition, name: str, value: Any) -> Iterator[Any]:
    """Wrong values in the place of a right one."""
    variable = definition.variables.get(name)
    if isinstance(value, bool):
        yield not value
    elif value in (0, 1):
        yield 1 - value
    elif variable is not None and variable.kind == "choice" and value in variable.of:
        yield variable.of[(variable.of.index(value) + 1) % len(variable.of)]
    elif isinstance(value, Expression):
        match value.tree:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Constant()):
                yield Expression.of(copy.deepcopy(left))


def _order(definition: Definition, state: State) -> Iterator[Mutant]:
    """Neighbours change places, if one event could find both."""
    for index, (one, other) in enumerate(itertools.pairwise(state.clauses)):
        if not _rivals(one, other):
            continue
        row = (*state.clauses[:index], other, one, *state.clauses[index + 2 :])
        new = with_state(definition, state.path, lambda each, row=row: attrs.evolve(each, clauses=row))
        yield Mutant(f"{one.id} behind {other.id}", "swap", _owner(definition, one.at), new)


def _rivals(one: Clause, other: Clause) -> bool:
    if one.clock is not None or other.clock is not None:
        return one.clock == other.clock
    return not (one.on or other.on) or any(overlap(this, that) for this in one.on for that in other.on)


def _state(definition: Definition, state: State) -> Iterator[Mutant]:
    owner, called = _owner(definition, state.at), state.path or "the page"

    def made(kind: str, what: str, **changes: Any) -> Mutant:
        new = with_state(definition, state.path, lambda each: attrs.evolve(each, **changes))
        return Mutant(f"{called}: {what}", kind, owner, new)

    for when in ("enter", "exit"):
        for (kind, what), row in _effects(definition, getattr(state, when)):
            yield made(kind, f"{when} {what}", **{when: row})
    for family in state.ignore:
        yield made("drop ignore", f"does not ignore {family}", ignore=tuple(e for e in state.ignore if e != family))
    if state.call is not None:
        yield made("drop call", f"without the call {state.call.name}", call=None)


def _clocks(definition: Definition) -> Iterator[Mutant]:
    """Literal lengths, at once and much later; a clock that clauses share stays shared."""
    for clock in definition.clocks:
        if isinstance(clock.length, Expression):
            continue
        for factor in (0, _LONGER):
            other = attrs.evolve(clock, length=_scaled(clock.length, factor))
            if other == clock:
                continue

            def change(state: State, clock: Clock = clock, other: Clock = other) -> State:
                rows = [attrs.evolve(each, clock=other) if each.clock == clock else each for each in state.clauses]
                return attrs.evolve(state, clauses=tuple(rows))

            first = next(each for each in definition.states[clock.state].clauses if each.clock == clock)
            new = with_state(definition, clock.state, change)
            yield Mutant(f"{first.id} waits x {factor}", f"delay x {factor}", _owner(definition, first.at), new)
    for name, call in definition.calls.items():
        for factor in (0, _LONGER) if not isinstance(call.timeout, Expression) else ():
            calls = {**definition.calls, name: attrs.evolve(call, timeout=call.timeout * factor)}
            owner = definition.origins.get(name, definition.name)
            new = attrs.evolve(definition, calls=calls)
            yield Mutant(f"the call {name} waits x {factor}", f"delay x {factor}", owner, new)


def _scaled(length: Any, factor: float) -> Any:
    if isinstance(length, Backoff):
        delays = tuple(delay * factor for delay in length.delays)
        lengths = {name: getattr(length, name) * factor for name in ("first", "max", "floor")}
        return attrs.evolve(length, delays=delays, **lengths)
    return length * factor


def _parameters(definition: Definition) -> Iterator[Mutant]:
    """The default lengths of what clocks and calls wait by."""
    read = {
        name
        for length in (*(clock.length for clock in definition.clocks), *(c.timeout for c in definition.calls.values()))
        if isinstance(length, Expression)
        for name in length.names
    }
    for name, parameter in definition.parameters.items():
        if name not in read or not _waits(parameter):
            continue
        for factor in (0, _LONGER):
            new = attrs.evolve(parameter, default=_scaled(parameter.default, factor))
            made = attrs.evolve(definition, parameters={**definition.parameters, name: new})
            yield Mutant(f"{name} x {factor}", f"delay x {factor}", definition.origins.get(name, definition.name), made)


def _waits(parameter: Parameter) -> bool:
    return isinstance(parameter.default, Backoff) or (parameter.kind == "duration" and is_number(parameter.default))


def _causes(definition: Definition) -> Iterator[Mutant]:
    rows = definition.causes
    events = list(dict.fromkeys(row.is_ for row in rows if row.is_))

    def made(kind: str, what: str, causes: tuple[Any, ...]) -> Mutant:
        told = {row.is_ for row in causes}
        sources = {event: kind for event, kind in definition.sources.items() if kind != "cause" or event in told}
        new = attrs.evolve(definition, causes=causes, sources=sources)
        return Mutant(f"cause {what}", kind, definition.name, new)

    for index, row in enumerate(rows):
        called = f"{index + 1} ({row.is_})"
        yield made("drop cause", f"{called} dropped", (*rows[:index], *rows[index + 1 :]))
        if index + 1 < len(rows):
            swapped = (*rows[:index], rows[index + 1], row, *rows[index + 2 :])
            yield made("swap causes", f"{called} behind the next", swapped)
        if row.is_ and len(events) > 1:
            other = events[(events.index(row.is_) + 1) % len(events)]
            renamed = (*rows[:index], attrs.evolve(row, is_=other), *rows[index + 1 :])
            yield made("rename cause", f"{called} is {other}", renamed)
