"""Events in a Redis or Valkey server, one stream for each conversation: for servers on many machines.

Law: that of every store, as far as the server keeps what it has said yes to: with `appendonly yes` and `appendfsync
always` it does, by default it may forget the last second when it falls. Nothing is ever removed; to forget a
conversation is to delete its two keys.
"""

import json
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, final

from lifecycle.registry.redis.address import address
from lifecycle.registry.redis.server import Script, Server, Word

from .event import Event, is_state
from .event_store import EventStore
from .events_unavailable import EventsUnavailable
from .redis_listener import BLOCK, RedisListener

# KEYS: a hash with `next`, the id of the next event, and `state`, that of the last one that tells the agent's state;
# and the stream, whose entry `7-1` is the event 7
_CREATE: Final = Script(r"""
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
redis.call('HSETNX', KEYS[1], 'next', last and tonumber(string.match(last[1], '^%d+')) + 1 or 0)
return 0
""")
_APPEND: Final = Script(r"""
local id = redis.call('HGET', KEYS[1], 'next')
if not id then return -1 end
redis.call('XADD', KEYS[2], id .. '-1', 'event', ARGV[3])
redis.call('HSET', KEYS[1], 'next', string.format('%.0f', id + 1))
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'state', id) end
return tonumber(id)
""")
_LAST: Final = Script(r"""
return tonumber(redis.call('HGET', KEYS[1], 'next') or '-1') - 1
""")
_AFTER: Final = Script(r"""
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
return redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])
""")
_AGENTS: Final = Script(r"""
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local id = redis.call('HGET', KEYS[1], 'state')
return id and redis.call('XRANGE', KEYS[2], id .. '-1', id .. '-1') or {}
""")


@final
class RedisEventStore(EventStore):
    """Use it as `async with RedisEventStore("redis://127.0.0.1/0") as store`. Needs the extra `redis`.

    It has two connections: one for what is asked, one that waits for events of other processes.

    Args:
        url: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS.
        name: of the store; its keys begin with `lifecycle:{name}:`, so a cluster has them on one server.
        timeout: seconds for each request, above 0.
        tls: for `rediss`; by default the system's certificates are trusted.

    Attributes:
        place: the URL without credentials.

    Raises:
        ValueError: the URL, the name or the time is none; on entering, ModuleNotFoundError without the extra.
    """

    def __init__(
        self, url: str, *, name: str = "conversations", timeout: float = 5.0, tls: ssl.SSLContext | None = None
    ) -> None:
        if not name or not name.isprintable() or set(name) & set("{}"):
            raise ValueError("`name` must be a text with letters, and without `{` and `}`")
        where = address(url)
        self.place = where.place
        self._name = name
        self._server = Server(where, timeout=timeout, fail=EventsUnavailable, tls=tls)
        self._waiting = Server(where, timeout=timeout, fail=EventsUnavailable, tls=tls)
        self._listener = RedisListener(self._waiting, self._stream, min(BLOCK, timeout / 2))
        self._open: AsyncExitStack | None = None

    def __repr__(self) -> str:
        return f"RedisEventStore({self.place!r}, name={self._name!r})"

    async def __aenter__(self) -> Self:
        """Connect. Raises EventsUnavailable."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._server)
            await stack.enter_async_context(self._waiting)
            await self._server.call("PING")
            self._waiting.start_soon(self._listener.run)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self._open is not None:
            stack, self._open = self._open, None
            await stack.__aexit__(kind, error, traceback)

    async def create(self, conversation: str) -> None:
        """Make a conversation without events; again is no harm."""
        await self._run(_CREATE, conversation)

    async def append(self, conversation: str, event: Event) -> Event:
        """Add an event; returns it with its id. Raises FileNotFoundError or EventsUnavailable."""
        text = json.dumps(dict(event), allow_nan=False)
        id = _found(conversation, await self._run(_APPEND, conversation, text, int(is_state(event))))
        return {**event, "id": id}

    async def after(self, conversation: str, id: int, limit: int) -> Sequence[Event]:
        """At most `limit` events after an id. Raises FileNotFoundError or EventsUnavailable."""
        return _events(_found(conversation, await self._run(_AFTER, conversation, max(id + 1, 0), limit)))

    async def last(self, conversation: str) -> int:
        """The id of the last event; -1 if there is none. Raises FileNotFoundError or EventsUnavailable."""
        last = int(await self._run(_LAST, conversation))
        if last < -1:
            raise FileNotFoundError(conversation)
        return last

    async def state(self, conversation: str) -> Event | None:
        """The last event that tells the agent's state. Raises FileNotFoundError or EventsUnavailable."""
        found = _events(_found(conversation, await self._run(_AGENTS, conversation)))
        return found[0] if found else None

    async def wait(self, conversation: str, id: int) -> None:
        """Return when there is an event after an id; raises EventsUnavailable if the server is out of reach."""
        await self._listener.wait(conversation, id)

    def _stream(self, conversation: str) -> str:
        return f"lifecycle:{{{self._name}}}:events:{conversation}"

    async def _run(self, script: Script, conversation: str, *words: Word) -> Any:
        keys = (f"lifecycle:{{{self._name}}}:conversation:{conversation}", self._stream(conversation))
        return await self._server.run(script, keys, *words)


def _found(conversation: str, answer: Any) -> Any:
    if answer == -1:
        raise FileNotFoundError(conversation)
    return answer


def _events(entries: Sequence[Any]) -> list[Event]:
    """Entries are `[b"7-1", [b"event", JSON]]`."""
    return [{**json.loads(fields[1]), "id": int(bytes(key).partition(b"-")[0])} for key, fields in entries]
