"""What connections have lived through, for people: a table, or a Mermaid sequence diagram.

Law: one row, and one arrow, a step, and one for the events that came or went between two; an arrow that says `send` is
where something went, any other where it came. Nothing that a text holds can end a cell or a line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from lifecycle.definition.units import say_seconds
from lifecycle.proof.sequence import FROM, OUTWARD, safe

from .merge import Told
from .trace_lines import Line

_HEAD = ("line", "at", "who", "dial", "what", "clauses", "then", "status", "does", "in", "out")
_EVENTS: tuple[tuple[Literal["came", "went"], Literal["in", "out"]], ...] = (("came", "in"), ("went", "out"))


@attrs.frozen
class _Passed:
    """What came, or went, since the line before of the same dial.

    Attributes:
        events: by their ids, in words; empty if none has one.
        count: how many messages there were.
    """

    events: str
    count: int


def table(story: Sequence[Told]) -> str:
    """A story as a table in Markdown; times are since its first line."""
    names = _names(story)
    shown = [key for key, _ in _EVENTS if any(key in one.line.row for one in story)]
    head = (*_HEAD, *shown)
    rows = [_row(one, names, story[0].wall, shown) for one in story if one.line.kind != "header"]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [head, tuple("-" * width for width in widths), *rows]
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
    for one, (came, went) in zip(story, _passed(story), strict=True):
        lines += [f"    {line}" for line in _arrows(one, came, went, story[0].wall, alone=len(sides) == 1)]
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


def _row(one: Told, names: Mapping[tuple[int, str], str], began: float, shown: Iterable[str]) -> tuple[str, ...]:
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
        *(row[key][1] if key in row else "" for key in shown),
    )
    return tuple(str(cell).replace("|", "/").replace("\n", " ") for cell in cells)


def _what(line: Line) -> str:
    row = line.row
    match line.kind:
        case "kept":
            return "a message sets " + ", ".join(f"{name} = {value}" for name, value in row["kept"].items())
        case "stale":
            return f"{row['stale']} comes too late"
        case "slept":
            return f"this machine has slept for {say_seconds(row['slept'])}"
        case "end":
            return f"ends {row['end']}"
    if row["cause"] == "silence":
        return "the peer falls silent"
    if row["cause"] == "start" and line.session:
        return f"{row['event']} of {line.session}"
    said = f"{row['event']} ({row['words']})" if row.get("words") else row["event"]
    return f"{said}: refused" if row.get("refused") else said


def _passed(story: Iterable[Told]) -> Iterator[tuple[_Passed, _Passed]]:
    """Line by line, what came and what went before it, or with it."""
    rows: dict[tuple[int, str, int], Mapping[str, Any]] = {}
    for one in story:
        key, row = (one.side, one.line.session, one.line.epoch), one.line.row
        before = rows.get(key, {})
        came, went = (_since(before, row, what, number) for what, number in _EVENTS)
        yield came, went
        rows[key] = {**before, **row}


def _since(before: Mapping[str, Any], row: Mapping[str, Any], what: str, number: str) -> _Passed:
    count = row.get(number, 0) - before.get(number, 0)
    ends, known = row.get(what), before.get(what)
    if ends is None or not count or (known and known[1] == ends[1]):
        return _Passed("", count)
    first, last = (safe(str(each)) for each in ends)
    if count == 1 or (not known and first == last):
        return _Passed(f"event {last}", count)
    return _Passed(f"events to {last}" if known else f"events {first} to {last}", count)


def _arrows(one: Told, came: _Passed, went: _Passed, began: float, *, alone: bool) -> Iterator[str]:
    line, row = one.line, one.line.row
    me, other = ("page", "peer" if alone else "server") if one.side == 0 else ("server", "page")
    at = say_seconds(round(max(0.0, one.wall - began), 3))
    step = line.kind == "step" and row["cause"] not in ("start", "silence")
    sends = row.get("effects", []).count("send")
    own = step and row["cause"] == "message" and came.count == 1
    if came.events and not own:
        yield f"{other}->>{me}: {at}: {came.events}"
    if went.events and went.count > sends:
        # when they went is not known, only that it was before this; where the peer tells, too, it shows the arrows
        yield f"Note over {me}: {at}: has sent {went.events}" if one.peer else f"{me}->>{other}: send ({went.events})"
    if not step:
        if line.kind != "header":
            yield f"Note over {me}: {at}: {safe(_what(line))}"
        return
    yield _arrow(row, me, other, at) + _beside(came.events if own else "")
    said = {"open": f"dial {line.epoch}" if line.epoch else "", "send": went.events if went.count == sends else ""}
    for word in row.get("effects", ()):
        if word in OUTWARD:
            yield f"{me}->>{other}: {word}{_beside(said.get(word, ''))}"
    state = " + ".join(row["states"]) or "the end"
    yield f"Note over {me}: {safe(f'refused in {state}' if row.get('refused') else state)}"


def _beside(said: str) -> str:
    return f" ({said})" if said else ""


def _arrow(row: Mapping[str, Any], me: str, other: str, at: str) -> str:
    source = FROM.get(row["cause"], other)
    if me == "server" and source == "user":
        source = "server"
    return f"{source}{'--x' if row.get('refused') else '->>'}{me}: {at}: {safe(row['event'])}"
