"""The calls of the page `hiagent-session`.

Law: only what is our own is cleared up: a live_id that this program has had, and that nobody in it uses now or the
backend calls idle. There is nothing here that ends the sessions of others.
"""

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

from lifecycle.errors import CallFailed, WrongParameters

from .backend import Backend, wrong_join
from .own import OwnSessions

if TYPE_CHECKING:
    from .answers import Joined

log = logging.getLogger("lifecycle.hiagent")
IDLE: Final = ("idle", "lost", "dead", "failed")
"""What a backend calls a session that nobody uses."""


def fresh_id() -> str:
    """A live_id that nobody has."""
    return f"live-{uuid.uuid4().hex}"


@final
class HiagentCalls:
    """The calls of one session: `lifecycle.open("hiagent-session", calls=HiagentCalls(backend), live_id="a")`.

    Args:
        backend: where it is asked for.
        own: which sessions are this program's; by itself only this one is.
        avatar_type, role, more: as `Backend.join_room`.
        new_id: makes a live_id in place of one that is in use.

    Attributes:
        joined: what the last join has given; None before.

    Raises:
        WrongParameters: they cannot be sent; all wrong ones at once.
    """

    def __init__(
        self,
        backend: Backend,
        own: OwnSessions | None = None,
        *,
        avatar_type: str = "3min",
        role: str | None = None,
        more: Mapping[str, Any] | None = None,
        new_id: Callable[[], str] = fresh_id,
    ) -> None:
        if problems := wrong_join("a", avatar_type, role, more):
            raise WrongParameters("hiagent-session", problems)
        self.joined: Joined | None = None
        self._backend, self._own, self._new_id = backend, OwnSessions() if own is None else own, new_id
        self._said: dict[str, Any] = {"avatar_type": avatar_type, "role": role, "more": more}
        self._taken: str | None = None

    async def join(self, *, live_id: str) -> None:
        """Ask for the session. Raises what `Backend.join_room` raises, as all others here do."""
        self.take(live_id)
        self.joined = await self._backend.join_room(live_id, **self._said)

    async def keep(self, *, live_id: str) -> None:
        """Tell the backend that the session is used: a join of what is active already."""
        joined = await self._backend.join_room(live_id, **self._said)
        if not joined.already_active:
            log.info("session %r was gone, and was begun anew", live_id)
        self.joined = joined

    async def leave(self, *, live_id: str) -> None:
        """Give the session back; that there is none is no failure."""
        await self._backend.leave_room(live_id)
        self.let_go()
        self._own.forget(live_id)

    async def health(self) -> None:
        """Ask whether the backend is up."""
        await self._backend.health()

    async def fresh_credentials(self) -> None:
        """Get the key that is valid now."""
        await self._backend.fresh_credentials()

    async def reap(self, *, live_id: str) -> dict[str, Any]:
        """Leave those of our own sessions that nobody uses.

        Args:
            live_id: of the session that wants a slot; it is left alone.

        Returns:
            `reaped`: how many there were, and are not any more.
        """
        reaped = 0
        for each in await self._backend.sessions():
            gone = not self._own.used(each.live_id) or each.status in IDLE
            if each.live_id in self._own and each.live_id != live_id and gone:
                reaped += await self._reaped(each.live_id)
        return {"reaped": reaped}

    async def _reaped(self, live_id: str) -> bool:
        try:
            left = await self._backend.leave_room(live_id)
        except CallFailed as error:
            log.warning("our session %r could not be left: %s", live_id, error)
            return False
        log.info("our session %r, which nobody uses, was left", live_id)
        self._own.forget(live_id)
        return left.cleaned_up

    async def new_id(self, *, live_id: str) -> dict[str, Any]:
        """Another live_id, in place of one that is in use."""
        found = self._new_id()
        if found == live_id or wrong_join(found, "3min", None, None):
            raise CallFailed("no_id", f"`new_id` must make another text of some letters, not {found!r:.80}")
        self.let_go()
        return {"live_id": found}

    # -- whose it is

    def take(self, live_id: str) -> None:
        """This session uses a live_id from now on, and no other."""
        if self._taken != live_id:
            self.let_go()
            self._own.take(live_id)
            self._taken = live_id

    def let_go(self) -> None:
        """This session uses none."""
        if self._taken is not None:
            self._own.leave(self._taken)
            self._taken = None
