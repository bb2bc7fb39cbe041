"""A trace as its lines: JSON objects, each checked before anybody believes it.

Law: what is no trace is refused with its file and line, and never guessed. Several sessions may share a file; each
begins with a header. Of version 2 are traces of connections, in which every line says whose it is and in which dial;
version 1, in which only some do, is what a made-up way is written in, and is read as well.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from lifecycle.errors import LifecycleError
from lifecycle.machine.plan import START

VERSIONS = (1, 2)
Kind = Literal["header", "step", "kept", "stale", "slept", "end"]
_CAUSES = ("start", "wish", "opened", "closed", "end", "message", "heard", "timer", "call", "silence")
_PHASES = ("none", "dialing", "open", "half-open", "closing")
_WORDS = {str: "a text", dict: "an object", list: "a list", bool: "true or false"}
_SESSION: Mapping[str, type] = {"session": str}
_EACH: Mapping[str, type] = {**_SESSION, **dict.fromkeys(("connection", "epoch", "in", "out"), int)}
_NEEDED: Mapping[Kind, Mapping[str, type]] = {
    "header": {"trace": int, "page": str, "hash": str, "parameters": dict},
    "step": {"cause": str, "states": list, "status": str, "phase": str},
    "kept": {"kept": dict},
    "stale": {"stale": str, "cause": str},
    "slept": {},
    "end": {"end": str},
}
_KNOWN: Mapping[Kind, Mapping[str, type]] = {
    "header": {"law": str, "what": str, "from": dict, "date": str},
    "step": {"event": str, "fields": dict, "clauses": list, "effects": list, "refused": bool, "words": str},
    "kept": {},
    "stale": {},
    "slept": {},
    "end": {"why": str},
}
_MARKS: Mapping[str, Kind] = {"trace": "header", "kept": "kept", "stale": "stale", "slept": "slept", "end": "end"}
_COUNTED = ("epoch", "in", "out", "connection")
_SECONDS = ("at", "slept")
_EVENTS = ("came", "went")
_LISTS = ("states", "clauses", "effects", "clocks", "calls")
_MOST = 1e15
_FROM: Mapping[str, type] = {"states": list, "variables": dict, "phase": str, "clocks": list, "calls": list}


class BadTrace(LifecycleError):
    """A file that is no trace, or not one of this page."""

    side = "caller"


@attrs.frozen
class Line:
    """One line of a trace.

    Attributes:
        place: its file and number.
        kind: what it tells.
        session: whose it is; empty in a trace of one that has no name. The second connection of a name is `name (2)`.
        row: as it stands there.
    """

    place: str
    kind: Kind
    session: str
    row: Mapping[str, Any]

    @property
    def at(self) -> float:
        """When, in seconds of its session's clock; 0 where it is not said."""
        at = self.row.get("at", 0.0)
        return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else 0.0

    @property
    def epoch(self) -> int:
        """Which dial of its session it is in; 0 before the first, and where it is not said."""
        epoch: int = self.row.get("epoch", 0)
        return epoch

    @property
    def name(self) -> str:
        """What its session was called by its page; empty if it was only numbered."""
        name: str = self.row.get("session", "")
        if "connection" in self.row:
            return "" if name == str(self.row["connection"]) else name
        return "" if name.isdigit() else name


def read_lines(lines: Iterable[str], name: str) -> Iterator[Line]:
    """Read a trace, line by line; those that are empty are left out.

    Args:
        lines: of the file.
        name: what sentences call it.

    Raises:
        BadTrace: a line is no JSON, is of another version, lacks something, or comes before its header.
    """
    known: dict[tuple[str, int], str] = {}
    count: Counter[str] = Counter()
    whole = False
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = _line(f"{name}:{number}", text, first=not known)
        if line.kind == "header":
            whole = line.row["trace"] > 1 and "session" in line.row
        if whole:
            _check(line.place, line.row, _EACH, {})
        whose = (line.session, line.row.get("connection", 0))
        if line.kind == "header" and not (whole and "from" in line.row and whose in known):
            count[line.session] += 1
            again = count[line.session]
            known[whose] = line.session if again == 1 else f"{line.session} ({again})"
        elif whose not in known:
            raise BadTrace(f"{line.place}: the session `{line.session}` has no header before this")
        yield attrs.evolve(line, session=known[whose])
    if not known:
        _check(f"{name}:1", {}, _NEEDED["header"], {})


