"""What a session's connection does, as events: one task reads its messages, one watches its steps.

Law: steps and messages are told in the order in which they happened. What a step means is read from its states and
from what its page emits. A connection at rest is watched on. An answer goes to whom it is to before it is told.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, final

import trio

from lifecycle.errors import ConnectionFailed, NotReady
from lifecycle.machine.step import Step
from lifecycle.trio.changes import Changes
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected
from lifecycle.wire.inbox import Discontinuity

from .disconnect_reason import DisconnectReason
from .envelope import message_of
from .event import (
    AgentState,
    BotReady,
    Connected,
    ContextLow,
    Disconnected,
    GaveUp,
    ServerResponse,
    StateChanged,
    Trouble,
    event_of,
)
from .responses import Responses
from .room_error import RoomRefused
from .steps import Row, Steps

AT_REST: Final = ("failed", "closed")
_UP: Final = "online.up."
_ACTIVE: Final = (
    (f"{_UP}ready.speaking.active", AgentState.SPEAKING),
    (f"{_UP}ready.listening.active", AgentState.LISTENING),
    (f"{_UP}ready.thinking.active", AgentState.THINKING),
)
_WISHES: Final = ("connect", "disconnect", "reconnect")
_CLOSED: Final = ("lost.signal", "lost.room.gone", "lost.server_error")
"""A transport that was closed by a frame."""


def is_connected(states: Iterable[str]) -> bool:
    """Whether there is a transport, and no goodbye was said."""
    return any(path.startswith(_UP) for path in states)


def agent_state(states: tuple[str, ...]) -> AgentState:
    """What the character does, by the priority of `AgentState`."""
    if not is_connected(states):
        return AgentState.DISCONNECTED
    return next((state for path, state in _ACTIVE if path in states), AgentState.CONNECTED)


@final
@ki_protected
class Telling:
    """The eyes and ears of one session.

    Args:
        connection: whose messages nobody else takes.
        steps: its steps.
        tell: is given each event.
        responses: are given each answer.

    Attributes:
        reason: why the last session has ended.
    """

    def __init__(
        self, connection: Connection, steps: Steps, tell: Callable[[object], None], responses: Responses
    ) -> None:
        self.reason: DisconnectReason | float | None = None
        self._connection, self._steps, self._tell, self._responses = connection, steps, tell, responses
        self._state = AgentState.DISCONNECTED
        self._taken = 0

    def start(self, nursery: trio.Nursery) -> None:
        """Begin; what has happened already is in the steps."""
        nursery.start_soon(self._read)
        nursery.start_soon(self._watch)

    def finish(self) -> None:
        """It is over: tell what is left of the steps."""
        for row in self._steps.until(None):
            self._stepped(row)

    async def _read(self) -> None:
        awake = True
        while awake:
            try:
                async for message in self._connection:
                    self._took(message)
            except ConnectionFailed:
                pass  # told by its step
            awake = await self._awoken(self._connection.changes())

    async def _awoken(self, changes: Changes) -> bool:
        """Wait until a connection at rest goes on; False if it has ended."""
        while self._connection.status in AT_REST:
            try:
                await anext(changes)
            except StopAsyncIteration:
                return False
        return True

    def _took(self, value: Any) -> None:
        self._catch_up()
        if isinstance(value, Discontinuity):
            self._tell(value)
            return
        self._taken += 1
        message = message_of(value)
        event = event_of(message)
        if isinstance(event, ServerResponse):
            self._responses.came(event)
        self._tell(message)
        if event is not None:
            self._tell(event)
        self._catch_up()

    async def _watch(self) -> None:
        while not self._steps.over:
            self._catch_up()
            await self._steps.parked.wait()

    def _catch_up(self) -> None:
        """Tell the steps whose messages were told."""
        for row in self._steps.until(self._taken + self._connection.counters.dropped):
            self._stepped(row)

    def _stepped(self, row: Row) -> None:
        step = row.step
        if step.status_before == "ready" != step.status:
            self._responses.lost(step.epoch)
        if step.event == "failed.asking":
            self._tell(Trouble(_refused(row)))
        if "bot_not_ready" in step.emitted:
            self._tell(Trouble(NotReady("the bot did not become ready in time", cause=self._connection.why)))
        if "disconnected" in step.emitted:
            self.reason = _reason(step)
            self._tell(Disconnected(self.reason, retries=step.status not in (*AT_REST, "closing")))
        if is_connected(step.after) and not is_connected(step.before):
            self._tell(Connected())
        if step.status == "ready" != step.status_before:
            self._tell(BotReady(resumed=step.event == "opened"))
        if "context_low" in step.emitted:
            self._tell(ContextLow(step.emitted["context_low"]["left"]))
        if (state := agent_state(step.after)) != self._state:
            self._state = state
            self._tell(StateChanged(state))
        if step.status == "failed" != step.status_before:
            self._tell(GaveUp(step.say or step.cause))


def _refused(row: Row) -> RoomRefused:
    """Why there is no room, as the call has said it."""
    told = row.fields
    return RoomRefused(
        told["message"] or told["code"], kind=told["code"], status=told["status"], retry_after=told["retry_after"]
    )


def _reason(step: Step) -> DisconnectReason | float | None:
    """LiveKit's reason for an end: the one that was told, else what an end without one looks like."""
    told = step.emitted["disconnected"]["reason"]
    if told is not None:
        return next((each for each in DisconnectReason if each == told), told)
    if step.event in _WISHES:
        return DisconnectReason.CLIENT_INITIATED
    if step.event in _CLOSED:
        return DisconnectReason.SIGNAL_CLOSE
    return None if step.event == "removed.unknown" else DisconnectReason.UNKNOWN_REASON
