"""DOT text of ours, and pictures made of it, read back: the states and clauses that they show.

Law: text is the only source. In DOT an arrow's ends are the nodes or clusters that it is drawn
between, not what its tooltip says; in a picture only the titles are read.
"""

import re

import attrs

from .mermaid_reader import Edge
from .svg import titles

_OPENS = re.compile(r"subgraph cluster_(s\d+) \{")
_TOOLTIP = re.compile(r'tooltip="((?:[^"\\]|\\.)*)"')
_NODE = re.compile(r"(s\d+)(x?) \[(.*)\]")
_ARROW = re.compile(r"(s\d+)[xic]? -> (s\d+)[xinc]? \[(.*)\]")
_HEAD = re.compile(r'lhead="cluster_(s\d+)"')
_CLAUSE = re.compile(r"(?P<clause>[^ :]+): (?P<source>\S+)(?: → (?P<target>\S+)| stays)")
_STATE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@attrs.frozen(kw_only=True)
class Shown:
    """The paths of states, without that of the page itself, and the clauses."""

    states: frozenset[str]
    edges: frozenset[Edge]


def read_dot(text: str) -> Shown:
    """Read DOT text back; never raises."""
    reader = _Reader()
    for line in text.split("\n"):  # no other character of a text ends a line of ours
        reader.line(line.strip())
    return reader.shown()


def read_svg(text: str) -> Shown:
    """Read the titles of a picture back; never raises."""
    lines = titles(text)
    edges = {_edge(found) for line in lines if (found := _CLAUSE.fullmatch(line))}
    return Shown(states=frozenset(line for line in lines if _STATE.fullmatch(line)), edges=frozenset(edges))


def _edge(found: re.Match[str]) -> Edge:
    return _path(found["source"]), found["clause"], _path(found["target"]) if found["target"] else None


def _path(shown: str) -> str:
    return "" if shown.startswith("(") else shown


@attrs.define
class _Reader:
    paths: dict[str, str] = attrs.field(factory=lambda: {"s0": ""})
    edges: set[Edge] = attrs.field(factory=set)
    arrows: list[tuple[str, str, list[str]]] = attrs.field(factory=list)
    open: list[str] = attrs.field(factory=list)

    def line(self, line: str) -> None:
        said = _TOOLTIP.search(line)
        told = said[1].split("\\n") if said else []
        if found := _OPENS.fullmatch(line):
            self.open.append(found[1])
        elif line == "}" and self.open:
            self.open.pop()
        elif found := _ARROW.fullmatch(line):
            head = _HEAD.search(found[3])
            self.arrows.append((found[1], head[1] if head else found[2], told))
        elif found := _NODE.fullmatch(line):
            self.state(found[1], told, own=not found[2])
        elif line.startswith("tooltip=") and self.open:
            self.state(self.open[-1], told)

    def state(self, name: str, told: list[str], *, own: bool = True) -> None:
        path, *stays = told or [name]
        if own:
            self.paths[name] = path
        self.edges.update(_edge(found) for line in stays if (found := _CLAUSE.fullmatch(line)))

    def shown(self) -> Shown:
        edges = set(self.edges)
        for tail, head, told in self.arrows:
            for line in told:
                if found := _CLAUSE.fullmatch(line):
                    edges.add((self.paths.get(tail, tail), found["clause"], self.paths.get(head, head)))
        return Shown(states=frozenset(filter(None, self.paths.values())), edges=frozenset(edges))
