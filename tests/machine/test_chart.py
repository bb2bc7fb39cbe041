from collections.abc import Callable
from typing import Any

import attrs
import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled, read
from lifecycle.machine.chart import Chart
from lifecycle.machine.plan import plan

Define = Callable[[str], Definition]

PAGE = """
hears: {go: {n: number}, swap: {}, up: {}}
states:
  a:
    enter: {emit: {in_a: {}}}
    exit: {emit: {out_a: {}}}
    clauses: {A1: {on: go, when: event.n == 1, do: {emit: {did: {}}}, to: b}, A2: {on: up, to: a.y}}
    states: {x: {rest: true, clauses: {X1: {on: swap, to: y}}}, y: {rest: true}}
  b: {rest: true, enter: {emit: {in_b: {}}}}
"""


@attrs.define
class Notes:
    """Answers what it was told to, and notes everything."""

    chart: Chart
    answer: bool = True
    seen: list[str] = attrs.field(factory=list)

    def ask(self, guard: int) -> bool:
        self.seen.append(f"?{self.chart.plan.guards[guard].text}")
        return self.answer

    def do(self, action: int) -> None:
        made = self.chart.plan.actions[action]
        self.seen.append(made.effect.argument["name"] if made.effect else made.text)

    def entered(self, state: int) -> None:
        self.seen.append(f"+{self.chart.plan.states[state].name}")

    def exited(self, state: int) -> None:
        self.seen.append(f"-{self.chart.plan.states[state].name}")


@pytest.fixture
def chart(define: Define) -> Chart:
    """The chart of a small page."""
    return Chart(plan(define(PAGE)))


def test_a_start_enters_from_outside_in(chart: Chart) -> None:
    """A state is noted as entered, and then does what it does on entry."""
    notes = Notes(chart)
    assert chart.start(notes) == (0, 1, 2)
    assert notes.seen == ["+", "+a", "in_a", "+x"]


def test_a_step_leaves_does_and_enters(chart: Chart) -> None:
    """First all exits, innermost first, then what the clause does, then all entries."""
    notes = Notes(chart)
    assert chart.run((0, 1, 2), "e.go", notes) == (0, 4)
    assert notes.seen == ["?event.n == 1", "-x", "out_a", "-a", "A1", "did", "+b", "in_b"]


def test_a_target_inside_does_not_leave_its_source(chart: Chart) -> None:
    """A clause that leads into its own state leaves only what is inside."""
    notes = Notes(chart)
    assert chart.run((0, 1, 2), "e.up", notes) == (0, 1, 3)
    assert notes.seen == ["-x", "A2", "+y"]


def test_what_is_not_allowed_is_none(chart: Chart) -> None:
    """An event without a clause, or with a false guard, leads nowhere."""
    assert chart.run((0, 4), "e.go", Notes(chart)) is None
    notes = Notes(chart, answer=False)
    assert chart.run((0, 1, 2), "e.go", notes) is None
    assert notes.seen == ["?event.n == 1"]
    assert chart.run((0, 1, 2), "e.swap", notes) == (0, 1, 3)


def test_one_chart_serves_after_a_failure(chart: Chart) -> None:
    """An exception of the recorder in the middle of a step does not stay in the chart."""

    class Fails(Notes):
        def entered(self, state: int) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        chart.run((0, 1, 2), "e.go", Fails(chart))
    assert chart.run((0, 1, 2), "e.swap", Notes(chart)) == (0, 1, 3)


def test_its_edges_are_those_of_the_page(chart: Chart) -> None:
    """Source, clause and target of each transition can be read from the chart."""
    assert chart.edges() == {("a", "A1", "b"), ("a", "A2", "a.y"), ("a.x", "X1", "a.y")}


@pytest.mark.parametrize("page", bundled())
def test_every_clause_of_a_page_is_an_edge(page: str) -> None:
    """No clause of a bundled page is lost on the way into the chart, and none is added."""
    definition: Any = read(page)
    assert Chart(plan(definition)).edges() == {(each.state, each.id, each.to) for each in definition.clauses.values()}
