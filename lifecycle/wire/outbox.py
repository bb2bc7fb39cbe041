"""What waits for the peer: whole messages, in order, bounded in number and bytes.

Law: a message that is not taken can be withdrawn; one that was taken leaves whole or is lost with
its connection. Knows offsets of a byte stream, not the stream.
"""

from collections import deque
from typing import final

from .codec import length
from .ticket import Fate, Ticket

HIGH_WATER = 64 * 1024
"""Bytes that may wait in the stream before the next message is framed; beyond recall is one message."""


class Full(Exception):
    """There is no room for the message."""


@final
class Outbox:
    """Messages that wait, and messages that were taken and are not yet wholly sent.

    Args:
        items: the most messages that wait.
        size: the most bytes that wait.
    """

    __slots__ = ("bytes", "items", "size", "taken", "waiting")

    def __init__(self, items: int, size: int) -> None:
        self.items, self.size = items, size
        self.waiting: deque[Ticket] = deque()
        self.taken: deque[Ticket] = deque()
        self.bytes = 0

    def put(self, ticket: Ticket) -> None:
        """Queue a message.

        Raises:
            Full: too many messages or bytes wait.
        """
        if len(self.waiting) >= self.items:
            raise Full(f"{self.items} messages wait already")
        size = length(ticket.message)
        if self.bytes + size > self.size:
            raise Full(f"{self.bytes} bytes wait already, and {self.size} are the most")
        self.bytes += size
        self.waiting.append(ticket)

    def take(self) -> Ticket | None:
        """The next message, to be framed now."""
        if not self.waiting:
            return None
        ticket = self.waiting.popleft()
        self.bytes -= length(ticket.message)
        ticket.fate = "taken"
        self.taken.append(ticket)
        return ticket

    def withdraw(self, ticket: Ticket, fate: Fate = "withdrawn", cause: str = "") -> bool:
        """Take a message back; false if it was taken already."""
        if ticket.fate != "queued" or ticket not in self.waiting:
            return False
        self.waiting.remove(ticket)
        self.bytes -= length(ticket.message)
        ticket.settle(fate, cause)
        return True

    def sent(self, offset: int) -> None:
        """The stream has given all bytes before the offset to the system."""
        while self.taken and self.taken[0].end <= offset:
            self.taken.popleft().settle("sent")

    def lost(self, offset: int, cause: str) -> None:
        """The stream has ended; the offset is how far it came."""
        self.sent(offset)
        while self.taken:
            ticket = self.taken.popleft()
            ticket.settle("not_sent" if ticket.start >= offset else "maybe", cause)

    def give_up(self, cause: str) -> None:
        """Nothing that waits will be sent."""
        while self.waiting:
            ticket = self.waiting.popleft()
            self.bytes -= length(ticket.message)
            ticket.settle("not_sent", cause)
