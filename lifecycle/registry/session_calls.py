"""What the page `session-lease` calls: the place of the leases, and the embedder's two functions.

Law: everything is asked for by a ticket that nobody else has, so whatever the answer, it can be given back. What is
told of a lease's length is counted from before it was asked for.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, final

import trio

from lifecycle.errors import CallFailed
from lifecycle.trio.groups import alone

from .lease import Lease, Status, Terms
from .leases import Leases
from .refusal import LeaseLost, LeasesUnavailable, StartRefused

Upstream = Callable[[Lease], Awaitable[None]]
_A_WHILE: Final = 0.1
"""Seconds after which it is worth telling the place that a session is leaving."""


@final
class SessionCalls:
    """The calls of one session.

    Args:
        id: the session's.
        leases: the place.
        terms: on which a slot is asked for.
        owner: in words.
        begin, stop: the embedder's, if there are any.
        room: seconds of a lease that are left for stopping.

    Attributes:
        lease: what was granted last.
        status: how the session is, for the place; set by who knows.
        touched: whether it was used since the place was told.
        trouble: what was raised last by the place when a slot was asked for, or by `begin`.
        stop_trouble: what `stop` has raised.
        granted: called with each lease; returns whom to wait for before anything is begun.
        freed: called when a slot is given back.
    """

    def __init__(
        self,
        id: str,
        leases: Leases,
        terms: Terms,
        owner: str,
        *,
        begin: Upstream | None,
        stop: Upstream | None,
        room: float,
    ) -> None:
        self.lease: Lease | None = None
        self.status: Status = "pending"
        self.touched = False
        self.trouble: Exception | None = None
        self.stop_trouble: BaseException | None = None
        self.granted: Callable[[Lease], Sequence[Callable[[], Awaitable[object]]]] = lambda _: ()
        self.freed: Callable[[], object] = lambda: None
        self._id, self._leases, self._terms, self._owner = id, leases, terms, owner
        self._begin, self._stop, self._room = begin, stop, room
        self._ticket = ""
        self._begun = False
        self._predecessors: Sequence[Callable[[], Awaitable[object]]] = ()

    async def reserve(self) -> Mapping[str, Any]:
        """Ask for a slot."""
        self._ticket, self.lease, self.trouble = secrets.token_hex(16), None, None
        asked = trio.current_time()
        try:
            lease = await self._leases.reserve(self._id, self._ticket, self._owner, self._terms)
        except StartRefused as refusal:
            self.trouble, self._ticket = refusal, ""
            raise CallFailed("refused", str(refusal), retry_after=refusal.retry_after) from None
        except (LeaseLost, LeasesUnavailable) as trouble:
            self.trouble = trouble
            raise CallFailed("unavailable", str(trouble)) from None
        self.lease = lease
        self._predecessors = self.granted(lease)
        return {"generation": lease.generation, "sure": self._sure(asked)}

    async def renew(self, generation: int) -> Mapping[str, Any]:
        """Hold the lease for longer."""
        asked, touched, self.touched = trio.current_time(), self.touched, False
        try:
            self.lease = await self._leases.renew(
                self._id, self._ticket, self._terms.length, status=self.status, touched=touched
            )
        except LeaseLost:
            raise CallFailed("lost", str(LeaseLost(self._id, generation))) from None
        except LeasesUnavailable as trouble:
            self.touched = self.touched or touched
            raise CallFailed("unavailable", str(trouble)) from None
        return {"sure": self._sure(asked)}

    async def begin(self, generation: int) -> None:  # noqa: ARG002 -- the lease has it too
        """Begin what the slot is for, after what it takes the place of has ended."""
        for ended in self._predecessors:
            await ended()
        self._begun = True
        if self._begin is not None and self.lease is not None:
            try:
                await self._begin(self.lease)
            except CallFailed as error:
                self.trouble = error
                raise
            except Exception as error:  # noqa: BLE001 -- `start` raises it, so nobody needs to log it
                self.trouble = error
                raise CallFailed(type(error).__name__, str(error)) from None

    async def stop(self, generation: int) -> None:  # noqa: ARG002 -- likewise
        """Stop it."""
        if not self._begun or self._stop is None or self.lease is None:
            return
        self._begun = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell_leaving)
                await self._stop(self.lease)
                nursery.cancel_scope.cancel()
        except Exception as error:
            self.stop_trouble = alone(error)
            raise

    async def release(self, generation: int | None, cooldown: float | None) -> None:  # noqa: ARG002 -- the ticket says more
        """Give the slot back."""
        if self._ticket:
            try:
                await self._leases.release(self._id, self._ticket, cooldown=cooldown or 0.0)
            except LeasesUnavailable as trouble:
                raise CallFailed("unavailable", str(trouble)) from None
        self._ticket = ""
        self.freed()

    async def clean_up(self) -> None:
        """Stop and release what is left, where the page could not."""
        await self.stop(0)
        await self.release(0, None)

    def _sure(self, asked: float) -> float:
        return max(0.0, self._terms.length - self._room - (trio.current_time() - asked))

    async def _tell_leaving(self) -> None:
        await trio.sleep(_A_WHILE)
        with suppress(LeaseLost, LeasesUnavailable):  # the page gives it back, whatever comes of this
            await self._leases.renew(self._id, self._ticket, self._terms.length, status="leaving")
