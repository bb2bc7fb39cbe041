"""Events of conversations in a file of SQLite: what `append` has returned outlives the process."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import trio

from lifecycle.systems.openhands import Event, EventStore

TABLES = """
CREATE TABLE IF NOT EXISTS conversations (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS events (conversation TEXT, id INTEGER, event TEXT, PRIMARY KEY (conversation, id));
"""
STATE = "json_extract(event, '$.observation') = 'agent_state_changed'"


class SqliteEventStore(EventStore):
    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(TABLES)
        self._turn = trio.CapacityLimiter(1)  # one thread at a time

    def close(self) -> None:
        self._database.close()

    async def create(self, conversation: str) -> None:
        def create() -> None:
            with self._database:
                self._database.execute("INSERT OR IGNORE INTO conversations VALUES (?)", [conversation])

        await trio.to_thread.run_sync(create, limiter=self._turn)

    async def append(self, conversation: str, event: Event) -> Event:
        def append() -> Event:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")  # who else writes to the file chooses his id after us
                written = {**event, "id": self._last(conversation) + 1}
                values = [conversation, written["id"], json.dumps(written)]
                self._database.execute("INSERT INTO events VALUES (?, ?, ?)", values)
            return written

        return await self._of(conversation, append)

    async def after(self, conversation: str, id: int, limit: int) -> Sequence[Event]:
        return await self._of(conversation, lambda: self._events(conversation, f"id > {id} ORDER BY id LIMIT {limit}"))

    async def last(self, conversation: str) -> int:
        return await self._of(conversation, lambda: self._last(conversation))

    async def state(self, conversation: str) -> Event | None:
        found = await self._of(conversation, lambda: self._events(conversation, f"{STATE} ORDER BY id DESC LIMIT 1"))
        return found[0] if found else None

    async def _of(self, conversation: str, do: Callable[[], Any]) -> Any:
        def done() -> Any:
            known = "SELECT 1 FROM conversations WHERE name = ?"
            if self._database.execute(known, [conversation]).fetchone() is None:
                raise FileNotFoundError(conversation)
            return do()

        return await trio.to_thread.run_sync(done, limiter=self._turn)

    def _last(self, conversation: str) -> int:
        highest = "SELECT coalesce(max(id), -1) FROM events WHERE conversation = ?"
        return self._database.execute(highest, [conversation]).fetchone()[0]

    def _events(self, conversation: str, rest: str) -> list[Event]:
        wanted = f"SELECT event FROM events WHERE conversation = ? AND {rest}"  # noqa: S608 -- numbers, and words of ours
        return [json.loads(event) for (event,) in self._database.execute(wanted, [conversation])]
