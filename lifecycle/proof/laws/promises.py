"""The page's own laws: never, always, leads_to, sometimes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import Law as Written
from lifecycle.definition.page import Leading, Situation
from lifecycle.definition.sources import covers
from lifecycle.definition.units import say_seconds
from lifecycle.proof.bound import Endless, longest
from lifecycle.proof.graph import Graph, Node
from lifecycle.proof.law import Breach, Finding, Law, where
from lifecycle.proof.watch import Way

Holds = Callable[[Node], bool]


def promises(definition: Definition) -> tuple[Law, ...]:
    """One law for each of the page's own, in page order."""
    return tuple(_law(written) for written in definition.laws)


def _law(written: Written) -> Law:
    kind = next(kind for kind in ("never", "always", "leads_to", "sometimes") if getattr(written, kind) is not None)
    given = getattr(written, kind)
    says = said(kind, given)

    def judge(graphs: Sequence[Graph]) -> Finding:
        match given:
            case Leading():
                return _leads_to(graphs, given, says)
            case _ if kind == "sometimes":
                return _sometimes(graphs, given, says)
        return _never(graphs, given, says, always=kind == "always")

    return Law(says, "The page promises it.", "", "mend the page, or the promise", judge, fragments=True)


def said(kind: str, given: Situation | Leading) -> str:
    """A promise in one line, close to the page's own words."""
    if isinstance(given, Leading):
        return f"{' or '.join(given.from_)} leads to {' or '.join(given.to)}"
    after = f"after {' or '.join(given.on)}" if given.on else ""
    parts = [after, " or ".join(given.in_), " and ".join(given.while_), f"when {given.when}" if given.when else ""]
    return f"{kind} {', '.join(filter(None, parts))}"


def situation(graph: Graph, given: Situation, *, when: bool = True) -> Holds:
    """Whether a situation is there in a node."""
    states = _active(graph)
    inside, also = set(given.in_), set(given.while_)
    holds = _condition(graph, given.when) if when and given.when is not None else None

    def there(node: Node) -> bool:
        active = states(node)
        if (inside and not inside & active) or not also <= active:
            return False
        return holds is None or holds(node)

    return there


def _active(graph: Graph) -> Callable[[Node], frozenset[str]]:
    known: dict[Any, frozenset[str]] = {}
    plan = graph.world.table.plan

    def active(node: Node) -> frozenset[str]:
        if node.row not in known:
            known[node.row] = frozenset(plan.states[number].path for number in node.row.states)
        return known[node.row]

    return active


def _condition(graph: Graph, when: Expression) -> Holds:
    function = when.function

    def holds(node: Node) -> bool:
        names = graph.world.names(node.variables)
        names["transport.open"] = node.phase in ("open", "half-open")
        return bool(function(names))

    return holds


def _judged(graph: Graph, given: Situation) -> Iterator[tuple[int, Way]]:
    """Nodes in which a situation is judged, and the last step there: all of them, or those that its events lead to."""
    if not given.on:
        yield from ((index, []) for index in range(len(graph.nodes)))
        return
    caused = {event for event in graph.world.table.plan.alphabet if any(covers(family, event) for family in given.on)}
    for index, edge in graph.every():
        # an event that is ignored causes nothing
        if edge.move.event in caused and edge.path is not None and edge.path.clauses:
            yield edge.target, [(index, edge)]


def _never(graphs: Sequence[Graph], given: Situation, says: str, *, always: bool) -> Finding:
    met = False
    for graph in graphs:
        there = situation(graph, given, when=not always)
        holds = _condition(graph, given.when) if always and given.when is not None else None
        context = situation(graph, given, when=False)
        if given.on:
            # it is enough that the events come, and that the states can be active
            met = met or (any(True for _ in _judged(graph, given)) and any(map(context, graph.nodes)))
        for index, last in _judged(graph, given):
            node = graph.nodes[index]
            met = met or context(node)
            if there(node) and (holds is None or not holds(node)):
                what = f"`{says}` is broken in {where(graph, index)}{_values(graph, node)}"
                way = [*graph.trail(last[0][0]), *last] if last else graph.trail(index)
                return Finding("", (Breach(what, graph, way),))
    if not met:
        return Finding("", (Breach(f"`{says}` is kept only because its states are never active together"),))
    return Finding("kept")


def _values(graph: Graph, node: Node) -> str:
    rows = zip(graph.world.definition.variables.items(), node.variables, strict=True)
    told = [f"{name} = {value}" for (name, variable), value in rows if variable.kind in ("count", "flag", "choice")]
    return f" with {', '.join(told)}" if told else ""


def _sometimes(graphs: Sequence[Graph], given: Situation, says: str) -> Finding:
    for graph in graphs:
        there = situation(graph, given)
        if any(there(graph.nodes[index]) for index, _ in _judged(graph, given)):
            return Finding("kept")
    return Finding("", (Breach(f"`{says}` never happens"),))


def _leads_to(graphs: Sequence[Graph], given: Leading, says: str) -> Finding:
    begun, slowest = False, 0.0
    for graph in graphs:
        start, goal = (situation(graph, Situation(in_=states)) for states in (given.from_, given.to))
        inside = {i: graph.trail(i) for i, node in enumerate(graph.nodes) if start(node) and not goal(node)}
        begun = begun or bool(inside)
        todo = list(inside)
        for index in todo:
            for edge in graph.edges[index]:
                if edge.target not in inside and not goal(graph.nodes[edge.target]):
                    inside[edge.target] = [*inside[index], (index, edge)]
                    todo.append(edge.target)
        found = longest(graph, inside, lambda index, graph=graph: graph.edges[index])  # type: ignore[misc]  # bound early
        if isinstance(found, Endless):
            first = found.nodes[0]
            how = "nothing ends it" if not found.edges else "it may go on for ever"
            what = f"`{says}` may never come true: {how} in {where(graph, first)}"
            return Finding("", (Breach(what, graph, inside[first], found.edges),))
        slowest = max(slowest, found[0])
    if not begun:
        return Finding("", (Breach(f"`{says}` is kept only because it never begins"),))
    return Finding(f"within {say_seconds(round(slowest, 3))}", (), {says: slowest})
