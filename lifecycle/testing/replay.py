"""A trace, such as a counterexample, taken again by the machine itself, step by step.

Law: the trace is a claim, and the machine decides. The first step at which they differ is told in a
sentence, with its line. What is no trace is refused as a whole: with its line, too, and never guessed.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as File
from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import PageLike, bundled, read
from lifecycle.errors import IllegalEvent, LifecycleError, WrongParameters
from lifecycle.machine.plan import START

from .puppet import NotThere, Puppet

VERSION = 1
_CAUSES = ("start", "wish", "opened", "closed", "end", "message", "heard", "timer", "call", "silence")
_PHASES = ("none", "dialing", "open", "half-open", "closing")
_HEADER: Mapping[str, type] = {"page": str, "hash": str, "parameters": dict}
_STEP: Mapping[str, type] = {"cause": str, "states": list, "status": str, "phase": str}
_MORE: Mapping[str, type] = {"event": str, "fields": dict, "clauses": list, "effects": list, "refused": bool}
_WORDS = {str: "a text", dict: "an object", list: "a list", bool: "true or false"}


class BadTrace(LifecycleError):
    """A file that is no trace, or not one of this page."""

    side = "caller"


@attrs.frozen
class Replayed:
    """What came of a replay.

    Attributes:
        page: the name of the page.
        law, what: what the trace says that it shows; empty if it does not.
        steps: how many steps the machine took as the trace says.
        difference: the first step at which they differ, in a sentence; none if they agree.
        notes: what is odd, though it may be right.
    """

    page: str
    law: str
    what: str
    steps: int
    difference: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Everything, a line each."""
        agreed = f"{self.page}: the machine takes all {self.steps} steps of the trace"
        return "\n".join([self.difference or agreed, *(f"note: {note}" for note in self.notes)])


def replay(lines: Iterable[str], definition: Definition | None = None, *, name: str = "trace") -> Replayed:
    """Let a machine take the steps of a trace.

    Args:
        lines: of a trace of version 1: a header, then one JSON object a step.
        definition: the page; without one, the bundled page of the name that the header says.
        name: what sentences call the file.

    Raises:
        BadTrace: a line is no JSON or lacks something, or the page does not have what it names.
    """
    rows = _rows(lines, name)
    place, header = next(rows, (f"{name}:1", {}))
    _check(place, header, {"trace": int, **_HEADER}, {"law": str, "what": str})
    if header["trace"] != VERSION:
        raise BadTrace(f"{place}: a trace of version {header['trace']}; this reads version {VERSION}")
    if definition is None:
        if header["page"] not in bundled():
            raise BadTrace(f"{place}: no bundled page is called `{header['page']}`: say which page it is of")
        definition = read(header["page"])
    notes = tuple(_notes(header, definition))
    puppet = _puppet(place, header, definition, notes)
    steps, difference = 0, None
    for place, step in rows:
        _check(place, step, _STEP, _MORE)
        _known(place, step, puppet, notes, first=steps == 0)
        difference = _take(puppet, step)
        if difference is not None:
            break
        steps += 1
    told = difference and f"{place}: {difference}"
    return Replayed(definition.name, header.get("law", ""), header.get("what", ""), steps, told, notes)


