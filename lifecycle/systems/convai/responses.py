"""Which answer is to which message: the server answers each message once, and says only of which type it was.

Law: of one type the oldest message is answered first; an answer that says no type of ours (bad input) is to the oldest
of all. Whoever stops waiting leaves his place in the row for as long again, so that a late answer is not taken for the
next one.
"""

from collections import deque
from typing import Final, final

import trio

from .event import ServerResponse

BAD_INPUT: Final = ("parse-error", "validation-error", "unknown-message-type")
MOST: Final = 256
"""Messages that wait for an answer; the oldest place is given up."""


@final
class Expected:
    """An answer to come.

    Attributes:
        kind: the type of the message.
        epoch: the connection it was sent on.
        until: until when its place is kept, by trio's clock.
        settled: set when there is an answer, or none will come.
        answer: the answer; None if the connection was lost.
    """

    def __init__(self, kind: str, epoch: int, until: float) -> None:
        self.kind, self.epoch, self.until = kind, epoch, until
        self.settled = trio.Event()
        self.answer: ServerResponse | None = None

    def settle(self, answer: ServerResponse | None) -> None:
        """There is an answer, or none will come."""
        self.answer = answer
        self.settled.set()


@final
class Responses:
    """All answers to come of one session."""

    def __init__(self) -> None:
        self._row: deque[Expected] = deque()

    def expect(self, kind: str, epoch: int, patience: float) -> Expected:
        """A message was sent just now, which is waited for so many seconds."""
        self._forget()
        if len(self._row) >= MOST:
            self._row.popleft().settle(None)
        expected = Expected(kind, epoch, trio.current_time() + 2 * patience)
        self._row.append(expected)
        return expected

    def came(self, answer: ServerResponse) -> bool:
        """An answer has come; says whether somebody was to get it."""
        self._forget()
        bad = answer.event_type in BAD_INPUT
        for expected in self._row:
            if bad or expected.kind == answer.event_type:
                self._row.remove(expected)
                expected.settle(answer)
                return True
        return False

    def lost(self, epoch: int) -> None:
        """A connection has ended: nothing that was sent on it is answered any more."""
        gone = [each for each in self._row if each.epoch <= epoch]
        self._row = deque(each for each in self._row if each.epoch > epoch)
        for each in gone:
            each.settle(None)

    def _forget(self) -> None:
        while self._row and self._row[0].until <= trio.current_time():
            self._row.popleft().settle(None)
