"""Sessions that are counted: no more at once than there are slots, and each slot comes back.

Law: a session that fails tears no other. A start that is cancelled gives back what it may have got, by itself. Nothing
of another owner is ended unless it was asked for by its id, or by `clear`.
"""

import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, final

import trio

from lifecycle.definition.read import read
from lifecycle.errors import ConnectionEnded
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected

from .fitting import fitting
from .lease import Lease, Terms
from .leases import Leases
from .queue import Queue
from .refusal import LeasesUnavailable, NoCapacity
from .report import Cleared, Health
from .session import Session
from .session_calls import SessionCalls, Upstream
from .start_failed import why_not

Takeover = Literal["reject", "replace"] | int

PAGE: Final = "session-lease"
_LOOK_AGAIN: Final = 1.0
"""Seconds after which a start that waits looks again: other processes give slots back without a word."""
_PAGE_OF_LEASES: Final = 100


@final
@ki_protected
class Registry:
    """A registry: `async with Registry(leases, capacity=10, begin=dial, stop=hang_up) as registry`.

    Several registries, in one process or many, that have the same place count together.

    Args:
        leases: the place, which is open, and stays open until this is closed.
        capacity: how many sessions there may be at once, 1 or more; all registries of a place say the same.
        begin: begins what a slot is for. What it raises ends the session, and is told by `start`.
        stop: stops it; called once for each lease that `begin` was called for, also when that has failed.
        takeover: what becomes of an id that has a session: `reject` refuses the new one, except that an active one of
            this registry is found again; `replace` ends the old one; a number lets an id have so many.
        parameters: of the page `session-lease`, such as `idle_after`, `reap_after`, `longest_life`, `cooldown`,
            `start_timeout`, `lease_length`. Those of renewing follow the last one, if they are not said.
        owner: who this is, in words for people; host and process if it is not said.
        alive: asked before an active session is found again; false ends that one, and a new one is begun.
        goodbye: seconds that leaving the `async with` may take; what is left then ends with its lease.
        instruments: told of each thing that happens to a session.

    Attributes:
        capacity, leases, owner: as above.
        counts: how many sessions were `started`, `already_active`, `refused`, `failed`, `cancelled`, `left`, `reaped`
            (idle for too long, or too old), `lost` (their upstream), `lease_lost` and `replaced`.

    Raises:
        WrongParameters: arguments or parameters are none that can be; all wrong ones at once.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        capacity: int,
        begin: Upstream | None = None,
        stop: Upstream | None = None,
        takeover: Takeover = "reject",
        parameters: Mapping[str, object] | None = None,
        owner: str | None = None,
        alive: Callable[[Lease], bool] | None = None,
        goodbye: float = 20.0,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        self._page = read(PAGE)
        problems = [] if _is_count(capacity) else [f"capacity is {capacity!r}: say a whole number of 1 or more"]
        if takeover not in ("reject", "replace") and not _is_count(takeover):
            problems.append(f"takeover is {takeover!r}: say reject, replace, or how many sessions an id may have")
        self._parameters = fitting(self._page, parameters or {}, problems)
        self.leases, self.capacity = leases, capacity
        self.owner = f"{socket.gethostname()}:{os.getpid()}" if owner is None else owner
        self.counts: Counter[str] = Counter()
        self._begin, self._stop, self._alive = begin, stop, alive
        allowed = takeover if isinstance(takeover, int) else 1
        self._finds = allowed == 1 and takeover != "replace"
        self._terms = Terms(capacity, self._parameters["lease_length"], allowed, replace=takeover == "replace")
        self._goodbye, self._instruments = goodbye, tuple(instruments)
        self._sessions: dict[Session, None] = {}  # the oldest first
        self._queue = Queue()
        self._manager: Any = None
        self._nursery: Any = None

    # -- sessions

    async def start(self, id: str, *, wait: float = 0.0) -> Session:
        """Start a session, and wait until it is active. Cancelled, it gives back what it may have got, by itself.

        Args:
            id: what it is called.
            wait: seconds for which it may wait for a slot, if all are taken.

        Returns:
            The session; one of ours that was active already, if `takeover` says so.

        Raises:
            NoCapacity, AlreadyHeld, CoolingDown: it was refused, before anything was begun.
            LeasesUnavailable: the place does not answer.
            StartFailed: it was begun and did not become active; its slot is given back.
            ConnectionEnded: the registry is not open.
        """
        until = trio.current_time() + wait
        if self._finds and (found := await self._found(id, until)) is not None:
            return found
        if self._nursery is None:
            raise ConnectionEnded("the registry is not open", cause="use it as `async with Registry(…) as registry`")
        session = self._make(id)
        self._sessions[session] = None
        self._nursery.start_soon(self._run, session)
        try:
            await session.settled()
            if wait > 0 and session.refused:
                await self._queued(session, until)
            if session.started:
                return session
            if session.refused:
                self.counts["refused"] += 1
            raise why_not(session, self.leases.place, self._parameters["cooldown"])  # noqa: TRY301 -- it is left first
        except BaseException:
            session.leave_nowait()
            raise

    def get(self, id: str) -> Session | None:
        """The session of this registry that was started last with an id; None if there is none."""
        found = (session for session in reversed(self._sessions) if session.id == id)
        return next((session for session in found if session.status != "ended"), None)

    def touch(self, id: str) -> bool:
        """Somebody uses a session of ours; returns whether there is one that this keeps alive."""
        touched = [session.touch() for session in self._of(id)]
        return any(touched)

    async def leave(self, id: str) -> bool:
        """End every session that an id has, also those of other owners, who learn it when they renew. Again is no harm.

        Returns:
            Whether there was one. That there is none is as good.

        Raises:
            LeasesUnavailable: the place does not answer, so nobody knows about other owners; ours have ended.
        """
        ours, others, trouble = self._of(id), list[Lease](), None
        generations = {session.generation for session in ours}
        try:
            # asked before ours have ended: nobody meant those who come afterwards
            others = [lease for lease in await self.leases.held(id) if lease.generation not in generations]
        except LeasesUnavailable as error:
            trouble = error
        finally:
            first = [session.leave_nowait() for session in ours]
        for session in ours:
            await session.gone()
        if trouble is not None:
            raise trouble
        revoked = [await self.leases.revoke(id, lease.generation) for lease in others]
        return any([*first, *revoked])

    async def clear(self) -> Cleared:
        """End all sessions of the place, also those of other owners. One that fails does not stop the rest.

        Raises:
            LeasesUnavailable: the place does not say how many there are; nothing was ended.
        """
        before, failed = await self.leases.count(), dict[str, str]()
        ours = [session for session in self._sessions if not session.refused]
        generations = {session.generation for session in ours}
        for session in ours:
            session.leave_nowait()
        after = 0
        try:
            while page := await self.leases.list(after, _PAGE_OF_LEASES):
                after = page[-1].generation
                for lease in page:
                    if lease.generation not in generations:
                        await self._revoke(lease, failed)
        except LeasesUnavailable as trouble:
            failed["*"] = f"not all were found: {trouble}"
        for session in ours:
            await session.gone()
            if session.stop_trouble is not None:
                failed[session.id] = f"{type(session.stop_trouble).__name__}: {session.stop_trouble}"
        return Cleared(before, failed)

    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        """A page of the leases of the place, of all owners, the oldest first; see `Leases.list`."""
        return await self.leases.list(after, limit)

    async def health(self) -> Health:
        """Say whether the place answers, and how full it is; never raises that it does not."""
        active, why = None, ""
        try:
            active = await self.leases.count()
        except LeasesUnavailable as trouble:
            why = str(trouble)
        ours = sum(session.status != "ended" for session in self._sessions)
        return Health(active is not None, self.leases.place, active, self.capacity, ours, why)

    def abandon(self) -> None:
        """End all sessions of this registry at once: nothing is stopped, and slots come back when their leases end."""
        for session in list(self._sessions):
            session.abandon()

    # -- the door

    async def __aenter__(self) -> Self:
        """Open it."""
        if self._manager is not None:
            raise ConnectionEnded("a registry runs once", cause="make another one")
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End all sessions of this registry, in `goodbye` seconds, also when cancelled."""
        nursery, self._nursery = self._nursery, None
        try:
            with trio.move_on_after(self._goodbye, shield=True):
                for session in list(self._sessions):
                    session.leave_nowait()
                for session in list(self._sessions):
                    await session.gone()
        finally:
            self.abandon()
            nursery.cancel_scope.shield = True  # all of it ends now, and the body's own exception leaves as it is
            try:
                await self._manager.__aexit__(None, None, None)
            except BaseException as trouble:  # noqa: BLE001 -- an interrupt, in what the embedder wrote
                raise alone(trouble) from None
        return False

    # -- inside

    def _of(self, id: str) -> Sequence[Session]:
        return [session for session in self._sessions if session.id == id]

    async def _found(self, id: str, until: float) -> Session | None:
        """The active session of ours with an id; one that is ending may take the time that there is."""
        session = self.get(id)
        if session is None or session.status == "pending":
            return None
        if session.status in ("active", "idle"):
            if self._is_alive(session) and session.touch():
                await trio.lowlevel.checkpoint()
                session.already_active = True
                self.counts["already_active"] += 1
                return session
            session.lost("its upstream was found dead")
            await session.gone()
        with trio.move_on_at(until):
            await session.gone()
        return None

    async def _queued(self, session: Session, until: float) -> None:
        with self._queue.place() as place:
            while session.refused and isinstance(session.trouble, NoCapacity) and trio.current_time() < until:
                await place.wait(until, _LOOK_AGAIN)
                session.ask_again()
                await session.settled()

    def _make(self, id: str) -> Session:
        calls = SessionCalls(
            id,
            self.leases,
            self._terms,
            self.owner,
            begin=self._begin,
            stop=self._stop,
            room=self._parameters["stop_timeout"],
        )
        session = Session(
            id, calls, self._page, parameters=self._parameters, counts=self.counts, instruments=self._instruments
        )

        def granted(lease: Lease) -> Sequence[Callable[[], Awaitable[object]]]:
            older = [each for each in self._of(id) if self._terms.replace and 0 < each.generation < lease.generation]
            for each in older:
                each.replaced()
            return [each.gone for each in older]

        calls.granted, calls.freed = granted, self._queue.look
        return session

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            del self._sessions[session]
            self._queue.look()

    def _is_alive(self, session: Session) -> bool:
        return self._alive is None or (session.lease is not None and self._alive(session.lease))

    async def _revoke(self, lease: Lease, failed: dict[str, str]) -> None:
        try:
            await self.leases.revoke(lease.id, lease.generation)
        except LeasesUnavailable as trouble:
            failed[lease.id] = str(trouble)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
