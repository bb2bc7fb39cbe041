"""How long a part of a graph can be stayed in, if clocks that run do run out.

Law: sound. A run is cut into pieces that one clock or call overlooks from its start to its end, so
their lengths add up to at least the run's; of all ways to cut it, the shortest sum counts. A part
that no clock overlooks can be stayed in for ever, and is an offence.
Justice: no clock stays armed, and no call pending, for ever without ending, stopping or starting anew.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping

import attrs

from .components import components
from .graph import Armed, Edge, Graph, Node, Pending

Watchdog = Armed | Pending | float
"""What overlooks a node: a clock, a call, or the latency of a good peer, in seconds."""
Edges = Callable[[int], Iterable[Edge]]


@attrs.frozen
class Endless:
    """A part that may never be left.

    Attributes:
        nodes: all of it; the first is one that is reached soonest.
        edges: a round from the first node back to it; none if nothing can happen.
    """

    nodes: tuple[int, ...]
    edges: tuple[Edge, ...]


def longest(
    graph: Graph,
    inside: Collection[int],
    edges: Edges,
    *,
    silent: bool = False,
    latency: Callable[[int], float | None] | None = None,
) -> tuple[float, dict[int, float]] | Endless:
    """The longest time until the part is left.

    Args:
        graph: what was explored.
        inside: the nodes of the part.
        edges: what can happen in a node of it.
        silent: whether the peer says nothing; else a clock that waits for silence need not run out
            while the transport is open.
        latency: seconds within which a good peer moves a node on; none if it does not.

    Returns:
        Seconds, of all and of each node; or what is endless in it.
    """
    inside = set(inside)
    rows = {index: list(edges(index)) for index in inside}
    worst: dict[int, float] = {}
    by_guard: dict[int, dict[Watchdog, float]] = {}
    for members in components(sorted(inside), lambda index: [edge.target for edge in rows[index]]):
        part = set(members)
        inner = [edge for index in members for edge in rows[index] if edge.target in part]
        guards: list[Watchdog] = [*_persisting(graph, members, part, rows, silent=silent)]
        if latency is not None and not inner and (seconds := latency(members[0])) is not None:
            guards.append(seconds)
        if not guards:
            first = min(members)
            return Endless(
                tuple(sorted(members)), round_of(first, [(i, e) for i in members for e in rows[i] if e.target in part])
            )
        outer = [(index, edge) for index in members for edge in rows[index] if edge.target not in part]
        costs = {guard: _cost(graph, guard, outer, worst, by_guard) for guard in guards}
        for index in members:
            by_guard[index] = costs
            worst[index] = min(costs.values())
    return max(worst.values(), default=0.0), worst


def round_of(start: int, edges: Iterable[tuple[int, Edge]]) -> tuple[Edge, ...]:
    """A shortest way from a node back to it; none if there is no way."""
    leaving: dict[int, list[Edge]] = {}
    for index, edge in edges:
        leaving.setdefault(index, []).append(edge)
    before: dict[int, tuple[int, Edge]] = {}
    todo = [start]
    for index in todo:
        for edge in leaving.get(index, ()):
            if edge.target not in before:
                before[edge.target] = (index, edge)
                todo.append(edge.target)
            if edge.target == start:
                found: list[Edge] = []
                node = start
                while not found or node != start:
                    node, last = before[node]
                    found.append(last)
                return tuple(reversed(found))
    return ()


def _persisting(
    graph: Graph, members: list[int], part: set[int], rows: Mapping[int, list[Edge]], *, silent: bool
) -> list[Armed | Pending]:
    """The clocks and calls that are there in all of a component, and that nothing inside touches."""
    found = set(_watchdogs(graph.nodes[members[0]], silent=silent))
    for index in members:
        if not found:
            break
        found &= set(_watchdogs(graph.nodes[index], silent=silent))
        for edge in rows[index]:
            if edge.target in part:
                found = {one for one in found if not touches(graph, index, edge, one)}
    return sorted(found, key=_key)


def _watchdogs(node: Node, *, silent: bool) -> Iterable[Armed | Pending]:
    speaks = not silent and node.phase in ("open", "closing")
    armed = (one for one in node.armed if one.length.most < math.inf and not (speaks and one.kind == "silent"))
    return (*armed, *node.calls)


def _key(watchdog: Armed | Pending) -> tuple[float, str]:
    return watchdog.length.most, watchdog.mark


def touches(graph: Graph, index: int, edge: Edge, watchdog: Armed | Pending) -> bool:
    """Whether a step ends, stops or starts a clock or a call."""
    if edge.move.clock is watchdog or edge.move.call is watchdog:
        return True
    return watchdog.mark in graph.deeds(index, edge).touches


def _cost(
    graph: Graph,
    guard: Watchdog,
    outer: list[tuple[int, Edge]],
    worst: Mapping[int, float],
    by_guard: Mapping[int, Mapping[Watchdog, float]],
) -> float:
    """The longest time from here if this guard overlooks us now; paid when it ends."""
    price = guard if isinstance(guard, int | float) else guard.length.most
    found = 0.0 if outer else price
    for index, edge in outer:
        after = by_guard.get(edge.target, {})
        if edge.target not in worst:
            found = max(found, price)
        elif not isinstance(guard, int | float) and guard in after and not touches(graph, index, edge, guard):
            found = max(found, after[guard])
        else:
            found = max(found, price + worst[edge.target])
    return found
