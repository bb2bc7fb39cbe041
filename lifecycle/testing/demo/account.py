"""What became of each message of the demo, counted on both sides.

Law: pure, and suspicious. A message is delivered if the other side says so, once; else somebody
must have been told: the ticket (not sent, maybe delivered), or a Discontinuity after it. What
nobody was told of is lost, and a single one fails the demo.
"""

from collections import Counter
from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from lifecycle.wire.ticket import Ticket


@attrs.frozen(kw_only=True)
class Tally:
    """Numbers of messages of one direction.

    Attributes:
        sent: how many there were.
        delivered: that arrived exactly once.
        not_sent: that did not leave, as their tickets say.
        maybe: that may have left, as their tickets say, and did not arrive.
        gap: that were on their way when a connection was lost, as a Discontinuity says.
        lost: that did not arrive, and nobody was told.
        doubled: that arrived more than once, or although their ticket says that they did not leave.
    """

    sent: int = 0
    delivered: int = 0
    not_sent: int = 0
    maybe: int = 0
    gap: int = 0
    lost: int = 0
    doubled: int = 0

    @property
    def good(self) -> bool:
        """Whether all is accounted for."""
        told = self.delivered + self.not_sent + self.maybe + self.gap
        return not self.lost and not self.doubled and told == self.sent


@final
class Account:
    """Both sides of the demo.

    Attributes:
        tickets: the client's messages, by number.
        got: how often the server received each.
        marks: the dials after which a Discontinuity was told.
        server_sent: how many messages the server sent on each of its connections.
        received: what the client received: (connection, number), and None for a Discontinuity.
    """

    def __init__(self) -> None:
        self.tickets: dict[int, Ticket] = {}
        self.unsent: set[int] = set()
        self.got: Counter[int] = Counter()
        self.acknowledged: set[int] = set()
        self.marks: list[int] = []
        self.server_sent: Counter[str] = Counter()
        self.received: list[tuple[str, int] | None] = []

    def to_server(self) -> Tally:
        """The client's messages."""
        counts: Counter[str] = Counter(self._fate(number) for number in (*self.tickets, *self.unsent))
        return Tally(sent=len(self.tickets) + len(self.unsent), **counts)

    def _fate(self, number: int) -> str:
        got = self.got[number]
        ticket = self.tickets.get(number)
        fate = ticket.fate if ticket is not None else "not_sent"
        if got > 1 or (got and fate in ("not_sent", "withdrawn", "queued")):
            return "doubled"
        if got:
            return "delivered"
        if fate in ("not_sent", "maybe"):
            return fate
        # given to the system, and then the connection was lost: a later mark says so
        if fate == "sent" and ticket is not None and any(epoch > ticket.epoch for epoch in self.marks):
            return "gap"
        return "lost"

    def to_client(self) -> Tally:
        """The server's messages: in each of its connections without a hole, and a mark before each new one."""
        delivered = lost = doubled = 0
        seen: set[tuple[str, int]] = set()
        last: tuple[str, int] | None = None
        marked = True
        for item in self.received:
            if item is None:
                marked = True
                continue
            name, number = item
            if item in seen:
                doubled += 1
                continue
            seen.add(item)
            delivered += 1
            expected = last[1] + 1 if last is not None and last[0] == name else 0
            hole = number - expected
            if hole > 0 or (last is not None and last[0] != name and not marked):
                lost += max(hole, 1)
            last, marked = item, False
        # of the last connection everything must be here; what else is missing was on its way when one was lost
        missing = self.missing()
        sent = sum(self.server_sent.values())
        lost += missing
        return Tally(sent=sent, delivered=delivered, gap=sent - delivered - lost, lost=lost, doubled=doubled)

    def missing(self) -> int:
        """How many messages of the server's last connection have not arrived."""
        items = [item for item in self.received if item is not None]
        if not items:
            return sum(self.server_sent.values())
        name, number = items[-1]
        return max(0, self.server_sent[name] - number - 1)
