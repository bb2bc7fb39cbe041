"""A file of SQLite with leases in it: opened, checked, and used one transaction at a time.

Law: for one thread at a time, which may wait. Whatever goes wrong undoes the whole transaction: LeasesUnavailable. Time
is that of the machine since its start; when it was started anew, all leases have run out. A generation never falls
back, also if the machine stops so suddenly that the last transactions are lost.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

from .refusal import LeasesUnavailable

_OURS: Final = 0x4C45_4153
"""In the head of the file, it says that the file is of this kind."""
_VERSION: Final = 1
_SLACK: Final = 1.0
_MOMENT: Final = 0.01
_LEAP: Final = 1 << 20
"""More generations than can be granted between two writes to the disk."""
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS places (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, boot TEXT NOT NULL, seen REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS leases (
    place TEXT NOT NULL, generation INTEGER NOT NULL, id TEXT NOT NULL, ticket TEXT NOT NULL, owner TEXT NOT NULL,
    status TEXT NOT NULL, created REAL NOT NULL, touched REAL NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (place, generation)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS by_ticket ON leases (place, ticket);
CREATE INDEX IF NOT EXISTS by_id ON leases (place, id);
CREATE INDEX IF NOT EXISTS by_until ON leases (place, until);
CREATE TABLE IF NOT EXISTS cooling (place TEXT, id TEXT, until REAL NOT NULL, PRIMARY KEY (place, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS released (
    place TEXT, ticket TEXT, until REAL NOT NULL, PRIMARY KEY (place, ticket)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_end ON released (place, until);
PRAGMA application_id = {_OURS};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


@final
class SqliteFile:
    """A file, and a place in it.

    Args:
        path: of the file; it is made if it is not there.
        name: of the place.
        timeout: seconds to wait while others write.
        clock: seconds by which leases run out, the same for all who use the file.
        boot: what this start of the machine is called; empty if nobody knows.
        place: what errors call it.
    """

    def __init__(
        self, path: str, name: str, *, timeout: float, clock: Callable[[], float], boot: str, place: str
    ) -> None:
        self._path, self._name, self._timeout, self._clock, self._boot = path, name, timeout, clock, boot
        self._place = place
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] = (0, 0)

    def open(self) -> None:
        """Open it, and make what is missing."""
        with self._telling():
            self._database = sqlite3.connect(
                self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._patiently(self._database)
                self._identity = _identity(self._path)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close it; again is no harm."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """A transaction that nobody else's runs beside; gives the time. Leases that have run out are gone."""
        with self._telling():
            database = self._at_hand()
            database.execute("BEGIN IMMEDIATE")
            try:
                now = self._clock()  # only now: waiting for our turn may have taken long
                self._keep_time(database, now)
                for table in ("leases", "cooling", "released"):
                    database.execute(f"DELETE FROM {table} WHERE place = ? AND until <= ?", (self._name, now))  # noqa: S608 -- names of ours
                yield database, now
                database.execute("COMMIT")
            except BaseException:
                database.rollback()
                raise

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """What is there at one moment; gives the time, which is after all ends if the machine was started anew."""
        with self._telling():
            database = self._at_hand()
            database.execute("BEGIN")
            try:
                now = self._clock()
                yield database, float("inf") if self._anew(database, now) else now
            finally:
                database.rollback()

    def _at_hand(self) -> sqlite3.Connection:
        if self._database is None:
            raise LeasesUnavailable(self._place, "it is not open: use it as `async with`")
        if _identity(self._path) != self._identity:  # who opens it now counts in another file
            raise LeasesUnavailable(
                self._place, "its file was removed or replaced: stop all who use it, and start again"
            )
        return self._database

    def _patiently(self, database: sqlite3.Connection) -> None:
        """SQLite does not wait by itself while another process changes how the file is written."""
        until = time.monotonic() + self._timeout
        while True:
            try:
                return self._prepare(database)
            except sqlite3.OperationalError as error:
                database.rollback()
                if not _is_busy(error) or time.monotonic() > until:
                    raise
            time.sleep(_MOMENT)

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN")  # what is read is of one moment
        tables, ours, version = (
            database.execute(each).fetchone()[0]
            for each in ("SELECT count(*) FROM sqlite_master", "PRAGMA application_id", "PRAGMA user_version")
        )
        database.rollback()
        if ours == tables == 0:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)  # somebody else may have been first
            return self._prepare(database)
        if ours != _OURS:
            raise LeasesUnavailable(self._place, "its file is of something else: say another path")
        if version != _VERSION:
            raise LeasesUnavailable(
                self._place,
                f"its file is of version {version}, and not {_VERSION}: update the programs, or say another path",
            )
        database.execute("PRAGMA synchronous = NORMAL")  # what the disk forgets, its machine's start makes void
        return None

    def _keep_time(self, database: sqlite3.Connection, now: float) -> None:
        values = (self._name, self._boot, now)
        database.execute("INSERT OR IGNORE INTO places VALUES (?, 0, ?, ?)", values)
        if self._anew(database, now):
            for table in ("leases", "cooling"):
                database.execute(f"DELETE FROM {table} WHERE place = ?", (self._name,))  # noqa: S608 -- names of ours
            database.execute("UPDATE released SET until = ? WHERE place = ?", (now + self._timeout, self._name))
        leap = "generation + CASE WHEN boot <> ?2 OR seen > ?3 THEN ?4 ELSE 0 END"
        database.execute(
            f"UPDATE places SET generation = {leap}, boot = ?2, seen = ?3 WHERE name = ?1",  # noqa: S608 -- words of ours
            (*values, _LEAP),
        )

    def _anew(self, database: sqlite3.Connection, now: float) -> bool:
        """Whether the machine was started since somebody wrote."""
        row = database.execute("SELECT boot, seen FROM places WHERE name = ?", (self._name,)).fetchone()
        if row is None or now >= row[1] - _SLACK:
            return False
        if row[0] and row[0] == self._boot:
            raise LeasesUnavailable(
                self._place, "processes that use its file have different clocks: let them share one"
            )
        return True

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LeasesUnavailable(self._place, _words(error)) from error
        except OSError as error:
            raise LeasesUnavailable(self._place, f"its file is not to be had: {error.strerror}") from error


def _identity(path: str) -> tuple[int, int]:
    found = Path(path).stat()
    return found.st_dev, found.st_ino


def _words(error: sqlite3.Error) -> str:
    if _is_busy(error):
        return "others write to it, and it was not our turn in time"
    if _name(error).startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return f"its file is damaged, or no database ({error}): move it away, or say another path"
    return str(error)


def _is_busy(error: sqlite3.Error) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))
