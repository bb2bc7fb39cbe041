"""no-silent-wait: a state that does not rest is left in bounded time, even if the peer stays silent."""

from collections.abc import Iterable, Sequence

from lifecycle.definition.units import say_seconds
from lifecycle.proof.bound import Endless, longest
from lifecycle.proof.graph import Graph
from lifecycle.proof.law import Breach, Finding, Law, where


def judge(graphs: Sequence[Graph]) -> Finding:
    """Bound the time in each leaf under a peer that says nothing."""
    breaches, waits = [], dict[str, float]()
    for graph in graphs:
        for leaf, nodes in _waiting(graph).items():
            found = longest(graph, nodes, graph.own, silent=True)
            if isinstance(found, Endless):
                first = found.nodes[0]
                how = "nothing ends it" if not found.edges else "it goes round for ever"
                what = f"`{leaf}` may be waited in for ever if the peer stays silent: {how} in {where(graph, first)}"
                breaches.append(Breach(what, graph, graph.trail(first), found.edges))
            else:
                waits[leaf] = max(waits.get(leaf, 0.0), found[0])
    if breaches:
        return Finding("", tuple(sorted(breaches, key=lambda breach: len(breach.way))[:8]))
    if not waits:
        return Finding("no state waits")
    slowest = max(waits, key=lambda leaf: waits[leaf])
    said = f"at most {say_seconds(waits[slowest])}, in `{slowest}`"
    each = {f"silent wait in {leaf}": seconds for leaf, seconds in waits.items()}
    return Finding(said, (), {"longest silent wait": waits[slowest], **each})


def _waiting(graph: Graph) -> dict[str, list[int]]:
    """The nodes of each leaf that does not rest."""
    found: dict[str, list[int]] = {}
    states = graph.world.definition.states
    for index, node in enumerate(graph.nodes):
        for leaf in _restless(states, node.row.leaves) if not node.row.ended else ():
            found.setdefault(leaf, []).append(index)
    return found


def _restless(states: object, leaves: Iterable[str]) -> list[str]:
    return [leaf for leaf in leaves if not states[leaf].rest and not states[leaf].final]  # type: ignore[index]  # a mapping of states


LAW = Law(
    name="no-silent-wait",
    says="Each leaf state that is not `rest` is left in bounded time even if the peer stays silent.",
    because="Connecting for 21 hours, because no answer came and nothing was waiting for its absence"
    " (zachowj/node-red-contrib-home-assistant-websocket#2028); a cable pulled, and 16 minutes of nothing"
    " (aio-libs/aiohttp#2309); stuck in Reconnecting without a timer (SignalR/SignalR#4710).",
    remedy="give the state an `after` with a `to`, or a heartbeat beside it, or say `rest: true`",
    judge=judge,
)
