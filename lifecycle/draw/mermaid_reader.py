"""Mermaid text of ours, read back: the states and edges that it shows.

Law: text is the only source, so nothing is shared with the writer: what was edited by hand is seen
as it was edited. Lines that are none of ours are told.
"""

import html
import re
from collections.abc import Mapping

import attrs

Edge = tuple[str, str, str | None]
"""The path of the source, the clause's id, and the path of the target; None: it stays."""

_STATE = re.compile(r'state "(?P<title>[^"]*)" as (?P<id>s\d+)(?P<role>[xn]?)(?P<opens> \{)?')
_ARROW = re.compile(r"(?P<tail>s\d+[xc]?|\[\*\]) --> (?P<head>s\d+[cn]?|\[\*\])(?: : (?P<label>.+))?")
_DESCRIPTION = re.compile(r"(?P<id>s\d+)x? : (?P<text>.+)")
_CHOICE = re.compile(r"state (?P<id>s\d+)c <<choice>>")
_LOOKS = re.compile(r"classDef .*|class .*|%%.*|stateDiagram-v2|--|")
_ENTITY = re.compile(r"#(\d+);")
_STAYS = "↺ "


@attrs.frozen(kw_only=True)
class Seen:
    """What a diagram shows.

    Attributes:
        states: the paths of its states; '' is the page itself.
        edges: its clauses.
        initial: the path of each composite state to the path of the state that it begins in.
        finals: the paths of the states that end the machine.
        unread: lines that are none of ours, and ids that no line explains.
    """

    states: frozenset[str]
    edges: frozenset[Edge]
    initial: Mapping[str, str]
    finals: frozenset[str]
    unread: tuple[str, ...]


def read_mermaid(text: str) -> Seen:
    """Read a diagram back; never raises."""
    reader = _Reader()
    for line in text.split("\n"):  # no other character of a text ends a line of ours
        reader.line(line.strip())
    return reader.seen()


@attrs.define
class _Reader:
    paths: dict[str, str] = attrs.field(factory=lambda: {"s0": ""})
    open: list[str] = attrs.field(factory=list)
    arrows: list[tuple[str, str, str, str]] = attrs.field(factory=list)
    notes: list[tuple[str, str]] = attrs.field(factory=list)
    unread: list[str] = attrs.field(factory=list)

    @property
    def around(self) -> str:
        return self.open[-1] if self.open else ""

    def line(self, line: str) -> None:
        if line == "}" and self.open:
            self.open.pop()
        elif found := _STATE.fullmatch(line):
            self.state(found)
        elif found := _ARROW.fullmatch(line):
            self.arrows.append((found["tail"], found["head"], found["label"] or "", self.around))
        elif found := _DESCRIPTION.fullmatch(line):
            self.notes.append((found["id"], found["text"]))
        elif not _CHOICE.fullmatch(line) and not _LOOKS.fullmatch(line):
            self.unread.append(line)

    def state(self, found: re.Match[str]) -> None:
        if not found["role"]:
            name = shown(found["title"].partition("<br/>")[0])
            path = self.paths[found["id"]] = f"{self.around}.{name}" if self.around else name
            if found["opens"]:
                self.open.append(path)

    def seen(self) -> Seen:
        edges: set[Edge] = set()
        initial: dict[str, str] = {}
        finals: set[str] = set()
        for tail, head, label, around in self.arrows:
            if tail == "[*]":
                initial[around] = self.path(head)
            elif head == "[*]":
                finals.add(self.path(tail))
            elif label:
                edges.add((self.path(tail), _clause(label), self.path(head)))
        for state, text in self.notes:
            if text.startswith(_STAYS):
                edges.add((self.path(state), _clause(text.removeprefix(_STAYS)), None))
        states = frozenset(self.paths.values())
        return Seen(
            states=states, edges=frozenset(edges), initial=initial, finals=frozenset(finals), unread=tuple(self.unread)
        )

    def path(self, name: str) -> str:
        name = name.rstrip("xcn")
        if name not in self.paths:
            self.paths[name] = name
            self.unread.append(name)
        return self.paths[name]


def _clause(label: str) -> str:
    return shown(re.split(r"[ <]", label, maxsplit=1)[0])


def shown(text: str) -> str:
    """A text as Mermaid shows it, its line breaks as spaces."""
    return html.unescape(_ENTITY.sub(r"&#\1;", text.replace("<br/>", " ")))
