"""Every step of connections as JSON lines, to be read, replayed and merged.

Law: a line says what happened and never a secret. A file holds whole sessions, or goes on where an earlier one was
put aside: each can be replayed alone. What it takes on disk is bounded.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.literal import Secret
from lifecycle.machine import effects as do
from lifecycle.machine.effects import Effect
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.step import Step

from .instrument import Instrument, Observed
from .plain import hushed, plain, secrets_of, shallow, without_query

VERSION: Final = 2
MOST: Final = 64 * 1024 * 1024
_DIGITS: Final = 6
_REMEMBERED: Final = 16

log = logging.getLogger("lifecycle.trace")


@attrs.define
class _Session:
    """One connection's; `moved` is what to add to its clock to have seconds since 1970, `last` when it last told."""

    moved: float
    guarded: bool
    last: float = 0.0
    known: dict[Secret, None] = attrs.field(factory=dict)

    def secrets(self, machine: Machine) -> tuple[Secret, ...]:
        """Those that the machine knows, and the last that it knew."""
        # a step may forget a secret that stands in its own fields
        if self.guarded:
            self.known |= dict.fromkeys(secrets_of(machine))
            for old in list(self.known)[:-_REMEMBERED]:
                del self.known[old]
        return tuple(self.known)

    def header(self, connection: Observed, at: float) -> dict[str, Any]:
        """The line with which it begins in a file."""
        machine, page = connection.machine, connection.machine.definition
        values = dict(zip(page.parameters, machine.parameters, strict=True))
        secrets = self.secrets(machine)
        parameters = {
            name: plain(without_query(value) if page.parameters[name].kind == "url" and value else value, secrets)
            for name, value in values.items()
        }
        date = datetime.fromtimestamp(at + self.moved, UTC).isoformat(timespec="milliseconds")
        about = {"page": page.name, "hash": page.hash, "parameters": parameters}
        return {"trace": VERSION, **self.line(connection, at), **about, "date": date}

    def line(self, connection: Observed, at: float) -> dict[str, Any]:
        """What every line says: whose it is, when, in which dial, and what has come and gone in that."""
        self.last = at
        ids, (came, went) = connection.ids, connection.traffic
        row = {"session": ids.session, "connection": ids.number, "at": _short(at)}
        row |= {"epoch": connection.epoch, "in": came, "out": went}
        if ids.came is not None:
            row["came"] = ids.came
        if ids.went is not None:
            row["went"] = ids.went
        return row


