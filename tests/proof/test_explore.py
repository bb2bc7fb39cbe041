"""Exploration against brute force, its limits, and the races that it leaves out."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import Variable
from lifecycle.definition.read import read, read_text
from lifecycle.machine.chart import Chart
from lifecycle.machine.events import Event
from lifecycle.machine.plan import plan
from lifecycle.proof.explore import TooManyStates, explore
from lifecycle.proof.graph import Graph
from lifecycle.proof.prove import prove
from lifecycle.proof.report import report
from lifecycle.proof.slices import slices
from lifecycle.proof.world import World
from lifecycle.testing.replay import replay


def _sibling(path: str) -> ModuleType:
    """The random definitions and the live chart are those that the table is tested with."""
    spec = importlib.util.spec_from_file_location("random_pages", Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


random_pages = _sibling("../machine/test_agreement.py")
DEPTH = 3
FIELDS = (None, -1, 0, 1, 2, 3, 4, 5)


def definition_of(seed: int) -> Definition:
    """A random page whose user may wish anything, with any field that can matter."""
    made = random_pages.Story(seed).definition
    counts = {name: Variable(kind="count", initial=first, max=4) for name, first in random_pages.INITIAL.items()}
    wishes = {event: {"f": "number"} for event in random_pages.OUTSIDE}
    return attrs.evolve(made, role="session", hears=wishes, variables=counts, laws=())


def explored(definition: Definition) -> set[object]:
    """What the exploration reaches in a few steps: configuration, variables, clocks that run."""
    graph = explore(World(definition, (), races=False))
    depths = dict[int, int]()
    for index in range(len(graph.nodes)):
        parent = graph.parents[index][0]
        depths[index] = 0 if parent < 0 else depths[parent] + 1
    return {_key(graph, index) for index, depth in depths.items() if depth <= DEPTH}


def _key(graph: Graph, index: int) -> object:
    node = graph.nodes[index]
    return node.row.states, node.variables, frozenset(armed.name for armed in node.armed)


def driven(definition: Definition, chart: Chart) -> set[object] | None:
    """What a live chart reaches by all sequences of that length; none if that takes too long to try."""
    found: dict[object, list[Event]] = {}
    live = _live(definition, chart, [])
    if live is None:
        return set()
    level = [_state(live)]
    found[level[0]] = []
    for _ in range(DEPTH):
        reached = []
        for state in level:
            way, live = found[state], None
            for event in _events(definition, state):
                live = live or _live(definition, chart, way)
                if live.take(event):
                    if _state(live) not in found:
                        found[_state(live)] = [*way, event]
                        reached.append(_state(live))
                    live = None
            if len(found) > 150:
                return None
        level = reached
    return set(found)


def _live(definition: Definition, chart: Chart, way: list[Event]):
    live = random_pages.Live(plan(definition), chart, False)
    try:
        live.start()
    except random_pages.DoesNotFit:
        return None
    for event in way:
        assert live.take(event)
    return live


def _events(definition: Definition, state: object) -> list[Event]:
    states, _, running = state
    if not states or _ended(definition, states):
        return []
    told = [Event(name, {} if f is None else {"f": f}) for name in random_pages.OUTSIDE for f in FIELDS]
    return [*told, *(Event(name) for name in sorted(running))]


def _ended(definition: Definition, states: tuple[int, ...]) -> bool:
    every = list(definition.root.walk())
    return any(every[index].final and "." not in every[index].path for index in states)


def _state(live) -> object:
    ended = not live.states or _ended(live.plan.definition, live.states)
    running = frozenset() if ended else frozenset(live.running)
    return live.states, tuple(live.interpreter.now.values()), running


@given(st.integers(0, 2**48))
@settings(max_examples=12)
def test_what_is_explored_is_what_a_live_chart_reaches(seed: int) -> None:
    """A few steps of every sequence of events lead a live chart exactly where the exploration goes."""
    definition = definition_of(seed)
    reached = driven(definition, Chart(plan(definition)))
    if reached is not None:
        assert explored(definition) == reached


def test_a_value_that_is_not_tried_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """If exploration forgot a value that a guard tells apart, the live chart would reach more."""
    monkeypatch.setattr("lifecycle.proof.values.spread", lambda points: sorted(points)[:1])
    seeds = iter(range(60))
    assert any(
        (reached := driven(page, Chart(plan(page)))) is not None and explored(page) != reached
        for page in map(definition_of, seeds)
    )


RACE = """
lifecycle: 1
page: race
title: A long clock beside a short one
role: session
hears: {{disconnect: {{}}, begin: {{}}}}
states:
  up:
    status: ready
    regions:
      long:
        states:
          pinging: {{clauses: {{P1: {{after: 20 s, to: pinged}}}}}}
          pinged: {{rest: true}}
      short:
        states:
          {short}
          over: {{rest: true}}
    clauses: {{E1: {{on: disconnect, to: closed}}}}
    ignore: {ignore}
  closed: {{status: closed, final: done}}
laws:
  - {{sometimes: {{while: [up.long.pinged, up.short.running]}}}}
