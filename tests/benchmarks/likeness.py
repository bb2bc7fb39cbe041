"""Whether two explored pages are one machine to everybody outside.

Law: both graphs are walked in lockstep from the start, for a page is deterministic. A node is what
is active, what variables hold, the transport, and what runs; a move is its event and fields; what is
done counts in order, with its arguments as the page says them. Ids of clauses do not count.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.machine.path import Path, Running, deeds, is_set
from lifecycle.machine.phase import Phase, after_effect, after_fact
from lifecycle.proof.explore import explore
from lifecycle.proof.graph import Edge, Graph, Node
from lifecycle.proof.prove import Proof
from lifecycle.proof.world import World

_Kind = tuple[str, str]
_Moves = dict[_Kind, dict[tuple[Any, ...], Edge]]


def alike(one: Proof, other: Proof) -> bool:
    """Whether nobody outside can tell one page from the other."""
    left, right = one.graphs, other.graphs
    if [_parts(graph) for graph in left] != [_parts(graph) for graph in right] or len(one.settings) != len(
        other.settings
    ):
        # one asks for a parameter that the other does not ask for, or has other regions that stand alone
        left, right = _whole(one.definition, one), _whole(other.definition, one)
    return all(_same(_View(mine), _View(yours)) for mine, yours in zip(left, right, strict=True))


def _parts(graph: Graph) -> tuple[str, ...]:
    """The states of the page that were explored here."""
    return tuple(graph.world.definition.states)


def _whole(definition: Definition, like: Proof) -> tuple[Graph, ...]:
    """A page explored at once, under each setting of another one, but with its own defaults."""
    own = {name: each.default for name, each in definition.parameters.items()}
    theirs = {name: each.default for name, each in like.definition.parameters.items()}
    changed = {name: own[name] for name in own if own[name] != theirs[name]}
    return tuple(explore(World(definition, tuple({**each, **changed}.values()))) for each in like.settings)


@attrs.define(eq=False)
class _View:
    """What of a graph is seen."""

    graph: Graph
    _deeds: dict[tuple[Path, Phase], Any] = attrs.field(factory=dict)
    _logs: dict[Path, Any] = attrs.field(factory=dict)

    def node(self, index: int) -> tuple[Any, ...]:
        """All that is seen of a node."""
        node: Node = self.graph.nodes[index]
        armed = tuple((one.name, one.length) for one in node.armed)
        calls = tuple((one.state, one.name, one.length) for one in node.calls)
        return node.row.leaves, node.row.status, node.row.ended, node.variables, node.phase, armed, calls

    def moves(self, index: int) -> _Moves:
        """What can happen in a node: by event, then by its fields."""
        found: _Moves = {}
        for edge in self.graph.edges[index]:
            fields = tuple((name, type(value), value) for name, value in edge.move.fields.items())
            found.setdefault((edge.move.cause, edge.move.event), {})[fields] = edge
        return found

    def deeds(self, index: int, edge: Edge) -> tuple[Any, ...]:
        """All that a step does and says, in order."""
        if edge.path is None:
            return ()
        phase = self.graph.nodes[index].phase if index >= 0 else self.graph.world.first_phase()
        key = (edge.path, after_fact(phase, edge.move.cause))
        if key not in self._deeds:
            self._deeds[key] = tuple(self._done(*key))
        return self._deeds[key]

    def _done(self, path: Path, phase: Phase) -> Iterator[Any]:
        world = self.graph.world
        table, definition = world.table, world.definition
        for index in range(len(self._logs), len(table.paths)):
            self._logs[table.paths[index]] = table.logs[index][2]
        # what nobody asks for is no part of a node, but may be told to the peer or to a call
        unseen = {name for name, each in definition.variables.items() if each.kind == "kept" or name in world.loose}
        for action in deeds(table.plan, self._logs[path]):
            effect, clause = action.effect, definition.clauses.get(action.text)
            if effect is None and clause is not None and clause.say:
                yield clause.say
            elif effect is None:
                continue
            elif not is_set(action):
                # without a transport there is nothing to drop or to close
                if effect.word not in ("drop", "close") or phase != "none":
                    yield effect
                phase = after_effect(phase, effect.word)
            elif stored := {name: value for name, value in effect.argument.items() if name in unseen}:
                yield stored
        yield "starts"
        for what, _ in path.starts:
            yield what if isinstance(what, Running) else what.name


def _same(one: _View, other: _View) -> bool:
    """The walk in lockstep."""
    if len(one.graph.firsts) != len(other.graph.firsts):
        return False
    pairs = list(zip(one.graph.firsts, other.graph.firsts, strict=True))
    if any(one.deeds(-1, mine) != other.deeds(-1, yours) for mine, yours in pairs):
        return False
    todo = [(mine.target, yours.target) for mine, yours in pairs]
    seen = set(todo)
    for left, right in todo:
        if one.node(left) != other.node(right):
            return False
        here, there = one.moves(left), other.moves(right)
        if here.keys() != there.keys():
            return False
        for kind, edges in here.items():
            for mine, yours in _paired(edges, there[kind]):
                if yours is None or one.deeds(left, mine) != other.deeds(right, yours):
                    return False
                place = (mine.target, yours.target)
                if place not in seen:
                    seen.add(place)
                    todo.append(place)
    return True


def _paired(
    here: dict[tuple[Any, ...], Edge], there: dict[tuple[Any, ...], Edge]
) -> Iterator[tuple[Edge, Edge | None]]:
    """Edges of one event that belong together; none where one has no partner."""
    if here.keys() == there.keys():
        yield from ((edge, there[fields]) for fields, edge in here.items())
        return
    # other fields are tried where other guards ask; that is no difference if the answers never matter
    plain = all(len({(edge.path, edge.target) for edge in edges.values()}) == 1 for edges in (here, there))
    yield next(iter(here.values())), next(iter(there.values())) if plain else None
