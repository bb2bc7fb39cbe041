"""reachable: each state, clause, cause and route of the page can occur."""

from collections.abc import Sequence

from lifecycle.proof.graph import Graph
from lifecycle.proof.law import Breach, Finding, Law


def judge(graphs: Sequence[Graph]) -> Finding:
    """What never occurs under any setting."""
    definition = graphs[0].world.whole
    fired, active, rows = set[str](), set[str](), set[str]()
    for graph in graphs:
        edges = [*graph.firsts, *(edge for _, edge in graph.every())]
        rows.update(row for edge in edges for row in edge.move.rows)
        rows.update(row for _, move in graph.left for row in move.rows)
        plan = graph.world.table.plan
        active.update(plan.states[number].path for row in {node.row for node in graph.nodes} for number in row.states)
        for path in {edge.path for edge in edges if edge.path is not None}:
            fired.update(path.clauses)
            # also what a step only passes through: finals and junctions
            active.update(graph.world.passed(path))
    breaches: list[Breach] = []
    breaches += [
        Breach(f"the clause `{clause.id}` can never happen")
        for clause in definition.clauses.values()
        if clause.id not in fired and "/" not in clause.id
    ]
    for path, state in definition.states.items():
        if path and path not in active and not state.states and _own(definition, path):
            breaches.append(Breach(f"the state `{path}` is never reached"))
    for index, row in enumerate(definition.causes):
        if not row.use and definition.role and f"causes/{index}" not in rows:
            breaches.append(Breach(f"the row {index + 1} of causes (`{row.is_}`) can never occur"))
    for index, route in enumerate(definition.messages.routes):
        if route.raise_ and definition.role != "session" and f"routes/{index}" not in rows:
            breaches.append(Breach(f"the row {index + 1} of routes (`{route.raise_}`) can never occur"))
    return Finding("", tuple(breaches))


def _own(definition: object, path: str) -> bool:
    """Whether the page itself wrote the state, and not one that it uses."""
    states = definition.states  # type: ignore[attr-defined]  # a definition
    source = definition.at.source  # type: ignore[attr-defined]  # a definition
    return states[path].at.source is source


LAW = Law(
    name="reachable",
    says="Each state, clause, cause and route of the page can occur.",
    because="Code that never ran: socket.io's recovery worked only after the first event, and only once"
    " (socketio/socket.io#4888, #4880).",
    remedy="delete it, or mend what stands before it",
    judge=judge,
    fragments=True,
)
