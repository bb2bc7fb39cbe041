"""Leases in a file of SQLite: for the processes of one machine.

Law: that of every place. A call that is cancelled may still do its work; it does all of it or nothing. The date counts
nowhere. The file is not for network file systems: machines that share leases use Redis.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

import trio

from .boot_clock import boot_id, seconds_up
from .lease import Lease, Status, Terms
from .leases import Leases
from .memory_leases import REMEMBERED
from .refusal import AlreadyHeld, CoolingDown, LeaseLost, LeasesUnavailable, NoCapacity
from .sqlite_file import SqliteFile

T = TypeVar("T")
_COLUMNS: Final = "id, generation, ticket, owner, status, created, touched, until"
_BELT: Final = 1.0


@final
class SqliteLeases(Leases):
    """Leases in a file.

    Args:
        path: of the file; it is made if it is not there.
        name: several services may use one file, each with a name.
        timeout: seconds that a call may take.
        clock: seconds by which leases run out, the same for all who use the file; those since the machine was
            started, if it is not said.

    Raises:
        ValueError: the path is none of a file.
    """

    def __init__(
        self, path: str, *, name: str = "sessions", timeout: float = 5.0, clock: Callable[[], float] | None = None
    ) -> None:
        path = str(path)
        if path in ("", ":memory:"):
            raise ValueError(f"leases cannot be kept in the file {path!r}: say a path, or use MemoryLeases")
        self.place = f"sqlite:{path}"
        self._name, self._timeout = name, timeout
        boot = boot_id() if clock is None else ""
        self._file = SqliteFile(path, name, timeout=timeout, clock=clock or seconds_up, boot=boot, place=self.place)
        self._turn: trio.CapacityLimiter | None = None

    async def __aenter__(self) -> Self:
        """Open the file; raises LeasesUnavailable if it is damaged, or of something else."""
        self._turn = trio.CapacityLimiter(1)
        await self._do(self._file.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it, after what was asked last is done."""
        with trio.CancelScope(shield=True), suppress(LeasesUnavailable):
            await self._do(self._file.close)

    async def reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        """Take a slot; raises CoolingDown, AlreadyHeld, NoCapacity, LeaseLost or LeasesUnavailable."""
        return await self._do(lambda: self._reserve(id, ticket, owner, terms))

    def _reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        name = self._name
        with self._file.writing() as (database, now):
            if (found := self._one(database, ticket)) is not None:
                return _lease(found, now)
            if _first(database, "SELECT 1 FROM released WHERE place = ? AND ticket = ?", name, ticket) is not None:
                raise LeaseLost(id, 0)
            if (until := _cooling(database, name, id)) is not None:
                raise CoolingDown(id, until - now)
            wanted = f"SELECT {_COLUMNS} FROM leases WHERE place = ? AND id = ? ORDER BY generation"  # noqa: S608 -- names of ours
            own = database.execute(wanted, (name, id)).fetchall()
            oldest = _lease(own[0], now) if len(own) >= terms.allowed else None
            if oldest is not None and not terms.replace:
                raise AlreadyHeld(id, oldest.owner, pending=oldest.status == "pending")
            held: int = _first(database, "SELECT count(*) FROM leases WHERE place = ?", name)
            if held - (oldest is not None) >= terms.capacity:
                raise NoCapacity(id, terms.capacity)
            if oldest is not None:
                self._forget(database, oldest.ticket, now)
            database.execute("UPDATE places SET generation = generation + 1 WHERE name = ?", (name,))
            generation: int = _first(database, "SELECT generation FROM places WHERE name = ?", name)
            wall = time.time()
            values = (name, generation, id, ticket, owner, "pending", wall, wall, now + terms.length)
            database.execute("INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            return Lease(id, generation, ticket, owner, "pending", wall, wall, terms.length)

    async def renew(
        self, id: str, ticket: str, length: float, *, status: Status | None = None, touched: bool = False
    ) -> Lease:
        """Hold a lease for longer; raises LeaseLost or LeasesUnavailable."""

        def renew() -> Lease:
            with self._file.writing() as (database, now):
                found = self._one(database, ticket)
                if found is None or found[0] != id:
                    raise LeaseLost(id, 0)
                database.execute(
                    "UPDATE leases SET until = ?, status = ?, touched = ? WHERE place = ? AND ticket = ?",
                    (now + length, status or found[4], time.time() if touched else found[6], self._name, ticket),
                )
                return _lease(self._one(database, ticket), now)

        return await self._do(renew)

    async def release(self, id: str, ticket: str, *, cooldown: float = 0.0) -> bool:
        """Give a slot back; returns whether it was held. Raises LeasesUnavailable."""

        def release() -> bool:
            with self._file.writing() as (database, now):
                found = self._one(database, ticket)
                if found is not None and found[0] != id:
                    return False
                self._forget(database, ticket, now)
                if found is not None and cooldown > 0:
                    until = max(_cooling(database, self._name, id) or 0.0, now + cooldown)
                    database.execute("REPLACE INTO cooling VALUES (?, ?, ?)", (self._name, id, until))
                return found is not None

        return await self._do(release)

    async def revoke(self, id: str, generation: int) -> bool:
        """Take a lease away from its owner; returns whether it was held. Raises LeasesUnavailable."""

        def revoke() -> bool:
            with self._file.writing() as (database, now):
                wanted = "SELECT ticket FROM leases WHERE place = ? AND id = ? AND generation = ?"
                ticket = _first(database, wanted, self._name, id, generation)
                if ticket is not None:
                    self._forget(database, ticket, now)
                return ticket is not None

        return await self._do(revoke)

    async def held(self, id: str) -> Sequence[Lease]:
        """The leases of one id, the oldest first. Raises LeasesUnavailable."""
        return await self._do(lambda: self._listed("id = ?", id, -1))

    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        """A page of all leases, the oldest first. Raises LeasesUnavailable."""
        return await self._do(lambda: self._listed("generation > ?", after, limit))

    async def count(self) -> int:
        """How many leases are held. Raises LeasesUnavailable."""

        def count() -> int:
            with self._file.reading() as (database, now):
                wanted = "SELECT count(*) FROM leases WHERE place = ? AND until > ?"
                found: int = _first(database, wanted, self._name, now)
                return found

        return await self._do(count)

    async def cooling(self, id: str) -> float:
        """Seconds for which an id is still refused. Raises LeasesUnavailable."""

        def cooling() -> float:
            with self._file.reading() as (database, now):
                return max(0.0, (_cooling(database, self._name, id) or now) - now)

        return await self._do(cooling)

    async def _do(self, work: Callable[[], T]) -> T:
        if self._turn is None:
            raise LeasesUnavailable(self.place, "it is not open: use it as `async with`")
        with trio.move_on_after(self._timeout + _BELT):
            # whoever is cancelled leaves the thread at work; who comes next waits for it at the limiter
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._turn)
        raise LeasesUnavailable(self.place, f"no answer within {self._timeout:g} s")

    def _one(self, database: sqlite3.Connection, ticket: str) -> Any:
        wanted = f"SELECT {_COLUMNS} FROM leases WHERE place = ? AND ticket = ?"  # noqa: S608 -- names of ours
        return database.execute(wanted, (self._name, ticket)).fetchone()

    def _forget(self, database: sqlite3.Connection, ticket: str, now: float) -> None:
        database.execute("DELETE FROM leases WHERE place = ? AND ticket = ?", (self._name, ticket))
        database.execute("REPLACE INTO released VALUES (?, ?, ?)", (self._name, ticket, now + REMEMBERED))

    def _listed(self, which: str, value: str | int, limit: int) -> Sequence[Lease]:
        wanted = f"SELECT {_COLUMNS} FROM leases WHERE place = ? AND {which} AND until > ? ORDER BY generation LIMIT ?"  # noqa: S608 -- words of ours
        with self._file.reading() as (database, now):
            found = database.execute(wanted, (self._name, value, now, limit)).fetchall()
        return [_lease((*row[:2], "", *row[3:]), now) for row in found]


def _lease(row: Any, now: float) -> Lease:
    id, generation, ticket, owner, status, created, touched, until = row
    return Lease(id, generation, ticket, owner, status, created, touched, until - now)


def _first(database: sqlite3.Connection, wanted: str, *values: object) -> Any:
    """The first value of the first row; None if there is none."""
    row = database.execute(wanted, values).fetchone()
    return None if row is None else row[0]


def _cooling(database: sqlite3.Connection, name: str, id: str) -> Any:
    return _first(database, "SELECT until FROM cooling WHERE place = ? AND id = ?", name, id)
