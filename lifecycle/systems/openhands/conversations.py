"""The conversations of one server: which of them run, for whom, and who has joined.

Law: a user never has more than `max_concurrent` at once: one more ends the one that was used least recently, and starts
when that has ended. One conversation runs once at a time. Nothing outlives the `async with`.
"""

import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, final
from weakref import WeakValueDictionary

import trio

from lifecycle.errors import ConnectionEnded
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected

from .client import Client
from .conversation import Agent, Conversation
from .event import Event
from .event_log import EventLog
from .event_store import EventStore
from .memory_event_store import MemoryEventStore
from .reader import Reader

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

SWEEP: Final = 15.0
"""Seconds between two looks for conversations that nobody uses."""
EVICTED: Final = "Too many conversations at once: the one that was used least recently was closed."


@final
@ki_protected
class Conversations:
    """Use it as `async with Conversations(agent, store) as conversations`.

    Args:
        agent: `async def agent(conversation)`, called for each conversation that starts.
        store: where the events are; by default in memory.
        max_concurrent: how many may run at once for one user, 1 or more.
        close_delay: seconds after which a conversation is closed that does nothing, is not running and has no client.

    Attributes:
        store: as above.

    Raises:
        ValueError: a number is none that can be.
    """

    def __init__(
        self,
        agent: Agent,
        store: EventStore | None = None,
        *,
        max_concurrent: int = 3,
        close_delay: float = 3600.0,
    ) -> None:
        if max_concurrent < 1 or not close_delay > 0:
            raise ValueError("`max_concurrent` must be 1 or more, and `close_delay` a number of seconds above 0")
        self.store: EventStore = MemoryEventStore() if store is None else store
        self._agent, self._most, self._delay = agent, max_concurrent, close_delay
        self._logs: WeakValueDictionary[str, EventLog] = WeakValueDictionary()
        self._all: dict[str, Conversation] = {}
        self._sessions: dict[str, Client] = {}
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None

    # -- conversations

    @property
    def running(self) -> tuple[Conversation, ...]:
        """Those that run, in the order of their start."""
        return tuple(each for each in self._all.values() if each.alive)

    def get(self, name: str) -> Conversation | None:
        """A conversation by its id; None if it does not run."""
        found = self._all.get(name)
        return found if found is not None and found.alive else None

    async def start(self, name: str, user: str | None = None) -> Conversation:
        """Start a conversation, unless it runs.

        Args:
            name: its id; it must be in the store.
            user: whose it is.

        Raises:
            FileNotFoundError: it is not in the store.
            ConnectionEnded: this is not open.
        """
        log = self._log(name)
        await log.last()
        while self._nursery is not None:
            there = self.get(name)
            if there is not None:
                return there
            other = self._all.get(name) or self._in_the_way(user)
            if other is None:
                conversation = self._all[name] = Conversation(log, user)
                self._nursery.start_soon(self._run, conversation)
                return conversation
            other.stop()
            await other.over.wait()
        raise ConnectionEnded("the conversations are not open: use them as `async with`")

    async def stop(self, name: str) -> None:
        """Stop a conversation, if it runs: the agent is `stopped`, then its clients are told, and it has ended."""
        found = self._all.get(name)
        if found is not None:
            found.stop()
            await found.over.wait()

    async def emit(self, name: str, event: Event) -> bool:
        """Write an event of a conversation; False if it does not run. Raises as `Conversation.emit`."""
        found = self.get(name)
        return found is not None and await found.emit(event)

    async def act(self, name: str, action: object) -> bool:
        """Write what a user does in a conversation; False if it does not run. Raises as `Conversation.act`."""
        found = self.get(name)
        return found is not None and await found.act(action)

    # -- clients

    async def open(self, name: str) -> Reader:
        """A client's place in the log of a conversation, whether it runs or not.

        Raises:
            FileNotFoundError: it is not in the store.
        """
        log = self._log(name)
        await log.last()
        return Reader(log)

    async def join(self, name: str, user: str | None = None) -> Client:
        """Join a conversation, and start it if it does not run; raises as `start`."""
        conversation = await self.start(name, user)
        # who is cancelled here has not joined; whoever has joined returns without another switch of tasks
        await trio.lowlevel.checkpoint_if_cancelled()
        client = Client(uuid.uuid4().hex, conversation)
        self._sessions[client.session] = conversation.clients[client.session] = client
        return client

    def client(self, session: str) -> Client | None:
        """Who has joined under a session; None if he has left."""
        return self._sessions.get(session)

    def leave(self, session: str) -> None:
        """A client has gone; again is no harm."""
        client = self._sessions.pop(session, None)
        if client is not None:
            del client.conversation.clients[session]

    # -- its life

    async def __aenter__(self) -> Self:
        """Begin."""
        self._manager = trio.open_nursery()  # made here, for it needs a running trio
        self._nursery = await self._manager.__aenter__()
        self._nursery.start_soon(self._sweep)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop all that run; the body's own exception leaves as it is."""
        assert self._manager is not None and self._nursery is not None  # noqa: S101, PT018 -- it was entered
        nursery, self._nursery = self._nursery, None
        nursery.cancel_scope.cancel()
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseException as raised:  # noqa: BLE001 -- a cancellation from outside; the body's own comes first
            if error is None:
                raise alone(raised) from None

    async def _run(self, conversation: Conversation) -> None:
        try:
            await conversation.run(self._agent)
        finally:
            del self._all[conversation.name]

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP)
            for conversation in self.running:
                if conversation.idle(trio.current_time() - self._delay):
                    conversation.stop()

    def _log(self, name: str) -> EventLog:
        return self._logs.setdefault(name, EventLog(self.store, name))

    def _in_the_way(self, user: str | None) -> Conversation | None:
        """Which conversation has to end before this user may have one more, if any."""
        held = [each for each in self._all.values() if each.user == user]
        if len(held) < self._most:
            return None
        ending = next((each for each in held if not each.alive), None)
        if ending is None:
            ending = min(held, key=lambda each: each.updated)
            ending.evict(EVICTED)
        return ending
