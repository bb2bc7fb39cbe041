"""`lifecycle connect`: a connection at a terminal, that survives.

Law: lines of stdin go out, messages go to stdout, everything about the connection goes to stderr.
The end of stdin is the wish to end; what was typed before it is sent first.
"""

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import attrs
import trio
from rich.console import Console

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import KEYED
from lifecycle.errors import ConnectionFailed, MaybeDelivered, NotSent
from lifecycle.machine.step import Step
from lifecycle.observe.trace import Trace
from lifecycle.wire.inbox import Discontinuity

from .connection import Connection

if TYPE_CHECKING:
    from rich.status import Status

FAILED = 1
INTERRUPTED = 130


def run_console(
    page: Definition, parameters: Mapping[str, Any], calls: object, trace: Path | None, *, as_json: bool
) -> int:
    """Connect, until stdin ends, the page ends, or Ctrl-C.

    Args:
        page: what to run.
        parameters: its parameters, `url` among them.
        calls: an object with the methods that it calls, if there are any.
        trace: a file for all that happens, as `lifecycle.observe.Trace` writes it.
        as_json: whether messages and steps are printed as JSON lines.

    Returns:
        0, 1 if the connection has failed, 130 after Ctrl-C.
    """
    with contextlib.ExitStack() as stack:
        instruments = [stack.enter_context(Trace(trace))] if trace is not None else []
        return _run(Connection(page, calls=calls, instruments=instruments, **parameters), as_json=as_json)


def _run(connection: Connection, *, as_json: bool) -> int:
    try:
        trio.run(_Terminal(connection, as_json=as_json).run)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConnectionFailed as error:
        print(error, file=sys.stderr)  # noqa: T201 -- what this command is for
        return FAILED
    return 0


@final
class _Terminal:
    def __init__(self, connection: Connection, *, as_json: bool) -> None:
        self.connection, self.as_json = connection, as_json
        self.errors = Console(stderr=True, highlight=False)
        self.waiting: Status | None = None
        self.steps = connection.changes()

    async def run(self) -> None:
        failure: BaseException | None = None
        async with self.connection as connection, trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            nursery.start_soon(self._count_down, connection)
            nursery.start_soon(self._type, connection)
            try:
                await self._read(connection)
            except (ConnectionFailed, KeyboardInterrupt) as error:
                failure = error
            nursery.cancel_scope.cancel()
        await self._watch()  # the steps that were not told yet
        self._quiet()
        if failure is not None:
            raise failure

    async def _type(self, connection: Connection) -> None:
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            try:
                await connection.send(self._message(line.rstrip("\n")))
            except (NotSent, MaybeDelivered, TypeError, ValueError) as error:
                self._say(f"{line.rstrip()}: {error}")
        await connection.aclose()

    def _message(self, line: str) -> Any:
        return json.loads(line) if self._keyed else line

    @property
    def _keyed(self) -> bool:
        return self.connection.definition.messages.codec in KEYED

    async def _read(self, connection: Connection) -> None:
        async for message in connection:
            if isinstance(message, Discontinuity):
                self._tell(
                    {"discontinuity": attrs.asdict(message)}, f"-- {message.kind}: {message.why}", to_stderr=True
                )
            else:
                shown = message.hex() if isinstance(message, bytes) else message
                text = shown if isinstance(shown, str) and not self._keyed else _line(shown)
                self._tell({"message": shown}, text)

    async def _watch(self) -> None:
        async for step in self.steps:
            if self.as_json:
                self._tell({"step": _row(step)}, "")
            elif step.status != step.status_before:
                self._say(f"{step.status}{f': {step.say or step.cause}' if step.say or step.cause else ''}")

    async def _count_down(self, connection: Connection) -> None:
        """A line that lives while the connection is not ready: the state, since when, the next try, the last cause."""
        since, status = trio.current_time(), connection.status
        while self.errors.is_terminal and not self.as_json:
            if connection.status != status:
                since, status = trio.current_time(), connection.status
            if status in ("ready", "closed", "failed"):
                self._quiet()
            else:
                self._live(
                    ", ".join(filter(None, (f"{status} for {trio.current_time() - since:.0f} s", connection.why)))
                )
            await trio.sleep(0.1)

    def _live(self, text: str) -> None:
        if self.waiting is None:
            self.waiting = self.errors.status(text)
            self.waiting.start()
        self.waiting.update(text)

    def _quiet(self) -> None:
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.stop()

    def _say(self, text: str) -> None:
        self.errors.print(text, markup=False, style="dim")

    def _tell(self, row: dict[str, Any], text: str, *, to_stderr: bool = False) -> None:
        if self.as_json:
            print(_line(row), flush=True)  # noqa: T201 -- what this command is for
        elif to_stderr:
            self._say(text)
        else:
            print(text, flush=True)  # noqa: T201 -- what this command is for


def _line(value: Any) -> str:
    """A value as JSON in one line; bytes, which JSON has not, in hexadecimal."""
    return json.dumps(
        value, ensure_ascii=False, default=lambda part: part.hex() if isinstance(part, bytes) else str(part)
    )


def _row(step: Step) -> dict[str, Any]:
    """A step as plain values; what the page emits may be secret, so only its names are told."""
    return {**attrs.asdict(step, filter=lambda field, _: field.name != "emitted"), "emitted": list(step.emitted)}
