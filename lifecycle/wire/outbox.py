"""What waits for the peer: whole messages, in order, bounded in number and bytes.

Law: a message that is not taken can be withdrawn; one that was taken leaves whole or is lost with
its connection. Every fate is counted, once. Who may wait for room stands behind those that wait,
in order, and nobody overtakes him. Knows offsets of a byte stream, not the stream.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal, final

from .ticket import SETTLED, Fate, Ticket

HIGH_WATER = 64 * 1024
"""Bytes that may wait in the stream before the next message is framed; beyond recall is one message."""

Queue = deque[Ticket] | tuple[()]
"""Made when something waits for the first time, and let go when nothing does: an empty deque has 600 bytes."""


class Full(Exception):
    """There is no room for the message."""


@final
class Outbox:
    """Messages that wait, and messages that were taken and are not yet wholly sent.

    Args:
        items: the most messages that wait.
        size: the most bytes that wait, and the longest message.
        when_full: who gives way: the one that comes (`reject`, and `close`, where it is the last
            that this connection is asked to take), the `oldest`, or nobody (`wait`).

    Attributes:
        waiting: what may be taken next.
        lobby: with `wait`: what waits for room among those.
        taken: what was framed, and is not yet wholly sent.
        bytes: of those that wait.
        counts: how many messages had each fate.
    """

    __slots__ = ("bytes", "counts", "items", "lobby", "size", "taken", "waiting", "when_full")

    def __init__(
        self, items: int, size: int, when_full: Literal["reject", "oldest", "wait", "close"] = "reject"
    ) -> None:
        self.items, self.size, self.when_full = items, size, when_full
        self.waiting: Queue = ()
        self.lobby: Queue = ()
        self.taken: Queue = ()
        self.bytes = 0
        self.counts: dict[Fate, int] = {"sent": 0, "not_sent": 0, "maybe": 0, "withdrawn": 0}

    def settle(self, ticket: Ticket, fate: Fate, cause: str = "") -> None:
        """Fix and count the fate of a message."""
        if ticket.fate not in SETTLED:
            self.counts[fate] += 1
            ticket.settle(fate, cause)

    def put(self, ticket: Ticket, *, patient: bool = False) -> tuple[Ticket, ...]:
        """Queue a message.

        Args:
            ticket: the message.
            patient: whether its sender can wait for room, if the policy is `wait`.

        Returns:
            Those that made room, settled.

        Raises:
            Full: there is no room, or could never be.
        """
        self.check(ticket)
        gone: list[Ticket] = []
        if self.when_full == "oldest":
            while self.waiting and self._full(ticket):
                gone.append(self._pop())
                self.settle(gone[-1], "not_sent", "made room for a later message")
        full = "others wait for room already" if self.lobby else self._full(ticket)
        if not full:
            self._push(ticket)
        elif patient and self.when_full == "wait":
            self.lobby = _behind(self.lobby, ticket)
        else:
            raise Full(full)
        return tuple(gone)

    def check(self, ticket: Ticket) -> None:
        """Refuse a message for which there would never be room, whatever the policy.

        Raises:
            Full: it is longer than all that may wait.
        """
        if ticket.size > self.size:
            raise Full(f"the message has {ticket.size} bytes, and {self.size} are the most")

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """Queue messages before all that wait. They were let in once: what they take is room for nobody else."""
        back = deque(tickets)
        self.bytes += sum(ticket.size for ticket in back)
        back.extend(self.waiting)
        self.waiting = back or ()

    def take(self) -> Ticket | None:
        """The next message, to be framed now."""
        return self._pop() if self.waiting else None

    def framed(self, ticket: Ticket, offset: int) -> None:
        """A message has its place in the stream, which has given all bytes before the offset to the system."""
        if self.taken:
            self.sent(offset)
        if ticket.end <= offset:
            self.settle(ticket, "sent")
        else:
            ticket.fate = "taken"
            self.taken = _behind(self.taken, ticket)

    def withdraw(self, ticket: Ticket, fate: Fate = "withdrawn", cause: str = "") -> bool:
        """Take a message back; false if it was taken already."""
        if ticket.fate != "queued":
            return False
        if ticket in self.waiting:
            self.waiting = _without(self.waiting, ticket)
            self.bytes -= ticket.size
        elif ticket in self.lobby:
            self.lobby = _without(self.lobby, ticket)
        else:
            return False
        self.settle(ticket, fate, cause)
        self._let_in()
        return True

    def sent(self, offset: int) -> None:
        """The stream has given all bytes before the offset to the system."""
        taken = self.taken
        while taken and taken[0].end <= offset:
            self.settle(taken.popleft(), "sent")
        if not taken:
            self.taken = ()

    def lost(self, offset: int, cause: str) -> None:
        """The stream has ended; the offset is how far it came."""
        self.sent(offset)
        taken, self.taken = self.taken, ()
        for ticket in taken:
            self.settle(ticket, "not_sent" if ticket.start >= offset else "maybe", cause)

    def give_up(self, cause: str) -> tuple[Ticket, ...]:
        """Nothing that waits will be sent; returns what that was."""
        gone = (*self.waiting, *self.lobby)
        self.waiting = self.lobby = ()
        self.bytes = 0
        for ticket in gone:
            self.settle(ticket, "not_sent", cause)
        return gone

    def _full(self, ticket: Ticket) -> str:
        """Why there is no room among those that wait, in words; empty if there is."""
        if len(self.waiting) >= self.items:
            return f"{self.items} messages wait already"
        if self.bytes + ticket.size > self.size:
            return f"{self.bytes} bytes wait already, and {self.size} are the most"
        return ""

    def _push(self, ticket: Ticket) -> None:
        self.bytes += ticket.size
        self.waiting = _behind(self.waiting, ticket)

    def _pop(self) -> Ticket:
        ticket = next(iter(self.waiting))
        self.waiting = _without(self.waiting, ticket)
        self.bytes -= ticket.size
        self._let_in()
        return ticket

    def _let_in(self) -> None:
        """Who waits for room comes in, first come, first served."""
        while isinstance(self.lobby, deque):
            first = self.lobby[0]
            if self.waiting and self._full(first):
                return
            self.lobby = _without(self.lobby, first)
            self._push(first)


def _behind(queue: Queue, ticket: Ticket) -> Queue:
    if isinstance(queue, deque):
        queue.append(ticket)
        return queue
    return deque((ticket,))


def _without(queue: Queue, ticket: Ticket) -> Queue:
    if isinstance(queue, deque):
        queue.remove(ticket)
    return queue or ()
