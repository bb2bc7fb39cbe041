"""What connections have lived through, for people: a table, or a Mermaid sequence diagram.

Law: one row, and one arrow, a step; nothing that a text holds can end a cell or a line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lifecycle.definition.units import say_seconds
from lifecycle.proof.sequence import FROM, OUTWARD, safe

from .merge import Told
from .trace_lines import Line

_HEAD = ("line", "at", "who", "dial", "what", "clauses", "then", "status", "does", "in", "out")


def table(story: Sequence[Told]) -> str:
    """A story as a table in Markdown; times are since its first line."""
    names = _names(story)
    rows = [_row(one, names, story[0].wall) for one in story if one.line.kind != "header"]
    widths = [max(len(row[place]) for row in [_HEAD, *rows]) for place in range(len(_HEAD))]
    lines = [_HEAD, tuple("-" * width for width in widths), *rows]
    return "".join(f"| {' | '.join(map(str.ljust, row, widths))} |\n" for row in lines)


def sequence(story: Sequence[Told]) -> str:
    """A story as a Mermaid sequence diagram; what one page does to the other is an arrow between them."""
    sides = sorted({one.side for one in story})
    lines = ["sequenceDiagram"]
    for side in sides:
        name = "page" if side == 0 else "server"
        lines.append(f"    participant {name} as {safe(', '.join(dict.fromkeys(_pages(story, side))))}")
        if side == 0:
            lines.insert(1, "    participant user as user")
    if len(sides) == 1:
        lines.append("    participant peer as network and peer")
    lines += ["    participant clock as clocks", "    participant calls as calls"]
    for one in story:
        lines += [f"    {line}" for line in _arrows(one, story[0].wall, alone=len(sides) == 1)]
    return "\n".join(lines) + "\n"


def _pages(story: Iterable[Told], side: int) -> Iterator[str]:
    return (one.line.row["page"] for one in story if one.side == side and one.line.kind == "header")


def _names(story: Iterable[Told]) -> Mapping[tuple[int, str], str]:
    """What each session is called: its page, and its own name where it has one."""
    headers = (one for one in story if one.line.kind == "header")
    return {
        (one.side, one.line.session): " ".join(filter(None, (one.line.row["page"], one.line.session)))
        for one in headers
    }


def _row(one: Told, names: Mapping[tuple[int, str], str], began: float) -> tuple[str, ...]:
    row = one.line.row
    what, states = _what(one.line), " + ".join(row.get("states", ()))
    cells = (
        one.line.place.rpartition(":")[2],
        f"{one.wall - began:.3f}",
        names[one.side, one.line.session],
        row.get("epoch", ""),
        what,
        " ".join(row.get("clauses", ())),
        states,
        row.get("status", ""),
        " ".join(row.get("effects", ())),
        row.get("in", ""),
        row.get("out", ""),
    )
    return tuple(str(cell).replace("|", "/").replace("\n", " ") for cell in cells)


def _what(line: Line) -> str:
    row = line.row
    match line.kind:
        case "kept":
            return "a message sets " + ", ".join(f"{name} = {value}" for name, value in row["kept"].items())
        case "stale":
            return f"{row['stale']} comes too late"
        case "end":
            return f"ends {row['end']}"
    if row["cause"] == "silence":
        return "the peer falls silent"
    said = f"{row['event']} ({row['words']})" if row.get("words") else row["event"]
    return f"{said}: refused" if row.get("refused") else said


def _arrows(one: Told, began: float, *, alone: bool) -> Iterator[str]:
    line, row = one.line, one.line.row
    me, other = ("page", "peer" if alone else "server") if one.side == 0 else ("server", "page")
    at = say_seconds(round(max(0.0, one.wall - began), 3))
    if line.kind != "step" or row["cause"] in ("start", "silence"):
        if line.kind != "header":
            yield f"Note over {me}: {at}: {safe(_what(line))}"
        return
    yield _arrow(row, me, other, at)
    for word in row.get("effects", ()):
        if word in OUTWARD:
            yield f"{me}->>{other}: {word}"
    state = " + ".join(row["states"]) or "the end"
    yield f"Note over {me}: {safe(f'refused in {state}' if row.get('refused') else state)}"


def _arrow(row: Mapping[str, Any], me: str, other: str, at: str) -> str:
    source = FROM.get(row["cause"], other)
    if me == "server" and source == "user":
        source = "server"
    return f"{source}{'--x' if row.get('refused') else '->>'}{me}: {at}: {safe(row['event'])}"
