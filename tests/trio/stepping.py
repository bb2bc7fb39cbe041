"""Tell a story again and again, on a clock that jumps, and cancel a scope of it at each task step of it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lifecycle.trio.connection import Connection
from lifecycle.wire.ticket import Ticket

MOST_STEPS = 20_000
NEVER = MOST_STEPS + 1


class Counter(trio.abc.Instrument):
    """Counts task steps of whoever runs while its scope is open, and cancels the scope after one of them.

    Attributes:
        step: after which one it cancels.
        seen: how many there were.
        cancelled: whether it was in time.
    """

    def __init__(self, step: int) -> None:
        self.step, self.seen, self.cancelled = step, 0, False
        self._scope: trio.CancelScope | None = None

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Count in here, and perhaps cancel."""
        with trio.CancelScope() as self._scope:
            yield
        self.cancelled = self._scope.cancelled_caught
        self._scope = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        if self._scope is not None:
            self.seen += 1
            if self.seen in (self.step, MOST_STEPS):
                self._scope.cancel()


Live = Callable[[Counter], Awaitable[Any]]


def undisturbed(live: Live) -> tuple[Any, int]:
    """Run a story as it is; what it returned, and how many steps there were in its scope."""
    counter = Counter(NEVER)
    result = _run(live, counter)
    assert 0 < counter.seen < MOST_STEPS, counter.seen
    assert not counter.cancelled
    return result, counter.seen


def cancelled(live: Live, steps: int, at_most: int = MOST_STEPS) -> Iterator[tuple[Counter, Any]]:
    """Run a story once for each step, or for so many of them, evenly spread; what it returned, each time."""
    spread = sorted({round(1 + i * (steps - 1) / (at_most - 1)) for i in range(min(at_most, steps))})
    for step in range(1, steps + 1) if steps <= at_most else spread:
        counter = Counter(step)
        yield counter, _run(live, counter)


def _run(live: Live, counter: Counter) -> Any:
    return trio.run(live, counter, clock=trio.testing.MockClock(autojump_threshold=0), instruments=[counter])


@attrs.define
class Made:
    """What was made while a story was told.

    Attributes:
        connections: all of them.
        tickets: all of them, each with its message as it was, for a settled one has none any more.
    """

    connections: list[Connection] = attrs.field(factory=list)
    tickets: list[tuple[Ticket, str | bytes]] = attrs.field(factory=list)

    def forget(self) -> None:
        """Begin anew."""
        self.connections.clear()
        self.tickets.clear()


@contextmanager
def noticing() -> Iterator[Made]:
    """Notices every connection and every ticket that is made meanwhile."""
    notes = Made()
    begin, weigh = Connection.__init__, Ticket.__attrs_post_init__

    def connection(self: Connection, *args: Any, **settings: Any) -> None:
        begin(self, *args, **settings)
        notes.connections.append(self)

    def ticket(self: Ticket) -> None:
        weigh(self)
        notes.tickets.append((self, self.message))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "__init__", connection)
        patch.setattr(Ticket, "__attrs_post_init__", ticket)
        yield notes
