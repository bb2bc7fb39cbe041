"""What waits for one who iterates: events of a gateway, or messages of a session, and marks in their places.

Law: bounded in number and bytes; what gives way is told in its place. It ends, or fails, as its connection does, after
what has come; where the connection goes on, so does it. Who is cancelled loses nothing.
"""

import json
from collections.abc import Callable
from typing import Any, Final, Self, final

import trio

from lifecycle.errors import LifecycleError
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.parking import Parking
from lifecycle.wire.inbox import Discontinuity, Inbox

ITEMS: Final = 1024
BYTES: Final = 16 * 1024 * 1024


@final
@ki_protected
class Stream:
    """An async iterator of values and `Discontinuity` marks.

    Args:
        at_rest: whether the connection makes no more attempts by itself.
        family: of the events it takes: `chat`, or `exec.approval` for all that begin so; None for all.
    """

    def __init__(self, at_rest: Callable[[], bool], family: str | None = None) -> None:
        self._at_rest, self._family = at_rest, family
        self._inbox = Inbox(ITEMS, BYTES)
        self._parked = Parking()
        self._over = self._ended = False
        self._error: LifecycleError | None = None

    def takes(self, name: object) -> bool:
        """Whether an event of this name belongs here."""
        family = self._family
        return family is None or (isinstance(name, str) and (name == family or name.startswith(f"{family}.")))

    def put(self, value: Any, size: int) -> None:
        """Add a value of so many bytes."""
        self._inbox.put(value, size)
        self._parked.wake()

    def mark(self, mark: Discontinuity) -> None:
        """Add a mark."""
        self._inbox.mark(mark)
        self._parked.wake()

    def rest(self, error: LifecycleError | None) -> None:
        """Nothing more comes for now: who waits is told so, with an error, or with the end of the iteration."""
        if not self._ended:
            self._over, self._error = True, error
            self._parked.wake()

    def end(self, error: LifecycleError | None) -> None:
        """Nothing more comes, whatever the connection does."""
        self.rest(error)
        self._ended = True

    def go_on(self) -> None:
        """More may come."""
        self._over = False

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Any:
        """The next value or mark.

        Raises:
            StopAsyncIteration: the connection is closed.
            ConnectionFailed: it has failed.
            RequestFailed: the gateway does not give the messages of this session.
        """
        await trio.lowlevel.checkpoint()
        while not len(self._inbox):
            if self._ended or (self._over and self._at_rest()):  # asked now, for a wish may just have woken it
                if self._error is None:
                    raise StopAsyncIteration
                raise self._error.with_traceback(None)
            await self._parked.wait()
        return self._inbox.take()


def size_of(value: Any) -> int:
    """How many bytes a value of JSON has, about."""
    return len(json.dumps(value))
