"""A way through a graph as a Mermaid sequence diagram: user, page, transport, clock, embedder.

Law: one arrow a step and one for each thing that is done; nothing that a text holds can end a line.
"""

from collections.abc import Iterator

from lifecycle.definition.units import say_seconds

from .graph import Graph
from .trail import Step, steps
from .watch import Way

FROM = {"wish": "user", "timer": "clock", "call": "calls"}
"""Who causes an event, by its cause; all others are the peer's."""
OUTWARD = {"open", "close", "drop", "send", "ping", "admit", "refuse"}
"""The effects that concern the peer."""


def sequence(graph: Graph, way: Way, title: str) -> str:
    """The text of the diagram."""
    name = graph.world.definition.name
    lines = [
        "sequenceDiagram",
        f"    title {safe(title)}",
        "    participant user as user",
        f"    participant page as {name}",
        "    participant peer as network and peer",
        "    participant clock as clocks",
        "    participant calls as calls",
    ]
    for number, step in enumerate(steps(graph, way), start=1):
        lines += [f"    {line}" for line in _step(number, step)]
    return "\n".join(lines) + "\n"


def _step(number: int, step: Step) -> Iterator[str]:
    at = say_seconds(round(step.at, 3))
    if step.cause == "start":
        yield f"Note over page: {number}. start"
    elif step.cause == "silence":
        yield f"Note over peer: {number}. {at}: silent from here, and nobody is told"
    else:
        arrow = "--x" if step.refused else "->>"
        yield f"{FROM.get(step.cause, 'peer')}{arrow}page: {number}. {at}: {safe(step.event)}"
    for word in step.effects:
        if word in OUTWARD:
            yield f"page->>peer: {word}"
    state = " + ".join(step.states) or "the end"
    yield f"Note over page: {safe(f'refused in {state}' if step.refused else state)}"


def safe(text: str) -> str:
    """A text that ends no line of a diagram."""
    return text.replace(";", ",").replace("#", "").replace("\n", " ").replace("`", "")
