"""one-transport: no dial while a transport is still there."""

from collections.abc import Sequence

from lifecycle.proof.graph import Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each, where


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every step that dials while the last transport is not gone."""
    breaches = []
    for graph in graphs:
        for node, edge in graph.every():
            if edge.path is not None and (graph.deeds(node, edge).twice or graph.deeds(node, edge).opens > 1):
                what = f"`{edge.move.event}` in {where(graph, node)} dials while a transport is still there"
                breach = Breach(what, graph, [*graph.trail(node), (node, edge)])
                breaches.append(((edge.move.event, edge.path.clauses), breach))
    return Finding("", first_of_each(breaches))


LAW = Law(
    name="one-transport",
    says="`open` never happens while a transport is dialing, open, half-open or closing.",
    because="Two live sessions for one user: the old connection's end kills the new one"
    " (miguelgrinberg/python-socketio#395, Netflix/zuul#1280).",
    remedy="say `exit: drop` on the state around `open`, or `drop` before it",
    judge=judge,
)
