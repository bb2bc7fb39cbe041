"""`lifecycle demo`: a real connection, a real server in its own process, and everything that real networks do.

Law: the connection is an embedder's: `lifecycle.open` with the bundled page, and nothing that is
not public. Every message is counted on both sides; one that is unaccounted for fails the demo.
"""

import contextlib
import random
from pathlib import Path
from typing import Any, Protocol

import attrs
import trio

from lifecycle.errors import NotSent
from lifecycle.machine.step import Step
from lifecycle.observe.trace import Trace
from lifecycle.testing.proxy import Proxy
from lifecycle.trio.connection import Connection, open
from lifecycle.wire.inbox import Discontinuity

from .account import Account, Tally
from .faults import DIALS, FAULTS, HEARTBEAT, ServerProcess

EVERY = 0.05
MINUTE = 60.0
_READY_WITHIN = 30.0
_SETTLE_WITHIN = 5.0
PARAMETERS: dict[str, Any] = {
    "redial": {"first": "100 ms", "factor": 2, "max": "2 s", "jitter": "full", "floor": "50 ms"},
    "connect_timeout": "1 s",
    "close_timeout": "1 s",
    "heartbeat_after": HEARTBEAT,
    "heartbeat_wait": HEARTBEAT,
    "proven_after": "1 s",
    "max_attempts": 50,
}
"""Short, so that a demo is short; with the page's defaults a half-open peer alone takes 40 s."""


class Screen(Protocol):
    """Who shows the demo."""

    def begin(self, connection: Connection, seed: int) -> None:
        """It begins."""

    def step(self, step: Step) -> None:
        """The connection has made a step."""

    def fault(self, name: str) -> None:
        """A fault begins."""

    def tick(self) -> None:
        """A moment has passed."""


@attrs.frozen(kw_only=True)
class Fault:
    """One fault and what became of it.

    Attributes:
        name: what was done.
        healed: seconds from its beginning to ready; None if the connection was never lost.
        dials: how many dials it took.
        good: whether the connection was lost or kept as it must.
    """

    name: str
    healed: float | None
    dials: int
    good: bool