def replays(path: str | os.PathLike[str], page: PageLike | None = None) -> None:
    """Assert that a machine takes all steps of a trace, in a test of one line.

    Args:
        path: the trace's file.
        page: as to `lifecycle.read`; without one, the bundled page of the name that the trace says.

    Raises:
        AssertionError: the machine does otherwise; the message says at which line, and what.
        BadTrace: it is no trace, or not one of this page.
        PageError: the page is wrong.
    """
    name = os.fspath(path)
    try:
        lines = File(path).read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise BadTrace(f"{name}:1: this is no text in UTF-8") from None
    found = replay(lines, None if page is None else read(page), name=name)
    if found.difference is not None:
        raise AssertionError(str(found))


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object, with its file and line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            row = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadTrace(f"{place}: this is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise BadTrace(f"{place}: expected an object, found {line.strip()[:40]}")
        yield place, row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check(place: str, row: Mapping[str, Any], needed: Mapping[str, type], known: Mapping[str, type]) -> None:
    missing = [key for key in needed if key not in row]
    if missing:
        raise BadTrace(f"{place}: {', '.join(f'`{key}`' for key in missing)} is missing")
    for key, kind in {**needed, **known}.items():
        if key in row and (type(row[key]) is not kind):
            raise BadTrace(f"{place}: `{key}` is {_WORDS.get(kind, 'a number')}, found {json.dumps(row[key])[:40]}")


def _notes(header: Mapping[str, Any], definition: Definition) -> Iterator[str]:
    if header["page"] != definition.name:
        yield f"the trace is of the page `{header['page']}`, and was taken by `{definition.name}`"
    elif header["hash"] != definition.hash:
        yield f"the trace is of another version of `{definition.name}`"


def _puppet(place: str, header: Mapping[str, Any], definition: Definition, notes: Iterable[str]) -> Puppet:
    # what could not be written into a trace has its default; a duration of none is one that never ends
    given = {
        name: value
        for name, value in header["parameters"].items()
        if value is not None or (name in definition.parameters and definition.parameters[name].kind == "duration")
    }
    try:
        return Puppet(definition, **given)
    except WrongParameters as error:
        raise BadTrace("; ".join([f"{place}: {error.problems[0]}", *notes])) from None


def _known(place: str, step: Mapping[str, Any], puppet: Puppet, notes: Iterable[str], *, first: bool) -> None:
    """Refuse a step that no machine of this page could take."""
    cause, wrong = step["cause"], ""
    if cause not in _CAUSES:
        wrong = f"`{cause}` is no cause: {', '.join(_CAUSES)}"
    elif (cause == "start") != first:
        wrong = "the first step, and no other, is `start`"
    elif step["phase"] not in _PHASES:
        wrong = f"`{step['phase']}` is no phase: {', '.join(_PHASES)}"
    elif cause != "silence" and "event" not in step:
        wrong = "`event` is missing"
    elif cause not in ("start", "silence") and step["event"] not in puppet.machine.table.plan.alphabet:
        wrong = f"`{step['event']}` is no event of `{puppet.definition.name}`"
    elif cause == "start" and step["event"] != START:
        wrong = f"the event of `start` is `{START}`"
    elif cause == "start" and (odd := step.get("fields", {}).keys() - puppet.definition.variables.keys()):
        wrong = f"`{min(odd)}` is no variable of `{puppet.definition.name}`"
    if wrong:
        raise BadTrace("; ".join([f"{place}: {wrong}", *notes]))


def _take(puppet: Puppet, step: Mapping[str, Any]) -> str | None:
    """Take a step; the difference, if there is one."""
    cause, event, fields = step["cause"], step.get("event", ""), step.get("fields", {})
    refused = step.get("refused", False)
    if cause == "silence":
        if puppet.phase != "open":
            return f"the trace says that the peer falls silent; to the machine, the transport is {puppet.phase}"
        return _compared(puppet, step, happened=False)
    by = f" by {_listed(step['clauses'])}" if "clauses" in step else ""
    said = f"`{event}` is refused" if refused else f"`{event}` is taken{by}"
    try:
        if cause == "start":
            puppet.start(fields)
        else:
            puppet.step(cause, event, fields)
    except NotThere as error:
        return f"the trace says that {said}; to the machine it cannot happen: {error}"
    except IllegalEvent as error:
        if not refused:
            return f"the trace says that {said}; the machine refuses it: {error}"
        return _compared(puppet, step, happened=False)
    if refused:
        return f"the trace says that {said}; the machine takes it by {_listed(puppet.clauses)}"
    return _compared(puppet, step, happened=True)


def _compared(puppet: Puppet, step: Mapping[str, Any], *, happened: bool) -> str | None:
    """The first thing in which a step's end differs."""
    phase = "open" if step["phase"] == "half-open" else step["phase"]  # no machine knows that its peer is silent
    rows: list[tuple[str, Any, Any]] = []
    if happened and "clauses" in step:
        rows.append(("is taken by", step["clauses"], list(puppet.clauses)))
    rows += [("leads to", step["states"], list(puppet.states)), ("has the status", step["status"], puppet.status)]
    rows.append(("leaves the transport", phase, puppet.phase))
    if happened and "effects" in step and puppet.last is not None:
        done = [effect.word for effect, _ in puppet.last.effects]
        rows.append(("does", [word for word in step["effects"] if word != "set"], done))
    for what, said, does in rows:
        if said != does:
            subject = f"`{step['event']}`" if step.get("event") else "the peer's silence"
            return f"the trace says that {subject} {what} {_listed(said)}; in the machine it {what} {_listed(does)}"
    return None


def _listed(given: Any) -> str:
    return (" + ".join(map(str, given)) or "nothing") if isinstance(given, list | tuple) else str(given)
