"""What waits for users, and the users that wait for it.

Law: what was received is not lost to a cancelled user: it is handed over, or it is still there.
Reading stops only where the page says so, only while messages may be sent, and while nobody waits
for an answer: so the handshake and the goodbye are read, and who asks while the inbox is full is
answered.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.definition.page import Inbox as Bounds
from lifecycle.definition.units import say_seconds
from lifecycle.errors import LifecycleError
from lifecycle.trio.parking import Parking
from lifecycle.wire.continuity import Continuity, canonical
from lifecycle.wire.inbox import Discontinuity, Inbox
from lifecycle.wire.pick import find
from lifecycle.wire.routes import Outcome

from .replies import Replies
from .sending import BREATH, Sending

if TYPE_CHECKING:
    from .mail import Mail

MakeError = Callable[[], LifecycleError]
"""Makes an error, each time another one, for a traceback belongs to one raise."""

_DEFAULT = Bounds()
_PAUSE = "inbox.pause"


@final
class Receiving:
    """The messages of one connection on their way to the user.

    Args:
        desk: the mail.
        sending: tells whether messages may be sent.
        replies: tells whether somebody waits for an answer.

    Attributes:
        delivered: messages that were put into the inbox, or handed to who waited.
        paused_since: when reading stopped, by the connection's clock; None while it goes on.
    """

    __slots__ = (
        "_bounds",
        "_desk",
        "_readers",
        "_replies",
        "_sending",
        "_taken",
        "continuity",
        "delivered",
        "inbox",
        "paused_since",
    )

    def __init__(self, desk: "Mail", sending: Sending, replies: Replies) -> None:
        messages = desk.definition.messages
        bounds = self._bounds = messages.inbox or _DEFAULT
        self.inbox = Inbox(bounds.items, bounds.size, bounds.when_full)
        self.continuity = Continuity(messages.routes)
        self.delivered = self._taken = 0
        self.paused_since: float | None = None
        self._desk, self._sending, self._replies = desk, sending, replies
        self._readers = Parking()
        if bounds.when_full == "wait":
            replies.changed = self.pace

    def deliver(self, outcome: Outcome, size: int) -> bool:
        """A message of so many bytes for the user, unless it has come before.

        Returns:
            Whether it was taken. If not, it does not count as come: on another connection it may come again.
        """
        number = self._number(outcome)
        if (len(self.inbox) or not len(self._readers)) and not self.inbox.fits(size):
            return self._put(outcome, size, number)
        if self.continuity.watches:
            self._count(outcome.row, number)
            if not self.continuity.is_new(outcome.row, outcome.message):
                return True
        if len(self._readers) and not len(self.inbox):
            self.delivered += 1
            self._readers.hand(outcome.value)
            return True
        return self._put(outcome, size, number)

    def count(self, outcome: Outcome) -> None:
        """A message that is not for the user has a number too; the mark, if some before it are missing."""
        self._count(outcome.row, self._number(outcome))

    def mark(self, mark: Discontinuity) -> None:
        """A mark of the page or of the driver for the user, in its place among the messages."""
        self._mark(self.continuity.told(mark))

    def fail(self, error: MakeError) -> None:
        """Tell who waits that nothing will come."""
        self._readers.fail(error)

    def pace(self) -> None:
        """Stop reading, or go on; asked whenever something changes that decides on it."""
        stop = self.inbox.stopped and self._sending.open and not self._replies.requests.pending
        if stop and self.paused_since is None:
            self.paused_since = trio.current_time()
            if self._bounds.pause is not None:
                self._desk.alarm(_PAUSE, self._desk.value(self._bounds.pause), self._paused_too_long)
        elif not stop and self.paused_since is not None:
            self.paused_since = None
            self._desk.timers.cancel(_PAUSE)
            self._desk.resume()

    async def receive(self) -> Any:
        """The next message or mark; raises what ended the connection, after the last one."""
        if len(self.inbox):
            self._taken += 1
            if self._taken % BREATH == 0:
                await trio.lowlevel.checkpoint()  # before the take: after it, a cancellation would lose the message
            else:
                await trio.lowlevel.checkpoint_if_cancelled()
            if len(self.inbox):
                message = self.inbox.take()
                if self.paused_since is not None:
                    self.pace()
                return message
        error = self._desk.ended or self._desk.at_rest()
        if error is not None:
            await trio.lowlevel.checkpoint()
            raise error()
        return await self._readers.wait()

    def _put(self, outcome: Outcome, size: int, number: int | None) -> bool:
        self.delivered += 1
        key = self._key(outcome.message) if self.inbox.when_full == "latest" else None
        if not self.inbox.put(outcome.value, size, self.continuity.place(number), key):
            self._desk.overfull("inbox_full", f"{self.inbox.count} messages wait, and nobody takes them")
            return False
        if self.inbox.stopped:
            self.pace()
        return True

    def _number(self, outcome: Outcome) -> int | None:
        return self.continuity.number(outcome.row, outcome.message) if self.continuity.watches else None

    def _count(self, row: int, number: int | None) -> None:
        gap = self.continuity.gap(row, number) if number is not None else None
        if gap is not None:
            self._mark(gap)

    def _mark(self, mark: Discontinuity) -> None:
        if len(self._readers) and not len(self.inbox):
            self._readers.hand(mark)
        else:
            self.inbox.mark(mark)

    def _key(self, message: Any) -> Any:
        return canonical(find(message, self._bounds.key)) if self._bounds.key is not None else True

    def _paused_too_long(self, _: object) -> None:
        stopped = trio.current_time() - (self.paused_since or 0.0)
        said = f"nobody takes messages, and reading has stopped for {say_seconds(round(stopped, 1))}"
        self._desk.overfull("inbox_full", said)