"""
AT_ONCE = RACE.format(short="running: {clauses: {S1: {after: 10 s, to: over}}}", ignore="[begin]")
LATE = RACE.format(
    short="idle: {rest: true, clauses: {S0: {on: begin, to: running}}}\n"
    "          running: {clauses: {S1: {after: 10 s, to: over}}, ignore: [begin]}",
    ignore="[]",
).replace("over: {rest: true}", "over: {rest: true, ignore: [begin]}")


def broken_law(text: str, name: str) -> str | None:
    """Name the law that a page breaks, if it breaks one."""
    proof = prove(read_text(text, name))
    return proof.broken.law.name if proof.broken else None


def test_a_race_that_cannot_be_won_is_left_out() -> None:
    """Of two clocks that start together the longer one cannot run out first, so nothing comes of that."""
    page = read_text(AT_ONCE, "race.yaml")
    graph = explore(World(page, ()))
    assert graph.pruned
    assert not any({"up.long.pinged", "up.short.running"} <= set(node.row.leaves) for node in graph.nodes)
    assert broken_law(AT_ONCE, "race.yaml").startswith("sometimes")


def test_a_clock_that_starts_late_is_younger() -> None:
    """A ping of 20 s may run out beside a wait of 10 s that an event has started at second 15."""
    assert broken_law(LATE, "race.yaml") is None


def test_races_only_take_away() -> None:
    """Every node that is left with races is one without them."""
    for name in ("websocket", "resume"):
        page = read(name)
        values = next(iter(prove(page).settings))
        all_of_them, fewer = (explore(World(page, tuple(values.values()), races=races)) for races in (False, True))
        known = {node[:5] for node in _plainly(all_of_them)}
        assert {node[:5] for node in _plainly(fewer)} < known


def _plainly(graph: Graph) -> list[tuple[object, ...]]:
    return [
        (n.row.states, n.variables, tuple((a.name, a.length) for a in n.armed), tuple(c.mark for c in n.calls), n.phase)
        for n in graph.nodes
    ]


def regions(count: int) -> str:
    """A page whose regions have nothing to do with each other."""
    rows = "".join(
        f"""
      r{i}:
        states:
          a{i}: {{ignore: [u{i}], clauses: {{A{i}: {{on: t{i}, to: b{i}}}}}}}
          b{i}: {{ignore: [t{i}], clauses: {{B{i}: {{on: u{i}, to: c{i}}}, C{i}: {{after: 2 s, to: a{i}}}}}}}
          c{i}: {{ignore: [t{i}, u{i}], clauses: {{D{i}: {{after: 1 s, to: a{i}}}}}}}"""
        for i in range(count)
    )
    hears = ", ".join(f"t{i}: {{}}, u{i}: {{}}" for i in range(count))
    return f"""
lifecycle: 1
page: apart
title: Regions that have nothing to do with each other
role: session
hears: {{disconnect: {{}}, {hears}}}
states:
  up:
    status: ready
    rest: true
    regions:{rows}
    clauses: {{E1: {{on: disconnect, to: over}}}}
  over: {{status: closed, final: done}}
"""


def test_an_unrelated_region_adds_and_does_not_multiply() -> None:
    """Each further region costs the same, because each is explored without the others."""
    sizes = [prove(read_text(regions(count), "apart.yaml")).nodes for count in (2, 3, 4)]
    assert sizes == [8, 12, 16]


def test_what_is_sliced_keeps_what_it_keeps_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices judge as the whole page does, also where a region is wrong."""
    good, bad = regions(3), regions(3).replace("{ignore: [t1], clauses: {B1", "{clauses: {B1")
    sliced = [broken_law(text, "apart.yaml") for text in (good, bad)]
    monkeypatch.setattr("lifecycle.proof.prove.slices", lambda page: (page,))
    assert sliced == [broken_law(text, "apart.yaml") for text in (good, bad)] == [None, "handled"]


def test_what_another_state_ignores_is_taken_where_its_region_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of one region that is ignored elsewhere is no fault of the slices without that region."""
    later = (
        "later: {status: idle, rest: true, ignore: [t0, t1, t2, u0, u1, u2], clauses: {E2: {on: disconnect, to: over}}}"
    )
    good = regions(3).replace("to: over}", "to: later}").replace("  over:", f"  {later}\n  over:")
    bad = good.replace("{ignore: [t1], clauses: {B1", "{clauses: {B1")
    assert len(slices(read_text(good, "apart.yaml"))) == 3
    sliced = [broken_law(text, "apart.yaml") for text in (good, bad)]
    monkeypatch.setattr("lifecycle.proof.prove.slices", lambda page: (page,))
    assert sliced == [broken_law(text, "apart.yaml") for text in (good, bad)] == [None, "handled"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{on: t0, to: b0}", "{on: t0, while: r1.b1, to: b0}"),
        ("role: session", "role: session\nlaws: [{sometimes: {while: [up.r1.b1, up.r1]}}]"),
    ],
    ids=["another region asks for it", "a law speaks of it"],
)
def test_a_region_that_matters_is_not_sliced_off(old: str, new: str) -> None:
    """A region that something else depends on stays in every slice."""
    page = read_text(regions(3).replace(old, new), "apart.yaml")
    parts = slices(page)
    assert all("up.r1" in part.states for part in parts) or len(parts) == 1


def test_a_page_that_is_too_large_is_told_from_one_that_is_wrong() -> None:
    """The message says that nothing is proven, and which variable or region makes it large."""
    with pytest.raises(TooManyStates, match=r"more than 100 states.*`waiting.attempts`.*Narrow a range"):
        prove(read("resume"), limit=100)


def test_progress_is_told() -> None:
    """Long exploration says how far it is."""
    told = []
    prove(read("resume"), progress=lambda known, done: told.append((known, done)))
    assert told[-1][0] == told[-1][1] > 1000


def test_the_way_of_a_slice_is_told_on_the_whole_page() -> None:
    """A breach that was found on a slice is a trace of the page itself, and replays on it."""
    page = read_text(regions(3).replace("{ignore: [t1], clauses: {B1", "{clauses: {B1"), "apart.yaml")
    broken = report(prove(page)).broken
    assert len(slices(page)) == 3
    assert replay(broken.trace, page).difference is None
