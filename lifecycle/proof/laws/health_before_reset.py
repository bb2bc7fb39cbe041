"""health-before-reset: a retry counter goes down only by a wish, or after a proof of health."""

from collections.abc import Sequence

from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each
from lifecycle.proof.watch import watch


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every step that lowers a backoff's counter unearned."""
    definition = graphs[0].world.definition
    counters = sorted({clock.by for clock in definition.clocks if clock.by})
    if not graphs[0].world.dials or not counters:
        return Finding("no backoff that counts dials")
    places = {name: index for index, name in enumerate(definition.variables) if name in counters}
    proofs = {clause.id for clause in definition.clauses.values() if clause.proof}
    breaches = []
    for graph in graphs:

        def step(healthy: bool, node: int, edge: Edge, graph: Graph = graph) -> tuple[tuple[bool, ...], str | None]:  # noqa: FBT001 -- the memory
            healthy = healthy or (edge.path is not None and bool(proofs.intersection(edge.path.clauses)))
            what = None
            if node >= 0 and edge.move.cause != "wish" and not healthy:
                was, now = graph.nodes[node].variables, graph.nodes[edge.target].variables
                given = graph.world.given(edge.path) if edge.path is not None else ()
                for name, index in places.items():
                    # also one that the same step raises again
                    lowest = min((value for other, value in given if other == name), default=now[index])
                    if min(lowest, now[index]) < was[index]:
                        lowered = f"lowers `{name}` from {was[index]} to {min(lowest, now[index])}"
                        what = f"`{edge.move.event}` {lowered} without a proof of health"
            return (healthy and not graph.deeds(node, edge).opens,), what

        breaches += [
            ((offence.way[-1][1].move.event, offence.way[-1][1].path), Breach(offence.what, graph, offence.way))
            for offence in watch(graph, False, step)  # noqa: FBT003 -- the memory at the start
        ]
    return Finding("", first_of_each(breaches, most=4))


LAW = Law(
    name="health-before-reset",
    says="The counter of a backoff goes down only by the user's wish, or when a clause marked `proof: true` has fired"
    " since the last dial.",
    because="All eight best-known clients reset their backoff when the socket opens; a server that accepts and closes"
    " is then dialled as fast as it can (pladaria/reconnecting-websocket#200, pipecat-ai/pipecat#3824).",
    remedy="reset it in a clause `{after: …, proof: true}` of a state that is ready",
    judge=judge,
)
