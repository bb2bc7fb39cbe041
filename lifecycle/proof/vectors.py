"""Conformance vectors: few steps of a page, as plain data, that begin, fire every clause and meet every `ignore`.

Law: deterministic and minimal: the same graphs give the same vectors, of which each shows something
that no other before it shows, and starts as near to the beginning as can be. No secret is in them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import VERSION as LANGUAGE
from lifecycle.definition.expression import is_number
from lifecycle.definition.literal import Secret
from lifecycle.definition.sources import covers
from lifecycle.machine.path import Path, Row, Running
from lifecycle.machine.phase import Phase, after_fact
from lifecycle.machine.plan import START
from lifecycle.machine.source import OutOfRange

from .explore import first_variables
from .graph import Edge, Graph
from .world import World

VERSION = 1
_Shown = tuple[str, str, str]
"""What a step shows: the start, a clause, or a family that a state ignores; with its state and its name."""


@attrs.frozen(eq=False)
class _Candidate:
    """The first step that takes a path: nearest to the beginning."""

    graph: Graph
    node: int
    edge: Edge
    depth: int
    shown: frozenset[_Shown]


def vectors(graphs: Sequence[Graph]) -> dict[str, Any]:
    """The vectors of a page.

    Args:
        graphs: the explorations of one page, one for each setting of its parameters, as a `Proof` has them.

    Returns:
        Plain data, ready for JSON: a header, `unshown` (what no explored step shows) and `vectors`.
    """
    definition = graphs[0].world.whole
    chosen = sorted(_cover(list(_candidates(graphs))), key=lambda each: (each.depth, graphs.index(each.graph)))
    missing = {("clause", clause.state, name) for name, clause in definition.clauses.items()}
    # what a page lets pass is told by its hosts
    told = [event for event, kind in definition.sources.items() if kind != "left"]
    missing |= {
        ("ignore", state.path, family)
        for state in definition.states.values()
        for family in state.ignore
        if any(covers(family, event) for event in told)
    }
    missing -= {shown for each in chosen for shown in each.shown}
    return {
        "conformance": VERSION,
        "language": LANGUAGE,
        "page": definition.name,
        "hash": definition.hash,
        "unshown": [{"kind": kind, "state": state, "name": name} for kind, state, name in sorted(missing)],
        "vectors": [_vector(each) for each in chosen],
    }


def outcome(
    world: World,
    row: Row | None,
    variables: tuple[Any, ...],
    *,
    phase: Phase,
    event: str,
    cause: str,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    """What a step does, as a vector says it.

    Args:
        world: the page under one setting.
        row: where it begins; none before the start.
        variables: the page's, in its order.
        phase: the transport's, before the event.
        event: the event's name.
        cause: who tells it.
        fields: what it brings.

    Returns:
        `to`, `clauses`, `effects`, `starts` and `stops`; or only `refused`.

    Raises:
        OutOfRange: a variable cannot take what is set.
    """
    changed, path, values = world.table.step(row, event, variables, world.parameters, fields)
    if not path.taken:
        return {"refused": True}
    return {
        "to": place(world, path.after, changed, world.deeds(path, after_fact(phase, cause)).phase),
        "clauses": list(path.clauses),
        "effects": [
            _effect(effect.word, effect.argument, values[at] if at >= 0 else None) for effect, at in path.effects
        ],
        "starts": [_name(what) for what, at in path.starts if isinstance(what, Running) or _runs(values[at])],
        "stops": [_name(what) for what in path.stops],
    }


def place(world: World, row: Row, variables: tuple[Any, ...], phase: Phase) -> dict[str, Any]:
    """Where a connection is, as a vector says it: all active states but the page itself, outer before inner."""
    paths = [world.table.plan.states[number].path for number in row.states]
    named = zip(world.definition.variables, variables, strict=True)
    return {
        "states": [path for path in paths if path],
        "variables": {name: plain(value) for name, value in named},
        "phase": phase,
    }


def plain(value: Any) -> Any:
    """A value as JSON can hold it; a secret is not shown."""
    match value:
        case Secret():
            return "<secret>"
        case Backoff():
            return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(Backoff)}
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
    return value


def _candidates(graphs: Sequence[Graph]) -> Iterator[_Candidate]:
    seen: set[Path] = set()
    for graph in graphs:
        depths: list[int] = []
        for parent, _ in graph.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 1)
        shows = _shows(graph)
        steps = ((-1, edge) for edge in graph.firsts), graph.every()
        for node, edge in (step for some in steps for step in some):
            if edge.path is not None and edge.path not in seen:
                seen.add(edge.path)
                depth = depths[node] + 1 if node >= 0 else 1
                yield _Candidate(graph, node, edge, depth, shows[edge.path])


def _shows(graph: Graph) -> dict[Path, frozenset[_Shown]]:
    """What each path of a page shows."""
    table = graph.world.table
    kinds = {"clause": "clause", "ignored": "ignore"}
    found = {}
    for path, (_, _, log, _) in zip(table.paths, table.logs, strict=True):
        actions = (table.plan.actions[number] for kind, number, _ in log if kind == "!")
        shown = {(kinds[one.kind], one.state, one.text) for one in actions if one.kind in kinds}
        found[path] = frozenset({*shown, ("start", "", START)} if path.event == START else shown)
    return found


def _cover(candidates: list[_Candidate]) -> Iterator[_Candidate]:
    """Few of them that show all: always the one with most that is new, and of those the one with the shortest way."""
    shown: set[_Shown] = set()
    while True:
        candidates = [each for each in candidates if not each.shown <= shown]
        if not candidates:
            return
        best = min(candidates, key=lambda each: (-len(each.shown - shown), each.depth))
        shown |= best.shown
        yield best


def _vector(one: _Candidate) -> dict[str, Any]:
    part, move = one.graph.world, one.edge.move
    # a slice lacks states that the page has there: its way is gone again, on the whole page
    world = part if part.whole is part.definition else World(part.whole, part.parameters)
    way = [*one.graph.trail(one.node), (one.node, one.edge)]
    row, variables, phase = None, _first(part, way[0][1].path), world.first_phase()
    for _, edge in way[:-1]:
        if edge.path is None:
            phase = "half-open"
            continue
        told = edge.move
        changed, path, _ = world.table.step(row, told.event, variables, world.parameters, told.fields)
        row, variables, phase = path.after, world.plain(changed), world.deeds(path, after_fact(phase, told.cause)).phase
    return {
        "from": place(world, row or world.table.row(()), variables, phase),
        "cause": move.cause,
        "event": move.event,
        "fields": plain(move.fields),
        "parameters": plain(world.settings),
        **outcome(world, row, variables, phase=phase, event=move.event, cause=move.cause, fields=move.fields),
    }


def _first(world: World, path: Path | None) -> tuple[Any, ...]:
    """Variables with which a start takes this path; a fragment's host may have set them to anything."""
    for variables in first_variables(world):
        try:
            if world.table.step(None, START, variables, world.parameters, {})[1] is path:
                return variables
        except OutOfRange:
            continue
    return world.table.initial  # pragma: no cover -- the graph has found the path by one of them


def _runs(value: Any) -> bool:
    length = value[0] if isinstance(value, tuple) else value
    return isinstance(length, Backoff) or is_number(length)


def _name(what: Any) -> str:
    return f"call {what.state}" if isinstance(what, Running) else what.name


def _effect(word: str, argument: Any, value: Any) -> dict[str, Any]:
    match word:
        case "open":
            more = {"url": value["url"], "query": value["query"], "headers": value["headers"]}
        case "close":
            more = {"code": (argument or {}).get("code", 1000), "reason": str(value or "")}
        case "send":
            more = {"frame": argument, "value": value}
        case "emit":
            more = {"name": argument["name"], "fields": value}
        case "refuse":
            more = {"http": argument["http"]}
        case "mark":
            more = {"kind": argument}
        case _:
            more = {}
    return {"effect": word, **plain(more)}
