"""One case while it is played: its clients, what is expected of them, and what was seen.

Law: a case says what must be seen and looks at nothing but real connections. What differs is collected, and so is what
is raised; every wait has a bound.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, final

import attrs
import trio

import lifecycle
from lifecycle.systems.openclaw import Device, GatewayCalls

from .gateway import Gateway
from .path import Range, Record, fits, shown

PATIENCE: Final = 150.0
"""Seconds for a case; for one wait in it a part of that."""
_WAIT: Final = 60.0
_START: Final = 120.0
_LOOK: Final = 0.02

QUICK: Final[Mapping[str, Any]] = {
    "redial": {"first": 0.6, "factor": 2, "max": 3.0, "jitter": "equal", "floor": 0.5},
    "settle_wait": 0.6,
    "proven_after": 1.0,
    "max_attempts": 60,
}
"""Shorter waits than the page's, but no shorter than it may dial; and so more of them while the gateway starts."""
ADMIN: Final[Mapping[str, Any]] = {
    "client": {"id": "cli", "mode": "cli"},
    "scopes": ("operator.read", "operator.write", "operator.admin", "operator.pairing"),
}


@attrs.frozen
class Case:
    """What must be seen.

    Attributes:
        name: of the case.
        about: what happens, in a sentence.
        expected: the path; see `path.fits`.
        dials: how often each client dials.
        run: plays it.
    """

    name: str
    about: str
    expected: str
    dials: Range
    run: Callable[["Play"], Awaitable[None]]


@attrs.frozen
class Seen:
    """What was seen.

    Attributes:
        path: of the first client whose path is another, or else of the first.
        dials: of each client.
        seconds: how long it took.
        wrong: what differs, in sentences.
        notes: what was measured, in sentences.
    """

    path: str
    dials: tuple[int, ...]
    seconds: float
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()


@final
class Play:
    """One case while it is played.

    Args:
        case: which.
        gateway: the real one.
        meeting: with the cases that are played beside it.

    Attributes:
        page: the page that is run.
    """

    def __init__(self, case: Case, gateway: Gateway, meeting: "Meeting") -> None:
        self.case, self.gateway, self._meeting = case, gateway, meeting
        self.page = lifecycle.read("openclaw-gateway")
        self.records: list[Record] = []
        self._wrong: list[str] = []
        self._notes: list[str] = []

    async def played(self) -> Seen:
        """Play it."""
        began = trio.current_time()
        try:
            with trio.move_on_after(PATIENCE) as scope:
                await self.case.run(self)
            self.check(not scope.cancelled_caught, f"it has not ended after {PATIENCE:.0f} s")
        except* (Late, lifecycle.LifecycleError, OSError) as group:
            self._wrong += [f"{type(error).__name__}: {error}" for error in _leaves(group)]
        finally:
            self._meeting.leave()
        dials = tuple(len(record.dials) for record in self.records)
        self.check(all(each in self.case.dials for each in dials), f"expected {self.case.dials} dials")
        others = [record for record in self.records if not fits(record.path(self.page), self.case.expected)]
        for record in others[:1]:
            self.check(False, f"expected another path; on the way: {shown(record.words)}")
        self.check(bool(self.records), "nobody has dialled")
        path = shown((others or self.records)[0].path(self.page)) if self.records else "nothing"
        return Seen(path, dials, trio.current_time() - began, tuple(self._wrong), tuple(self._notes))

    # -- what cases are made of

    def check(self, holds: bool, what: str) -> None:  # noqa: FBT001 -- as assert, but the case goes on
        """Note what differs, if it does not hold."""
        if not holds:
            self._wrong.append(what)

    def note(self, what: str) -> None:
        """Tell what was measured."""
        self._notes.append(what)

    def says(self, record: Record, *sentences: str) -> None:
        """Check what a client has told its user, all of it."""
        self.check(record.said == sentences, f"said {list(record.said)}, expected {list(sentences)}")

    def make(self, calls: Any, *, aside: bool = False, **options: Any) -> tuple[lifecycle.Connection, Record]:
        """A client that is not begun yet.

        Args:
            calls: of the page.
            aside: whether it only helps, so that its path and its dials are not judged.
            options: of `lifecycle.open`, `url` too.
        """
        record = Record()
        if not aside:
            self.records.append(record)
        given = {"url": self.gateway.url, **options}
        return lifecycle.Connection(self.page, calls=calls, instruments=[record], **given), record

    @contextlib.asynccontextmanager
    async def client(
        self, calls: Any, *, aside: bool = False, **options: Any
    ) -> AsyncIterator[tuple[lifecycle.Connection, Record]]:
        """A client with shorter waits."""
        connection, record = self.make(calls, aside=aside, **{**QUICK, **options})
        async with connection:
            yield connection, record

    def ours(self, **options: Any) -> GatewayCalls:
        """The calls of a new device with the right token."""
        return GatewayCalls(self.gateway.token, Device.create(), **options)

    async def until(self, what: str, holds: Callable[[], object], within: float = _WAIT) -> None:
        """Wait until something holds.

        Raises:
            Late: it does not.
        """
        with trio.move_on_after(within):
            while not holds():  # noqa: ASYNC110 -- what is waited for is told in many ways
                await trio.sleep(_LOOK)
            return
        raise Late(f"{what}: not within {within:.0f} s")

    async def all_ready(self) -> None:
        """Wait until all cases of the scene are here, and then has happened what happens to all of them."""
        await self._meeting.arrive()

    async def back(self, *connections: lifecycle.Connection) -> None:
        """Wait until clients are ready, in another dial than their first; the gateway may be starting.

        Raises:
            Late: one is not; with the last lines of the gateway's log.
            CannotRun: the gateway has ended by itself.
        """

        def ready() -> bool:
            self.gateway.check_alive()
            return all(each.status == "ready" and each.epoch > 1 for each in connections)

        try:
            await self.until("ready again", ready, _START)
        except Late as error:
            raise Late(f"{error}; the gateway says:\n{self.gateway.tail()}") from None

    async def proven(self, connection: lifecycle.Connection) -> None:
        """Wait until a client has seen that the gateway is well, and so has forgiven all that was before."""
        await self.until("proven", lambda: "online.up.ready.trust.proven" in connection.state)

    async def at_rest(self, connection: lifecycle.Connection) -> None:
        """Wait until a client makes no more attempts."""
        await self.until("at rest", lambda: connection.status in ("failed", "closed"))


@final
class Meeting:
    """Where the cases of a scene wait for each other.

    Args:
        parties: how many they are.
        act: called once, when all who have not left are here.
    """

    def __init__(self, parties: int, act: Callable[[], object]) -> None:
        self._parties, self._here, self._act = parties, 0, act
        self._met = trio.Event()

    async def arrive(self) -> None:
        """Come, and wait for the others."""
        self._here += 1
        self._look()
        try:
            await self._met.wait()
        finally:
            self._here -= not self._met.is_set()  # who gives up has not come

    def leave(self) -> None:
        """Go, whether one has come or not."""
        self._parties -= 1
        self._look()

    def _look(self) -> None:
        if 0 < self._here >= self._parties and not self._met.is_set():
            self._met.set()
            self._act()


class Late(Exception):
    """What was waited for has not come."""


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
