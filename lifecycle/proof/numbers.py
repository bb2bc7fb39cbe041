"""Numbers of a page beside those that its laws bound: how soon a dead peer is noticed, how long queues get.

Law: each is a bound, not a measurement; what has none says so.
"""

from collections.abc import Iterator, Sequence

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.units import say_seconds, say_size

from .bound import Endless, longest
from .graph import Graph


@attrs.frozen
class Number:
    """A number of a page, in words."""

    name: str
    said: str


def half_open(graphs: Sequence[Graph]) -> float | None:
    """The longest time from when the peer went silent until the transport is given up, in seconds; none if it rests."""
    slowest = 0.0
    for graph in graphs:
        nodes = [index for index, node in enumerate(graph.nodes) if node.phase == "half-open"]
        found = longest(graph, nodes, graph.own, silent=True)
        if isinstance(found, Endless):
            return None
        slowest = max(slowest, found[0])
    return slowest


def numbers(definition: Definition, graphs: Sequence[Graph]) -> Iterator[Number]:
    """Every number that is not a law's."""
    if any(node.phase == "half-open" for graph in graphs for node in graph.nodes):
        seconds = half_open(graphs)
        said = "never, for the page rests there" if seconds is None else f"within {say_seconds(round(seconds, 3))}"
        yield Number("a half-open peer is noticed", said)
    messages = definition.messages
    if definition.role in ("client", "server"):
        if messages.inbox is not None:
            inbox = messages.inbox
            yield Number(
                "inbox", f"at most {inbox.items} messages, {say_size(inbox.size)}; when full: {inbox.when_full}"
            )
        if messages.outbox is not None:
            outbox = messages.outbox
            yield Number(
                "outbox", f"at most {outbox.items} messages, {say_size(outbox.size)}; when full: {outbox.when_full}"
            )
        if messages.limit is not None:
            yield Number("longest message", say_size(messages.limit))
    yield Number("explored", f"{sum(len(g.nodes) for g in graphs)} states, {sum(g.size for g in graphs)} transitions")
