"""A trace taken again by the machine itself, step by step: a counterexample, or what a connection has lived through.

Law: the trace is a claim, and the machine decides. The first step at which they differ is told in a
sentence, with its line. What is no trace of the page is refused as a whole.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any, cast

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import PageLike, bundled, read
from lifecycle.errors import IllegalEvent, WrongParameters
from lifecycle.machine.machine import Snapshot

from .puppet import NotThere, Puppet
from .trace_lines import BadTrace, Line, read_lines


@attrs.frozen
class Replayed:
    """What came of a replay.

    Attributes:
        page: the name of the page, of the first session.
        law, what: what the trace says that it shows; empty if it does not.
        steps: how many steps the machine took as the trace says.
        sessions: how many sessions there were.
        difference: the first step at which they differ, in a sentence; none if they agree.
        notes: what is odd, though it may be right.
        lines: those that agree.
    """

    page: str
    law: str
    what: str
    steps: int
    sessions: int = 1
    difference: str | None = None
    notes: tuple[str, ...] = ()
    lines: tuple[Line, ...] = attrs.field(default=(), repr=False, eq=False)

    def __str__(self) -> str:
        """Everything, a line each."""
        among = f" in {self.sessions} sessions" if self.sessions > 1 else ""
        agreed = f"{self.page}: the machine takes all {self.steps} steps of the trace{among}"
        return "\n".join([self.difference or agreed, *(f"note: {note}" for note in self.notes)])


def replay(lines: Iterable[str], pages: Definition | Sequence[Definition] = (), *, name: str = "trace") -> Replayed:
    """Let a machine take the steps of a trace; of several sessions, each has its own.

    Args:
        lines: of a trace of version 1 or 2: a header, then one JSON object a step.
        pages: the page; or pages of which each session takes the one that its header names, else the bundled one.
        name: what sentences call the file.

    Raises:
        BadTrace: a line is no JSON or lacks something, or the page does not have what it names.
    """
    living: dict[str, _Session] = {}
    first: _Session | None = None
    taken: list[Line] = []
    notes: dict[str, None] = {}
    steps = sessions = 0
    difference: str | None = None
    for line in read_lines(lines, name):
        if line.kind == "header":
            living[line.session] = _session(line, pages)
            first = first or living[line.session]
            sessions += 1
            notes |= dict.fromkeys(living[line.session].notes)
        else:
            difference = living[line.session].take(line)
            if difference is not None:
                difference = f"{line.place}: {difference}"
                break
            steps += line.kind == "step"
        taken.append(line)
    assert first is not None  # noqa: S101 -- a file without a header was refused
    law, what = (first.header.get(key, "") for key in ("law", "what"))
    page = first.puppet.definition.name
    return Replayed(page, law, what, steps, sessions, difference, tuple(notes), tuple(taken))


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
    found = replay(text_of(path).split("\n"), () if page is None else read(page), name=os.fspath(path))
    if found.difference is not None:
        raise AssertionError(str(found))


def text_of(path: str | os.PathLike[str]) -> str:
    """The text of a trace's file.

    Raises:
        BadTrace: it is none.
    """
    try:
        return File(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadTrace(f"{os.fspath(path)}:1: this is no text in UTF-8") from None


@attrs.define
class _Session:
    """A machine that takes the steps of one session."""

    header: Mapping[str, Any]
    puppet: Puppet
    notes: tuple[str, ...]
    begun: bool = False

    def take(self, line: Line) -> str | None:
        """Take a line; the difference, if there is one."""
        puppet = self.puppet
        if line.kind == "step":
            self._check(line)
            self.begun = True
            return _take(puppet, line.row)
        if line.kind == "kept":
            for variable, value in line.row["kept"].items():
                self._check_kept(line, variable)
                try:
                    puppet.machine.keep(variable, value)
                except IllegalEvent as error:
                    return f"the trace says that a message sets `{variable}`; in the machine: {error}"
        if line.kind == "end" and puppet.status != line.row["end"] and line.row["end"] not in ("closed", "failed"):
            return f"the trace says that it ends {line.row['end']}; the machine is {puppet.status}"
        return None

    def _check(self, line: Line) -> None:
        """Refuse a step that no machine of this page could take."""
        step, cause, puppet, wrong = line.row, line.row["cause"], self.puppet, ""
        if (cause == "start") == self.begun:
            wrong = "the first step, and no other, is `start`"
        elif cause not in ("start", "silence") and step["event"] not in puppet.machine.table.plan.alphabet:
            wrong = f"`{step['event']}` is no event of `{puppet.definition.name}`"
        elif cause == "start" and (odd := step.get("fields", {}).keys() - puppet.definition.variables.keys()):
            wrong = f"`{min(odd)}` is no variable of `{puppet.definition.name}`"
        if wrong:
            raise BadTrace("; ".join([f"{line.place}: {wrong}", *self.notes]))

    def _check_kept(self, line: Line, variable: str) -> None:
        if variable not in self.puppet.definition.variables:
            wrong = f"{line.place}: `{variable}` is no variable of `{self.puppet.definition.name}`"
            raise BadTrace("; ".join([wrong, *self.notes]))


def _session(line: Line, pages: Definition | Sequence[Definition]) -> _Session:
    header = line.row
    if isinstance(pages, Definition):
        definition = pages
    else:
        named = next((page for page in pages if page.name == header["page"]), None)
        if named is None and header["page"] not in bundled():
            raise BadTrace(f"{line.place}: no bundled page is called `{header['page']}`: say which page it is of")
        definition = named or read(header["page"])
    notes = tuple(_notes(header, definition))
    puppet = _puppet(line.place, header, definition, notes)
    if "from" not in header:
        return _Session(header, puppet, notes)
    try:
        puppet.resume(_snapshot(header["from"], definition))
    except (KeyError, IllegalEvent) as error:
        wrong = f"{line.place}: `{definition.name}` cannot go on from there: {error}"
        raise BadTrace("; ".join([wrong, *notes])) from None
    return _Session(header, puppet, notes, begun=True)


def _snapshot(given: Mapping[str, Any], definition: Definition) -> Snapshot:
    clocks = {clock.name for clock in definition.clocks}
    for what, names, known in (("clock", given["clocks"], clocks), ("state", given["calls"], definition.states)):
        for name in names:
            if name not in known:
                raise KeyError(f"there is no {what} {name}")
    return Snapshot(
        states=tuple(given["states"]),
        variables=given["variables"],
        phase=cast("Any", given["phase"]),
        clocks=tuple(given["clocks"]),
        calls=tuple(given["calls"]),
    )


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