@final
class Trace(Instrument):
    """A file of traces; one may serve many connections.

    Each line has `{"session", "connection", "at", "epoch", "in", "out"}`, with `"came"` and `"went"` where events have
    ids. Lines: a header, `{"trace": 2, "page", "hash", "parameters", "date"}`, with `"from"` where a file goes on; then
    a step each, `{"cause", "event", "fields", "clauses", "states", "status", "phase", "effects", "timers"}`, with
    `"refused": true` where the page did not take it; and besides `{"kept"}`, `{"stale"}`, `{"slept"}` and `{"end"}`.

    Args:
        path: of the file. One that is there is put aside, as `<path>.1`.
        most: bytes. A longer file is put aside, and another begins; the one before that is lost.

    Raises:
        OSError: the file cannot be written.
        ValueError: there is no room.
    """

    def __init__(self, path: str | PathLike[str], *, most: int = MOST) -> None:
        if most < 1:
            raise ValueError(f"`most` must be at least 1 byte, not {most}")
        self.path = Path(path)
        self._most = most
        self._sessions: dict[Observed, _Session] = {}
        self._open()

    def close(self) -> None:
        """Write no more. Again is no harm."""
        try:
            self._file.close()
        except OSError as error:  # the disk is full; the program that is watched goes on
            log.warning("%s: %s", self.path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    # -- told by connections

    def began(self, connection: Observed, at: float, wall: float) -> None:
        """A session begins."""
        session = self._sessions[connection] = _Session(wall - at, _guarded(connection.machine.definition))
        self._write(session.header(connection, at))

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """A step was taken."""
        timers = {
            each.clock.name: plain(connection.length(each)) if isinstance(each, do.StartClock) else None
            for each in effects
            if isinstance(each, do.StartClock | do.StopClock)
        }
        row = self._row(connection, event, step.time) | {
            "clauses": step.clauses,
            "effects": [effect.word for effect, _ in connection.machine.trace[-1].effects],
        }
        self._write(row | ({"timers": timers} if timers else {}))

    def refused(self, connection: Observed, event: Event, at: float) -> None:
        """The page did not take an event."""
        self._write(self._row(connection, event, at) | {"refused": True})

    def stale(self, connection: Observed, event: Event, at: float) -> None:
        """An event came too late."""
        line = self._sessions[connection].line(connection, at)
        self._write(line | {"stale": event.name, "cause": event.cause})

    def kept(self, connection: Observed, variable: str, at: float) -> None:
        """A message moved a variable."""
        session, machine = self._sessions[connection], connection.machine
        secrets = session.secrets(machine)
        kept = {variable: shallow(machine.names()[variable], secrets)}
        self._write(session.line(connection, at) | {"kept": kept})

    def ended(self, connection: Observed, at: float, failure: BaseException | None) -> None:
        """A session has ended."""
        session = self._sessions.pop(connection, None)
        if session is None:
            return
        why = hushed(connection.why, session.secrets(connection.machine))
        row = session.line(connection, at) | {"end": connection.status, "why": why}
        row["counters"] = attrs.asdict(connection.counters)
        self._write(row | ({"failure": type(failure).__name__} if failure is not None else {}))

    def _row(self, connection: Observed, event: Event, at: float) -> dict[str, Any]:
        session, machine = self._sessions[connection], connection.machine
        secrets = session.secrets(machine)
        words = hushed(event.words, secrets)
        return session.line(connection, at) | {
            "cause": event.cause,
            "event": event.name,
            "fields": {name: shallow(value, secrets) for name, value in event.fields.items()},
            "states": machine.states,
            "status": machine.status,
            "phase": machine.phase,
            **({"words": words} if words else {}),
        }

    def slept(self, connection: Observed, seconds: float) -> None:
        """The connection's clock stood still: dates are later by that."""
        session = self._sessions[connection]
        session.moved += seconds
        self._write(session.line(connection, session.last) | {"slept": _short(seconds)})

    # -- the file

    def _open(self) -> None:
        if self.path.exists():
            self.path.replace(f"{self.path}.1")
        # a line is written as a whole, so that a crash loses none
        # JSON may hold half a character, and has this way to write it
        self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._size = 0

    def _write(self, row: Mapping[str, Any]) -> None:
        self._append(row)
        if self._size > self._most and self._sessions:
            self._put_aside(row["at"])

    def _append(self, row: Mapping[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
        self._file.write(line)
        self._size += len(line.encode(errors="backslashreplace"))

    def _put_aside(self, at: float) -> None:
        self._file.close()
        self._open()
        for connection, session in self._sessions.items():
            machine = connection.machine
            row = session.header(connection, at)
            if machine.row.states:
                snapshot, secrets = machine.snapshot(), session.secrets(machine)
                variables = {name: shallow(value, secrets) for name, value in snapshot.variables.items()}
                row["from"] = attrs.asdict(snapshot) | {"variables": variables, "status": machine.status}
            self._append(row)


def _guarded(page: Definition) -> bool:
    """Whether a page knows secrets at all."""
    return (
        any(each.kind == "secret" for each in page.parameters.values())
        or any(each.initial == "secret" for each in page.variables.values())
        or any("secret" in call.returns.values() for call in page.calls.values())
    )


def _short(at: float) -> float:
    return round(at, _DIGITS)
