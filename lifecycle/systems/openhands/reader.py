"""One reader's place in a log: first what was missed, then what comes.

Law: there is one place, which replaying moves and following goes on from, so nothing lies between the two and nothing
is told twice. Following waits until replaying is over.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final, Self, final

import trio

from lifecycle.trio.interrupts import ki_protected

from .event import Event, is_shown, is_state
from .event_log import EventLog

NOTICES: Final = 64
"""How many notices wait for a reader; the oldest go."""


@final
@ki_protected
class Reader:
    """`replay` or `begin` once, and then `async for event in reader`.

    Args:
        log: what is read.
        wanted: which events are told; by default, those that clients are shown.

    Attributes:
        begun: set when it is known where following begins.
    """

    def __init__(self, log: EventLog, wanted: Callable[[Event], bool] = is_shown) -> None:
        self.begun = trio.Event()
        self._log, self._wanted = log, wanted
        self._at = -1
        self._batch: deque[Event] = deque()
        self._notices: deque[tuple[int, Event]] = deque(maxlen=NOTICES)
        self._closed = False

    async def replay(self, after: float) -> AsyncGenerator[Event, None]:
        """What came after an id, as the log is now; of the agent's states only the last one, and that last.

        The last state is told whatever its id: who was cut off in an earlier replay has not heard it, though his cursor
        may be beyond it.

        Args:
            after: the highest id that is known, -1 for none; a stranger may have written it.
        """
        end = await self._log.last()
        at = _place(after, end)
        while at < end and (batch := await self._log.after(at)):
            for event in batch:
                at = event["id"]
                if at <= end and self._wanted(event) and not is_state(event):
                    yield event
        state = await self._log.state()
        if state is not None and state["id"] <= end:  # else following tells it
            yield state
        self.begin(end)

    def begin(self, after: int) -> None:
        """Follow from an id on."""
        self._at = after
        self.begun.set()

    def notice(self, event: Event) -> None:
        """Tell an event that is not in the log, behind all that is there now."""
        self._notices.append((self._log.latest, event))
        self._log.touch()

    def close(self) -> None:
        """The iteration is to end behind all that is there now."""
        self._closed = True
        self._log.touch()

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Event:
        """The next event or notice.

        Raises:
            StopAsyncIteration: it was closed, and everything is told.
        """
        await self.begun.wait()
        while True:
            seen, closed = self._log.version, self._closed  # as they are before looking
            if self._notices and self._notices[0][0] <= self._at:
                return self._notices.popleft()[1]
            if not self._batch:
                self._batch.extend(await self._log.after(self._at))
            if self._batch:
                event = self._batch.popleft()
                self._at = event["id"]
                if self._wanted(event):
                    return event
            elif closed:
                raise StopAsyncIteration
            else:
                await self._log.changed(seen)


def _place(after: float, end: int) -> int:
    """An id that is there, or -1, for whatever number was given."""
    return math.floor(min(after, end)) if after > -1 else -1  # a NaN is above nothing
