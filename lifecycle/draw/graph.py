"""A page as nodes and edges, before any format.

Law: what is drawn is what the definition says, in its order. Every clause is one edge; one that
leads nowhere is an edge without a target, and stands inside its state. Numbers of states are those
of the plan, so that the same state has the same id in every drawing.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Literal

import attrs

from lifecycle.definition.definition import Clause, Definition, State

from . import words

Kind = Literal["state", "junction", "final"]


@attrs.frozen(kw_only=True)
class Edge:
    """A clause.

    Attributes:
        clause: its id.
        source: the path of its state.
        target: the path of the state that it leads to; None: nothing is left.
        trigger: its events or its clock; '' in a junction.
        guard: its `when`.
        within: its `while`.
        effects: what it does, in words.
        proof: whether it proves that the peer is healthy.
    """

    clause: str
    source: str
    target: str | None
    trigger: str
    guard: str | None = None
    within: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    proof: bool = False

    @property
    def label(self) -> tuple[str, ...]:
        """Its parts, one a line; the first begins with its id."""
        parts = [f"{self.clause} {self.trigger}".rstrip()]
        parts += [f"[{self.guard}]"] if self.guard is not None else []
        parts += [f"while {', '.join(self.within)}"] if self.within else []
        parts += [f"/ {words.short(effect)}" for effect in self.effects]
        parts += ["proof of health"] if self.proof else []
        return tuple(parts)


@attrs.frozen(kw_only=True)
class Node:
    """A state.

    Attributes:
        number: its number in the plan; the page itself is 0.
        status: its own, or that of the nearest state around it.
        lines: what is said of it: status, timers, what is done on entry and exit, …
        raises: the event of a final state.
        parallel: its states are regions.
        inner: the states in it; the first is initial.
        stays: its clauses that lead nowhere.
    """

    number: int
    path: str
    kind: Kind
    status: str | None
    lines: tuple[str, ...]
    raises: str | None
    parallel: bool
    inner: "tuple[Node, ...]"
    stays: tuple[Edge, ...]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]

    def walk(self) -> "Iterator[Node]":
        """Itself and all inside, outer before inner."""
        yield self
        for node in self.inner:
            yield from node.walk()

    def holds(self, path: str) -> bool:
        """Whether that state is this one, or inside it."""
        return not self.path or path == self.path or path.startswith(f"{self.path}.")


@attrs.frozen(kw_only=True)
class Graph:
    """A page that is ready to be drawn.

    Attributes:
        page: its name.
        title: what it is, in one line.
        root: the page itself, as a node.
        edges: every clause, in page order.
    """

    page: str
    title: str
    root: Node
    edges: tuple[Edge, ...]

    @functools.cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Every node by its path."""
        return {node.path: node for node in self.root.walk()}

    @property
    def leading(self) -> tuple[Edge, ...]:
        """The edges that have a target."""
        return tuple(edge for edge in self.edges if edge.target is not None)

    @property
    def longest_row(self) -> int:
        """How many states stand in a row at most: of one composite, from its first on, by the shortest way."""
        return max(self._row(node) for node in self.root.walk() if node.inner and not node.parallel)

    def _row(self, node: Node) -> int:
        left = {inner.path for inner in node.inner[1:]}
        front, length = {node.inner[0].path}, 0
        while front:
            left, length = left - front, length + 1
            front = {edge.target for edge in self.leading if edge.source in front and edge.target in left}
        return length

    def anew(self, edge: Edge) -> bool:
        """Whether it leads to a composite state that its own source lies in, or is."""
        target = self.nodes[edge.target or ""]
        return bool(target.inner) and target.holds(edge.source)


def graph(definition: Definition) -> Graph:
    """The graph of a definition."""
    edges = {clause.id: _edge(definition, clause) for clause in definition.clauses.values()}
    numbers = {state.path: number for number, state in enumerate(definition.root.walk())}
    root = _Builder(definition, edges, numbers).node(definition.root, None, rests=False)
    return Graph(page=definition.name, title=definition.title, root=root, edges=tuple(edges.values()))


def _edge(definition: Definition, clause: Clause) -> Edge:
    return Edge(
        clause=clause.id,
        source=clause.state,
        target=clause.to,
        trigger=words.trigger(definition, clause),
        guard=clause.when.text if clause.when is not None else None,
        within=words.within(definition, clause),
        effects=tuple(map(words.effect, clause.do)),
        proof=clause.proof,
    )


@attrs.frozen
class _Builder:
    definition: Definition
    edges: Mapping[str, Edge]
    numbers: Mapping[str, int]

    def node(self, state: State, status: str | None, *, rests: bool) -> Node:
        status = state.status or status
        return Node(
            number=self.numbers[state.path],
            path=state.path,
            kind="final" if state.final is not None else "junction" if state.junction else "state",
            status=status,
            lines=tuple(self.lines(state, rests=rests)),
            raises=state.final,
            parallel=state.parallel,
            inner=tuple(self.node(inner, status, rests=state.rest) for inner in state.states),
            stays=tuple(self.edges[clause.id] for clause in state.clauses if clause.to is None),
        )

    def lines(self, state: State, *, rests: bool) -> Iterator[str]:
        """What is said of a state; `rest` only where it begins, for it is inherited."""
        traits = [
            f"status {state.status}" if state.status else None,
            f"needs {state.needs}" if state.needs else None,
            "rest" if state.rest and not rests else None,
        ]
        if any(traits):
            yield ", ".join(filter(None, traits))
        if state.used or state.slot:
            yield f"uses {state.used}" if state.used else "slot"
        for word, effects in (("enter", state.enter), ("exit", state.exit)):
            for effect in effects:
                yield f"{word} / {words.short(words.effect(effect))}"
        if state.call is not None:
            timeout = self.definition.calls[state.call.name].timeout
            yield f"call {state.call.name}, {words.length(self.definition, timeout)}"
        for clock in state.clocks:
            yield f"timer {words.clock(self.definition, clock)}"
        if state.ignore:
            yield f"ignores {', '.join(state.ignore)}"
