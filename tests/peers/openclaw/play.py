"""One case of the gateway's while it is played: its clients, and the cases beside it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, final

import trio

import lifecycle
from lifecycle.systems.openclaw import Device, GatewayCalls
from peers.case import Case, Late, Playing, Seen
from peers.path import Record

from .gateway import Gateway

_START: Final = 120.0

QUICK: Final[Mapping[str, Any]] = {
    "redial": {"first": 0.6, "factor": 2, "max": 3.0, "jitter": "equal", "floor": 0.5},
    "settle_wait": 0.6,
    "proven_after": 1.0,
    "max_attempts": 60,
}
"""Shorter waits than the page's, but no shorter than it may dial; and so more of them while the gateway starts."""
ADMIN: Final[Mapping[str, Any]] = {
    "client": {"id": "cli", "mode": "cli"},
    "scopes": ("operator.read", "operator.write", "operator.admin", "operator.pairing"),
}


@final
class Play(Playing):
    """One case while it is played.

    Args:
        case: which.
        gateway: the real one.
        meeting: with the cases that are played beside it.
    """

    def __init__(self, case: Case, gateway: Gateway, meeting: "Meeting") -> None:
        super().__init__(case, lifecycle.read("openclaw-gateway"))
        self.gateway, self._meeting = gateway, meeting

    async def played(self) -> Seen:
        """Play it; whatever comes of it, nobody waits for it then."""
        try:
            return await super().played()
        finally:
            self._meeting.leave()

    def make(self, calls: Any, *, aside: bool = False, **options: Any) -> tuple[lifecycle.Connection, Record]:
        """A client that is not begun yet.

        Args:
            calls: of the page.
            aside: whether it only helps, so that its path and its dials are not judged.
            options: of `lifecycle.open`, `url` too.
        """
        record = Record()
        if not aside:
            self.records.append(record)
        given = {"url": self.gateway.url, **options}
        return lifecycle.Connection(self.page, calls=calls, instruments=[record], **given), record

    @contextlib.asynccontextmanager
    async def client(
        self, calls: Any, *, aside: bool = False, **options: Any
    ) -> AsyncIterator[tuple[lifecycle.Connection, Record]]:
        """A client with shorter waits."""
        connection, record = self.make(calls, aside=aside, **{**QUICK, **options})
        async with connection:
            yield connection, record

    def ours(self, **options: Any) -> GatewayCalls:
        """The calls of a new device with the right token."""
        return GatewayCalls(self.gateway.token, Device.create(), **options)

    async def all_ready(self) -> None:
        """Wait until all cases of the scene are here, and then has happened what happens to all of them."""
        await self._meeting.arrive()

    async def back(self, *connections: lifecycle.Connection) -> None:
        """Wait until clients are ready, in another dial than their first; the gateway may be starting.

        Raises:
            Late: one is not; with the last lines of the gateway's log.
            CannotRun: the gateway has ended by itself.
        """

        def ready() -> bool:
            self.gateway.check_alive()
            return all(each.status == "ready" and each.epoch > 1 for each in connections)

        try:
            await self.until("ready again", ready, _START)
        except Late as error:
            raise Late(f"{error}; the gateway says:\n{self.gateway.tail()}") from None

    async def proven(self, connection: lifecycle.Connection) -> None:
        """Wait until a client has seen that the gateway is well, and so has forgiven all that was before."""
        await self.until("proven", lambda: "online.up.ready.trust.proven" in connection.state)


@final
class Meeting:
    """Where the cases of a scene wait for each other.

    Args:
        parties: how many they are.
        act: called once, when all who have not left are here.
    """

    def __init__(self, parties: int, act: Callable[[], object]) -> None:
        self._parties, self._here, self._act = parties, 0, act
        self._met = trio.Event()

    async def arrive(self) -> None:
        """Come, and wait for the others."""
        self._here += 1
        self._look()
        try:
            await self._met.wait()
        finally:
            self._here -= not self._met.is_set()  # who gives up has not come

    def leave(self) -> None:
        """Go, whether one has come or not."""
        self._parties -= 1
        self._look()

    def _look(self) -> None:
        if 0 < self._here >= self._parties and not self._met.is_set():
            self._met.set()
            self._act()
