"""Events in memory: for tests, and for conversations that end with their process.

Law: that of every store. Nothing is forgotten while the store lives.
"""

from collections.abc import Sequence
from typing import final

import trio

from .event import Event, is_state
from .event_store import EventStore


@final
class MemoryEventStore(EventStore):
    """Lists of events, by conversation."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}

    async def create(self, conversation: str) -> None:
        """Make a conversation without events; again is no harm."""
        await trio.lowlevel.checkpoint()
        self._events.setdefault(conversation, [])

    async def append(self, conversation: str, event: Event) -> Event:
        """Add an event; returns it with its id."""
        await trio.lowlevel.checkpoint()
        events = self._of(conversation)
        events.append({**event, "id": len(events)})
        return events[-1]

    async def after(self, conversation: str, id: int, limit: int) -> Sequence[Event]:
        """At most `limit` events after an id."""
        await trio.lowlevel.checkpoint()
        return self._of(conversation)[id + 1 : id + 1 + limit]

    async def last(self, conversation: str) -> int:
        """The id of the last event; -1 if there is none."""
        await trio.lowlevel.checkpoint()
        return len(self._of(conversation)) - 1

    async def state(self, conversation: str) -> Event | None:
        """The last event that tells the agent's state; None if there is none."""
        await trio.lowlevel.checkpoint()
        return next((event for event in reversed(self._of(conversation)) if is_state(event)), None)

    def _of(self, conversation: str) -> list[Event]:
        try:
            return self._events[conversation]
        except KeyError:
            raise FileNotFoundError(conversation) from None
