"""A way through a graph, told: numbered steps with event, clauses, state, effects and time.

Law: times are the earliest possible. A step that no edge stands for (refused, or out of range) is
told as such. No secret is in it: what a model plays with are stand-ins.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.units import say_seconds

from .graph import Edge, Graph, Node
from .law import Breach
from .watch import Way
from .world import World

_ROUND = 8
TRACE = 1
"""The version of the trace's format."""


@attrs.frozen
class Step:
    """One step of a trail.

    Attributes:
        at: seconds since the start, at the earliest.
        cause, event, fields: as the move has them.
        said: where it comes from, for people.
        clauses: ids of the clauses that happen.
        states: the innermost states after it.
        status, phase: after it.
        effects: words, in order.
        refused: whether the page does not take it, or a variable cannot.
    """

    at: float
    cause: str
    event: str
    fields: Mapping[str, Any]
    said: str
    clauses: tuple[str, ...]
    states: tuple[str, ...]
    status: str
    phase: str
    effects: tuple[str, ...]
    refused: bool = False

    @property
    def does(self) -> str:
        """What is done, in a few words."""
        if self.refused:
            return "refused"
        nothing = "nothing" if self.cause in ("silence", "start") else "ignored"
        return ", ".join((*self.clauses, *self.effects)) or nothing


def steps(graph: Graph, way: Way) -> list[Step]:
    """A way as steps."""
    graph, way = on_the_whole(graph, way)
    found, now = [], 0.0
    started: dict[str, float] = {}
    for place, (index, edge) in enumerate(way):
        ended = edge.move.clock or edge.move.call
        if ended is not None:
            now = max(now, started.get(ended.mark, now) + ended.length.least)
        last = place == len(way) - 1
        found.append(_step(graph, edge, now, refused=last and _refused(edge)))
        was = {one.mark for one in _running(graph.nodes[index])} if index >= 0 else set()
        touched = graph.deeds(index, edge).touches
        for one in _running(graph.nodes[edge.target]):
            if one.mark not in was or one.mark in touched or one is ended:
                started[one.mark] = now
    return found


def on_the_whole(graph: Graph, way: Way) -> tuple[Graph, Way]:
    """The same way on the page as a whole, if it was found on a slice; what the slice lacks stands still beside it."""
    part: World = graph.world
    if part.whole is part.definition:
        return graph, way
    world = World(part.whole, part.parameters)
    made, found = Graph(world), Way()
    node = Node(world.table.row(()), world.table.initial, (), (), world.first_phase())
    for index, edge in way:
        at, move = len(made.nodes) - 1, edge.move
        clock = next((one for one in node.armed if move.clock is not None and one.name == move.clock.name), None)
        call = next((one for one in node.calls if move.call is not None and one.mark == move.call.mark), None)
        move = attrs.evolve(move, clock=clock, call=call)
        path = None
        if move.cause == "silence":
            node = node._replace(phase="half-open")
        elif edge.path is not None:
            row = None if index < 0 else node.row
            changed, path, values = world.table.step(row, move.event, node.variables, world.parameters, move.fields)
            node = world.after(node, move, changed, path, values) or node
        made.nodes.append(node)
        found.append((at, Edge(move, path, at + 1)))
    return made, found


def _running(node: Node) -> tuple[Any, ...]:
    return (*node.armed, *node.calls)


def _refused(edge: Edge) -> bool:
    return edge.path is None and edge.move.cause != "silence"


def _step(graph: Graph, edge: Edge, at: float, *, refused: bool) -> Step:
    node, move, path = graph.nodes[edge.target], edge.move, edge.path
    effects = _words(graph, path) if path is not None else ()
    clauses = path.clauses if path is not None else ()
    return Step(
        at,
        move.cause,
        move.event,
        move.fields,
        move.said,
        clauses,
        node.row.leaves,
        node.row.status,
        node.phase,
        effects,
        refused,
    )


def _words(graph: Graph, path: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = graph.world.words(path)
    return found


def told(graph: Graph, way: Way, *, most: int = 40) -> Iterator[str]:
    """A way as lines: number, earliest time, event, what is done, where it leads."""
    rows = steps(graph, way)
    shown = rows if len(rows) <= most else [*rows[:2], *rows[2 - most :]]
    for number, step in enumerate(rows, start=1):
        if step in shown:
            where = " + ".join(step.states) or "the end"
            yield f"{number:3}. {_at(step.at):>8}  {_event(step)}  [{step.does}]  → {where} ({step.phase})"
        elif rows[number - 2] in shown:
            yield f"     … {len(rows) - len(shown)} steps …"


def _at(seconds: float) -> str:
    return say_seconds(round(seconds, 3))


def _event(step: Step) -> str:
    if step.cause == "silence":
        return "(the peer goes silent, and nobody is told)"
    if step.cause == "start":
        return "(start)"
    fields = ", ".join(f"{name}={_value(value)}" for name, value in step.fields.items() if value is not None)
    said = f" — {step.said}" if step.said and step.cause in ("end", "message") else ""
    return f"{step.event}{f' {{{fields}}}' if fields else ''}{said}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def breach_lines(breach: Breach) -> Iterator[str]:
    """A breach as lines: the way to it, and what then goes round."""
    if breach.graph is None:
        return
    yield from told(breach.graph, breach.way)
    if breach.round:
        names = [edge.move.event or "silence" for edge in breach.round]
        more = f", … ({len(names)} steps)" if len(names) > _ROUND else ""
        yield f"     and then, again and again: {', '.join(names[:_ROUND])}{more}"


def trace(definition: Definition, settings: Mapping[str, Any], law: str, breach: Breach) -> Iterator[str]:
    """A breach as a trace: JSON lines, a header first, then one step each, to be replayed.

    Shapes: `{"trace": 1, "page", "hash", "parameters", "law", "what"}`, then
    `{"at", "cause", "event", "fields", "clauses", "states", "status", "phase", "effects"}`, and
    `"refused": true` where the page does not take the event.
    """
    plain = {
        name: value
        for name, value in settings.items()
        if isinstance(value, str | int | float | bool | None) and definition.parameters[name].kind != "secret"
    }
    header = {
        "trace": TRACE,
        "page": definition.name,
        "hash": definition.hash,
        "parameters": plain,
        "law": law,
        "what": breach.what,
    }
    yield json.dumps(header, ensure_ascii=False)
    for step in steps(breach.graph, breach.way) if breach.graph is not None else ():
        row = {
            "at": round(step.at, 6), "cause": step.cause, "event": step.event, "fields": step.fields,
            "clauses": step.clauses, "states": step.states, "status": step.status, "phase": step.phase,
            "effects": step.effects,
        }  # fmt: skip
        yield json.dumps(row | ({"refused": True} if step.refused else {}), ensure_ascii=False, default=str)
