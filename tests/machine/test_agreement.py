"""Random definitions and random events: the table against a live chart, which is never restored.

The live chart is answered by an interpreter of its own: variables in a dict, guards and values as
plain functions. No definition here goes round in circles: a state that is entered by default is
plain, a junction leads forward, and what an exit leads to raises only exits of a higher rank.
"""

import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from statemachine.exceptions import TransitionNotAllowed

from lifecycle.definition.definition import Clause, Clock, Definition, State
from lifecycle.definition.expression import parse
from lifecycle.definition.page import Effect, Variable
from lifecycle.errors import IllegalEvent
from lifecycle.machine.chart import Chart, _configuration, _Model
from lifecycle.machine.effects import Emit
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.path import Bare, nodes
from lifecycle.machine.plan import Plan, plan
from lifecycle.machine.table import Table, _Recorder

# what a page says, and what it means
GUARDS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "x > 0": lambda n: n["x"] > 0,
    "y < 2": lambda n: n["y"] < 2,
    "x < y": lambda n: n["x"] < n["y"],
    "x == 2 or y == 1": lambda n: n["x"] == 2 or n["y"] == 1,
    "event.f == 1": lambda n: n.get("event.f") == 1,
    "event.f > x": lambda n: n.get("event.f") is not None and n["event.f"] > n["x"],
}
VALUES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "x + 1": lambda n: n["x"] + 1,
    "4 - x": lambda n: 4 - n["x"],
    "y": lambda n: n["y"],
    "0": lambda _: 0,
    "none": lambda _: None,
    "event.f": lambda n: n.get("event.f"),
}
MEANT = {parse(text).text: meaning for text, meaning in {**GUARDS, **VALUES}.items()}
INITIAL = {"x": 1, "y": 0}
MOST = 4
VARIABLES = {
    "x": Variable(kind="count", initial=INITIAL["x"], max=MOST),
    "y": Variable(kind="number", initial=INITIAL["y"], min=0, max=MOST),
}
OUTSIDE = ("a", "b", "b.c", "c")
EXITS = ("x1", "x2", "x2.s", "x3")
RANKS = {"x1": 1, "x2": 2, "x2.s": 2, "x3": 3, "done": 4}
PLAIN = [text for text in GUARDS if "event" not in text]


@attrs.define
class Sketch:
    """A state before its clauses are thrown."""

    path: str
    number: int
    kind: str  # plain, junction, or final
    rank: int = 0  # a final: of what it raises; a junction: of all that it may lead to
    exit: str = ""
    parallel: bool = False
    inner: "list[Sketch]" = attrs.field(factory=list)


