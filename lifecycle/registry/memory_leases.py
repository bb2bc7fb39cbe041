"""Leases in memory: for tests, and for services of one process.

Law: that of every place. What is forgotten is forgotten by its clock, and never within a step.
"""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, final

import attrs
import trio

from .lease import Lease, Status, Terms
from .leases import Leases
from .refusal import AlreadyHeld, CoolingDown, LeaseLost, NoCapacity

REMEMBERED: Final = 3600.0
"""Seconds for which a place knows that a ticket was released; no `reserve` is on its way for that long."""


@final
class MemoryLeases(Leases):
    """Leases that end with their process; what is shared by several registries of it is one of these.

    Args:
        clock: seconds by which leases run out; trio's if it is not said.
    """

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self.place = "memory"
        self._clock = clock or trio.current_time
        self._generation = 0
        self._rows: dict[str, _Row] = {}  # by ticket, the oldest first
        self._of: dict[str, list[_Row]] = {}  # by id, likewise
        self._cooling: dict[str, float] = {}  # {id: until when}
        self._released: dict[str, float] = {}  # {ticket: until when it is remembered}, the oldest first
        self._due = math.inf  # before that no lease runs out

    async def reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        """Take a slot; raises CoolingDown, AlreadyHeld, NoCapacity or LeaseLost."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        if ticket in self._rows:
            return self._rows[ticket].told(now)
        if ticket in self._released:
            raise LeaseLost(id, 0)
        if id in self._cooling:
            raise CoolingDown(id, self._cooling[id] - now)
        own = self._of.get(id, [])
        oldest = own[0] if len(own) >= terms.allowed else None
        if oldest is not None and not terms.replace:
            raise AlreadyHeld(id, oldest.lease.owner, pending=oldest.lease.status == "pending")
        if len(self._rows) - (oldest is not None) >= terms.capacity:
            raise NoCapacity(id, terms.capacity)
        if oldest is not None:
            self._forget(oldest)
            self._bury(oldest.lease.ticket, now)
        self._generation += 1
        wall = time.time()
        row = _Row(Lease(id, self._generation, ticket, owner, "pending", wall, wall, terms.length), now + terms.length)
        self._rows[ticket] = row
        self._of.setdefault(id, []).append(row)
        self._due = min(self._due, row.until)
        return row.lease

    async def renew(
        self, id: str, ticket: str, length: float, *, status: Status | None = None, touched: bool = False
    ) -> Lease:
        """Hold a lease for longer; raises LeaseLost."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        row = self._rows.get(ticket)
        if row is None or row.lease.id != id:
            raise LeaseLost(id, 0)
        touched_at = time.time() if touched else row.lease.touched_at
        row.lease = attrs.evolve(row.lease, status=status or row.lease.status, touched_at=touched_at)
        row.until = now + length
        self._due = min(self._due, row.until)
        return row.told(now)

    async def release(self, id: str, ticket: str, *, cooldown: float = 0.0) -> bool:
        """Give a slot back; returns whether it was held."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        row = self._rows.get(ticket)
        if row is not None and row.lease.id != id:
            return False
        self._bury(ticket, now)
        if row is None:
            return False
        self._forget(row)
        if cooldown > 0:
            self._cooling[id] = max(self._cooling.get(id, 0.0), now + cooldown)
        return True

    async def revoke(self, id: str, generation: int) -> bool:
        """Take a lease away from its owner; returns whether it was held."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        for row in self._of.get(id, []):
            if row.lease.generation == generation:
                self._forget(row)
                self._bury(row.lease.ticket, now)
                return True
        return False

    async def held(self, id: str) -> Sequence[Lease]:
        """The leases of one id, the oldest first."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        return [row.shown(now) for row in self._of.get(id, [])]

    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        """A page of all leases, the oldest first."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        later = (row for row in self._rows.values() if row.lease.generation > after)
        return [row.shown(now) for row in itertools.islice(later, limit)]

    async def count(self) -> int:
        """How many leases are held."""
        await trio.lowlevel.checkpoint()
        self._tidy()
        return len(self._rows)

    async def cooling(self, id: str) -> float:
        """Seconds for which an id is still refused."""
        await trio.lowlevel.checkpoint()
        now = self._tidy()
        return self._cooling.get(id, now) - now

    def _tidy(self) -> float:
        """Forget what has run out; returns the time."""
        now = self._clock()
        if self._due <= now:
            for row in [row for row in self._rows.values() if row.until <= now]:
                self._forget(row)
            self._due = min((row.until for row in self._rows.values()), default=math.inf)
        for id in [id for id, until in self._cooling.items() if until <= now]:
            del self._cooling[id]
        while self._released and self._released[next(iter(self._released))] <= now:
            del self._released[next(iter(self._released))]
        return now

    def _forget(self, row: "_Row") -> None:
        del self._rows[row.lease.ticket]
        self._of[row.lease.id].remove(row)
        if not self._of[row.lease.id]:
            del self._of[row.lease.id]

    def _bury(self, ticket: str, now: float) -> None:
        self._released.pop(ticket, None)
        self._released[ticket] = now + REMEMBERED


@attrs.define(eq=False)
class _Row:
    lease: Lease
    until: float

    def told(self, now: float) -> Lease:
        return attrs.evolve(self.lease, left=self.until - now)

    def shown(self, now: float) -> Lease:
        """For everybody: without the ticket."""
        return attrs.evolve(self.lease, ticket="", left=self.until - now)
