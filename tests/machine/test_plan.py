from collections.abc import Callable

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled, read
from lifecycle.machine.plan import Plan, plan

Define = Callable[[str], Definition]

PAGE = """
calls: {c: {timeout: 1 s}}
hears: {go: {}, lost.network: {}}
leaves: [refused]
call: c
states:
  a:
    rest: true
    ignore: [go]
    enter: {emit: {in: {}}}
    clauses:
      A1: {on: [lost, refused], when: event.code == 1, do: {emit: {lost: {}}}, to: b}
      A2: {after: 2 s, to: a}
  b:
    call: c
    clauses: {B1: {on: [done, failed], to: b.d}}
    states: {d: {rest: true}, e: {final: done}, f: {final: gone}}
  z: {final: done}
clauses: {P1: {on: [done, failed], when: event.code == 1, to: z}}
"""


@pytest.fixture
def made(define: Define) -> Plan:
    """The plan of a small page."""
    return plan(define(PAGE))


def test_states_are_numbered_as_the_page_has_them(made: Plan) -> None:
    """Outer before inner, in page order; the page itself is 0."""
    assert [state.path for state in made.states] == ["", "a", "b", "b.d", "b.e", "b.f", "z"]
    assert made.number["b.e"] == 4
    assert made.leaves((0, 2, 3)) == ("b.d",)


def test_every_event_that_can_occur_has_a_name_for_the_chart(made: Plan) -> None:
    """Events, clocks and results of calls; no name of the page is one of the chart as it is."""
    assert made.alphabet == {
        "opened": "e.opened", "closed": "e.closed", "heard": "e.heard", "go": "e.go", "lost.network": "e.lost.network", "gone": "e.gone",
        "refused": "e.refused", "timer.a.2_s": "e.timer.0.$", "done.": "e.done.$", "failed.": "e.failed.", "done.b": "e.done.b.$", "failed.b": "e.failed.b",
    }  # fmt: skip


def test_transitions_are_those_of_the_page(made: Plan) -> None:
    """A clause is one transition for each event, clauses before `ignore`; a target inside leaves nothing."""
    a, b, page = made.steps[1], made.steps[2], made.steps[0]
    assert [each.descriptor for each in a.transitions] == ["e.lost", "e.refused", "e.timer.0.$", "e.go"]
    assert [each.target for each in a.transitions] == [2, 2, 1, None]
    assert [each.descriptor for each in b.transitions] == ["e.done.b.$", "e.failed.b"]
    assert [each.internal for each in b.transitions] == [True, True]
    assert [each.descriptor for each in page.transitions] == ["e.done.$", "e.failed"]
    assert [each.internal for each in (*a.transitions, *page.transitions)] == [False] * 4 + [True] * 2


def test_a_guard_has_one_number(made: Plan) -> None:
    """The same text is the same guard, wherever it stands."""
    assert [guard.text for guard in made.guards] == ["event.code == 1"]
    assert {each.guard for step in made.steps for each in step.transitions} == {0, None}


def test_each_listing_is_an_action_of_its_own(made: Plan) -> None:
    """Two clauses with the same effect do two actions."""
    listed = [number for step in made.steps for each in step.transitions for number in each.actions]
    assert len(listed) == len(set(listed))
    assert [made.actions[number].kind for number in made.steps[1].transitions[0].actions] == ["clause", "effect"]
    assert made.actions[made.steps[1].transitions[3].actions[0]].kind == "ignored"


def test_finals_raise_what_the_page_says(made: Plan) -> None:
    """`done` is told to the state around only, another exit by its name, and the end of the page to nobody."""
    assert [step.raises for step in made.steps] == [None, None, None, None, "e.done.b.$", "e.gone", None]


@pytest.mark.parametrize("page", bundled())
def test_the_same_page_gives_the_same_plan(page: str) -> None:
    """Numbers depend on the page alone, so paths that were recorded elsewhere fit."""
    one, two = plan(read(page)), plan(read(page))
    assert (one.alphabet, one.guards, one.actions, one.steps) == (two.alphabet, two.guards, two.actions, two.steps)
