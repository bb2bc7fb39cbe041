"""One conversation that runs: its agent, its log, and the clients that have joined.

Law: an event is in the log before any client is told of it. An event that cannot be written marks the conversation as
inactive, once; later ones return False, and nothing raises. Whatever ends it, the agent's last state is written first,
and then the clients are told.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

import trio

from lifecycle.trio.interrupts import ki_protected, unprotected

from .event import Event, checked, is_notice, is_users, state_event, state_of, users_event
from .event_log import EventLog
from .reader import Reader

if TYPE_CHECKING:
    from .client import Client

log = logging.getLogger("lifecycle.openhands")
Agent = Callable[["Conversation"], Awaitable[object]]
"""`async def agent(conversation)`: what a conversation does; when it returns, the conversation has stopped."""

GRACE: Final = 2.0
"""Seconds for the last state, and again for clients that are still to be told what is there."""


@final
@ki_protected
class Conversation:
    """What an agent gets: `async for action in conversation.actions`, and `await conversation.emit(event)`.

    Args:
        log: its events.
        user: whose it is.

    Attributes:
        name: its id.
        user, log: as above.
        actions: the events of users, from its start on, for the agent.
        clients: who has joined, by session.
        state: the agent's, as it was last told; `loading` at first.
        updated: when the last event was written, by trio's clock.
        alive: whether events can be written.
        over: set when it has ended.
    """

    def __init__(self, log: EventLog, user: str | None) -> None:
        self.name, self.user, self.log = log.conversation, user, log
        self.actions = Reader(log, is_users)
        self.clients: dict[str, Client] = {}
        self.state = "loading"
        self.updated = trio.current_time()
        self.alive = True
        self.over = trio.Event()
        self._failed = False
        self._turn = trio.Lock()
        self._scope = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # it misreads trio's attrs

    async def emit(self, event: Event) -> bool:
        """Write an event, for all clients; a status or an error is told to those who are there.

        Returns:
            Whether it was written; False if the conversation has ended.

        Raises:
            TypeError, ValueError: it is no event that JSON can write.
        """
        if not is_notice(checked(event)):
            return await self._write(event)
        if self.alive:
            for client in self.clients.values():
                client.notice(event)
        return self.alive

    async def act(self, action: object) -> bool:
        """Write what a user does, for the agent and for all clients; as `emit`.

        Args:
            action: of it `action` and `args` are taken, and nothing else.

        Raises:
            TypeError, ValueError: it is no action that can be written; the words may be told to the user.
        """
        event = checked(users_event(action))
        await self.actions.begun.wait()
        return await self._write(event)

    def idle(self, since: float) -> bool:
        """Whether it has done nothing since a time, is not running, and has no client."""
        return self.updated <= since and self.state != "running" and not self.clients

    def stop(self) -> None:
        """End it: the agent is cancelled, and its last state is `stopped`. Again is no harm."""
        self.alive = False
        self._scope.cancel()

    def evict(self, why: str) -> None:
        """End it for another one: its clients are told first."""
        for client in self.clients.values():
            client.dismiss("evicted", why=why)
        self.stop()

    async def run(self, agent: Agent) -> None:
        """Run the agent until it returns, fails or is stopped; whatever it raises is logged."""
        last, why = "stopped", ""
        try:
            with self._scope:
                self.actions.begin(await self.log.last())
                await unprotected(agent(self))
        except Exception:
            log.exception("%s: the agent has failed", self.name)
            last, why = "error", "The agent has failed."
        finally:
            self.alive = False
            with trio.CancelScope(deadline=trio.current_time() + GRACE, shield=True) as scope:
                await self._write(state_event(last, why), last=True)
            if scope.cancelled_caught:
                log.warning("%s: its last state was not written within %g s", self.name, GRACE)
            self._end()
            self.over.set()

    async def _write(self, event: Event, *, last: bool = False) -> bool:
        async with self._turn:  # in the order of the calls, and nothing behind the last
            if not (self.alive or last):
                return False
            try:
                written = await self.log.append(event)
            except Exception:
                if not self._failed:
                    log.exception("%s: an event was not written: the conversation ends", self.name)
                self.alive, self._failed = False, True
                self._end()
                return False
            self.state = state_of(written) or self.state
            self.updated = trio.current_time()
            return True

    def _end(self) -> None:
        """Nothing more is written: who reads is told so, behind what is there."""
        self.actions.begun.set()
        self.actions.close()
        for client in self.clients.values():
            client.dismiss("stopped", within=GRACE)
