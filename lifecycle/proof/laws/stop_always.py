"""stop-always: from every state the wish to end is honoured, without a further dial, in bounded time."""

from collections.abc import Sequence

from lifecycle.definition.units import say_seconds
from lifecycle.proof.bound import Endless, longest
from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law, where
from lifecycle.proof.watch import Way

_RESTING = ("idle", "closed", "failed")


def judge(graphs: Sequence[Graph]) -> Finding:
    """Follow the stop wish from every node to rest."""
    stop = graphs[0].world.definition.stop
    breaches, slowest = [], 0.0
    for graph in graphs:
        ways, dialled = _stopping(graph, stop)
        if dialled is not None:
            what = f"`{dialled[-1][1].move.event}` dials after `{stop}`"
            breaches.append(Breach(what, graph, dialled))
            continue
        found = longest(graph, ways, lambda index, graph=graph: _unwished(graph, index))  # type: ignore[misc]  # bound early
        if isinstance(found, Endless):
            first = min(found.nodes, key=lambda index: len(ways[index]))
            how = "nothing ends it" if not found.edges else "it may go round for ever"
            what = f"after `{stop}` rest may never come: {how} in {where(graph, first)}"
            breaches.append(Breach(what, graph, ways[first], found.edges))
        else:
            slowest = max(slowest, found[0])
    return Finding(
        f"at most {say_seconds(slowest)} from `{stop}` to rest", tuple(breaches[:1]), {"longest stop": slowest}
    )


def _unwished(graph: Graph, index: int) -> list[Edge]:
    return [edge for edge in graph.edges[index] if edge.move.cause not in ("wish", "silence")]


def _rests(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    states = graph.world.definition.states
    return node.row.ended or (
        node.row.status in _RESTING and all(states[leaf].rest or states[leaf].final for leaf in node.row.leaves)
    )


def _stopping(graph: Graph, stop: str) -> tuple[dict[int, Way], Way | None]:
    """Every node on the way from a stop wish to rest, with a way to it; and a way that dials, if there is one."""
    found: dict[int, Way] = {}
    todo: list[int] = []
    first = ((i, edge) for i, edge in graph.every() if edge.move.cause == "wish" and edge.move.event == stop)
    for index, edge in first:
        way = [*graph.trail(index), (index, edge)]
        if graph.deeds(index, edge).opens:
            return found, way
        if edge.target not in found and not _rests(graph, edge.target):
            found[edge.target] = way
            todo.append(edge.target)
    for index in todo:
        for edge in _unwished(graph, index):
            way = [*found[index], (index, edge)]
            if graph.deeds(index, edge).opens:
                return found, way
            if edge.target not in found and not _rests(graph, edge.target):
                found[edge.target] = way
                todo.append(edge.target)
    return found, None


LAW = Law(
    name="stop-always",
    says="From every state the user's wish to end leads to rest, without a further dial, within a printed time.",
    because="disconnect() that does not stop the retries (miguelgrinberg/python-socketio#914), a close that hangs"
    " behind a full queue (python-websockets/websockets#1555).",
    remedy="take the stop wish in that state, lead it to a state that rests, and give every state on the way a clock",
    judge=judge,
)
