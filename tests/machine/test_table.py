import threading
from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.table import Miss, Table

Define = Callable[[str], Definition]

PAGE = """
parameters: {limit: {count: 2}}
variables: {n: {count: 0, max: 9}}
hears: {go: {by: number}}
states:
  a:
    status: idle
    rest: true
    clauses:
      A1: {on: go, when: n < limit, do: [{set: {n: =n + event.by}}, {emit: {now: {n: =n}}}], to: j}
      A2: {on: go, to: b}
  j: {clauses: {J1: {when: n < limit, to: a}, J2: {to: b}}}
  b: {status: ready, rest: true, states: {c: {status: waiting}, d: {}}}
"""


@pytest.fixture
def table(define: Define) -> Table:
    """The table of a page that counts."""
    return Table(define(PAGE))


def _walk(table: Table, *steps: int, limit: int = 2) -> list[Any]:
    machine = Machine(table, (limit,))
    machine.start()
    return [(machine.receive(Event("go", {"by": step})), machine.variables[0], machine.states) for step in steps]


def test_a_path_is_recorded_once(table: Table) -> None:
    """Each way through a cell is asked of the chart when it is first taken, and never again."""
    assert [each[1:] for each in _walk(table, 1, 0, 1)] == [(1, ("a",)), (1, ("a",)), (2, ("b.c",))]
    recorded = [event for _, event, _, _ in table.logs]
    assert recorded == ["@start", "go", "go"]
    table.chart.run = None
    assert [each[1:] for each in _walk(table, 0, 1, 1)] == [(0, ("a",)), (1, ("a",)), (2, ("b.c",))]


def test_one_table_serves_every_setting(table: Table) -> None:
    """Parameters are values of the machine, so the paths of one setting serve another."""
    _walk(table, 1, 1)
    table.chart.run = None
    assert _walk(table, 5, limit=1)[0][1:] == (5, ("b.c",))
    assert [each[1] for each in _walk(table, 1, 1, 1, limit=4)] == [1, 2, 3]


def test_the_same_guard_is_asked_again_after_a_set(table: Table) -> None:
    """An answer is known until a variable that it reads is set."""
    _walk(table, 1, 1)
    asked = [[row for row in log if row[0] == "?"] for _, event, log, _ in table.logs if event == "go"]
    assert asked == [[("?", 0, True), ("?", 0, True)], [("?", 0, True), ("?", 0, False)]]


def test_an_effect_has_the_value_of_its_place(table: Table) -> None:
    """What a path carries out is taken from the connection each time."""
    (first, *_), (second, *_) = _walk(table, 1, 0), _walk(table, 0)
    assert [each[0][0].fields for each in (first, second)] == [{"n": 1}, {"n": 0}]


def test_a_row_says_what_follows_from_a_configuration(table: Table) -> None:
    """Innermost states, the status of the deepest that has one, and whether it is the end."""
    _walk(table, 1, 1)
    row = table.row((0, 3, 4))
    assert (row.leaves, row.status, row.hears, row.ended) == (("b.c",), "waiting", False, False)
    assert table.row((0, 3, 5)).status == "ready"
    assert table.row(()).ended
    assert table.row((0, 3, 4)) is row


def test_what_contradicts_is_not_taken(table: Table) -> None:
    """A path that leads elsewhere with the same answers adds nothing; one that agrees is no news."""
    _walk(table, 1)
    before, event, log, after = table.logs[-1]
    for wrong in (
        (log, (0, 3, 4)),
        (log[:1], after),
        ((*log, ("?", 0, True)), after),
        ((("!", 1, False), *log), after),
        ((), None),
    ):
        with pytest.raises(ValueError, match="two paths of `go` differ where"):
            table.insert(before, event, *wrong)
    table.insert(before, event, log, after)
    assert len(table.logs) == len(table.paths) == 2
    assert _walk(table, 1)[0][1:] == (1, ("a",))


def test_a_chart_that_is_no_function_is_seen(table: Table) -> None:
    """A chart that leads elsewhere with the same answers is an error, not a second path."""
    _walk(table, 1)
    row = table.row((0, 1))
    row.cells["go"] = _misses
    table.chart.run = lambda *given: type(table.chart).run(table.chart, *given) and (0, 3, 4)
    with pytest.raises(ValueError, match="p: two paths of `go` differ where"):
        table.step(row, "go", (0,), (2,), {"by": 1})
    assert len(table.logs) == 2


def test_a_path_that_is_not_found_again_is_seen(table: Table) -> None:
    """A cell that misses what has just been recorded is an error, and no endless search."""
    _walk(table, 1)
    row = table.row((0, 1))
    row.cells["go"] = _misses
    table._compile = lambda *_: _misses  # type: ignore[method-assign, assignment]
    with pytest.raises(ValueError, match="two paths of `go` differ where"):
        table.step(row, "go", (0,), (2,), {"by": 1})


def _misses(*_: Any) -> Any:
    raise Miss


def test_machines_of_many_threads_share_a_table(table: Table) -> None:
    """Threads that miss the same path at once record it once, and all go the same way."""
    found: list[Any] = []
    barrier = threading.Barrier(6)

    def run() -> None:
        barrier.wait(10)
        found.append([each[1:] for each in _walk(table, 1, 0, 1)])

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [[(1, ("a",)), (1, ("a",)), (2, ("b.c",))]] * 6
    assert len(table.logs) == 3
