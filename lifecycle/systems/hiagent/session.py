"""A session with a digital human, as a program uses it: states, wishes, and what is asked of the operator.

Law: the page is the lifecycle; here stand methods and names. Whatever ends the body, the slot is given back: a body
that is cancelled leaves the page no time for that, so it is done behind it, within a bound. Nothing here ends the
sessions of others.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, final

import attrs
import trio

from lifecycle.errors import CallFailed, ConnectionEnded, ConnectionFailed, IllegalEvent
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected

from .answers import Joined
from .backend import Backend
from .calls import HiagentCalls

log = logging.getLogger("lifecycle.hiagent")
GOODBYE: Final = 10.0
"""Seconds that giving back the slot of a cancelled body may take."""
_OVER: Final = ("failed", "closed")


@attrs.frozen
class Question:
    """What an operator is asked: retry, or give up?

    Attributes:
        say: what is the matter, in a sentence of the page.
        words: what the backend has said last; empty if it has said nothing.
    """

    say: str
    words: str


@final
@ki_protected
class Session:
    """A session: `async with open_hiagent("http://localhost:8000", "a") as session: await session.ready()`.

    Args:
        connection: of the page `hiagent-session`; it begins and ends with this.
        calls: those of that connection.
        backend: theirs.

    Attributes:
        connection: the connection, for its `changes()`, `history` and `variables`.
        backend: the backend, for what this session does not do by itself, such as `sessions()`.
    """

    def __init__(self, connection: Connection, calls: HiagentCalls, backend: Backend) -> None:
        self.connection, self.backend, self._calls = connection, backend, calls

    # -- what it is like

    @property
    def status(self) -> str:
        """One of the nine statuses of a connection; while the operator is asked it is suspended."""
        return self.connection.status

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words."""
        return self.connection.why

    @property
    def live_id(self) -> str:
        """Under which it is asked for; another one than at first, if that was in use."""
        found: str | None = self.connection.variables["id"]
        return found or ""

    @property
    def joined(self) -> Joined | None:
        """What the backend has said to the last join; None before."""
        return self._calls.joined

    @property
    def asked(self) -> Question | None:
        """What the operator is asked now; None if nothing."""
        if "asking" not in self.connection.state:
            return None
        steps = self.connection.history[::-1]
        say = next((step.say for step in steps if step.say), "")
        return Question(say, next((step.cause for step in steps if step.event.startswith("failed.")), ""))

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- NotReady tells why
        """Wait until there is a session, for some seconds or until the page gives up; raises as `Connection`."""
        await self.connection.ready(timeout)

    async def question(self) -> Question:
        """Wait until the operator is asked.

        Raises:
            ConnectionFailed, ConnectionEnded: it is over, and nobody will be.
        """
        changes = self.connection.changes()
        while (found := self.asked) is None:
            if self.status == "failed":
                raise ConnectionFailed("the session has failed", cause=self.why)
            if self.status == "closed":
                raise ConnectionEnded("the session is over", cause=self.why)
            try:
                await anext(changes)
            except StopAsyncIteration:
                continue  # its status is an end now
        await trio.lowlevel.checkpoint()
        return found

    async def ended(self) -> str:
        """Wait until it has failed or is over; why, in words."""
        changes = self.connection.changes()
        while self.status not in _OVER:
            try:
                await anext(changes)
            except StopAsyncIteration:
                break
        await trio.lowlevel.checkpoint()
        return next((step.say for step in self.connection.history[::-1] if step.say), "") or self.why

    # -- what it does

    def retry(self) -> None:
        """Ask for the session again now, whatever was to be waited for; raises IllegalEvent when it is over."""
        self.connection.tell("retry")

    def give_up(self) -> None:
        """Ask no more, until `retry`. A session that there is goes on; raises IllegalEvent when it is over."""
        self.connection.tell("give_up")

    def touch(self) -> None:
        """It is used; the backend is told so now and then. Raises IllegalEvent when it is over."""
        self.connection.tell("touch")

    def lost(self, code: int | str = "") -> None:
        """What speaks with the avatar has ended.

        Args:
            code: the vendor's number, such as 4003; empty if there is none, as after three silent intervals.

        Raises:
            IllegalEvent: the session is over.
        """
        self.connection.tell("lost", code=str(code))

    def lost_with(self, live: Connection) -> None:
        """What speaks with the avatar has ended: a connection of the page `avatar-live`, whose code this is told.

        Args:
            live: that connection; its page's `causes` say which code is which event.

        Raises:
            IllegalEvent: the session is over.
        """
        codes = {cause.is_: cause.match["code"][0] for cause in live.definition.causes if "code" in cause.match}
        self.lost(next((str(codes[step.event]) for step in live.history[::-1] if step.event in codes), ""))

    async def leave(self) -> None:
        """Give the session back, for good, within the page's bounds; again is no harm."""
        changes = self.connection.changes()
        with suppress(IllegalEvent):  # it is over
            self.connection.tell("leave")
        with suppress(StopAsyncIteration):
            while self.status != "closed":
                await anext(changes)
        await self.connection.aclose()

    # -- the door

    async def __aenter__(self) -> Self:
        """Begin to ask for it."""
        await self.connection.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Leave."""
        try:
            try:
                if error is None or isinstance(error, Exception):
                    await self.leave()
            finally:
                settled = await self.connection.__aexit__(kind, error, traceback)
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                await self._give_back(self.connection.variables)
            self._calls.let_go()
            await self.backend.aclose()
        return settled

    async def _give_back(self, variables: Mapping[str, Any]) -> None:
        """What the page could not give back any more."""
        if not variables["owed"]:
            return
        try:
            await self._calls.leave(live_id=variables["id"])
        except CallFailed as error:
            log.warning(
                "session %r could not be given back; the backend's idle reaper takes it: %s", self.live_id, error
            )
