"""One case with one server while it is played: its clients, and what is delivered to them."""

import contextlib
import functools
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import trio

import lifecycle
from lifecycle.definition.definition import Definition
from lifecycle.definition.read import specs
from peers.case import Case, Playing
from peers.path import Record

from .app import Kind, Server, folder

_NAMES: Final = ("event", "observation", "action")
QUICK: Final[Mapping[str, Any]] = {
    "redial": {"first": 0.5, "factor": 1, "max": 0.5, "jitter": "none", "floor": 0.5},
    "proven_after": 1.0,
    "max_attempts": 1000,
    "request_timeout": 10.0,
}
"""Shorter waits than the page's, but no shorter than it may dial; and so more of them while a server starts."""


@final
class Play(Playing):
    """One case while it is played.

    Args:
        case: which.
        kind: of the server.
        server: the real one, which others play with, too.
        page: what is run.

    Attributes:
        packets: the events that were delivered, in their order.
    """

    def __init__(self, case: Case, kind: Kind, server: Server, page: Definition | None = None) -> None:
        super().__init__(case, page or bundled("socketio"))
        self.kind, self.server = kind, server
        self.packets: list[dict[str, Any]] = []

    @property
    def args(self) -> list[list[Any]]:
        """What came with them."""
        return [packet["args"] for packet in self.packets]

    @contextlib.asynccontextmanager
    async def begun(self, *, aside: bool = False, **options: Any) -> AsyncIterator[lifecycle.Connection]:
        """A client with shorter waits.

        Args:
            aside: whether it only helps, so that its path and its dials are not judged.
            options: of `lifecycle.open`, `url` too.
        """
        record = Record()
        if not aside:
            self.records.append(record)
        given = {"url": self.server.url, **QUICK, **options}
        async with lifecycle.open(self.page, instruments=[record], **given) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[lifecycle.Connection]:
        """The same, and the events that it is given are noted."""
        async with trio.open_nursery() as nursery, self.begun(**options) as connection:
            nursery.start_soon(self._note, connection)
            yield connection

    async def _note(self, connection: lifecycle.Connection) -> None:
        with contextlib.suppress(lifecycle.ConnectionFailed):
            async for packet in connection:
                if not isinstance(packet, lifecycle.Discontinuity):
                    self.delivered.append(name_of(packet))
                    self.packets.append(packet)

    async def heard(self, *names: str) -> None:
        """Wait until these events were delivered, in this order, and nothing else.

        Raises:
            Late: they were not.
        """
        await self.until(f"delivered {' '.join(names)}", lambda: len(self.delivered) >= len(names))
        self.check(self.delivered == list(names), f"delivered {self.delivered}, expected {list(names)}")

    async def again(self, connection: lifecycle.Connection) -> None:
        """Wait until a client is ready, in another dial than its first.

        Raises:
            Late: it is not.
        """
        await self.until("ready again", lambda: connection.status == "ready" and connection.epoch > 1)

    async def works(self, connection: lifecycle.Connection) -> None:
        """Check that an acknowledgement comes back."""
        answer = await connection.request("ask", ["still there?"])
        self.check(answer == ["still there?"], f"it was answered {answer!r}")


def name_of(packet: Mapping[str, Any]) -> str:
    """Of an event; or of what an event of OpenHands tells."""
    if packet.get("status_update"):
        return "status"
    return "error" if packet.get("error") else next(packet[key] for key in _NAMES if key in packet)


@functools.cache
def bundled(name: str | Path) -> Definition:
    """A page, which is read once."""
    return lifecycle.read(name)


@functools.cache
def changed(name: str, old: str, new: str) -> Definition:
    """The page of a client, with one text replaced in a page that it uses.

    Args:
        name: of the page in which it is replaced.
        old: what stands there once.
        new: what stands there instead.
    """
    with folder() as copy:
        text = (specs() / f"{name}.yaml").read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{old!r} stands {text.count(old)} times in {name}")
        (copy / f"{name}.yaml").write_text(text.replace(old, new), encoding="utf-8")
        return lifecycle.read(shutil.copy(specs() / "socketio.yaml", copy))
