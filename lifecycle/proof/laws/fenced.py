"""fenced: a call that outlives its state is over before that state is entered again."""

from collections.abc import Sequence

from lifecycle.proof.graph import Edge, Graph
from lifecycle.proof.law import Breach, Finding, Law
from lifecycle.proof.watch import watch

_Memory = frozenset[str]
"""States whose calls may still run although the state was left."""


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every entry of a state whose old call may still run."""
    outliving = {name for name, call in graphs[0].world.definition.calls.items() if call.scope == "connection"}
    if not outliving:
        return Finding("no call outlives its state")
    breaches = []
    for graph in graphs:
        definition = graph.world.definition
        states = [state for state in definition.states.values() if state.call and state.call.name in outliving]
        marks = {f"call {state.path}": state.path for state in states}
        offence = next(watch(graph, frozenset(), _step(graph, marks)), None)
        if offence is not None:
            breaches.append(Breach(offence.what, graph, offence.way))
    return Finding("", tuple(breaches[:1]))


def _step(graph: Graph, marks: dict[str, str]):  # type: ignore[no-untyped-def]  # the type is watch's
    def step(memory: _Memory, node: int, edge: Edge) -> tuple[tuple[_Memory, ...], str | None]:
        deeds = graph.deeds(node, edge)
        pending = {call.mark for call in graph.nodes[node].calls if call is not edge.move.call} if node >= 0 else set()
        started = {mark for mark in marks if any(call.mark == mark for call in graph.nodes[edge.target].calls)}
        left = {mark for mark in marks if mark in deeds.stops and mark in pending}
        again = {mark for mark in started if marks[mark] in memory and (mark not in pending or mark in left)}
        what = None
        if again:
            what = f"`{marks[min(again)]}` is entered again while its old call may still run"
        return (memory | {marks[mark] for mark in left},), what

    return step


LAW = Law(
    name="fenced",
    says="An event acts only if the activation that caused it (dial, arming, entry) still lives.",
    because="The most repeated bug of the field: a token refresh that ended after the reconnect acted on the new"
    " session (centrifugal/centrifuge-js#401, centrifuge-go#141), a stale heartbeat closed the new socket"
    " (phoenixframework/phoenix#3083).",
    remedy="let the call end with its state (`scope: state`), or wait for its end in a state of its own",
    judge=judge,
)
