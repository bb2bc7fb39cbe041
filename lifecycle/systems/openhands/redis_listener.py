"""Who waits for events of other processes in a Redis server: one request that waits, for all of them.

Law: whoever waits is woken by whatever was added behind the id that he knows, or told that the server is out of reach;
each request of ours waits for a part of a second only.
"""

from collections.abc import Callable
from typing import Final, final

import attrs
import trio

from lifecycle.registry.redis.server import Server
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.parking import Parking

from .events_unavailable import EventsUnavailable

BLOCK: Final = 0.25
"""Seconds for which the server is asked to wait: so long, at most, one conversation more is not yet looked at."""
PAUSE: Final = 0.5
"""Seconds until a server that failed is asked again."""
_ROUNDS: Final = 2


@attrs.define(eq=False)
class _Watch:
    """One conversation: the last id that is known, who waits, and for how many rounds nobody has."""

    at: int
    idle: int = 0
    waiting: Parking = attrs.field(factory=Parking)


@final
@ki_protected
class RedisListener:
    """Waits on a connection of its own, for as long as `run` runs.

    Args:
        server: that connection.
        key: of a conversation's stream.
        block: seconds, as above.
    """

    def __init__(self, server: Server, key: Callable[[str], str], block: float = BLOCK) -> None:
        self._server, self._key, self._block = server, key, block
        self._watches: dict[str, _Watch] = {}
        self._wanted = trio.Event()

    async def wait(self, conversation: str, id: int) -> None:
        """Return when there may be an event after an id.

        Raises:
            EventsUnavailable: the server is out of reach.
        """
        watch = self._watches.setdefault(conversation, _Watch(id))
        watch.idle = 0
        if watch.at <= id:
            watch.at = id
            self._wanted.set()
            await watch.waiting.wait()

    async def run(self) -> None:
        """Listen, for ever."""
        while True:
            await self._wanted.wait()
            self._tidy()
            if not self._watches:
                self._wanted = trio.Event()
                continue
            try:
                await self._look()
            except EventsUnavailable as error:
                watches, self._watches = self._watches, {}
                for watch in watches.values():
                    watch.waiting.fail(lambda error=error: EventsUnavailable(error.place, error.how))  # type: ignore[misc]
                await trio.sleep(PAUSE)

    async def _look(self) -> None:
        names = {self._key(name).encode(): name for name in self._watches}
        since = [f"{max(watch.at, 0)}-{'1' if watch.at >= 0 else '0'}" for watch in self._watches.values()]
        block = ("BLOCK", max(1, int(self._block * 1000)))
        found = await self._server.call("XREAD", "COUNT", 1, *block, "STREAMS", *names, *since)
        for key, entries in (found or {}).items():
            watch = self._watches[names[key]]
            watch.at = max(watch.at, int(bytes(entries[-1][0]).partition(b"-")[0]))
            watch.waiting.wake()

    def _tidy(self) -> None:
        """Forget those that nobody has waited for lately; who reads comes back at once."""
        for name, watch in tuple(self._watches.items()):
            watch.idle = 0 if len(watch.waiting) else watch.idle + 1
            if watch.idle > _ROUNDS:
                del self._watches[name]
