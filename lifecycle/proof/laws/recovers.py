"""recovers: once network and peer are well, `ready` is reached from every live state, in bounded time, and kept."""

from collections.abc import Sequence

from lifecycle.definition.sources import covers
from lifecycle.definition.units import say_seconds
from lifecycle.proof.bound import Endless, longest
from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law, where
from lifecycle.proof.watch import Way

_AT_REST = ("idle", "closed", "failed")
_NOT_LIVE = (*_AT_REST, "closing")


def judge(graphs: Sequence[Graph]) -> Finding:
    """Bound the time to ready in the healed world, and look for ways out of it."""
    world = graphs[0].world
    if world.definition.role == "session":
        return Finding("has no transport")
    for graph in graphs:
        leaving = _leaving(graph)
        if leaving is not None:
            node, edge = leaving[-1]
            what = f"in a healed world, `{edge.move.event}` leads away from ready in {where(graph, node)}"
            return Finding("", (Breach(what, graph, leaving),))
    if not world.dials or world.definition.leaves:
        return Finding("its hosts dial anew" if world.dials else "does not dial")
    breaches, slowest = [], 0.0
    for graph in graphs:
        ways, failing = _healing(graph)
        if failing is not None:
            node, edge = failing[-1]
            what = f"in a healed world, `{edge.move.event}` leads from {where(graph, node)} to rest, not to ready"
            breaches.append(Breach(what, graph, failing))
            continue
        found = longest(graph, ways, lambda i, g=graph: _healed(g, i), latency=lambda i, g=graph: _latency(g, i))  # type: ignore[misc]  # bound early
        if isinstance(found, Endless):
            first = min(found.nodes, key=lambda index: len(ways[index]))
            how = "nothing happens" if not found.edges else "it may go round for ever"
            what = f"in a healed world, ready may never come: {how} in {where(graph, first)}"
            breaches.append(Breach(what, graph, ways[first], found.edges))
        else:
            slowest = max(slowest, found[0])
    said = f"ready at most {say_seconds(slowest)} after the network is well"
    return Finding(said, tuple(breaches[:1]), {"longest recovery": slowest})


def _healing(graph: Graph) -> tuple[dict[int, Way], Way | None]:
    """Every node from which ready is still to come, with a way to it; and a way that ends at rest instead."""
    found: dict[int, Way] = {}
    todo = []
    for index, node in enumerate(graph.nodes):
        if node.row.status not in _NOT_LIVE and not node.row.ended and not _ready(graph, index):
            found[index] = graph.trail(index)
            todo.append(index)
    for index in todo:
        for edge in _healed(graph, index):
            way = [*found[index], (index, edge)]
            node = graph.nodes[edge.target]
            if node.row.status in _AT_REST or node.row.ended:
                # that a connection which was dead before the healing is found dead is still of the bad world
                if graph.nodes[index].phase != "half-open":
                    return found, way
            elif edge.target not in found and not _ready(graph, edge.target):
                found[edge.target] = way
                todo.append(edge.target)
    return found, None


def _ready(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    return node.row.status == "ready" and node.phase == "open"


def _leaving(graph: Graph) -> Way | None:
    """A way on which a connection that is ready, with a good peer, does not stay so."""
    for index in range(len(graph.nodes)):
        if _ready(graph, index):
            for edge in _healed(graph, index, again=True):
                if not _ready(graph, edge.target) and not _limits(graph, index, edge):
                    return [*graph.trail(index), (index, edge)]
    return None


def _limits(graph: Graph, index: int, edge: Edge) -> bool:
    """Whether it is a clock of the state that says ready, or around it: then the page limits a life that is well."""
    definition = graph.world.definition
    if edge.move.clock is None:
        return False
    owner = next(clock.state for clock in definition.clocks if clock.name == edge.move.clock.name)
    leaves = graph.nodes[index].row.leaves
    saying = {path for leaf in leaves for path in definition.around(leaf) if definition.states[path].status == "ready"}
    return any(owner in definition.around(path) for path in saying)


def _good(graph: Graph, index: int, *, again: bool = False) -> list[Edge]:
    """What a good peer lets happen here, and that changes something; or that starts a clock again."""
    definition, phase = graph.world.definition, graph.nodes[index].phase
    families = definition.good.get(phase, ())
    return [
        edge
        for edge in graph.edges[index]
        if edge.move.cause in ("opened", "heard", "message")
        and (edge.target != index or (again and graph.deeds(index, edge).touches))
        and any(covers(family, edge.move.event) for family in families)
    ]


def _latency(graph: Graph, index: int) -> float | None:
    return graph.world.definition.latency if _good(graph, index) else None


def _healed(graph: Graph, index: int, *, again: bool = False) -> list[Edge]:
    """What can happen in a healed world: good events, calls that succeed, clocks that neither of them outruns."""
    latency: float = graph.world.definition.latency
    good = _good(graph, index, again=again)
    done = [edge for edge in graph.edges[index] if edge.move.call is not None and edge.move.event.startswith("done")]
    by_event: dict[str, list[Edge]] = {}
    for edge in _good(graph, index, again=True):  # that only starts a clock again outruns it all the same
        by_event.setdefault(edge.move.event, []).append(edge)
    outrun = set[str]()
    for edges in by_event.values():
        # whatever the event brings, the clock is stopped
        outrun |= _touched(graph, index, edges, latency)
    for edge in done:
        if edge.move.call is not None:
            same = [one for one in done if one.move.call is edge.move.call]
            outrun |= _touched(graph, index, same, edge.move.call.length.most)
    if again and any(covers(family, "heard") for family in graph.world.definition.good.get("open", ())):
        # the good peer of a connection that is ready speaks in time
        outrun |= {one.mark for one in graph.nodes[index].armed if one.kind == "silent"}
    timers = [edge for edge in graph.edges[index] if edge.move.clock is not None and edge.move.clock.mark not in outrun]
    closed = [edge for edge in graph.edges[index] if edge.move.cause == "closed"]
    return [*good, *done, *timers, *closed]


def _touched(graph: Graph, index: int, edges: list[Edge], within: float) -> set[str]:
    marks = set.intersection(*(set(graph.deeds(index, edge).touches) for edge in edges))
    return {one.mark for one in graph.nodes[index].armed if one.mark in marks and within < one.length.least}


LAW = Law(
    name="recovers",
    says="With network and peer healed, `ready` is reached from every live state within a printed time, and is kept.",
    because="Never reconnects again after one bad night: SUSPENDED, then resumed, then FAILED (ably/ably-go#638);"
    " a resume that fails is resumed for ever (discordeno/discordeno#3907).",
    remedy="give the state a way to ready that a good peer opens (`good:`), or a clock that dials anew",
    judge=judge,
)
