"""decided: no step ends in two exits at once, of which the order of regions would choose one."""

from collections.abc import Iterator, Sequence

from lifecycle.machine.path import Log
from lifecycle.machine.plan import Plan
from lifecycle.proof.graph import Graph
from lifecycle.proof.law import Breach, Finding, Law, first_of_each


def judge(graphs: Sequence[Graph]) -> Finding:
    """Every step in which two regions reach named finals together."""
    breaches = []
    for graph in graphs:
        table = graph.world.table
        rivals = {
            path: tuple(pair)
            for path, record in zip(table.paths, table.logs, strict=True)
            if (pair := next(_together(table.plan, record[2]), None))
        }
        for node, edge in graph.every() if rivals else ():
            if edge.path in rivals:
                one, other = rivals[edge.path]
                what = (
                    f"`{edge.move.event}` leads into `{one}` and `{other}` at once; the order of regions would decide"
                )
                breaches.append(((one, other), Breach(what, graph, [*graph.trail(node), (node, edge)])))
    return Finding("", first_of_each(breaches))


def _together(plan: Plan, log: Log) -> Iterator[tuple[str, str]]:
    """Pairs of finals with names of their own that are active at the same time."""
    active: list[str] = []
    for kind, number, _ in log:
        state = plan.states[number] if kind in "+-" else None
        if state is None or state.final in (None, "done") or plan.steps[number].raises is None:
            continue
        if kind == "-":
            active = [path for path in active if path != state.path]
            continue
        for path in active:
            if plan.definition.states[path].final != state.final:
                yield path, state.path
        active.append(state.path)


LAW = Law(
    name="decided",
    says="No two transitions compete without an order that the page writes down.",
    because="Two ends that race are two causes for one loss, and the user is told the wrong one"
    " (aio-libs/aiohttp#2309 erased the cause of a pong timeout).",
    remedy="let one of the regions take the event, or give both the same exit",
    judge=judge,
    fragments=True,
)
