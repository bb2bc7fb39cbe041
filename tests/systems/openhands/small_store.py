"""A store that takes its time, in turns that the seed of a run decides, and can be told to fail."""

import trio

from lifecycle.systems.openhands import EventStore, MemoryEventStore


class Gate:
    """Who passes waits while it is set."""

    def __init__(self) -> None:
        self._open = trio.Event()
        self._open.set()

    def set(self) -> None:
        self._open = trio.Event()

    def clear(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        await self._open.wait()


class SlowStore(EventStore):
    """A memory with waits before and after each access.

    Attributes:
        memory: what is behind it.
        broken: what it raises, instead of writing.
        stuck: whether writing hangs.
    """

    def __init__(self) -> None:
        self.memory = MemoryEventStore()
        self.broken: Exception | None = None
        self.stuck = Gate()

    async def create(self, conversation):
        await self.memory.create(conversation)

    async def append(self, conversation, event):
        await trio.lowlevel.checkpoint()
        if self.broken is not None:
            raise self.broken
        await self.stuck.passed()
        written = await self.memory.append(conversation, event)
        await trio.lowlevel.checkpoint()
        return written

    async def after(self, conversation, id, limit):
        await trio.lowlevel.checkpoint()
        found = await self.memory.after(conversation, id, min(limit, 3))
        await trio.lowlevel.checkpoint()
        return found

    async def last(self, conversation):
        await trio.lowlevel.checkpoint()
        found = await self.memory.last(conversation)
        await trio.lowlevel.checkpoint()
        return found

    async def state(self, conversation):
        found = await self.memory.state(conversation)
        await trio.lowlevel.checkpoint()
        return found


def said(number: int):
    """An event of an agent."""
    return {"source": "agent", "action": "message", "args": {"content": str(number)}}


def state(name: str):
    """An event that tells a state of the agent."""
    return {"source": "environment", "observation": "agent_state_changed", "extras": {"agent_state": name}}
