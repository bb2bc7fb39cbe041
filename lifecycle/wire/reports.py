"""What a watched client reports, in the page's words: which event it is, and who could have told it.

Law: pure, and total: a report cannot make it raise. What a report means is said by the page's routes and causes,
or by the report itself, and never guessed from what would fit.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import ERROR_WORDS, Pick
from lifecycle.definition.problem import did_you_mean
from lifecycle.definition.sources import covers
from lifecycle.machine.events import Cause
from lifecycle.machine.machine import Machine
from lifecycle.machine.phase import Phase

from .causes import Refusal, classify
from .ending import CloseEnding, Ending, ErrorEnding, HttpEnding
from .routes import route

Told = Cause | Literal["nothing", "unknown"]
"""Who told it; `nothing` moves no session, and `unknown` is what nobody could tell."""
_NONE: Mapping[str, Any] = {}
PHASES: Mapping[Told, tuple[Phase, ...]] = {
    "opened": ("dialing",),
    "heard": ("open",),
    "message": ("open",),
    "end": ("dialing", "open"),
    "closed": ("closing",),
}
"""In which phases of the transport it can tell that."""
_BY_SOURCE: Mapping[str, Told] = {"wish": "wish", "cause": "end", "left": "end", "route": "message"}


@attrs.frozen
class Report:
    """One report.

    Attributes:
        cause: who told it.
        event: its name; empty for a message that is no event.
        fields: what it brings.
        clause: the clause that ran out, where the report names it.
        routed: whether a route took it, where it is a message.
        heard: whether it says that bytes came from the peer.
        keep: variables that take a value before; the pick says how.
    """

    cause: Told
    event: str = ""
    fields: Mapping[str, Any] = attrs.field(default=_NONE, repr=False)
    clause: str = ""
    routed: bool = True
    heard: bool = False
    keep: tuple[tuple[str, Pick, Any], ...] = attrs.field(default=(), repr=False)


def understand(definition: Definition, report: Any) -> Report:
    """Put a report into the page's words.

    Args:
        definition: the page.
        report: `{"event": name}`, with `"fields"` if it has some; `{"clause": id}`; `{"end": how}`; `{"message": any}`;
            or, if it is none of these, a message itself.
    """
    match report:
        case {"event": str(event), **rest} if not rest.keys() - {"fields"}:
            fields = rest.get("fields")
            return _event(definition, event, fields if isinstance(fields, Mapping) else _NONE)
        case {"clause": str(clause), **rest} if not rest:
            return _clause(definition, clause)
        case {"end": Mapping() as how, **rest} if not rest and (ending := _ending(how)) is not None:
            verdict = classify(definition.causes, ending)
            return Report("end", verdict.event, verdict.fields)
        case {"message": message, **rest} if not rest:
            return _message(definition, message)
    return _message(definition, report)


def cause_of(definition: Definition, event: str) -> Told:
    """Who tells an event of a page."""
    if event in definition.hears:
        return "wish"
    kind, state = definition.sources.get(event, ""), event.partition(".")[2]
    if kind == "fact":
        return event  # type: ignore[return-value]  # opened, closed and heard are causes of their own name
    rows = [row for row in definition.causes if row.is_ == event]
    if kind == "cause" and rows and all(row.match or row.refusal for row in rows):
        return "message"  # only a message refuses so
    if kind in _BY_SOURCE:
        return "wish" if definition.role == "session" else _BY_SOURCE[kind]
    if event.startswith(("done.", "failed.")) and state in definition.states:
        return "call" if definition.states[state].call is not None else "unknown"
    return "timer" if any(clock.name == event for clock in definition.clocks) else "unknown"


def could(cause: Told, phase: Phase) -> bool:
    """Whether somebody can tell something while the transport is in this phase."""
    return cause not in PHASES or phase in PHASES[cause]


def allowed(machine: Machine) -> Iterator[str]:
    """What a machine takes and somebody could tell now, families as the page says them; clocks and calls left out."""
    events = [event for event, cause in _told(machine.definition).items() if could(cause, machine.phase)]
    return (name for name in machine.allowed() if any(covers(name, event) for event in events))


def unknown(definition: Definition, report: Report) -> str:
    """Why nobody can tell what a report says, and what may have been meant."""
    if report.clause:
        ids = (clause.id for clause in definition.clauses.values() if clause.clock is not None)
        return f"it is no clause of a clock: {did_you_mean(report.clause, ids)}"
    return f"nobody can tell it: {did_you_mean(report.event, _told(definition))}"


def _told(definition: Definition) -> dict[str, Told]:
    """The events of a page that somebody tells, clocks and calls left out."""
    causes: dict[str, Told] = {name: cause_of(definition, name) for name in (*definition.hears, *definition.sources)}
    return {name: cause for name, cause in causes.items() if cause != "unknown"}


def _event(definition: Definition, event: str, fields: Mapping[str, Any]) -> Report:
    cause = cause_of(definition, event)
    return Report(cause, event, fields, heard=cause in ("heard", "message"))


def _clause(definition: Definition, name: str, keep: tuple[tuple[str, Pick, Any], ...] = ()) -> Report:
    clause = definition.clauses.get(name)
    if clause is None or clause.clock is None:
        return Report("unknown", clause=name, keep=keep)
    return Report("timer", clause.clock.name, clause=name, keep=keep)


def _message(definition: Definition, message: Any) -> Report:
    outcome = route(definition.messages.routes, message)
    heard, keep = definition.role != "session", outcome.keep
    cause: Told = "message" if heard else "wish"  # a session has no transport: what its routes raise is told to it
    match outcome.kind:
        case "raise":
            return Report(cause, outcome.event, outcome.fields, heard=heard, keep=keep)
        case "refusal":
            verdict = classify(definition.causes, Refusal(outcome.refused))
            return Report(cause, verdict.event, verdict.fields, heard=heard, keep=keep)
        case "clause":
            return _clause(definition, outcome.event, keep)
    return Report("message" if heard else "nothing", routed=outcome.kind != "unrouted", heard=heard, keep=keep)


def _ending(how: Mapping[str, Any]) -> Ending | None:
    match how:
        case {"close": int(code), **rest}:
            return CloseEnding(code, str(rest.get("reason", "")))
        case {"http": int(status), **rest}:
            headers = rest.get("headers")
            pairs = headers.items() if isinstance(headers, Mapping) else ()
            lower = {str(name).lower(): str(value) for name, value in pairs}
            return HttpEnding(status, lower)
        case {"error": str(word)} if word in ERROR_WORDS:
            return ErrorEnding(word)  # type: ignore[arg-type]  # it is one of the words
    return None
