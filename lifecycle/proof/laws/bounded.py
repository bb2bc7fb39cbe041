"""bounded: no variable leaves its range."""

from collections.abc import Sequence

from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every step that a variable could not take."""
    breaches = []
    for graph in graphs:
        for node, move, what in graph.overruns:
            way = [*graph.trail(node), (node, Edge(move, None, node))] if node >= 0 else []
            breaches.append((what, Breach(f"at `{move.event}`, {what}", graph, way)))
    return Finding("", first_of_each(breaches))


LAW = Law(
    name="bounded",
    says="No assignment leaves its variable's range, on any way.",
    because="A counter without an end is a retry without an end: nats.py retried a refused login thousands of times"
    " (nats-io/nats.py#908). At run time the event would be refused, or the connection would fail.",
    remedy="guard the clause before the range ends, or widen the range",
    judge=judge,
)
