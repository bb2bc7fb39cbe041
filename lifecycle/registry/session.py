"""One session that is counted: what holds its slot, from asking for it to giving it back.

Law: the page `session-lease` is its life; here stand names. It ends in a bounded time, whatever happens, and no error
of it reaches another session. Who waits for it may be cancelled at any time.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, final

import trio

from lifecycle.definition.definition import Definition
from lifecycle.errors import IllegalEvent
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.parking import Parking

from .lease import Lease
from .session_calls import SessionCalls

if TYPE_CHECKING:
    from collections import Counter

log = logging.getLogger("lifecycle.registry")

Word = Literal["pending", "active", "idle", "leaving", "ended"]
_WORDS: Final[Mapping[str, Word]] = {
    "reserving": "pending",
    "refused": "pending",
    "held.session.pending": "pending",
    "held.session.alive.active": "active",
    "held.session.alive.idle": "idle",
    "absent": "ended",
    "cooling": "ended",
}
_COUNTED: Final[Mapping[str, str]] = {
    "SL4": "cancelled",
    "SL7": "started",
    "SL8": "failed",
    "SL9": "cancelled",
    "SL13": "reaped",
    "SL14": "left",
    "SL15": "lost",
    "SL16": "reaped",
    "SL21": "lease_lost",
    "SL24": "replaced",
    "SL32": "unavailable",
    "SL37": "lease_lost",
}
"""What becomes of sessions, by the clause that says it."""
_LAST: Final = 5.0
"""Seconds for cleaning up where the page could not."""


@final
@ki_protected
class Session:
    """A session of a registry; `Registry.start` returns it.

    Attributes:
        id: what it is called.
        already_active: whether the last `start` of its id has found it, instead of starting it.
    """

    def __init__(
        self,
        id: str,
        calls: SessionCalls,
        page: Definition,
        *,
        parameters: Mapping[str, Any],
        counts: "Counter[str]",
        instruments: Iterable[Instrument] = (),
    ) -> None:
        self.id, self.already_active = id, False
        self._calls, self._counts = calls, counts
        self._connection = Connection(page, calls=calls, instruments=instruments, **parameters)
        self._parked = Parking()
        self._scope = trio.CancelScope(shield=True)  # the registry ends it, in order
        self._begun = self._over = self._started = self._left = False
        self._ending = self._failure = ""

    # -- what it is like

    @property
    def lease(self) -> Lease | None:
        """What was granted for it, as the place told it last; None before."""
        return self._calls.lease

    @property
    def generation(self) -> int:
        """Its fencing token; 0 before it has a slot."""
        return 0 if self.lease is None else self.lease.generation

    @property
    def created_at(self) -> float:
        """When its slot was granted, in seconds since 1970; 0 before."""
        return 0.0 if self.lease is None else self.lease.created_at

    @property
    def status(self) -> Word:
        """How far it is; `ended` when its slot is given back, or left to the end of its lease."""
        if self._over:
            return "ended"
        if not self._begun:
            return "pending"
        words: list[Word] = [_WORDS[leaf] for leaf in self._connection.state if leaf in _WORDS]
        return words[0] if words else "leaving"

    @property
    def state(self) -> tuple[str, ...]:
        """The paths of the page's innermost active states."""
        return self._connection.state

    @property
    def why(self) -> str:
        """Why it has ended, or is about to, in words; empty before."""
        return self._failure or self._connection.variables["why"] or ""

    # -- what it does

    def touch(self) -> bool:
        """Somebody uses it; returns whether that keeps it alive."""
        if self.status not in ("active", "idle"):
            return False
        self._calls.touched = True
        return self._tell("touch")

    def lost(self, why: str) -> None:
        """Tell it that its upstream is gone, so that it ends.

        Args:
            why: in words.
        """
        self._tell("upstream_lost", why=why)

    async def leave(self) -> bool:
        """End it: stop its upstream, give its slot back, and wait for both. Again is no harm.

        Returns:
            Whether this has ended it.
        """
        first = self.leave_nowait()
        await self.gone()
        return first

    async def ended(self) -> str:
        """Wait until it has ended; returns why, in words."""
        while not self._over:
            await self._parked.wait()
        await trio.lowlevel.checkpoint()
        return self.why

    # -- for its registry

    @property
    def started(self) -> bool:
        """Whether it was active, though it may have ended since."""
        return self._started

    @property
    def refused(self) -> bool:
        """Whether it has no slot, and may ask again."""
        return not self._over and self._connection.state == ("refused",)

    @property
    def ending(self) -> str:
        """What has ended it, in one word; empty before, and if it never had a slot."""
        return "crashed" if self._failure else self._ending

    @property
    def trouble(self) -> Exception | None:
        """Why it has not started."""
        return self._calls.trouble

    @property
    def stop_trouble(self) -> BaseException | None:
        """What was raised when its upstream was stopped."""
        return self._calls.stop_trouble

    def leave_nowait(self) -> bool:
        """Tell it to end; returns whether it was not ending before."""
        if self._left or self.status in ("leaving", "ended"):
            return False
        self._left = True
        self._tell("leave")
        return True

    def replaced(self) -> None:
        """Tell it that another one has its lease."""
        self._tell("replaced")

    def ask_again(self) -> None:
        """Ask for a slot again, after it was refused; nothing if it was left meanwhile."""
        if self.refused and not self._left:
            self._tell("start")

    def abandon(self) -> None:
        """End it at once; its slot comes back when its lease runs out."""
        self._scope.cancel()

    async def settled(self) -> None:
        """Wait until it is active, refused, or over."""
        while not (self._started or self._over or self.refused or self._slow or self._ending == "unavailable"):
            await self._parked.wait()
        await trio.lowlevel.checkpoint()

    async def gone(self) -> None:
        """Wait until its upstream is stopped and its slot is given back, or the place has not answered to that."""
        while not (self._over or self._slow):
            await self._parked.wait()
        await trio.lowlevel.checkpoint()

    @property
    def _slow(self) -> bool:
        return self._connection.state == ("release_later",)

    def _tell(self, wish: str, **fields: Any) -> bool:
        try:
            self._connection.tell(wish, **fields)
        except IllegalEvent:  # it has not begun, or has ended
            return False
        return True

    async def run(self) -> None:
        """Live; what goes wrong in here ends this session and nothing else."""
        with self._scope:
            try:
                async with self._connection as connection:
                    await self._live(connection)
            except Exception as error:
                log.exception("session %r has failed", self.id)
                self._failure = f"{type(error).__name__}: {error}"
                with trio.move_on_after(_LAST), suppress(Exception):
                    await self._calls.clean_up()
            finally:
                self._over = True
                self._parked.wake()

    async def _live(self, connection: Connection) -> None:
        changes, told = connection.changes(), "pending"
        self._begun = True
        if self._left:
            return
        connection.tell("start")
        async for step in changes:
            for clause in step.clauses:
                if word := _COUNTED.get(clause):
                    self._counts[word] += 1
                    self._started = self._started or word == "started"
                    self._ending = "" if word == "started" else word
            self._parked.wake()
            if step.after in (("absent",), ("cooling",)):
                return
            status = self.status
            if (status == "active" or status == "idle") and status != told:  # noqa: PLR1714 -- narrows its type
                told = self._calls.status = status
                connection.tell("report")
