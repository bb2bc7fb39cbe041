"""One case while it is played: what is expected of its connections, and what was seen.

Law: a case says what must be seen and looks at nothing but real connections. What differs is collected, and so is what
is raised; every wait has a bound.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import attrs
import trio

import lifecycle
from lifecycle.definition.definition import Definition

from .path import Range, Record, fits, shown

PATIENCE: Final = 150.0
"""Seconds for a case; for one wait in it a part of that."""
_WAIT: Final = 60.0
_LOOK: Final = 0.02


@attrs.frozen
class Case:
    """What must be seen.

    Attributes:
        name: of the case.
        about: what happens, in a sentence.
        expected: the path; see `path.fits`.
        dials: how often each client dials.
        run: plays it; given what is playing it.
        delivers: the names of the events that are delivered, as a path; none where messages are no matter.
    """

    name: str
    about: str
    expected: str
    dials: Range
    run: Callable[[Any], Awaitable[None]]
    delivers: str | None = None


@attrs.frozen
class Seen:
    """What was seen.

    Attributes:
        path: of the first client whose path is another, or else of the first.
        dials: of each client.
        seconds: how long it took.
        wrong: what differs, in sentences.
        notes: what was measured, in sentences.
        delivered: the names of the events that were delivered; none where messages are no matter.
    """

    path: str
    dials: tuple[int, ...]
    seconds: float
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()
    delivered: str | None = None


@attrs.frozen
class Life:
    """What became of one client.

    Attributes:
        path: in words of a path.
        dials: how often it has dialled.
        words: what happened on the way, in words.
    """

    path: tuple[str, ...]
    dials: int
    words: tuple[str, ...]


@attrs.frozen
class Row:
    """One case with one peer."""

    case: Case
    peer: str
    seen: Seen


class Playing:
    """One case while it is played.

    Args:
        case: which.
        page: the page that is run.

    Attributes:
        records: of its clients, in the order in which they were made.
        delivered: the names of the events that were delivered, if that is what the case is about.
    """

    def __init__(self, case: Case, page: Definition) -> None:
        self.case, self.page = case, page
        self.records: list[Record] = []
        self.delivered: list[str] = []
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
        lives = self.lives()
        self.check(all(life.dials in self.case.dials for life in lives), f"expected {self.case.dials} dials")
        others = [life for life in lives if not fits(life.path, self.case.expected)]
        for life in others[:1]:
            self.check(False, f"expected another path; on the way: {shown(life.words)}")
        self.check(bool(lives), "nobody has dialled")
        path, dials = shown((others or lives)[0].path) if lives else "nothing", tuple(life.dials for life in lives)
        delivered = None
        if self.case.delivers is not None:
            delivered = shown(self.delivered)
            expected = self.case.delivers or "nothing"
            self.check(fits(self.delivered, self.case.delivers), f"expected {expected!r}, delivered {delivered!r}")
        return Seen(path, dials, trio.current_time() - began, tuple(self._wrong), tuple(self._notes), delivered)

    def lives(self) -> list[Life]:
        """What became of each of its clients."""
        return [Life(record.path(self.page), len(record.dials), record.words) for record in self.records]

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

    async def at_rest(self, connection: lifecycle.Connection) -> None:
        """Wait until a client makes no more attempts."""
        await self.until("at rest", lambda: connection.status in ("failed", "closed"))


class Late(Exception):
    """What was waited for has not come."""


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