@attrs.frozen(kw_only=True)
class Result:
    """The outcome of a demo; `good` if everything healed and is accounted for."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]
    most_dials_a_minute: int
    to_server: Tally
    to_client: Tally

    @property
    def good(self) -> bool:
        """Whether everything healed and is accounted for."""
        return self.to_server.good and self.to_client.good and all(fault.good for fault in self.faults)


async def run(seconds: float, seed: int, screen: Screen, trace: Path | None = None) -> Result:
    """Run the demo.

    Args:
        seconds: how long at least; every fault is done once in any case.
        seed: decides jitter and the order of faults.
        screen: is told what happens.
        trace: a file for all that happens to the connection.

    Raises:
        OSError: the file cannot be written.
    """
    account = Account()
    async with trio.open_nursery() as nursery:
        server = ServerProcess(nursery, lambda told: _reported(account, told))
        await server.start()
        try:
            async with Proxy(f"ws://127.0.0.1:{server.port}/") as proxy:
                with contextlib.ExitStack() as stack:
                    instruments = [stack.enter_context(Trace(trace))] if trace is not None else []
                    result = await _Demo(account, server, proxy, screen, seed).run(seconds, instruments)
        finally:
            with trio.CancelScope(shield=True):
                await server.kill()
        nursery.cancel_scope.cancel()
    return result


def _reported(account: Account, told: dict[str, Any]) -> None:
    if "got" in told:
        account.got[told["got"]] += 1
    if "sent" in told:
        account.server_sent[told["on"]] += 1


class _Demo:
    def __init__(self, account: Account, server: ServerProcess, proxy: Proxy, screen: Screen, seed: int) -> None:
        self.account, self.server, self.proxy, self.screen, self.seed = account, server, proxy, screen, seed
        self.dials: list[float] = []
        self.number = 0
        self.sending = trio.CancelScope()

    async def run(self, seconds: float, instruments: list[Trace]) -> Result:
        """Break things for so long, and count what became of each message."""
        began = trio.current_time()
        faults: list[Fault] = []
        url = self.proxy.url
        async with open("websocket", url=url, seed=self.seed, instruments=instruments, **PARAMETERS) as connection:
            self.screen.begin(connection, self.seed)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, connection)
                nursery.start_soon(self._receive, connection)
                nursery.start_soon(self._send, connection)
                nursery.start_soon(self._tick)
                faults = await self._faults(connection, began + seconds)
                self.sending.cancel()
                await self.server.order(quiet=True)
                await self._settled(connection)
                await connection.aclose()
                nursery.cancel_scope.cancel()
        return Result(
            seed=self.seed,
            seconds=trio.current_time() - began,
            faults=tuple(faults),
            most_dials_a_minute=most_in(self.dials, MINUTE),
            to_server=self.account.to_server(),
            to_client=self.account.to_client(),
        )

    async def _faults(self, connection: Connection, until: float) -> list[Fault]:
        dice = random.Random(self.seed)
        done: list[Fault] = []
        await connection.ready(_READY_WITHIN)
        while not done or trio.current_time() < until:
            names = list(FAULTS)
            dice.shuffle(names)
            for name in names:
                if len(done) >= len(FAULTS) and trio.current_time() >= until:
                    break
                await trio.sleep(1.5)  # long enough for the proof of health, so that faults do not add up
                done.append(await self._fault(connection, name))
        await trio.sleep(0.5)
        return done

    async def _fault(self, connection: Connection, name: str) -> Fault:
        self.screen.fault(name)
        began, epoch, least = trio.current_time(), connection.epoch, DIALS.get(name, 1)
        await FAULTS[name](self.server, self.proxy)
        with trio.move_on_after(_READY_WITHIN):
            while connection.status != "ready" or connection.epoch < epoch + least:  # noqa: ASYNC110
                await trio.sleep(0.01)
        dials, ready = connection.epoch - epoch, connection.status == "ready"
        healed = trio.current_time() - began if dials and ready else None
        return Fault(
            name=name, healed=healed, dials=dials, good=ready and dials >= least and bool(dials) == bool(least)
        )

    async def _watch(self, connection: Connection) -> None:
        async for step in connection.changes():
            if "connecting" == step.status != step.status_before:
                self.dials.append(step.time)
            self.screen.step(step)

    async def _receive(self, connection: Connection) -> None:
        async for message in connection:
            if isinstance(message, Discontinuity):
                self.account.marks.append(connection.epoch)
                self.account.received.append(None)
                continue
            kind, *rest = message.split()
            if kind == "s":
                self.account.received.append((rest[0], int(rest[1])))
            else:
                self.account.acknowledged.add(int(rest[0]))

    async def _send(self, connection: Connection) -> None:
        with self.sending:
            while True:
                try:
                    self.account.tickets[self.number] = connection.post(f"c {self.number}")
                except NotSent:
                    self.account.unsent.add(self.number)
                self.number += 1
                await trio.sleep(EVERY)

    async def _tick(self) -> None:
        while True:
            self.screen.tick()
            await trio.sleep(0.1)

    async def _settled(self, connection: Connection) -> None:
        """Wait until the last connection has brought everything, both ways."""
        await trio.sleep(2 * EVERY)
        with trio.move_on_after(_SETTLE_WITHIN):
            # two processes are waited for; there is nothing that would tell
            while self._unsettled(connection):  # noqa: ASYNC110
                await trio.sleep(0.02)

    def _unsettled(self, connection: Connection) -> bool:
        return any(self._open(number, connection) for number in self.account.tickets) or self.account.missing() > 0

    def _open(self, number: int, connection: Connection) -> bool:
        ticket = self.account.tickets[number]
        if ticket.fate in ("queued", "taken"):
            return True
        return ticket.fate == "sent" and ticket.epoch == connection.epoch and number not in self.account.acknowledged


def most_in(times: list[float], window: float) -> int:
    """The most moments that lie within any window of so many seconds."""
    return max((sum(1 for other in times if at <= other < at + window) for at in times), default=0)
