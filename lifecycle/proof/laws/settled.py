"""settled: every request settles exactly once, by the end of its epoch at the latest."""

from collections.abc import Sequence
from typing import Literal

from lifecycle.proof.graph import Edge, Graph, Node
from lifecycle.proof.law import Breach, Finding, Law, first_of_each
from lifecycle.proof.watch import watch

Request = Literal["none", "queued", "sent", "settled"]
"""Of one request; all are alike, and no guard can compare two of them."""
_RESTING = ("idle", "closed", "failed")


def judge(graphs: Sequence[Graph]) -> Finding:
    """Follow one request through all that can happen."""
    definition = graphs[0].world.definition
    if definition.requests is None:
        return Finding("no requests")
    breaches = []
    for graph in graphs:

        def step(memory: Request, _: int, edge: Edge, graph: Graph = graph) -> tuple[tuple[Request, ...], str | None]:
            again = graph.world.definition.requests.on_loss == "resend"
            now, what = _after(graph, memory, edge, resend=again)
            asked: tuple[Request, ...] = (now,)
            if now == "none":
                asked = (now, _asked(graph.nodes[edge.target]))
            elif now == "settled":
                asked = ()
            return asked, what

        first: Request = "none"
        breaches += [(offence.what, Breach(offence.what, graph, offence.way)) for offence in watch(graph, first, step)]
    return Finding("", first_of_each(breaches, most=4))


def _asked(node: Node) -> Request:
    """What becomes of a request that is made here."""
    if node.row.status in _RESTING or node.row.ended:
        return "settled"
    return "sent" if node.row.status == "ready" and node.phase in ("open", "half-open") else "queued"


def _after(graph: Graph, request: Request, edge: Edge, *, resend: bool) -> tuple[Request, str | None]:
    """What becomes of it in a step, by the driver's rule: an epoch ends at `drop`, `closed`, and the end."""
    what = None
    lost: Request = "queued" if resend else "settled"
    if request == "sent" and edge.move.cause == "closed":
        request = lost
    for effect, _ in edge.path.effects if edge.path is not None else ():
        if effect.word == "drop" and request == "sent":
            request = lost
        if effect.word == "open" and request == "sent":
            what = f"`{edge.move.event}` dials anew while a request of the last connection waits"
    node = graph.nodes[edge.target]
    if node.row.ended:
        return "settled", what
    if node.row.status in _RESTING:
        if request == "sent":
            rest = " + ".join(node.row.leaves)
            what = f"`{edge.move.event}` leads to rest in `{rest}` while a sent request waits for its answer"
        return ("none" if request == "none" else "settled"), what
    if request == "queued" and node.row.status == "ready" and node.phase in ("open", "half-open"):
        request = "sent"
    return request, what


LAW = Law(
    name="settled",
    says="Every request settles exactly once, by the end of its epoch at the latest.",
    because="A request that waits for ever when the connection drops (starknet-io/starknet.js#1664,"
    " microsoft/botbuilder-js#4452, oasislabs/oasis.js#227).",
    remedy="`drop` the lost transport before the next `open` and before resting: `exit: drop` on the state around it",
    judge=judge,
)
