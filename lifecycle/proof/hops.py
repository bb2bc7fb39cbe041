"""From dial to dial: the least time between two dials, and what follows from it for many.

Law: exact. Every walk that dials is a walk of hops, and a shorter hop never makes it longer; so the
graph of hops, which is small, has the same least time per dial and the same bursts.
Sources: Dijkstra 1959; the least ratio as in Lawler 1976, by negative cycles (Bellman and Ford).
"""

import heapq
import math
from collections.abc import Iterable, Sequence

import attrs

Timed = tuple[int, int, float, int]
"""An edge: from, to, seconds, and how often it dials (at its end)."""
_SAME = 1e-9


@attrs.frozen(eq=False)
class Hop:
    """The quickest way from after one dial to after the next: its seconds, and the numbers of its edges."""

    seconds: float
    edges: tuple[int, ...]


Hops = dict[int, dict[int, Hop]]
"""By the node after a dial, and the node after the next."""


def hops(edges: Sequence[Timed]) -> Hops:
    """Every hop of a graph of edges with seconds and dials."""
    leaving: dict[int, list[int]] = {}
    for number, (start, _, _, _) in enumerate(edges):
        leaving.setdefault(start, []).append(number)
    dialled = sorted({to for _, to, _, dials in edges if dials})
    return {start: _from(start, edges, leaving) for start in dialled}


def _from(start: int, edges: Sequence[Timed], leaving: dict[int, list[int]]) -> dict[int, Hop]:
    times = {start: 0.0}
    before: dict[int, int] = {}
    done = set[int]()
    todo = [(0.0, start)]
    best: dict[int, tuple[float, int]] = {}
    while todo:
        time, node = heapq.heappop(todo)
        if node in done:
            continue
        done.add(node)
        for number in leaving.get(node, ()):
            _, to, seconds, dials = edges[number]
            after = time + seconds
            if dials:
                if after < best.get(to, (math.inf, 0))[0]:
                    best[to] = (after, number)
            elif after < times.get(to, math.inf):
                times[to], before[to] = after, number
                heapq.heappush(todo, (after, to))
    return {to: Hop(time, _way(start, number, edges, before)) for to, (time, number) in best.items()}


def _way(start: int, last: int, edges: Sequence[Timed], before: dict[int, int]) -> tuple[int, ...]:
    found = [last]
    while (node := edges[found[-1]][0]) != start:
        found.append(before[node])
    return tuple(reversed(found))


def least_time_per_dial(table: Hops) -> tuple[float, tuple[int, ...]] | None:
    """The least mean time of a hop on any cycle, in seconds, and the edges of such a cycle; none if there is none."""
    rows = [(start, to, hop) for start, each in table.items() for to, hop in each.items()]
    ratio, cycle = sum(hop.seconds for _, _, hop in rows) + 1.0, None
    while (better := _below(rows, ratio)) is not None:
        ratio, cycle = sum(hop.seconds for hop in better) / len(better), better
    return None if cycle is None else (ratio, tuple(number for hop in cycle for number in hop.edges))


def _below(rows: list[tuple[int, int, Hop]], ratio: float) -> list[Hop] | None:
    """A cycle whose mean is below a ratio: a negative one, when each hop costs its seconds less the ratio."""
    distance = dict.fromkeys({node for start, to, _ in rows for node in (start, to)}, 0.0)
    before: dict[int, tuple[int, Hop]] = {}
    for _ in range(len(distance) + 1):
        changed = False
        for start, to, hop in rows:
            after = distance[start] + hop.seconds - ratio
            if after < distance[to] - _SAME:
                distance[to], before[to], changed = after, (start, hop), True
        if not changed:
            return None
        if (found := _cycle(before)) is not None:
            mean = sum(hop.seconds for hop in found) / len(found)
            return found if mean < ratio - _SAME else None
    return None  # pragma: no cover -- a negative cycle shows itself within as many rounds as there are nodes


def _cycle(before: dict[int, tuple[int, Hop]]) -> list[Hop] | None:
    seen: dict[int, int] = {}
    for first in before:
        node = first
        while node in before and node not in seen:
            seen[node] = first
            node = before[node][0]
        if node in before and seen.get(node) == first:
            found, at = [], node
            while True:
                at, hop = before[at]
                found.append(hop)
                if at == node:
                    return found[::-1]
    return None


def most_dials(table: Hops, first: Iterable[int], window: float) -> float:
    """The most dials within any window, both ends included; infinite if dials need no time.

    Args:
        table: the hops.
        first: nodes after a dial at which the window may begin.
        window: seconds.
    """
    mean = least_time_per_dial(table)
    if mean is not None and mean[0] <= 0:
        return math.inf
    times, count = dict.fromkeys(first, 0.0), 0
    while times:
        count += 1
        after: dict[int, float] = {}
        for node, time in times.items():
            for to, hop in table.get(node, {}).items():
                then = time + hop.seconds
                if then <= window + _SAME and then < after.get(to, math.inf):
                    after[to] = then
        times = after
    return count
