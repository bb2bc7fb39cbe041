"""What a connection tells of itself: why it is as it is, its last steps, and what was counted.

Law: reads the driver and changes nothing of it. Everything is bounded.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import final
from weakref import WeakSet

import attrs
import trio

from lifecycle.errors import ConnectionEnded, ConnectionFailed
from lifecycle.machine.step import Step
from lifecycle.trio.mail.receiving import MakeError

from .changes import Changes
from .driver import Driver

HISTORY = 64


@final
@attrs.frozen(kw_only=True)
class Counters:
    """What was counted since a connection began.

    Attributes:
        dials: transports that were dialled.
        delivered: messages that came for the user; those that the inbox then lost are among them.
        dropped: messages that the inbox lost, because it was full, or replaced by later ones.
        duplicates: messages that were dropped because they had come before.
        gaps: how often a number was missing in a sequence.
        sent: messages, and requests, whose last byte was given to the system.
        withdrawn: those whose senders were cancelled in time.
        not_sent: the others of which no byte has left.
        maybe: those that were lost with some of them gone.
        pending: requests that wait for an answer now.
        late: answers that nobody waited for any more.
        unrouted: messages that no route took.
        refused: facts that the state did not allow.
        stale: events whose cause was gone.
        waiting: messages and marks that wait in the inbox now.
        queued: messages that wait in the outbox now; those that wait for room there are not among them.
    """

    dials: int
    delivered: int
    dropped: int
    duplicates: int
    gaps: int
    sent: int
    withdrawn: int
    not_sent: int
    maybe: int
    pending: int
    late: int
    unrouted: int
    refused: int
    stale: int
    waiting: int
    queued: int


@final
class Account:
    """The account of one connection.

    Args:
        driver: whose.

    Attributes:
        history: the last steps, oldest first.
    """

    __slots__ = ("_driver", "_watchers", "history")

    def __init__(self, driver: Driver) -> None:
        self.history: list[Step] = []  # short; an empty deque is ten times as large
        self._driver = driver
        self._watchers: WeakSet[Changes] | None = None

    def put(self, step: Step) -> None:
        """Keep a step, and tell it to who watches."""
        self.history.append(step)
        if len(self.history) > HISTORY:
            del self.history[0]
        for watcher in list(self._watchers or ()):
            watcher.put(step)

    def end(self) -> None:
        """No more steps come."""
        for watcher in list(self._watchers or ()):
            watcher.end()

    def changes(self) -> Changes:
        """A new watcher."""
        watcher = Changes()
        self._watchers = WeakSet() if self._watchers is None else self._watchers
        self._watchers.add(watcher)
        if self._driver.finished:
            watcher.end()
        return watcher

    @property
    def status(self) -> str:
        """What the page says, and what the end of the driver makes of it."""
        driver = self._driver
        if driver.failure is not None:
            return "failed"
        status = driver.machine.status
        return "closed" if driver.finished and status != "failed" else status

    @property
    def next_try(self) -> float | None:
        """Seconds until the next attempt, while waiting or suspended; None where there is none to wait for."""
        if self._driver.machine.status not in ("waiting", "suspended"):
            return None
        due = min(self._driver.clocks(), default=None)
        return max(0.0, due - trio.current_time()) if due is not None else None

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words, with the seconds until the next try."""
        told = "; then ".join(_counted(self._driver.causes))
        wait = self.next_try
        return ". ".join(filter(None, (told, f"next try in {wait:.1f} s" if wait is not None else "")))

    def at_rest(self) -> MakeError | None:
        """How to make the error of a connection that will not become ready by itself."""
        status = self.status
        return self._failed if status == "failed" else self._closed if status == "closed" else None

    def unsendable(self) -> MakeError | None:
        """How to make the error of one through which nothing can be sent, nor will be."""
        return _no_transport if self._driver.definition.role == "session" else self.at_rest()

    def _failed(self) -> ConnectionFailed:
        failure = self._driver.failure
        if failure is not None:
            return ConnectionFailed("the driver has failed", cause=type(failure).__name__)
        return ConnectionFailed("the connection has failed", cause=self.why)

    def _closed(self) -> ConnectionEnded:
        return ConnectionEnded("the connection is closed", cause=self.why)

    @property
    def counters(self) -> Counters:
        """What was counted."""
        driver = self._driver
        mail = driver.mail
        return Counters(
            dials=driver.epoch,
            delivered=mail.delivered,
            dropped=mail.inbox.overflowed,
            duplicates=mail.continuity.duplicates,
            gaps=mail.continuity.gaps,
            sent=mail.outbox.counts["sent"],
            withdrawn=mail.outbox.counts["withdrawn"],
            not_sent=mail.outbox.counts["not_sent"],
            maybe=mail.outbox.counts["maybe"],
            pending=len(mail.requests.pending),
            late=mail.requests.late,
            unrouted=driver.unrouted,
            refused=driver.refused,
            stale=driver.machine.stale,
            waiting=len(mail.inbox),
            queued=len(mail.outbox.waiting),
        )


def _counted(causes: Iterable[str]) -> Iterator[str]:
    """The same cause several times in a row is told once, with how often."""
    for cause, same in itertools.groupby(causes):
        often = len(list(same))
        yield cause if often == 1 else f"{cause} ({often} times)"


def _no_transport() -> ConnectionEnded:
    return ConnectionEnded("a session has no transport")
