"""Events in a file of SQLite: what `append` has returned outlives the process, and the machine's power.

Law: that of every store, for all processes of one machine that open the file. What is asked for at the same moment is
written at once. Nobody waits longer for another process's lock than the time that was given.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeVar, final

import attrs
import trio

from .event import Event
from .event_store import EventStore
from .events_unavailable import EventsUnavailable

T = TypeVar("T")
LOOK: Final = 0.25
"""Seconds between two looks whether another process has written."""
_STATE: Final = "json_extract(event, '$.observation') = 'agent_state_changed'"
_TABLES: Final = f"""
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS conversations (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS events (conversation TEXT, id INTEGER, event TEXT, PRIMARY KEY (conversation, id));
CREATE INDEX IF NOT EXISTS states ON events (conversation, id) WHERE {_STATE};
"""
_WRITE: Final = "it cannot be written: look at the disk and at the rights of the file"


@attrs.define(eq=False)
class _Job:
    """One event that is to be written, as JSON; and its id, or why it has none."""

    conversation: str
    text: str
    id: int | None = None
    error: Exception | None = None


@final
class SqliteEventStore(EventStore):
    """Use it as `async with SqliteEventStore("events.db") as store`.

    Args:
        path: of the file; it is made if it is not there, its folder is not.
        timeout: seconds to wait for a file that another process writes, above 0.

    Attributes:
        place: `sqlite:` and the path.

    Raises:
        ValueError: `timeout` is not above 0.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 5.0) -> None:
        if not timeout > 0:
            raise ValueError("`timeout` must be a number of seconds above 0")
        self._path, self._timeout = os.fspath(path), timeout
        self.place = f"sqlite:{self._path}"
        self._database: sqlite3.Connection | None = None
        self._turn = trio.Lock()
        self._jobs: list[_Job] = []
        self._ours = 0  # commits of this object, which its own `data_version` does not count
        self._seen, self._seen_at = (0, 0), -LOOK

    async def __aenter__(self) -> Self:
        """Open the file. Raises EventsUnavailable."""
        self._database = await trio.to_thread.run_sync(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, when what is being written is written."""
        with trio.CancelScope(shield=True):
            async with self._turn:
                database, self._database = self._database, None
                if database is not None:
                    await trio.to_thread.run_sync(database.close)

    async def create(self, conversation: str) -> None:
        """Make a conversation without events; again is no harm."""

        def create(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR IGNORE INTO conversations VALUES (?)", [conversation])

        await self._do(create)

    async def append(self, conversation: str, event: Event) -> Event:
        """Add an event; returns it with its id. Raises FileNotFoundError or EventsUnavailable."""
        job = _Job(conversation, json.dumps(dict(event), allow_nan=False))
        self._jobs.append(job)
        try:
            async with self._turn:
                if job in self._jobs:
                    await self._write_all()
        finally:
            if job in self._jobs:  # nobody has begun with it, and nobody shall
                self._jobs.remove(job)
        if job.error is not None:
            raise job.error
        return {**event, "id": job.id}

    async def after(self, conversation: str, id: int, limit: int) -> Sequence[Event]:
        """At most `limit` events after an id. Raises FileNotFoundError or EventsUnavailable."""
        return await self._of(
            conversation, lambda database: _events(database, "id > ? ORDER BY id LIMIT ?", conversation, id, limit)
        )

    async def last(self, conversation: str) -> int:
        """The id of the last event; -1 if there is none. Raises FileNotFoundError or EventsUnavailable."""
        return await self._of(conversation, lambda database: _last(database, conversation))

    async def state(self, conversation: str) -> Event | None:
        """The last event that tells the agent's state. Raises FileNotFoundError or EventsUnavailable."""
        found = await self._of(
            conversation, lambda database: _events(database, f"{_STATE} ORDER BY id DESC LIMIT 1", conversation)
        )
        return found[0] if found else None

    async def wait(self, conversation: str, id: int) -> None:
        """Return when there is an event after an id; looked for four times a second."""
        while True:
            seen = await self._version()
            if await self.last(conversation) > id:
                return
            while await self._version() == seen:  # noqa: ASYNC110 -- SQLite tells nobody
                await trio.sleep(LOOK)

    # -- inside

    async def _version(self) -> tuple[int, int]:
        """Another one whenever somebody has written; all who wait share a look."""
        if trio.current_time() >= self._seen_at + LOOK or self._seen[1] != self._ours:
            self._seen_at, ours = trio.current_time(), self._ours  # first, so that others do not look, too
            (version,) = await self._do(lambda database: database.execute("PRAGMA data_version").fetchone())
            self._seen = version, ours
        return self._seen

    async def _write_all(self) -> None:
        jobs, self._jobs = self._jobs, []
        try:
            await self._run(lambda database: _write(database, jobs))
        except EventsUnavailable as error:
            for job in jobs:
                job.id, job.error = None, EventsUnavailable(self.place, error.how)
        self._ours += 1

    async def _of(self, conversation: str, do: Callable[[sqlite3.Connection], T]) -> T:
        def done(database: sqlite3.Connection) -> T:
            if not _is_there(database, conversation):
                raise FileNotFoundError(conversation)
            return do(database)

        return await self._do(done)

    async def _do(self, do: Callable[[sqlite3.Connection], T]) -> T:
        async with self._turn:
            return await self._run(do)

    async def _run(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in a thread; whoever calls has the turn."""
        database = self._database
        if database is None:
            raise EventsUnavailable(self.place, "it is not open: use it as `async with`")
        try:
            return await trio.to_thread.run_sync(do, database)
        except sqlite3.Error as error:
            raise EventsUnavailable(self.place, self._why(error)) from error

    def _open(self) -> sqlite3.Connection:
        database = None
        try:
            database = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
            with suppress(sqlite3.OperationalError):  # somebody else is just doing it, or the file system cannot
                database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLES)
        except sqlite3.Error as error:
            if database is not None:
                database.close()
            raise EventsUnavailable(self.place, self._why(error)) from error
        return database

    def _why(self, error: sqlite3.Error) -> str:
        said = str(error)
        match getattr(error, "sqlite_errorname", "").split("_")[1:2]:
            case ["BUSY" | "LOCKED"]:
                return f"another process has kept it locked for more than {self._timeout:g} s: try again"
            case ["CANTOPEN"]:
                return "it cannot be opened: is its folder there, and may it be written?"
            case ["NOTADB" | "CORRUPT"]:
                return f"it is no database, or a broken one ({said}): choose another path, or restore it"
            case ["FULL" | "IOERR" | "READONLY"]:
                return f"{_WRITE} ({said})"
        return f"SQLite says: {said}"


def _write(database: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
    """Write events in one step, each with its id; who else writes to the file chooses his ids after us."""
    database.execute("BEGIN IMMEDIATE")
    try:
        for job in jobs:
            if _is_there(database, job.conversation):
                job.id = _last(database, job.conversation) + 1
                database.execute("INSERT INTO events VALUES (?, ?, ?)", (job.conversation, job.id, job.text))
            else:
                job.error = FileNotFoundError(job.conversation)
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # when the disk is full, SQLite has done so itself
            database.execute("ROLLBACK")
        raise


def _is_there(database: sqlite3.Connection, conversation: str) -> bool:
    return database.execute("SELECT 1 FROM conversations WHERE name = ?", [conversation]).fetchone() is not None


def _last(database: sqlite3.Connection, conversation: str) -> int:
    highest = "SELECT coalesce(max(id), -1) FROM events WHERE conversation = ?"
    return int(database.execute(highest, [conversation]).fetchone()[0])


def _events(database: sqlite3.Connection, rest: str, conversation: str, *values: object) -> list[Event]:
    wanted = f"SELECT event, id FROM events WHERE conversation = ? AND {rest}"  # noqa: S608 -- words of ours
    return [{**json.loads(event), "id": id} for event, id in database.execute(wanted, (conversation, *values))]
