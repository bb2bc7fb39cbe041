"""A graph walked once more with a memory: what must be remembered to judge a step.

Law: breadth first, so what is found is found by a shortest way. The memory is no part of the graph;
what one law remembers costs no other law anything.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

import attrs

from .graph import Edge, Graph

Memory = TypeVar("Memory", bound=Hashable)
Way = list[tuple[int, Edge]]
"""From the start: pairs of a node and the edge that is taken there; -1 is before the start."""


@attrs.frozen
class Offence:
    """A step that must not be, and the way to it, itself included."""

    what: str
    way: Way


def watch(
    graph: Graph, memory: Memory, step: Callable[[Memory, int, Edge], tuple[tuple[Memory, ...], str | None]]
) -> Iterator[Offence]:
    """Walk all ways and let a law judge each step.

    Args:
        graph: what was explored.
        memory: at the start.
        step: from the memory, a node and an edge to the memories that may be after it, and what is
            wrong with it in a sentence; it is asked once for each memory, node and edge.

    Yields:
        Offences, shortest first. The walk goes on behind them.
    """
    seen: dict[tuple[int, Memory], tuple[tuple[int, Memory], Edge]] = {}
    todo: list[tuple[int, Memory]] = []

    def come(place: tuple[int, Memory], edge: Edge) -> Iterator[Offence]:
        memories, what = step(place[1], place[0], edge)
        if what is not None:
            yield Offence(what, [*_way(seen, place), (place[0], edge)])
        for after in memories:
            target = (edge.target, after)
            if target not in seen:
                seen[target] = (place, edge)
                todo.append(target)

    for first in graph.firsts:
        yield from come((-1, memory), first)
    for place in todo:
        for edge in graph.edges[place[0]]:
            yield from come(place, edge)


def _way(seen: dict[tuple[int, Memory], tuple[tuple[int, Memory], Edge]], place: tuple[int, Memory]) -> Way:
    found: Way = []
    while place in seen:
        place, edge = seen[place]
        found.append((place[0], edge))
    return found[::-1]