def _line(place: str, text: str, *, first: bool) -> Line:
    try:
        row = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadTrace(f"{place}: this is no JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadTrace(f"{place}: expected an object, found {text.strip()[:40]}")
    kind: Kind = "header" if first else _kind(row)
    _check(place, row, _NEEDED[kind], {**_KNOWN[kind], **_SESSION})
    _check_values(place, row)
    if kind == "header":
        if row["trace"] not in VERSIONS:
            read = " and ".join(map(str, VERSIONS))
            raise BadTrace(f"{place}: a trace of version {row['trace']}; this reads {read}")
        if "from" in row:
            _check(place, row["from"], _FROM, {})
            _check_values(place, row["from"])
    elif kind == "step":
        wrong = _wrong(row)
        if wrong:
            raise BadTrace(f"{place}: {wrong}")
    return Line(place, kind, row.get("session", ""), row)


def _kind(row: Mapping[str, Any]) -> Kind:
    for mark, kind in _MARKS.items():
        if mark in row:
            return kind
    return "step"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check(place: str, row: Mapping[str, Any], needed: Mapping[str, type], known: Mapping[str, type]) -> None:
    missing = [key for key in needed if key not in row]
    if missing:
        raise BadTrace(f"{place}: {', '.join(f'`{key}`' for key in missing)} is missing")
    for key, kind in {**needed, **known}.items():
        if key in row and (type(row[key]) is not kind):
            raise BadTrace(f"{place}: `{key}` is {_WORDS.get(kind, 'a number')}, found {json.dumps(row[key])[:40]}")


def _check_values(place: str, row: Mapping[str, Any]) -> None:
    for key in _COUNTED:
        if key in row and (type(row[key]) is not int or not 0 <= row[key] <= _MOST):
            raise BadTrace(f"{place}: `{key}` is a whole number, found {json.dumps(row[key])[:40]}")
    for key in _SECONDS:
        if key in row and (type(row[key]) not in (int, float) or not abs(row[key]) <= _MOST):
            raise BadTrace(f"{place}: `{key}` is a number of seconds, found {json.dumps(row[key])[:40]}")
    for key in _LISTS:
        if any(not isinstance(each, str) for each in row.get(key, ())):
            raise BadTrace(f"{place}: `{key}` is a list of texts, found {json.dumps(row[key])[:40]}")
    for key in _EVENTS:
        if key in row and not (
            type(row[key]) is list and [type(each) in (int, str) for each in row[key]] == [True] * 2
        ):
            raise BadTrace(f"{place}: `{key}` is two ids, the first and the last, found {json.dumps(row[key])[:40]}")
    if "date" in row:
        try:
            datetime.fromisoformat(row["date"])
        except ValueError:
            raise BadTrace(f"{place}: `date` is a date of ISO 8601, found {row['date'][:40]!r}") from None


def _wrong(row: Mapping[str, Any]) -> str:
    """What no machine of any page could take, in words."""
    if row["cause"] not in _CAUSES:
        return f"`{row['cause']}` is no cause: {', '.join(_CAUSES)}"
    if row["phase"] not in _PHASES:
        return f"`{row['phase']}` is no phase: {', '.join(_PHASES)}"
    if row["cause"] != "silence" and "event" not in row:
        return "`event` is missing"
    if row["cause"] == "start" and row["event"] != START:
        return f"the event of `start` is `{START}`"
    return ""
