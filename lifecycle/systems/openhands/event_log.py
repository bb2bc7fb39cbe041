"""The events of one conversation in its store, and who waits for the next one.

Law: who has looked, found nothing and waits is woken by whatever was added since he looked, also while he looked; by
another process too, if the store can tell.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, final

import trio

from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.parking import Parking

from .event import Event
from .event_store import EventStore

log = logging.getLogger("lifecycle.openhands")
BATCH: Final = 128
"""How many events are read at once."""
PAUSE: Final = 1.0
"""Seconds after which a store that failed is waited for again."""


@final
@ki_protected
class EventLog:
    """One conversation in a store; all who read and write it in this process share it.

    Args:
        store: where it is kept.
        conversation: which one.

    Attributes:
        conversation: as above.
        version: how often something has changed; what to compare after looking.
        latest: the highest id that is known to be there; -1 if none is.
    """

    def __init__(self, store: EventStore, conversation: str) -> None:
        self.conversation = conversation
        self.version, self.latest = 0, -1
        self._store = store
        self._changed = Parking()
        self._shared = type(store).wait is not EventStore.wait
        self._watched = False

    async def append(self, event: Event) -> Event:
        """Add an event; without a `timestamp` it gets one.

        Args:
            event: one that `checked` has let through.

        Returns:
            The event with its id. What the store raises is raised as it is.
        """
        stamped = {"timestamp": datetime.now(UTC).isoformat(), **event}
        try:
            written = await self._store.append(self.conversation, stamped)
            self.latest = max(self.latest, written["id"])
        finally:
            self.touch()  # also if it is cancelled: it may be written
        return written

    async def after(self, id: int) -> Sequence[Event]:
        """The next events after an id; at most 128."""
        found = await self._store.after(self.conversation, id, BATCH)
        if found:
            self.latest = max(self.latest, found[-1]["id"])
        return found

    async def last(self) -> int:
        """The id of the last event; -1 if there is none. Raises FileNotFoundError."""
        self.latest = max(self.latest, await self._store.last(self.conversation))
        return self.latest

    async def state(self) -> Event | None:
        """The last event that tells the agent's state."""
        return await self._store.state(self.conversation)

    def touch(self) -> None:
        """Something has changed: who waits looks again."""
        self.version += 1
        self._changed.wake()

    async def changed(self, seen: int) -> None:
        """Wait until the version is another one than it was before looking."""
        while self.version == seen:
            if self._shared and not self._watched:
                await self._watch()
            else:
                await self._changed.wait()

    async def _watch(self) -> None:
        """Wait, and meanwhile look for all who wait whether another process has written."""
        self._watched = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look)
                await self._changed.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._watched = False
            self._changed.wake()  # somebody else looks now

    async def _look(self) -> None:
        failed = False
        while True:
            try:
                await self._store.wait(self.conversation, self.latest)
                await self.last()
            except Exception:
                if not failed:
                    log.exception("%s: events of other processes are not heard of for now", self.conversation)
                failed = True
                await trio.sleep(PAUSE)
            else:
                self.touch()
                await trio.sleep_forever()  # who waits has been woken, and ends this
