"""Who reads the connection: one task that hands each event to all who want it, and one that watches the steps.

Law: what is handed on keeps its order, and marks their places. Who does not take what is handed to him loses his own
only. A connection at rest tells all who wait, and is read on where it goes on. Nothing waits for a receiver.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, final
from weakref import WeakSet

import trio

from lifecycle.errors import ConnectionEnded, ConnectionFailed, LifecycleError
from lifecycle.machine.step import Step
from lifecycle.trio.changes import Changes
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected
from lifecycle.wire.inbox import Discontinuity

from .messages import Messages
from .stream import Stream, size_of

_AT_REST: Final = ("failed", "closed")
_MISSING: Final = ("gap", "overflow")


@final
@ki_protected
class Dispatch:
    """The reader of one connection.

    Args:
        connection: whose messages nobody else takes.

    Attributes:
        last_event: when the last event came, by trio's clock; None before.
    """

    def __init__(self, connection: Connection) -> None:
        self.last_event: float | None = None
        self._last_ready: float | None = None
        self._last_tick: float | None = None
        self._connection = connection
        self._streams: WeakSet[Stream] = WeakSet()
        self._followers: list[Messages] = []
        self._rest: tuple[LifecycleError | None] | None = None
        self._nursery: trio.Nursery | None = None

    def start(self, nursery: trio.Nursery) -> None:
        """Begin to read; not before the connection has begun."""
        self._nursery = nursery
        nursery.start_soon(self._read)
        nursery.start_soon(self._watch, self._connection.changes())

    def stop(self) -> None:
        """It is over: who still waits is told so."""
        self._nursery = None
        self._tell_rest(None)

    def stream(self, family: str | None) -> Stream:
        """A new stream of events; it is forgotten with its user."""
        stream = Stream(self.at_rest, family)
        self._streams.add(stream)
        if self._rest is not None:
            stream.rest(*self._rest)
        return stream

    @property
    def last_ready(self) -> float | None:
        """When it became ready, by trio's clock; None before."""
        return _latest(self._connection, _becomes_ready, self._last_ready)

    @property
    def last_tick(self) -> float | None:
        """When the last tick came, likewise."""
        return _latest(self._connection, _is_tick, self._last_tick)

    # -- for Messages

    def at_rest(self) -> bool:
        """Whether the connection makes no more attempts by itself."""
        return self._connection.status in _AT_REST

    async def history(self, session: str, limit: int) -> Any:
        """Ask for what comes, and for what is there; raises as `Connection.request`."""
        await self._connection.request("sessions.messages.subscribe", {"key": session}, fallback=None)
        return await self._connection.request("chat.history", {"sessionKey": session, "limit": limit})

    def begin(self, messages: Messages) -> None:
        """Run the messages of a session, and tell them what happens.

        Raises:
            ConnectionEnded: the gateway is not open.
        """
        if self._nursery is None:
            raise ConnectionEnded("the gateway is not open: use it as `async with`")
        self._followers.append(messages)
        if self._rest is not None:
            messages.stream.rest(*self._rest)
        self._nursery.start_soon(messages.run)

    def leave(self, messages: Messages) -> None:
        """Tell them nothing more, and the gateway that nobody listens."""
        self._followers.remove(messages)
        if self._connection.status == "ready" and all(each.session != messages.session for each in self._followers):
            with contextlib.suppress(LifecycleError):
                self._connection.ask("sessions.messages.unsubscribe", {"key": messages.session})

    # -- its tasks

    async def _read(self) -> None:
        awake = True
        while awake:
            error: ConnectionFailed | None = None
            try:
                async for message in self._connection:
                    self._hand(message)
            except ConnectionFailed as failed:
                error = failed
            self._tell_rest(error)
            awake = await self._awoken(self._connection.changes())

    async def _awoken(self, steps: Changes) -> bool:
        """Wait until a connection at rest goes on; False if it has ended."""
        while self.at_rest():
            try:
                step = await anext(steps)
            except StopAsyncIteration:
                return False
            if step.status not in _AT_REST:  # it may have come to rest once more: then that is told
                break
        self._rest = None
        for stream in self._all():
            stream.go_on()
        return True

    async def _watch(self, steps: Changes) -> None:
        async for step in steps:
            if _is_tick(step):
                self._last_tick = step.time
            elif _becomes_ready(step):
                self._last_ready = step.time
                for each in self._followers:
                    each.refresh()

    def _hand(self, message: Any) -> None:
        if isinstance(message, Discontinuity):
            for stream in list(self._streams):
                stream.mark(message)
            if message.kind in _MISSING:
                for each in self._followers:
                    each.refresh()
            return
        self.last_event = trio.current_time()
        name, payload = message.get("event"), message.get("payload")
        takers = [stream for stream in list(self._streams) if stream.takes(name)]
        size = size_of(message) if takers else 0
        for stream in takers:
            stream.put(message, size)
        if name == "session.message" and isinstance(payload, Mapping):
            for each in self._followers:
                each.came(payload)

    def _tell_rest(self, error: LifecycleError | None) -> None:
        self._rest = (error,)
        for stream in self._all():
            stream.rest(error)

    def _all(self) -> list[Stream]:
        return [*self._streams, *(each.stream for each in self._followers)]


def _latest(connection: Connection, wanted: Callable[[Step], bool], seen: float | None) -> float | None:
    """The time of the last such step: it may have been taken, and not yet told."""
    return next((step.time for step in reversed(connection.history) if wanted(step)), seen)


def _is_tick(step: Step) -> bool:
    return step.event == "ticked"


def _becomes_ready(step: Step) -> bool:
    return step.status == "ready" != step.status_before
