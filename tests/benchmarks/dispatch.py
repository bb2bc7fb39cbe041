"""One event through a machine: the table, Automat, transitions, python-statemachine; each is seen to have moved."""

from typing import Any, Protocol

from automat import TypeMachineBuilder
from statemachine import State, StateChart
from transitions import Machine as Transitions

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read_text
from lifecycle.machine.chart import Chart, _Model
from lifecycle.machine.events import Event
from lifecycle.machine.machine import TRACE, Machine
from lifecycle.machine.plan import plan
from lifecycle.machine.table import Table

from .gates import Gate, judged
from .rounds import Cases, race, told

AGAINST = "Automat"
REGIONS = """
lifecycle: 1
page: regions
variables: {n: {count: 0, max: 1000000}}
hears: {go: {}, back: {}}
states:
  both:
    rest: true
    regions:
      left:
        states:
          off: {clauses: {L1: {on: go, when: n < 999999, do: {set: {n: =n + 1}}, to: on}}}
          on: {clauses: {L2: {on: back, to: off}}}
      right:
        states:
          off: {clauses: {R1: {on: go, to: on}}}
          on: {clauses: {R2: {on: back, to: off}}}
"""
SIZES = {
    "table, two regions": 20_000,
    AGAINST: 20_000,
    "transitions": 4_000,
    "python-statemachine": 200,
    "python-statemachine, two regions": 60,
}
ROUNDS = 15
GATES = {"table, two regions": Gate(1.0, 0.35)}


def dispatch() -> Cases:
    """One event through the table, with regions, guard and trace, and through other machines."""
    definition = read_text(REGIONS, "regions.yaml")
    runners = {
        "table, two regions": _table(definition),
        AGAINST: _automat(),
        "transitions": _transitions(),
        "python-statemachine": _flat(),
        "python-statemachine, two regions": _chart(definition),
    }
    return judged(told(race(runners, SIZES, ROUNDS), "us/event", 1e6, AGAINST), GATES)


def _moved(count: int, expected: int) -> None:
    if count != expected:
        raise AssertionError(f"moved {count} times, not {expected}")


def _table(definition: Definition) -> Any:
    table = Table(definition)

    def run(events: int) -> None:
        machine = Machine(table)
        machine.start()
        receive, go, back = machine.receive, Event("go"), Event("back")
        for _ in range(events // 2):
            receive(go)
            receive(back)
        _moved(machine.variables[0], events // 2)
        _moved(len(machine.trace), TRACE)

    return run


def _automat() -> Any:
    class Inputs(Protocol):
        def go(self) -> None:
            """Go on."""

        def back(self) -> None:
            """Go back."""

        def where(self) -> str:
            """Tell the state."""

    builder = TypeMachineBuilder(Inputs, object)
    off, on = builder.state("off"), builder.state("on")
    off.upon(Inputs.go).to(on).returns(None)
    on.upon(Inputs.back).to(off).returns(None)
    off.upon(Inputs.where).loop().returns("off")
    on.upon(Inputs.where).loop().returns("on")
    factory = builder.build()

    def run(events: int) -> None:
        machine = factory(object())
        for _ in range(events // 2):
            machine.go()
            machine.back()
        seen = machine.where()
        machine.go()
        _moved([seen, machine.where()].count("off"), 1)

    return run


def _transitions() -> Any:
    rows = [["go", "off", "on"], ["back", "on", "off"]]

    def run(events: int) -> None:
        moves: list[int] = []
        machine = Transitions(states=["off", "on"], transitions=rows, initial="off")
        for _ in range(events // 2):
            machine.go()
            moves.append(machine.state == "on")
            machine.back()
        _moved(sum(moves) + (machine.state == "off"), events // 2 + 1)

    return run


def _flat() -> Any:
    class Flat(StateChart[Any]):
        off = State(initial=True)
        on = State()
        go = off.to(on)
        back = on.to(off)

    def run(events: int) -> None:
        moved = 0
        machine = Flat()
        for _ in range(events // 2):
            machine.send("go")
            moved += "on" in machine.configuration_values
            machine.send("back")
        _moved(moved + ("off" in machine.configuration_values), events // 2 + 1)

    return run


class _Counter:
    """Answers the chart's guard and counts its clauses."""

    def __init__(self) -> None:
        self.n = 0

    def ask(self, _: int) -> bool:
        return self.n < 999_999

    def do(self, _: int) -> None:
        self.n += 1

    def entered(self, _: int) -> None:
        """Nobody asks."""

    exited = entered


def _chart(definition: Definition) -> Any:
    chart = Chart(plan(definition))

    def run(events: int) -> None:
        counter = _Counter()
        machine = chart._class(_Model(counter))
        for _ in range(events // 2):
            machine.send("e.go")
            machine.send("e.back")
        _moved(counter.n, events // 2 * 5)  # four clauses and one `set`

    return run
