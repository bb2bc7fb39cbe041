"""The messages of one session: the last hundred, and all that come, each once.

Law: whenever the connection is ready anew, or something may be missing, the gateway is asked for the history, and what
came meanwhile waits for the answer. What could not be made whole is told by a mark. One task a session, in the
gateway's nursery, and not longer than its `async with`.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self, final

import trio

from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    MaybeDelivered,
    NotSent,
    RequestFailed,
    RequestTimeout,
)
from lifecycle.trio.interrupts import ki_protected
from lifecycle.wire.inbox import Discontinuity

from .history import Message, id_of, merge
from .stream import Stream, size_of

KEPT: Final = 100
FETCHED: Final = 200
REMEMBERED: Final = 1000
"""How many messages are known again when they come late."""
TRIES: Final = 5
"""How often a history is asked for again, where the gateway says that it may be."""
SHORTEST: Final = 0.25
LONGEST: Final = 10.0


class Home(Protocol):
    """What the messages of a session need of their gateway."""

    def at_rest(self) -> bool:
        """Whether nothing more comes by itself."""
        ...

    async def history(self, session: str, limit: int) -> Any:
        """Ask for what comes, and for what is there."""
        ...

    def begin(self, messages: "Messages") -> None:
        """Run them, and tell them what happens."""
        ...

    def leave(self, messages: "Messages") -> None:
        """Tell them nothing more."""
        ...


@final
@ki_protected
class Messages:
    """Use it as `async with gateway.messages(session) as messages`, then `async for message in messages`.

    First come those that are there, the last hundred; then each that comes. A `Discontinuity` says where some may be
    missing.

    Attributes:
        session: its key.
        last: the last hundred, oldest first, as the gateway says them.
    """

    def __init__(self, home: Home, session: str) -> None:
        self.session = session
        self.last: tuple[Message, ...] = ()
        self.stream = Stream(home.at_rest)
        self._home = home
        self._lifetime: str | None = None  # a session that was reset begins anew, under the same key
        self._fresh: list[Message] | None = []  # what came while the history is asked for; None while it is known
        self._stale = trio.Event()
        self._stale.set()
        self._scope = trio.CancelScope()
        self._begun = False
        self._tries = 0
        self._told: dict[Any, None] = {}

    async def __aenter__(self) -> Self:
        """Begin; does not wait.

        Raises:
            ConnectionEnded: the gateway is not open, or these have been followed already.
        """
        if self._begun:
            raise ConnectionEnded("messages are followed once: ask the gateway for them again")
        self._home.begin(self)
        self._begun = True
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Stop, and tell the gateway without waiting."""
        self._scope.cancel()
        self._home.leave(self)
        self.stream.end(None)

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Any:
        """The next message or mark; raises and stops as `Stream`."""
        return await anext(self.stream)

    def came(self, payload: Mapping[str, Any]) -> None:
        """A message of a session; told by the gateway."""
        message = payload.get("message")
        if payload.get("sessionKey") != self.session or not isinstance(message, Mapping):
            return
        if self._fresh is None:
            self._add(message)
        elif len(self._fresh) < FETCHED:
            self._fresh.append(message)
        else:  # more than a history holds
            self.refresh()

    def refresh(self) -> None:
        """Something may be missing: ask for the history."""
        self._fresh = []
        self._stale.set()

    async def run(self) -> None:
        """Follow them until they are left; the gateway's task."""
        with self._scope:
            while True:
                await self._stale.wait()
                self._stale = trio.Event()
                try:
                    await self._catch_up()
                except (NotSent, MaybeDelivered, ConnectionFailed, ConnectionEnded):
                    continue  # asked again as soon as it is ready
                except RequestTimeout as error:
                    self._tell_missing(str(error))
                except RequestFailed as error:
                    pause = _pause(error.error)
                    if pause is None:
                        self.stream.end(error)
                        return
                    self._tries += 1
                    if self._tries > TRIES:
                        self._tell_missing(str(error))
                    else:
                        await trio.sleep(pause)
                        self._stale.set()

    async def _catch_up(self) -> None:
        stale = self._stale
        history = await self._home.history(self.session, FETCHED)
        if stale.is_set():  # another history is to be asked for
            return
        fetched, lifetime = _read(history)
        known = self.last
        if lifetime != self._lifetime and self._lifetime is not None:
            known = ()
            self.stream.mark(Discontinuity("lost", why="the session was reset"))
        merged = merge(known, fetched, self._fresh or ())
        self._remember(merged.messages)
        self.last, self._fresh, self._lifetime, self._tries = merged.messages[-KEPT:], None, lifetime, 0
        if not merged.continuous:
            self.stream.mark(Discontinuity("lost", why="the history does not reach back to what was known"))
        for message in merged.new if known else merged.new[-KEPT:]:
            self.stream.put(message, size_of(message))

    def _tell_missing(self, why: str) -> None:
        """The history was not to be had: what came meanwhile is told behind a mark."""
        if self._stale.is_set():
            return
        fresh, self._fresh, self._tries = self._fresh or [], None, 0
        self.stream.mark(Discontinuity("lost", why=why))
        for message in fresh:
            self._add(message)

    def _add(self, message: Message) -> None:
        if id_of(message) in self._told:  # an answer overtakes the events that came before it
            return
        self._remember((message,))
        self.last = (*self.last, message)[-KEPT:]
        self.stream.put(message, size_of(message))

    def _remember(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._told[id_of(message)] = None
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


def _read(history: Any) -> tuple[list[Message], str | None]:
    found = history if isinstance(history, Mapping) else {}
    messages = found.get("messages")
    lifetime = found.get("sessionId")
    rows = [each for each in messages if isinstance(each, Mapping)] if isinstance(messages, list) else []
    return rows, lifetime if isinstance(lifetime, str) else None


def _pause(error: object) -> float | None:
    """Seconds until the history may be asked for again; None if it is refused for good."""
    said = error if isinstance(error, Mapping) else {}
    if said.get("retryable") is not True:
        return None
    asked = said.get("retryAfterMs")
    return min(max(asked / 1000, SHORTEST), LONGEST) if isinstance(asked, int | float) else SHORTEST
