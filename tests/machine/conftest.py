"""What the tests of the machine share: pages from a text, and a walker that keeps the machine's tokens."""

import functools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.flatten import flatten
from lifecycle.definition.grow import grow
from lifecycle.definition.problem import Spot
from lifecycle.definition.read import _Reader, read, structure, yaml12
from lifecycle.errors import IllegalEvent
from lifecycle.machine import effects as out
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.table import Table

GIVEN = {"url": "wss://example.org", "secret": "s", "text": "t"}
FIELDS = {
    "object": {"a": 1},
    "text": "words",
    "number": 7,
    "flag": True,
    "duration": 3.0,
    "secret": "hidden",
    "url": "ws://a",
}


def define(text: str) -> Definition:
    """Read a page's form only, so that a test may show what a lint would refuse."""
    value, source = yaml12.read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml")
    page, problems = structure(value, Spot(source))
    assert page is not None, problems
    tree, book = grow(page, source, _Reader().load)
    definition = flatten(tree, book)
    assert book.problems == []
    return definition


def say(effect: out.Effect) -> str:
    """An effect in a few words."""
    match effect:
        case out.StartClock(clock) | out.StopClock(clock):
            word = "start" if isinstance(effect, out.StartClock) else "stop"
            return f"{word} {clock.state}: {clock.text}"
        case out.StartCall(name) | out.StopCall(name):
            return f"{'call' if isinstance(effect, out.StartCall) else 'cancel'} {name}"
        case out.Send(name) | out.Emit(name) | out.Mark(name):
            return f"{type(effect).__name__.lower()} {name}"
        case out.Close(code) | out.Refuse(code):
            return f"{type(effect).__name__.lower()} {code}"
    return type(effect).__name__.lower()


@attrs.define
class Walker:
    """A machine, and the world around it, which brings back the tokens that the machine gave out."""

    machine: Machine
    clocks: dict[str, int] = attrs.field(factory=dict)
    calls: dict[str, int] = attrs.field(factory=dict)
    transport: int = 0
    effects: tuple[out.Effect, ...] = ()
    clauses: list[str] = attrs.field(factory=list)

    def start(self, variables: Mapping[str, Any] | None = None) -> list[str]:
        self.transport = self.machine.transport
        return self._heed(self.machine.start(variables or {}))

    def receive(self, event: Event) -> list[str]:
        stale, last = self.machine.stale, self.machine.trace[-1]
        made = self.machine.receive(event)
        if self.machine.stale == stale:
            if event.cause == "timer":
                self.clocks.pop(event.name, None)
            if event.cause == "call":
                self.calls.pop(event.name.partition(".")[2], None)
            assert self.machine.trace[-1] is not last or self.machine.trace[-1].event == event.name
        return self._heed(made, fired=self.machine.stale == stale)

    def _heed(self, made: tuple[out.Effect, ...], *, fired: bool = True) -> list[str]:
        self.effects = made
        if fired:
            self.clauses += self.machine.trace[-1].clauses
        for effect in made:
            match effect:
                case out.StartClock(clock, token):
                    self.clocks[clock.name] = token
                case out.StopClock(clock):
                    self.clocks.pop(clock.name)
                case out.StartCall(_, state, token):
                    self.calls[state] = token
                case out.StopCall(_, state):
                    self.calls.pop(state)
                case out.Open(token):
                    self.transport = token
        return [say(effect) for effect in made]

    def tell(self, event: str, **fields: Any) -> list[str]:
        """A wish."""
        return self.receive(Event(event, fields))

    def fire(self, part: str) -> list[str]:
        """The one clock that runs and has this in its name."""
        (name,) = [name for name in self.clocks if part in name]
        return self.receive(Event(name, {}, "timer", self.clocks[name]))

    def done(self, state: str, **fields: Any) -> list[str]:
        """The call of a state is done."""
        return self.receive(Event(f"done.{state}", fields, "call", self.calls[state]))

    def failed(self, state: str, **fields: Any) -> list[str]:
        """The call of a state has failed."""
        return self.receive(Event(f"failed.{state}", fields, "call", self.calls[state]))

    def told(self, cause: Any, event: str, **fields: Any) -> list[str]:
        """Something that the transport tells."""
        return self.receive(Event(event, fields, cause, self.transport))

    def here(self) -> tuple[str, ...]:
        return (*self.machine.states, self.machine.status)


