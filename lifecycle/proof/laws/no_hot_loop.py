"""no-hot-loop: no server can make the page dial more often than it promises."""

import math
from collections.abc import Iterator, Sequence

from lifecycle.definition.units import say_seconds
from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.hops import Timed, hops, least_time_per_dial, most_dials
from lifecycle.proof.law import Breach, Finding, Law

WINDOW = 60.0
_ALLOWED = 1e-9


def judge(graphs: Sequence[Graph]) -> Finding:
    """The least time per dial, on average and with the luckiest dice, and the most dials within a minute."""
    definition = graphs[0].world.definition
    if not graphs[0].world.dials:
        return Finding("does not dial")
    mean, floor, burst = math.inf, math.inf, 0.0
    breaches = []
    for graph in graphs:
        places = [(index, edge) for index, edge in graph.every() if edge.move.cause != "wish"]
        dialled = {edge.target for index, edge in graph.every() if graph.deeds(index, edge).opens}
        for which in (True, False):
            # each choice of clocks gives a bound that holds; the best of them is told
            tables = [hops([_timed(graph, *place, each, mean=which) for place in places]) for each in _charged(graph)]
            bounds = [bound for bound in map(least_time_per_dial, tables) if bound is not None]
            if which is False:
                burst = max(burst, min(most_dials(table, dialled, WINDOW) for table in tables))
            if not bounds:
                continue
            found = max(bounds)
            cycle = [places[number] for number in found[1]]
            promised = definition.min_time_per_dial if which else 0.0
            if found[0] <= 0 or found[0] < promised - _ALLOWED:
                breaches.append(_breach(graph, cycle, found[0], promised))
            mean, floor = (min(mean, found[0]), floor) if which else (mean, min(floor, found[0]))
    numbers = {"dials in a minute": burst}
    if mean == math.inf:
        return Finding(f"no cycle dials; {burst:g} dials in 60 s at most", (), numbers)
    numbers |= {"mean time per dial": mean, "least time per dial": floor}
    said = f"one dial in {_short(mean)} on average, in {_short(floor)} at worst; {burst:g} dials in 60 s at most"
    return Finding(said, tuple(breaches[:1]), numbers)


def _short(seconds: float) -> str:
    return say_seconds(round(seconds, 3))


def _charged(graph: Graph) -> Iterator[frozenset[str]]:
    """Clocks whose times add up, for no two of them ever run at once: the longest first, or the innermost."""
    together: dict[str, set[str]] = {}
    lengths: dict[str, float] = {}
    for armed in {node.armed for node in graph.nodes}:
        names = {one.name for one in armed}
        for one in armed:
            together.setdefault(one.name, set()).update(names)
            lengths[one.name] = min(lengths.get(one.name, math.inf), one.length.least)
    definition = graph.world.definition
    by = {clock.name for clock in definition.clocks if clock.by}
    proofs = {clause.clock.name for clause in definition.clauses.values() if clause.proof and clause.clock}
    waiting = {one.name for node in graph.nodes if node.phase == "none" for one in node.armed}
    depths = {clock.name: clock.state.count(".") for clock in definition.clocks}
    for last in (lengths, depths):
        chosen: list[str] = []
        for name in sorted(
            lengths,
            key=lambda name, last=last: (name not in by, name not in proofs, name not in waiting, -last[name], name),  # type: ignore[misc]  # bound early
        ):
            if not together[name].intersection(chosen):
                chosen.append(name)
        yield frozenset(chosen)


def _timed(graph: Graph, index: int, edge: Edge, charged: frozenset[str], *, mean: bool) -> Timed:
    """An edge with its seconds and its dials."""
    clock, seconds = edge.move.clock, 0.0
    if clock is not None and clock.name in charged:
        seconds = clock.length.mean if mean else clock.length.least
    return index, edge.target, seconds, graph.deeds(index, edge).opens


def _breach(graph: Graph, cycle: list[tuple[int, Edge]], ratio: float, promised: float) -> Breach:
    every, least = _short(ratio), _short(promised)
    what = f"a server can make it dial every {every}, and the page promises {least} at least (`min_time_per_dial`)"
    if ratio <= 0:
        what = "a server can make it dial again and again without any pause"
    first = min(range(len(cycle)), key=lambda place: len(graph.trail(cycle[place][0])))
    cycle = cycle[first:] + cycle[:first]
    return Breach(what, graph, graph.trail(cycle[0][0]), tuple(edge for _, edge in cycle))


LAW = Law(
    name="no-hot-loop",
    says="Against any server the page dials at most once in `min_time_per_dial` on average, and never without a pause.",
    because="A flapping server was dialled at 0 to 50 ms by its clients (ghostdogpr/sage#140, moq-dev/moq#1806), and"
    " 341 times in two seconds by a library's own loop.",
    remedy="put a clock of some length on the way back to the dial: a backoff with a `floor`, a longer `proof`",
    judge=judge,
)
