"""How the demo is shown: a live table at a terminal, plain lines elsewhere, and a table at the end."""

import json
from collections import deque
from pathlib import Path
from typing import Any, final

import attrs
import trio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lifecycle.machine.step import Step
from lifecycle.testing.demo import Result, run
from lifecycle.trio.connection import Connection

from .account import Tally

COLOURS = {"ready": "green", "connecting": "yellow", "authenticating": "yellow", "waiting": "magenta", "failed": "red"}
_LINES = 12
_MEANT = {
    "not_sent": ", say their tickets",
    "maybe": " delivered, say their tickets",
    "gap": ": on their way when a connection was lost, says a Discontinuity",
    "lost": ", and nobody was told",
}


@final
class LiveScreen:
    """Shows states, timers and causes while they change.

    Args:
        console: where; without a terminal, steps are printed line by line.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=10, transient=True) if console.is_terminal else None
        self._lines: deque[Text] = deque(maxlen=_LINES)
        self._connection: Connection | None = None
        self._began = 0.0
        self._fault = "none yet"

    def __enter__(self) -> "LiveScreen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, connection: Connection, seed: int) -> None:
        """It begins."""
        self._connection, self._began = connection, trio.current_time()
        self._print(Text(f"page {connection.definition.name}, seed {seed}"))

    def fault(self, name: str) -> None:
        """A fault begins."""
        self._fault = name
        self._print(Text(f"{self._now():7.2f} s  -- {name} --", style="bold"))

    def step(self, step: Step) -> None:
        """The connection has made a step."""
        if step.status == step.status_before and not step.cause:
            return
        line = Text(f"{step.time - self._began:7.2f} s  ")
        line.append(f"{step.status:<15}", style=COLOURS.get(step.status, ""))
        line.append(f"{step.event}  [{', '.join(step.clauses)}]")
        if step.cause:
            line.append(f"  {step.cause}", style="dim")
        self._print(line)

    def tick(self) -> None:
        """A moment has passed."""
        if self._live is not None and self._connection is not None:
            self._live.update(Group(*self._lines, self._state(self._connection)))

    def _state(self, connection: Connection) -> Table:
        table = Table(box=None, show_header=False, padding=(1, 2, 0, 0))
        wait = connection.next_try
        table.add_row(
            "state", Text(connection.status, style=COLOURS.get(connection.status, "")), " + ".join(connection.state)
        )
        table.add_row("fault", self._fault, f"dial {connection.epoch}")
        table.add_row("next try", f"in {wait:.1f} s" if wait is not None else "-", connection.why)
        return table

    def _print(self, line: Text) -> None:
        self._lines.append(line)
        if self._live is None:
            self._console.print(line)

    def _now(self) -> float:
        return trio.current_time() - self._began


def show(result: Result, console: Console) -> None:
    """Print what became of the faults and of the messages."""
    faults = Table("fault", "time to ready", "dials", "", title="Faults")
    for fault in result.faults:
        healed = "kept" if fault.healed is None else f"{fault.healed:.2f} s"
        faults.add_row(fault.name, healed, str(fault.dials), _verdict(good=fault.good))
    console.print(faults)
    messages = Table("messages", "client to server", "server to client", title="Messages")
    for field in attrs.fields(Tally):
        numbers = (str(getattr(tally, field.name)) for tally in (result.to_server, result.to_client))
        messages.add_row(f"{field.name.replace('_', ' ')}{_MEANT.get(field.name, '')}", *numbers)
    messages.add_row("", _verdict(good=result.to_server.good), _verdict(good=result.to_client.good))
    console.print(messages)
    console.print(f"most dials in any 60 s: {result.most_dials_a_minute}; {result.seconds:.1f} s; seed {result.seed}")


def _verdict(*, good: bool) -> Text:
    return Text("good", style="green") if good else Text("BAD", style="red bold")


def as_json_value(result: Result) -> dict[str, Any]:
    """The result as plain values."""
    return {**attrs.asdict(result), "good": result.good}


def run_demo(seconds: float, seed: int, trace: Path | None = None, *, as_json: bool) -> bool:
    """Run the demo and print its result.

    Args:
        seconds: how long at least.
        seed: decides jitter and the order of faults.
        trace: a file for all that happens to the connection.
        as_json: whether the result is printed as JSON, and what happens goes to stderr.

    Returns:
        Whether everything healed and is accounted for.
    """
    console = Console(stderr=as_json, highlight=False)
    with LiveScreen(console) as screen:
        result = trio.run(run, seconds, seed, screen, trace)
    if as_json:
        print(json.dumps(as_json_value(result), indent=2))  # noqa: T201 -- what this command is for
    else:
        show(result, console)
    return result.good
