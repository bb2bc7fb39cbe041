"""handled: whatever can happen in a state is taken or ignored there; a clock and a call are always taken."""

from collections.abc import Iterator, Sequence

from lifecycle.definition.definition import Definition, State
from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each, where


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every event that is refused, and every end of a clock or call that nothing comes of."""
    breaches: list[tuple[object, Breach]] = []
    for graph in graphs:
        for node, move in graph.refused:
            what = f"`{move.event}` can happen in {where(graph, node)} and is neither taken nor ignored"
            way = [*graph.trail(node), (node, Edge(move, None, node))]
            breaches.append(((move.event, graph.nodes[node].row), Breach(what, graph, way)))
        for node, edge in graph.every():
            if edge.move.cause in ("timer", "call") and edge.path is not None and not edge.path.clauses:
                what = f"`{edge.move.event}` ends in {where(graph, node)} and nothing comes of it"
                breach = Breach(what, graph, [*graph.trail(node), (node, edge)])
                breaches.append(((edge.move.event, graph.nodes[node].row), breach))
        breaches += _unheard(graph)
    return Finding("", first_of_each(breaches))


def _unheard(graph: Graph) -> Iterator[tuple[object, Breach]]:
    """Finals that are still active when the step is over: nobody has taken their exit."""
    plan = graph.world.table.plan
    finals: dict[object, str | None] = {}
    for index, node in enumerate(graph.nodes):
        if node.row not in finals:
            states = (plan.states[number] for number in node.row.states)
            stuck = (state for state in states if state.final and not _awaits(plan.definition, state))
            finals[node.row] = None if node.row.ended else next((state.path for state in stuck), None)
        path = finals[node.row]
        if path is not None:
            what = f"the exit of `{path}` (`{plan.definition.states[path].final}`) is taken by nobody"
            yield (path, Breach(what, graph, graph.trail(index)))


def _awaits(definition: Definition, state: State) -> bool:
    """Whether it may stay in its end: a region whose siblings are not done yet."""
    region = definition.parents[state.path]
    around = definition.parents.get(region)
    return state.final == "done" and around is not None and definition.states[around].parallel


LAW = Law(
    name="handled",
    says="Each event that can occur in a state is taken by a clause or listed in `ignore`; the end of a clock or"
    " a call is taken by a clause.",
    because="What nobody thought of is where clients hang: a disconnect during the dial leaked a connection"
    " (socketio/socket.io-client#1133), a reconnect after the last try did nothing (cloudflare/partykit#252).",
    remedy="add a clause for it, or list it in the state's `ignore`",
    judge=judge,
    fragments=True,
)
