"""What a used page asks of the page around it, and the little of a page that flattening loses.

Law: looks at pages as they were written, beside the definition that they became. What a used page
hears is told, what it lets pass is taken, and nobody renames what is not there.
"""

from collections.abc import Iterator

from . import page
from .definition import Definition
from .grow import Node
from .instance import Book, Instance
from .problem import Problem, Spot, did_you_mean
from .sources import covers


def interface(node: Node, book: Book, definition: Definition) -> Iterator[Problem]:
    """Check the clauses as written, and each use of a page."""
    retired = {(id(one), name) for one in book.instances for name in one.page.retired}
    for inner in node.walk():
        for layer in inner.layers:
            for name, clause in layer.state.clauses.items():
                at = layer.at / "clauses" / name
                yield from _clause(name, clause, at)
                if (id(layer.instance), name) in retired:
                    yield at.problem(f"`{name}` is retired", "an id is never used again: choose a new one", key=True)
    places = _places(node)
    for one in book.instances:
        if one.use and one.use_at:
            yield from _renamed(one, one.use, one.use_at / "as", _names(one, book, node))
            yield from _told(one, one.use_at / "use", definition)
            yield from _taken(one, one.use_at / "use", definition, places[id(one)])


def _clause(name: str, clause: page.Clause, at: Spot) -> Iterator[Problem]:
    if clause.after is not None and clause.silent is not None:
        yield at.problem(f"`{name}` has two triggers, `after` and `silent`", "make it two clauses", key=True)
    if clause.by is not None and clause.after is None and clause.silent is None:
        yield (at / "by").problem(
            f"`{name}` has `by` and no clock", "it says which wait of a backoff `after` is", key=True
        )


def _places(node: Node) -> dict[int, str]:
    """The path of each use-point, by its instance."""
    found: dict[int, str] = {}
    for inner in node.walk():
        for layer in inner.layers:
            found.setdefault(id(layer.instance), inner.path)
    return found


def _renamed(one: Instance, use: page.State, at: Spot, names: set[str]) -> Iterator[Problem]:
    for name in use.as_:
        if not any(covers(name, known) or covers(known, name) for known in names):
            what = f"`{one.page.page}` has no event and no call `{name}`"
            yield (at / name).problem(what, did_you_mean(name, names), key=True)


def _names(one: Instance, book: Book, node: Node) -> set[str]:
    """Every event and call of a used page, by the names that it gives them."""
    own = {*one.page.hears, *one.page.leaves, *one.page.calls}
    own |= {str(row.is_) for row in one.page.causes if row.is_}
    own |= {str(route.raise_) for route in (one.page.messages or page.Messages()).routes if route.raise_}
    layers = [layer for inner in node.walk() for layer in inner.layers if layer.instance is one]
    own |= {str(layer.state.final) for layer in layers if layer.state.final not in (None, "done")}
    for other in book.instances:
        if other.host is one and other.use:
            own |= {_outside(other.use, name) for name in _names(other, book, node)}
    return own


def _outside(use: page.State, name: str) -> str:
    """What the page that uses calls an event or call of the used one."""
    inner = next((inner for inner in use.as_ if covers(inner, name)), None)
    return name if inner is None else f"{use.as_[inner]}{name.removeprefix(inner)}"


def _told(one: Instance, at: Spot, definition: Definition) -> Iterator[Problem]:
    for event in one.page.hears:
        name = one.event(event)
        if not any(covers(name, source) for source in definition.sources):
            remedy = did_you_mean(name, definition.sources, "tell it by `hears` or a route, or rename it by `as`")
            yield at.problem(f"`{one.page.page}` hears `{name}`, which nothing here tells", remedy)


def _taken(one: Instance, at: Spot, definition: Definition, place: str) -> Iterator[Problem]:
    around = [definition.states[path] for path in definition.around(place)]
    takers = {
        event for state in around for event in (*state.ignore, *(e for clause in state.clauses for e in clause.on))
    }
    takers |= set(definition.leaves)
    for family in map(one.event, one.page.leaves):
        # only what can be told needs a taker; to a fragment, its own users may tell all of it
        told = [source for source in definition.sources if covers(family, source)] + (
            [] if definition.role else [family]
        )
        for event in told:
            if not any(covers(taker, event) for taker in takers):
                what = f"`{one.page.page}` lets `{event}` pass, which no state around it takes"
                yield at.problem(what, "give the state that uses it, or one around, a clause for it")
