"""transport-fits: a state that needs a transport, or none, has it whenever it is active."""

from collections.abc import Sequence

from lifecycle.proof.graph import Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each, where

_FITS = {"none": ("none",), "dialing": ("dialing",), "open": ("open", "half-open")}


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every node in which an active state lacks what it needs."""
    breaches: list[tuple[tuple[str, str], Breach]] = []
    for graph in graphs:
        plan = graph.world.table.plan
        needs: dict[object, list[tuple[str, str]]] = {}
        for index, node in enumerate(graph.nodes):
            if node.row not in needs:
                states = [plan.states[number] for number in node.row.states]
                needs[node.row] = [(state.path, state.needs) for state in states if state.needs]
            for path, need in needs[node.row]:
                if node.phase not in _FITS[need]:
                    what = f"`{path}` needs {_said(need)}, and the transport is {node.phase}"
                    breaches.append(((path, node.phase), Breach(what, graph, graph.trail(index))))
        for index, edge in graph.every():
            if graph.deeds(index, edge).late:
                what = f"`{edge.move.event}` in {where(graph, index)} answers a client when its transport is gone"
                breaches.append(((edge.move.event, ""), Breach(what, graph, [*graph.trail(index), (index, edge)])))
    return Finding("", first_of_each(breaches))


def _said(need: str) -> str:
    return "no transport" if need == "none" else "an open transport" if need == "open" else "a transport that dials"


LAW = Law(
    name="transport-fits",
    says="A state that says `needs` is only active while the transport is so.",
    because="An interface that says connected over a dead socket: Phoenix did not reconnect after a heartbeat timeout"
    " because the close looked clean (phoenixframework/phoenix#4623).",
    remedy="lead the clause elsewhere, or dial or drop on the way",
    judge=judge,
)
