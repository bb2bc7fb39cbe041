"""The plan as a python-statemachine StateChart: the meaning of a page.

Law: python-statemachine decides, and nothing else does. The canonical subclass below numbers
states depth-first and keeps the configuration in that order, because 3.2.2 lets the route by which
a configuration was reached decide which transition wins. Guards and actions do nothing by
themselves: a recorder answers and notes. This is the only module that knows statemachine.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from statemachine.exceptions import TransitionNotAllowed
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

from .plan import Plan, Transition

if TYPE_CHECKING:
    from statemachine import StateChart

STRICT = {
    "validate_final_reachability": False,
    "validate_trap_states": False,
    "validate_disconnected_states": False,
    # without these two, unknown events and errors in guards vanish
    "catch_errors_as_events": False,
    "allow_event_without_transition": False,
}
Configuration = tuple[int, ...]
Edge = tuple[str, str, str | None]


class Recorder(Protocol):
    """Who answers for the chart, and notes what it does."""

    def ask(self, guard: int) -> bool:
        """Answer a guard."""
        ...

    def do(self, action: int) -> None:
        """Note an action."""

    def entered(self, state: int) -> None:
        """Note that a state was entered."""

    def exited(self, state: int) -> None:
        """Note that a state was left."""


class Chart:
    """One StateChart class and one instance of it, for all connections of a page."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        root: dict[str, Any] = {"s0": {**self._state(0), "initial": True}}
        made: Any = create_machine_class_from_definition("Page", root, **STRICT)

        class Canonical(made):  # type: ignore[misc]  # made at run time
            @property
            def configuration(self) -> Any:
                return OrderedSet(sorted(self._config.states, key=lambda state: state.document_order))

            @configuration.setter
            def configuration(self, value: Any) -> None:
                self._config.states = value

        for index in range(len(plan.states)):
            # 3.2.2's own numbers have ties and inversions below the first level
            state = Canonical.states_map[f"s{index}"]
            state.document_order = index + 1
            for transition in state.transitions:
                # 3.2.2 takes the names of events apart anew each time that it is asked
                transition.match = functools.cache(transition.match)
        self._class: type[StateChart[Any]] = Canonical
        self._instance = Canonical(_Model(_Deaf()))

    def start(self, recorder: Recorder) -> Configuration:
        """Enter the initial states."""
        return _configuration(self._class(_Model(recorder)))

    def run(self, configuration: Configuration, event: str, recorder: Recorder) -> Configuration | None:
        """Run one event, by the chart's name of it, from a configuration.

        Returns:
            The configuration after, or None if the chart does not allow the event.
        """
        instance = self._instance
        instance.model.recorder = recorder
        names = [f"s{index}" for index in configuration]
        instance.current_state_value = OrderedSet(names) if len(names) > 1 else names[0]
        engine = instance._engine  # noqa: SLF001 -- a step that finished or failed leaves it stopped
        engine.running = True
        engine.clear()
        engine._root_parallel_final_pending = None  # noqa: SLF001 -- as above
        try:
            instance.send(event)
        except TransitionNotAllowed:
            return None
        return _configuration(instance)

    def edges(self) -> set[Edge]:
        """Source, clause id and target of every transition, as the StateChart class has it."""
        found: set[Edge] = set()
        for index, state in enumerate(self.plan.states):
            for transition in self._class.states_map[f"s{index}"].transitions:
                for spec in transition.on:
                    clause = getattr(spec.func, "clause", None)
                    if clause is not None:
                        found.add((state.path, clause, self._path(transition.target)))
        return found

    def _path(self, target: Any) -> str | None:
        return None if target is None else self.plan.states[int(target.id[1:])].path

    def _state(self, index: int) -> dict[str, Any]:
        state, step = self.plan.states[index], self.plan.steps[index]
        enter = [_entered(index), *(_action(number) for number in step.enter)]
        if step.raises is not None:
            enter.append(_raises(step.raises))
        made: dict[str, Any] = {
            "enter": enter,
            "exit": [*(_action(number) for number in step.exit), _exited(index)],
            "transitions": [self._transition(transition) for transition in step.transitions],
        }
        if state.states:
            inner = [self.plan.number[child.path] for child in state.states]
            made["states"] = {f"s{child}": self._state(child) for child in inner}
            if state.parallel:
                made["parallel"] = True
            else:
                made["states"][f"s{inner[0]}"]["initial"] = True
        return made

    def _transition(self, transition: Transition) -> dict[str, Any]:
        made: dict[str, Any] = {
            "target": None if transition.target is None else f"s{transition.target}",
            "on": [_action(number, self.plan) for number in transition.actions],
        }
        if transition.descriptor is not None:
            made["event"] = transition.descriptor
        if transition.internal:
            made["internal"] = True
        conditions = [_within(transition.within)] if transition.within else []
        if transition.guard is not None:
            conditions.append(_guard(transition.guard))
        if conditions:
            made["cond"] = conditions
        return made


def _configuration(instance: Any) -> Configuration:
    return tuple(sorted(int(name[1:]) for name in instance.configuration_values))


class _Model:
    """What the chart keeps its state on; actions and guards find the recorder through it."""

    def __init__(self, recorder: Recorder) -> None:
        self.state: Any = None
        self.recorder = recorder


class _Deaf:
    """A recorder for an instance that is made only to be put elsewhere."""

    def ask(self, guard: int) -> bool:  # noqa: ARG002 -- it answers none
        return False

    def do(self, action: int) -> None: ...

    def entered(self, state: int) -> None: ...

    def exited(self, state: int) -> None: ...


# One closure for each listing: the chart runs an action that is listed twice only once.


def _action(number: int, plan: Plan | None = None) -> Callable[..., None]:
    def do(model: _Model) -> None:
        model.recorder.do(number)

    do.__name__ = f"a{number}"
    if plan is not None and plan.actions[number].kind == "clause":
        do.clause = plan.actions[number].text  # type: ignore[attr-defined]  # read back by `edges`
    return do


def _guard(number: int) -> Callable[..., bool]:
    def ask(model: _Model) -> bool:
        return model.recorder.ask(number)

    ask.__name__ = f"g{number}"
    return ask


def _within(states: tuple[int, ...]) -> Callable[..., bool]:
    names = {f"s{state}" for state in states}

    def active(machine: Any) -> bool:
        return names.issubset(machine.configuration_values)

    return active


def _entered(index: int) -> Callable[..., None]:
    def entered(model: _Model) -> None:
        model.recorder.entered(index)

    return entered


def _exited(index: int) -> Callable[..., None]:
    def exited(model: _Model) -> None:
        model.recorder.exited(index)

    return exited


def _raises(event: str) -> Callable[..., None]:
    def raises(machine: Any) -> None:
        machine.raise_(event)

    return raises