@attrs.define
class Author:
    """Throws the dice for one definition."""

    dice: random.Random
    count: int = 0
    clauses: int = 0
    all: list[Sketch] = attrs.field(factory=list)
    guards: list[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # few, so that a step asks the same one again
        self.guards = [*self.dice.sample(PLAIN, self.pick((1, 2))), self.pick(GUARDS)]

    def chance(self, percent: int) -> bool:
        return self.dice.randrange(100) < percent

    def pick(self, items: Any) -> Any:
        return self.dice.choice(list(items))

    def sketch(self, path: str, depth: int, *, first: bool, region: bool = False) -> Sketch:
        self.count += 1
        made = Sketch(path, self.count, "plain")
        self.all.append(made)
        if depth and (region or not path or self.chance(50)):
            made.parallel = bool(path) and depth > 1 and not region and self.chance(70)
            for index in range(self.pick((2, 2, 3))):
                name = f"{path}.s{index}" if path else f"s{index}"
                made.inner.append(self.sketch(name, depth - 1, first=made.parallel or index == 0, region=made.parallel))
        elif not first and path:
            made.kind = self.pick(("plain", "junction", "final"))
            if made.kind == "final":
                made.exit = self.pick(("done", *EXITS))
                made.rank = RANKS[made.exit] if "." in path else 9
            made.rank = made.rank or self.pick((0, 1, 2, 3, 4))
        return made

    def targets(self, rank: int, after: int) -> list[str]:
        """Where something of a rank may lead: never back into what could bring it about again."""
        found = []
        for each in self.all:
            raises_later = each.kind == "final" and each.rank > rank
            leads_on = each.kind == "junction" and each.rank >= rank and each.number > after
            if each.path and (each.kind == "plain" or raises_later or leads_on):
                found.append(each.path)
        return found

    def do(self, *, event: bool) -> tuple[Effect, ...]:
        made = []
        values = [text for text in VALUES if event or "event" not in text]
        for _ in range(self.pick((0, 1, 2))):
            if self.chance(70):
                names = self.pick((("x",), ("y",), ("x", "y")))
                made.append(Effect(word="set", argument={name: parse(self.pick(values)) for name in names}))
            else:
                made.append(
                    Effect(word="emit", argument={"name": self.pick("pq"), "fields": {"v": parse(self.pick(values))}})
                )
        return tuple(made)

    def clause(
        self, state: Sketch, *, on: tuple[str, ...] = (), clock: Clock | None = None, rank: int = 0, free: bool = False
    ) -> Clause:
        self.clauses += 1
        junction = not on and clock is None
        guard = None if free or self.chance(25) else self.pick(self.guards if on else self.guards[:-1])
        within = () if free or self.chance(85) else (self.pick(each.path for each in self.all if each.path),)
        targets = self.targets(rank, state.number if junction else 0)
        busy = [each.path for each in self.all if each.kind != "plain" and each.path in targets]
        to = self.pick(busy if busy and self.chance(40) else targets)
        if clock is not None:
            clock = attrs.evolve(clock, within=within, name="+".join((clock.name, *within)))
        do, to = self.do(event=bool(on)), to if junction or self.chance(75) else None
        when = parse(guard) if guard else None
        return Clause(
            id=f"C{self.clauses}", state=state.path, on=on, clock=clock, when=when, within=within, do=do, to=to
        )

    def state(self, sketch: Sketch) -> State:
        clauses: list[Clause] = []
        if sketch.kind == "junction":
            clauses += [self.clause(sketch, rank=sketch.rank, free=free) for free in (False, False, True)]
        elif sketch.kind == "plain":
            for _ in range(self.pick((1, 2, 3))):
                on = self.pick((*OUTSIDE, *OUTSIDE, *EXITS, "done", "done"))
                clauses.append(self.clause(sketch, on=(on,), rank=RANKS.get(on, 0)))
            if self.chance(20) and sketch.path:
                clock = Clock(
                    name=f"timer.{sketch.path}", state=sketch.path, kind=self.pick(("after", "silent")), length=1.0
                )
                clauses.append(self.clause(sketch, clock=clock))
        enter = self.do(event=False) if self.chance(90 if sketch.kind == "junction" else 30) else ()
        leave = self.do(event=False) if clauses and sketch.path and self.chance(20) else ()
        ignore = (self.pick(OUTSIDE),) if sketch.kind == "plain" and self.chance(15) else ()
        inner = tuple(self.state(each) for each in sketch.inner)
        made = State(path=sketch.path, final=sketch.exit or None, enter=enter, exit=leave, clauses=tuple(clauses))
        return attrs.evolve(made, ignore=ignore, states=inner, parallel=sketch.parallel)


@attrs.frozen
class Story:
    """A definition, and what happens to it, thrown with the dice of a seed."""

    seed: int

    @property
    def definition(self) -> Definition:
        author = Author(random.Random(self.seed))
        sketch = author.sketch("", 4, first=True)
        root = author.state(sketch)
        return Definition(
            name="random", variables=VARIABLES, sources=dict.fromkeys((*OUTSIDE, *EXITS), "wish"), root=root
        )

    def events(self, definition: Definition) -> list[Event]:
        dice = random.Random(~self.seed)
        names = (*OUTSIDE, *OUTSIDE, "x2.s", *(clock.name for clock in definition.clocks))
        return [Event(dice.choice(names), dice.choice(({}, {"f": 0}, {"f": 1}, {"f": 2}))) for _ in range(40)]


# the dice throw whole pages: what Hypothesis itself would grow stays too small to go wrong in
STORIES = st.builds(Story, st.integers(0, 2**48))
EXAMPLES, MOST_RESTARTS = 300, 2


class DoesNotFit(Exception):
    """The live chart's word for a variable that leaves its range."""


@attrs.define
class Interpreter:
    """Answers a live chart: the meaning of guards and effects, said once more and plainly."""

    plan: Plan
    now: dict[str, Any] = attrs.field(factory=lambda: dict(INITIAL))
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    done: list[Any] = attrs.field(factory=list)
    moved: set[str] = attrs.field(factory=set)

    def names(self) -> dict[str, Any]:
        return self.now | {f"event.{name}": value for name, value in self.fields.items()}

    def ask(self, guard: int) -> bool:
        return MEANT[self.plan.guards[guard].text](self.names())

    def do(self, action: int) -> None:
        made = self.plan.actions[action]
        if made.kind == "clause":
            self.done.append(made.text)
        elif made.effect is None:
            return
        elif made.effect.word == "emit":
            self.done.append((made.effect.argument["name"], self.value(made.effect.argument["fields"]["v"])))
        else:
            new = {name: self.value(value) for name, value in made.effect.argument.items()}
            for name, value in new.items():
                new[name] = INITIAL[name] if value is None else value
                if not 0 <= new[name] <= MOST:
                    raise DoesNotFit
            self.now |= new

    def value(self, expression: Any) -> Any:
        return MEANT[expression.text](self.names())

    def exited(self, state: int) -> None:
        self.moved.add(self.plan.states[state].path)

    def entered(self, state: int) -> None:
        self.exited(state)
        if self.plan.states[state].final and "." in self.plan.states[state].path:
            self.fields = {}


@attrs.define
class Live:
    """One instance of the chart that lives through everything that was accepted."""

    plan: Plan
    chart: Chart
    plain: bool
    interpreter: Interpreter = attrs.field(init=False)
    instance: Any = attrs.field(init=False)
    accepted: list[Event] = attrs.field(factory=list)
    running: dict[str, int] = attrs.field(factory=dict)
    restarts: int = 0

    def start(self) -> None:
        self.interpreter = Interpreter(self.plan)
        made = self.chart._class.__mro__[1] if self.plain else self.chart._class
        self.instance = made(_Model(self.interpreter))
        self.running = {}
        self._clocks("")

    def take(self, event: Event) -> bool:
        """Take an event; what fails in the middle would stay half done, so then it lives through all again."""
        before = dict(self.interpreter.now)
        self.interpreter.fields, self.interpreter.done, self.interpreter.moved = event.fields, [], set()
        try:
            self.instance.send(self.plan.alphabet[event.name])
        except TransitionNotAllowed:
            assert self.interpreter.now == before
            return False
        except DoesNotFit:
            accepted, self.accepted = self.accepted, []
            self.restarts += 1
            self.start()
            for each in accepted:
                assert self.take(each)
            return False
        self.accepted.append(event)
        self._clocks(event.name)
        return True

    @property
    def states(self) -> tuple[int, ...]:
        return _configuration(self.instance)

    def _clocks(self, event: str) -> None:
        """A clock runs while its states are active, and anew when one of them was left or entered."""
        active = {self.plan.states[index].path for index in self.states}
        for clock in self.plan.clocks:
            needs = {clock.state, *clock.within}
            if not needs <= active:
                self.running.pop(clock.name, None)
            elif needs & self.interpreter.moved or not event or (event == clock.name and clock.kind == "silent"):
                self.running[clock.name] = self.running.get(clock.name, 0) + 1
            elif event == clock.name:
                self.running.pop(clock.name, None)


def difference(story: Story, table: Table, *, plain: bool = False) -> str | None:
    """Tell the first thing in which the table and the live chart differ."""
    definition = table.definition
    live = Live(plan(definition), Chart(plan(definition)), plain)
    machine = Machine(table)
    with contextlib.suppress(IllegalEvent):
        machine.start()
    try:
        live.start()
    except DoesNotFit:
        return "start: refused by the live chart only" if machine.trace else None
    if not machine.trace:
        return "start: refused by the machine only"
    for number, event in enumerate(story.events(definition)):
        if machine.ended or live.restarts > MOST_RESTARTS:
            return None
        told = f"event {number}, {event.name} {dict(event.fields)}: "
        started = dict(machine._clocks)
        running = dict(live.running)
        taken = live.take(event)
        try:
            # as the driver would: a clock that does not run cannot be told
            token = started.get(event.name, 0)
            made = machine.receive(attrs.evolve(event, cause="timer", token=token) if token else event)
        except IllegalEvent:
            if taken:
                return f"{told}refused by the machine only"
            continue
        if not taken:
            return f"{told}refused by the live chart only"
        found = _compared(live, machine, made)
        if found:
            return told + found
        anew = {name for name in live.running if live.running[name] != running.get(name)}
        if not machine.ended and anew != {
            name for name in machine._clocks if machine._clocks[name] != started.get(name)
        }:
            return f"{told}clocks {anew}"
    return None


def _compared(live: Live, machine: Machine, made: Any) -> str | None:
    done = live.interpreter.done
    clocks = machine._clocks.keys() if machine.ended else live.running.keys()
    pairs = {
        "configuration": (live.states, machine.row.states),
        "variables": (tuple(live.interpreter.now.values()), machine.variables),
        "clauses": (tuple(each for each in done if isinstance(each, str)), machine.trace[-1].clauses),
        "effects": (
            [each for each in done if isinstance(each, tuple)],
            [(each.name, each.fields["v"]) for each in made if isinstance(each, Emit)],
        ),
        "clocks": (clocks, machine._clocks.keys()),
    }
    return next((f"{what}: {one} and {other}" for what, (one, other) in pairs.items() if one != other), None)


@given(STORIES)
@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_the_table_is_the_chart(story: Story) -> None:
    """Refusals, configurations, variables, clocks and the order of what is done are those of a chart that lives on."""
    table = Table(story.definition)
    assert difference(story, table) is None


def answers_forever(self: _Recorder) -> Any:
    """A recorder that believes a guard's first answer, whatever is set after it."""
    known: set[int] = set()
    return tuple(row for row in self.log if row[0] != "?" or not (row[1] in known or known.add(row[1])))  # type: ignore[func-returns-value]


def _is_caught(*, plain: bool = False) -> bool:
    stories = map(Story, range(EXAMPLES))
    try:
        return any(difference(story, Table(story.definition), plain=plain) for story in stories)
    except ValueError:
        return True


def test_a_dropped_question_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that does not ask a guard again after a `set` is caught within the examples."""
    monkeypatch.setattr(_Recorder, "canonical", answers_forever)
    assert _is_caught()


def test_a_field_that_stays_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in which a raised event has the fields of the event before it is caught within the examples."""
    monkeypatch.setattr(_Recorder, "entered", lambda self, state: self._note("+", state))
    kept = lambda plan, log: (each for each in nodes(plan, log) if not isinstance(each[0], Bare))  # noqa: E731
    monkeypatch.setattr("lifecycle.machine.table.nodes", kept)
    assert _is_caught()


def test_the_plain_order_would_be_seen() -> None:
    """A live chart whose configuration is in the order in which its states were entered differs within the examples."""
    assert _is_caught(plain=True)
