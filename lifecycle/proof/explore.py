"""Breadth-first exploration of a page in its world.

Law: complete up to the limit, and deterministic. It stops with a message, never with half a graph.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from lifecycle.definition.page import Variable
from lifecycle.errors import LifecycleError
from lifecycle.machine.path import Path
from lifecycle.machine.plan import START
from lifecycle.machine.source import OutOfRange

from .graph import Edge, Graph, Move, Node
from .values import domain
from .world import World

LIMIT = 300_000
_TOLD_EVERY = 2000
Progress = Callable[[int, int], None]
"""Is told how many nodes are known, and how many of them are done."""


class TooManyStates(LifecycleError):
    """A page that is too large to be explored; it may be right or wrong."""

    side = "page"


def explore(world: World, limit: int = LIMIT, progress: Progress | None = None) -> Graph:
    """Explore everything that can happen.

    Args:
        world: the page and its environment.
        limit: the most nodes.
        progress: is told now and then.

    Raises:
        TooManyStates: there are more; the message says what makes them so many.
        PageError: a step does not end, or an event cannot be enumerated.
    """
    graph = Graph(world)
    for variables in first_variables(world):
        _start(world, graph, variables)
    step, parameters, nodes = world.table.step, world.parameters, graph.nodes
    leaves = world.definition.leaves
    index = 0
    while index < len(nodes):
        node = nodes[index]
        graph.edges.append([])
        if node.row.ended:
            index += 1
            continue
        for move in world.moves(node):
            if move.event not in world.table.plan.alphabet:
                (graph.refused if world.definition.role else graph.left).append((index, move))
                continue
            try:
                changed, path, values = step(node.row, move.event, node.variables, parameters, move.fields)
            except OutOfRange as error:
                graph.overruns.append((index, move, str(error)))
                continue
            if not path.taken:
                to_host = any(move.event == family or move.event.startswith(f"{family}.") for family in leaves)
                (graph.left if to_host else graph.refused).append((index, move))
                continue
            target = world.after(node, move, changed, path, values)
            if target is None:
                graph.pruned += 1
                continue
            _add(graph, index, move, path, target)
        if node.phase == "open":
            _add(graph, index, _SILENCE, None, node._replace(phase="half-open"))
        index += 1
        if len(nodes) > limit:
            raise TooManyStates(_why(graph, limit))
        if progress and index % _TOLD_EVERY == 0:
            progress(len(nodes), index)
    if progress:
        progress(len(nodes), index)
    return graph


_SILENCE = Move("silence", said="the peer says nothing any more, and nobody is told")


def _add(graph: Graph, index: int, move: Move, path: Path | None, target: Node) -> None:
    found = graph.known.get(target)
    edge = Edge(move, path, len(graph.nodes) if found is None else found)
    if found is None:
        graph.known[target] = edge.target
        graph.nodes.append(target)
        graph.parents.append((index, edge))
    graph.edges[index].append(edge)


def _start(world: World, graph: Graph, variables: tuple[Any, ...]) -> None:
    first = zip(world.definition.variables, variables, world.table.initial, strict=True)
    move = Move("start", START, {name: value for name, value, usual in first if value != usual})
    phase = world.first_phase()
    before = Node(world.table.row(()), variables, (), (), phase)
    try:
        changed, path, values = world.table.step(None, START, variables, world.parameters, {})
    except OutOfRange as error:
        graph.overruns.append((-1, move, str(error)))
        return
    target = world.after(before, move, changed, path, values)
    if target is not None and target not in graph.known:
        graph.known[target] = len(graph.nodes)
        edge = Edge(move, path, graph.known[target])
        graph.nodes.append(target)
        graph.parents.append((-1, edge))
        graph.firsts.append(edge)


def first_variables(world: World) -> Iterator[tuple[Any, ...]]:
    """The variables at the start; a fragment's host may have set them to anything, and a client asks for anything."""
    definition, initial = world.definition, world.table.initial
    rows = [
        domain(variable, world.settings) if _open(world, name, variable) else [first]
        for (name, variable), first in zip(definition.variables.items(), initial, strict=True)
    ]
    yield initial
    yield from (row for row in itertools.product(*rows) if row != initial)


def _open(world: World, name: str, variable: Variable) -> bool:
    given = variable.from_ is not None if world.definition.role else True
    return given and name not in world.loose and variable.kind != "kept"


def _why(graph: Graph, limit: int) -> str:
    """What makes a page large: the variables and regions with the most values."""
    world: World = graph.world
    definition = world.definition
    counts: Counter[str] = Counter()
    for place, name in enumerate(definition.variables):
        counts[f"the variable `{name}`"] = len({node.variables[place] for node in graph.nodes})
    for state in definition.states.values():
        for region in state.states if state.parallel else ():
            inside = f"{region.path}."
            views = {tuple(leaf for leaf in node.row.leaves if leaf.startswith(inside)) for node in graph.nodes}
            counts[f"the region `{region.path}`"] = len(views)
    most = ", ".join(f"{name} ({count})" for name, count in counts.most_common(4) if count > 1)
    return (
        f"{definition.name}: more than {limit} states, and still growing; nothing is proven. "
        f"It may be right, but it is too large: {most or 'many clocks at once'}. "
        f"Narrow a range, or split what does not belong together"
    )
