"""Committed drawings against the machine itself.

Law: a drawing is right if the states and clauses that its text shows are those of the chart that
runs, not if it equals what the writer would write; that the text is fresh comes second. Each
difference is one sentence that names the page, the clause and both targets.
"""

import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path as File

from lifecycle.definition.definition import Definition
from lifecycle.machine.table import Table

from .dot_reader import read_dot, read_svg
from .drawing import FORMATS, KEPT, file_name, text
from .graph import graph
from .mermaid_reader import Edge, read_mermaid

_REMEDY = "run `lifecycle draw`"


def check(definitions: Iterable[Definition], folder: str | os.PathLike[str]) -> list[str]:
    """Compare the drawings in a folder with the pages; one sentence for each difference.

    Args:
        definitions: every page that has drawings there.
        folder: where `draw` wrote them.
    """
    definitions, folder = list(definitions), File(folder)
    known = {file_name(definition, format_) for definition in definitions for format_ in FORMATS}
    found = [sentence for definition in definitions for sentence in check_page(definition, folder)]
    orphans = sorted(
        file.name
        for file in folder.glob("*.*")
        if file.suffix.removeprefix(".") in FORMATS and file.name not in known | KEPT
    )
    return [*found, *(f"{name} belongs to no page: remove it, or bring the page back" for name in orphans)]


def check_page(definition: Definition, folder: File) -> Iterator[str]:
    """Compare the drawings of one page."""
    edges: set[Edge] = Table(definition).chart.edges()
    for format_ in FORMATS:
        name = file_name(definition, format_)
        try:
            committed = (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            yield f"{definition.name}: {name} is missing; {_REMEDY}"
            continue
        except UnicodeDecodeError:
            yield f"{definition.name}: {name} is not text; {_REMEDY}"
            continue
        found = _compared(definition, format_, committed, edges)
        yield from found
        # of a picture only the titles are compared: its bytes move with the version of Graphviz
        if not found and format_ != "svg" and committed != text(definition, format_):
            yield f"{definition.name}: {name} is out of date; {_REMEDY}"


def compare(definition: Definition, mermaid: str, edges: AbstractSet[Edge]) -> list[str]:
    """What a Mermaid text shows otherwise than the machine.

    Args:
        definition: the page.
        mermaid: the text that was committed.
        edges: the chart's own: `Table(definition).chart.edges()`.
    """
    seen, name = read_mermaid(mermaid), definition.name
    found = _differences(definition, seen.states | {""}, seen.edges, edges, "the diagram")
    expected = graph(definition)
    begins = {node.path: node.inner[0].path for node in expected.root.walk() if node.inner and not node.parallel}
    for path in sorted(begins.keys() & (seen.states | {""})):
        shown = seen.initial.get(path)
        if shown != begins[path]:
            where = f"`{path}`" if path else "the page"
            found.append(
                f"{name}: {where} begins in `{begins[path]}` in the page and in {_named(shown)} in the diagram"
            )
    ends = {node.path for node in expected.root.inner if node.kind == "final"}
    found += [
        f"{name}: `{path}` ends the machine in {_only(path in ends)}"
        for path in sorted((ends ^ seen.finals) & seen.states)
    ]
    return found + [f"{name}: the diagram has a line that is not ours: `{line}`" for line in seen.unread]


def _compared(definition: Definition, format_: str, committed: str, edges: AbstractSet[Edge]) -> list[str]:
    match format_:
        case "mmd":
            return compare(definition, committed, edges)
        case "dot" | "svg":
            shown = read_dot(committed) if format_ == "dot" else read_svg(committed)
            return _differences(definition, shown.states | {""}, shown.edges, edges, file_name(definition, format_))
    return []


def _differences(
    definition: Definition, states: AbstractSet[str], shown: AbstractSet[Edge], edges: AbstractSet[Edge], where: str
) -> list[str]:
    name, ours = definition.name, definition.states.keys()
    found = [f"{name}: state `{path}` is missing in {where}" for path in ours if path not in states]
    found += [f"{name}: state `{path}` is in {where} and not in the page" for path in sorted(states - ours)]
    order = [clause for clause in definition.clauses if any(clause == edge[1] for edge in edges)]
    others = sorted({clause for _, clause, _ in shown} - set(order))
    for clause in [*order, *others]:
        found += [f"{name}: {sentence}" for sentence in _clause(clause, edges, shown, where)]
    return found


def _clause(clause: str, edges: AbstractSet[Edge], shown: AbstractSet[Edge], where: str) -> Iterator[str]:
    mine = [edge for edge in edges if edge[1] == clause]
    theirs = sorted((edge for edge in shown if edge[1] == clause), key=str)
    if not mine:
        yield f"clause `{clause}` is in {where} and not in the page"
    elif not theirs:
        stands, leads = _named(mine[0][0]), _leads(mine[0][2])
        yield f"clause `{clause}` is missing in {where}; in the page it stands in {stands} and {leads}"
    for source, _, target in theirs if mine else ():
        if source != mine[0][0]:
            yield f"clause `{clause}` stands in {_named(mine[0][0])} in the page and in {_named(source)} in {where}"
        if target != mine[0][2]:
            other = _leads(target).removeprefix("leads ")
            yield f"clause `{clause}` {_leads(mine[0][2])} in the page and {other} in {where}"


def _leads(target: str | None) -> str:
    return "leads nowhere" if target is None else f"leads to {_named(target)}"


def _named(path: str | None) -> str:
    return "nothing" if path is None else f"`{path}`" if path else "the page itself"


def _only(page: bool) -> str:  # noqa: FBT001 -- a word for each
    return "the page and not in the diagram" if page else "the diagram and not in the page"
