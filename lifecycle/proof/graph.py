"""The machine and its environment as a graph: nodes, the moves between them, and the way to each node.

Law: breadth first, so the way to a node is one of the shortest. A move that the page refuses, or
that leaves a variable's range, is no edge; both are noted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from lifecycle.machine.path import Path, Row
from lifecycle.machine.phase import Phase, after_fact

from .lengths import Length


@attrs.frozen(eq=False)
class Armed:
    """A clock that runs; one object for each clock and length."""

    number: int
    name: str
    kind: str
    length: Length

    @property
    def mark(self) -> str:
        """By which it is stopped and started."""
        return self.name


@attrs.frozen(eq=False)
class Pending:
    """A call that runs; one object for each state and deadline."""

    state: str
    name: str
    length: Length

    @property
    def mark(self) -> str:
        """By which it is stopped and started."""
        return f"call {self.state}"


@attrs.frozen(eq=False)
class Move:
    """Something that the environment does.

    Attributes:
        cause: an event's cause, or `start`, or `silence` (the peer goes half-open).
        event: its name; empty for silence.
        fields: what it brings.
        row: the rows of causes or routes that it stands for.
        said: where it comes from, for people.
        clock, call: what runs out, or ends.
    """

    cause: str
    event: str = ""
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    rows: tuple[str, ...] = ()
    said: str = ""
    clock: Armed | None = None
    call: Pending | None = None


class Node(NamedTuple):
    """A state of the whole; `races` as in the module of that name."""

    row: Row
    variables: tuple[Any, ...]
    armed: tuple[Armed, ...]
    calls: tuple[Pending, ...]
    phase: Phase
    races: frozenset[tuple[str, str]] = frozenset()


class Edge(NamedTuple):
    """A move and where it leads; the peer's silence has no path."""

    move: Move
    path: Path | None
    target: int


@attrs.frozen(eq=False)
class Deeds:
    """What a path does, as far as the model knows it; once for each path and phase.

    Attributes:
        phase: the transport's phase after it.
        opens: how often it dials.
        twice: whether it dials while a transport is there.
        late: whether it answers a client when no transport is there any more.
        stops: marks of clocks and calls that stop.
        touches: those, and the marks of what starts.
    """

    phase: Phase
    opens: int
    twice: bool
    late: bool
    stops: frozenset[str]
    touches: frozenset[str]


_NO_DEEDS = Deeds("half-open", 0, False, False, frozenset(), frozenset())  # noqa: FBT003 -- silence does nothing


@attrs.define(eq=False)
class Graph:
    """What was explored.

    Attributes:
        world: the page and its environment.
        nodes: breadth first.
        edges: of each node.
        parents: of each node, the node and the edge by which it was found; -1 is before the start.
        refused: node and move that neither a clause nor `ignore` takes.
        overruns: node, move, and the sentence that says which variable cannot take it.
        left: node and move that are the host's to take; only of fragments.
        pruned: how many moves were left out because another clock must have run out before.
        known: each node's number.
    """

    world: Any
    nodes: list[Node] = attrs.field(factory=list)
    edges: list[list[Edge]] = attrs.field(factory=list)
    parents: list[tuple[int, Edge]] = attrs.field(factory=list)
    firsts: list[Edge] = attrs.field(factory=list)
    refused: list[tuple[int, Move]] = attrs.field(factory=list)
    overruns: list[tuple[int, Move, str]] = attrs.field(factory=list)
    left: list[tuple[int, Move]] = attrs.field(factory=list)
    pruned: int = 0
    known: dict[Node, int] = attrs.field(factory=dict)

    @property
    def size(self) -> int:
        """How many edges there are."""
        return sum(map(len, self.edges))

    def trail(self, node: int) -> "list[tuple[int, Edge]]":
        """The way to a node: pairs of a node and the edge that is taken there; -1 is before the start."""
        found: list[tuple[int, Edge]] = []
        while node >= 0:
            node, edge = self.parents[node]
            found.append((node, edge))
        return found[::-1]

    def deeds(self, index: int, edge: Edge) -> Deeds:
        """What an edge does to the transport, its clocks and its calls."""
        phase = self.nodes[index].phase if index >= 0 else self.world.first_phase()
        deeds: Deeds = (
            _NO_DEEDS if edge.path is None else self.world.deeds(edge.path, after_fact(phase, edge.move.cause))
        )
        return deeds

    def own(self, index: int) -> list[Edge]:
        """What the page does by itself in a node: clocks that run out, calls that end."""
        return [edge for edge in self.edges[index] if edge.move.cause in ("timer", "call")]

    def every(self) -> Iterator[tuple[int, Edge]]:
        """Every edge, with the node that it begins at."""
        for index, edges in enumerate(self.edges):
            for edge in edges:
                yield index, edge