def parameters(definition: Definition, **given: Any) -> tuple[Any, ...]:
    """Values for every parameter: what is given, else the default, else something that will do."""
    found = {
        name: GIVEN.get(each.kind) if each.default == "required" else each.default
        for name, each in definition.parameters.items()
    }
    found = {name: None if value == "optional" else value for name, value in found.items()}
    assert given.keys() <= found.keys()
    return tuple({**found, **given}.values())


def begin(page: str | Definition, **given: Any) -> Walker:
    """A walker of a bundled page or a definition, not started."""
    table = _bundled(page) if isinstance(page, str) else Table(page)
    return Walker(Machine(table, parameters(table.definition, **given)))


@functools.cache
def _bundled(page: str) -> Table:
    return Table(read(page))


def wander(walker: Walker, dice: random.Random, steps: int, tried: Counter[Any]) -> None:
    """Walk through what the world may do, what was tried least first, and see that a refusal changes nothing."""
    for _ in range(steps):
        if walker.machine.ended:
            return
        row = walker.machine.row.states
        possible = sorted(_possible(walker, dice), key=lambda event: (tried[row, event.name], dice.random()))
        event = dice.choice(possible[:2] or [Event("nothing")])
        tried[row, event.name] += 1
        before = slots(walker.machine)
        try:
            walker.receive(event)
        except IllegalEvent:
            assert slots(walker.machine) == before


def _possible(walker: Walker, dice: random.Random) -> Any:
    definition, machine = walker.machine.definition, walker.machine
    for name, token in walker.clocks.items():
        yield Event(name, {}, "timer", token)
    for state, token in walker.calls.items():
        returns = definition.calls[definition.states[state].call.name].returns  # type: ignore[union-attr]
        yield Event(f"done.{state}", _fields(returns), "call", token)
        yield Event(f"failed.{state}", {"code": "timeout", "message": "late"}, "call", token)
    for name, fields in definition.hears.items():
        yield Event(name, _fields(fields))
    if machine.phase == "closing":
        yield Event("closed", {}, "closed", walker.transport)
    elif machine.phase != "none" or definition.role is None:
        for name, kind in definition.sources.items():
            cause = {"fact": name, "cause": "end", "left": "end", "route": "message"}.get(kind)
            # a fact of the wrong phase cannot be
            if cause is None or ((name == "opened") != (machine.phase == "dialing") and kind in ("fact", "route")):
                continue
            if name == "closed" or (name == "heard" and not machine.row.hears):
                continue
            fields = {"retry_after": dice.choice([None, 5.0]), "challenge": {"n": 1}}
            token = walker.transport if definition.role else 0
            yield Event(name, fields, cause if definition.role else "wish", token)


def _fields(shapes: Mapping[str, str]) -> dict[str, Any]:
    return {name: FIELDS[shape] for name, shape in shapes.items()}


def slots(machine: Machine) -> dict[str, Any]:
    """Everything that a machine is, as it is now."""
    copied = {"trace": list, "_clocks": dict, "_calls": dict}
    return {name: copied.get(name, lambda value: value)(getattr(machine, name)) for name in Machine.__slots__}


@pytest.fixture(name="define")
def _define() -> Callable[[str], Definition]:
    """A page from a text, its lints left out."""
    return define


@pytest.fixture(name="begin")
def _begin() -> Callable[..., Walker]:
    """A walker that has not started."""
    return begin


@pytest.fixture(name="wander")
def _wander() -> Callable[..., None]:
    """A walk at random."""
    return wander


@pytest.fixture(name="slots")
def _slots() -> Callable[[Machine], dict[str, Any]]:
    """Everything that a machine is."""
    return slots


@pytest.fixture(name="parameters")
def _parameters() -> Callable[..., tuple[Any, ...]]:
    """Values for every parameter of a page."""
    return parameters


@pytest.fixture
def walk(define: Callable[[str], Definition]) -> Callable[..., Walker]:
    """A walker of a page from a text, started."""

    def walked(text: str, **given: Any) -> Walker:
        walker = begin(define(text), **given)
        walker.start()
        return walker

    return walked
