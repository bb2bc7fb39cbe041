"""A definition as numbered states, guards, actions and transitions.

Law: numbers depend on the definition alone, so paths that were recorded elsewhere still fit. Page
names never become identifiers of the chart: states are `s<number>`, events begin with `e.`.
Knows no statechart library.
"""

from collections.abc import Mapping
from typing import Literal

import attrs

from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import Effect

START = "@start"


@attrs.frozen
class Action:
    """Something that a step does, in order.

    Attributes:
        kind: `clause` (a clause happens), `ignored` (an event is taken and nothing done), `effect`.
        text: the clause's id, or the ignored family.
        effect: the effect.
        state: the path of the state that does it.
    """

    kind: Literal["clause", "ignored", "effect"]
    text: str
    state: str
    effect: Effect | None = None


@attrs.frozen
class Transition:
    """A way out of a state, or a reaction in it.

    Attributes:
        descriptor: the chart's event, which also takes its whole family; None in a junction.
        within: numbers of states that must be active.
        guard: the number of its guard.
        target: the number of its target; None: nothing is left.
        internal: its source is not left, for the target lies inside.
        actions: numbers of what it does.
    """

    descriptor: str | None
    within: tuple[int, ...]
    guard: int | None
    target: int | None
    internal: bool
    actions: tuple[int, ...]


@attrs.frozen
class Step:
    """A state's part of the plan: numbers of what is done on entry and exit, and its transitions."""

    enter: tuple[int, ...]
    exit: tuple[int, ...]
    raises: str | None
    transitions: tuple[Transition, ...]


@attrs.define(eq=False)
class Plan:
    """Everything that the chart is built of, and that paths refer to by number."""

    definition: Definition
    states: tuple[State, ...]
    number: Mapping[str, int]
    clocks: tuple[Clock, ...]
    alphabet: Mapping[str, str]
    guards: list[Expression] = attrs.field(factory=list)
    actions: list[Action] = attrs.field(factory=list)
    steps: list[Step] = attrs.field(factory=list)

    def leaves(self, configuration: tuple[int, ...]) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return tuple(self.states[i].path for i in configuration if not self.states[i].states)


def plan(definition: Definition) -> Plan:
    """Number a definition."""
    states = tuple(definition.root.walk())
    number = {state.path: index for index, state in enumerate(states)}
    made = Plan(definition, states, number, definition.clocks, _alphabet(definition))
    for state in states:
        made.steps.append(_Numberer(made, state).step())
    return made


def _alphabet(definition: Definition) -> dict[str, str]:
    """Every concrete event, to the chart's name of it."""
    names = {event: f"e.{event}" for event in (*definition.sources, *definition.hears)}
    for family in definition.leaves:
        names.setdefault(family, f"e.{family}")
    for index, clock in enumerate(definition.clocks):
        names[clock.name] = f"e.timer.{index}.$"
    for state in definition.states.values():
        if state.call is not None:
            names[f"done.{state.path}"] = _done(state.path)
            names[f"failed.{state.path}"] = f"e.failed.{state.path}"
    return names


def _done(path: str) -> str:
    # `$` because the chart matches prefixes: `e.done.p` would also take `e.done.p.q`
    return f"e.done.{path}.$" if path else "e.done.$"


@attrs.define
class _Numberer:
    plan: Plan
    state: State

    def step(self) -> Step:
        enter = tuple(self.effect(effect) for effect in self.state.enter)
        leave = tuple(self.effect(effect) for effect in self.state.exit)
        transitions = [each for clause in self.state.clauses for each in self.clause(clause)]
        transitions += [self.ignored(family) for family in self.state.ignore]
        return Step(enter, leave, self.raises(), tuple(transitions))

    def raises(self) -> str | None:
        """The event of a final state; one of the page itself ends the machine and raises nothing."""
        parent = self.plan.definition.parents.get(self.state.path)
        if self.state.final is None or not parent:
            return None
        return _done(parent) if self.state.final == "done" else f"e.{self.state.final}"

    def clause(self, clause: Clause) -> list[Transition]:
        guard = self.guard(clause.when) if clause.when is not None else None
        target = self.plan.number[clause.to] if clause.to is not None else None
        return [
            Transition(
                descriptor,
                tuple(self.plan.number[path] for path in clause.within),
                guard,
                target,
                self.internal(clause),
                (
                    self.action(Action("clause", clause.id, self.state.path)),
                    *(self.effect(effect) for effect in clause.do),
                ),
            )
            for descriptor in self.descriptors(clause)
        ]

    def descriptors(self, clause: Clause) -> list[str | None]:
        if clause.clock is not None:
            return [self.plan.alphabet[clause.clock.name]]
        if not clause.on:
            return [None]
        own = {"done": _done(self.state.path), "failed": ".".join(filter(None, ("e.failed", self.state.path)))}
        return [own.get(event, f"e.{event}") for event in clause.on]

    def internal(self, clause: Clause) -> bool:
        inside = clause.to is not None and clause.to != self.state.path
        return inside and self.state.path in self.plan.definition.around(str(clause.to))

    def ignored(self, family: str) -> Transition:
        action = self.action(Action("ignored", family, self.state.path))
        return Transition(f"e.{family}", (), None, None, internal=False, actions=(action,))

    def guard(self, expression: Expression) -> int:
        if expression not in self.plan.guards:
            self.plan.guards.append(expression)
        return self.plan.guards.index(expression)

    def effect(self, effect: Effect) -> int:
        return self.action(Action("effect", effect.word, self.state.path, effect))

    def action(self, action: Action) -> int:
        self.plan.actions.append(action)
        return len(self.plan.actions) - 1
