"""What became of each message and each request of the user, held against what really went over the links.

Law: each is settled exactly once; its fate is true; its order is kept; and it is settled in the moment in which that
is known: an answer that was read, a link that was dropped.
"""

import re
from typing import TYPE_CHECKING, Any

from lifecycle.wire.ticket import SETTLED

from .fates import A_MOMENT, OPEN, Record, word, wrong_answer, wrong_fate
from .stream import Stream
from .words import Said

if TYPE_CHECKING:
    from .link import Link
    from .world import World

_MINE = re.compile(r'^u(\d+)|"u":(\d+)')
_HEAD = 160


class Account:
    """The account of one connection.

    Args:
        world: is told what is wrong.
    """

    def __init__(self, world: "World") -> None:
        self.world = world
        self.stream = Stream(world.scene.page, world.broken)
        self.records: dict[int, Record] = {}
        self.open: dict[int, Record] = {}
        self._asked: dict[str, Record] = {}
        self._last = 0
        self._sent = False
        requests = world.scene.page.requests
        self._resends = requests is not None and requests.on_loss == "resend"

    def make(self, *, asks: bool, within: float = 0.0) -> Record:
        """The user is about to send or ask something."""
        world = self.world
        world.serial += 1
        record = Record(world.serial, world.now, asks, within)
        self.records[record.serial] = self.open[record.serial] = record
        return record

    @property
    def went(self) -> bool:
        """Whether anything of the user's has left the system whole."""
        link = self.world.link
        if link is None or self._sent:
            return self._sent
        return any(record.place is not None and record.place[2] <= link.pipe.taken for record in link.carried)

    # -- what the links tell

    def _mine(self, data: str | bytes) -> Record | None:
        found = _MINE.search(data[:_HEAD]) if isinstance(data, str) else None
        return self.records.get(int(found[1] or found[2])) if found else None

    def handed(self, link: "Link", data: str | bytes, start: int, end: int) -> None:
        """The driver has given something to a link."""
        if isinstance(data, bytes) and link.carried:  # of what was handed over just before
            whole = link.carried[-1]
            if whole.place is not None:
                whole.place = (link, whole.place[1], end)
            return
        record = self._mine(data)
        if record is None:
            return
        again = record.place is not None
        if again and not (record.asks and self._resends):
            self.world.broken("settled once", f"message {record.serial} was sent twice")
        elif record.serial < self._last and not again:
            self.world.broken("order kept", f"message {record.serial} was sent after message {self._last}")
        if record.outcome is not OPEN and not record.cancelled:
            self.world.broken("fates", f"message {record.serial} was sent although it was settled")
        record.place = (link, start, end)
        if record.asks and isinstance(data, str):
            asked = self.world.scene.words.request(data)
            if asked is not None:
                self._asked[asked] = record
        self._last = max(self._last, record.serial)
        link.carried.append(record)

    def arrived(self, data: str | bytes) -> Record | None:
        """Something came to the peer."""
        record = self._mine(data)
        if record is not None:
            record.arrived += 1
            # a request has a new ticket when it is sent again
            fate = record.ticket.fate if record.ticket is not None and not record.asks else word(record.outcome)
            if fate in ("not_sent", "withdrawn"):
                self.world.broken("fates", f"message {record.serial} has arrived, and was told to be {fate}")
        return record

    def read(self, said: Said) -> None:
        """A link hands something over to the driver."""
        self.world.count("messages read")
        if said.delivers and self.world.judge.listens:
            self.world.judge.settle()
            self.stream.deliver(said)
            self.world.user_cancelled()
        elif said.kind == "raise" and said.number is not None:
            self.world.judge.settle()
            self.stream.count(said)
        elif said.kind == "answer":
            # whoever the peer meant: an id that waits for an answer has got one
            record = self._asked.get(said.id)
            if record is not None and record.outcome is OPEN and record.answer is None:
                record.answer = (self.world.now, said)

    def dropped(self, link: "Link", taken: int) -> None:
        """The driver has dropped a link; all that it carried has its fate now."""
        self._sent = self._sent or any(record.place is not None and record.place[2] <= taken for record in link.carried)
        for record in link.carried:
            if record.place is None or record.place[0] is not link:
                continue
            _, start, end = record.place
            fate = "sent" if end <= taken else "not_sent" if start >= taken else "maybe"
            record.lost = (self.world.now, fate)
            if record.ticket is not None and not record.asks and record.ticket.fate != fate:
                what = f"message {record.serial} is {record.ticket.fate}, and its link was dropped when it was {fate}"
                self.world.broken("fates", what)
        link.carried.clear()

    # -- what the user tells

    def settled(self, record: Record, outcome: Any) -> None:
        """The user was told what became of it."""
        world = self.world
        if record.outcome is not OPEN:
            world.broken("settled once", f"request {record.serial} was settled twice")
        record.outcome = outcome
        self.open.pop(record.serial, None)
        if record.asks:
            wrong = wrong_answer(record, outcome, world.now, resends=self._resends)
        else:
            wrong = wrong_fate(record, outcome)
        world.count(f"{'requests' if record.asks else 'messages'} {word(outcome)}")
        if wrong:
            world.broken("fates", f"{'request' if record.asks else 'message'} {record.serial}: {wrong}")
        if record.arrived or record.place is None:
            self.records.pop(record.serial, None)

    # -- at any time

    def look(self, now: float) -> None:
        """What is known must have been told."""
        for record in self.open.values():
            if record.cancelled:
                continue
            if record.answer is not None and now > record.answer[0] + A_MOMENT:
                what = f"the answer to request {record.serial} was read {now - record.answer[0]:.3f} s ago"
                self.world.broken("settled once", f"{what}, and nobody was told")
            elif record.asks and record.lost is not None and not self._resends and now > record.lost[0] + A_MOMENT:
                what = f"request {record.serial} was lost with its link {now - record.lost[0]:.3f} s ago"
                self.world.broken("settled once", f"{what}, and nobody was told")
            elif record.within and now > record.at + record.within + A_MOMENT:
                self.world.broken("settled once", f"request {record.serial} is not settled, and its time is over")

    def idle(self, now: float) -> Record | None:
        """A message that waits although nothing is in its way: it is ready, and the link has taken all."""
        link = self.world.link
        if link is None or link.goodbye or link.ended is not None or link.pipe.taken < link.pipe.total:
            return None
        waiting = (each for each in self.open.values() if each.place is None and each.at < now - A_MOMENT)
        return next((each for each in waiting if not (each.ticket is not None and each.ticket.fate in SETTLED)), None)

    def sweep(self) -> None:
        """Take the fates of tickets that are settled."""
        for record in [each for each in self.open.values() if each.ticket is not None and not each.asks]:
            if record.ticket is not None and record.ticket.fate in SETTLED:
                self.settled(record, record.ticket.fate)

    def end(self) -> None:
        """The connection has ended: nothing is open any more."""
        self.sweep()
        self.stream.end()
        for kind, count in self.stream.told.items():
            self.world.counts[f"marks {kind}"] += count
        if self.open:
            what = "request" if any(record.asks for record in self.open.values()) else "message"
            self.world.broken("settled once", f"{len(self.open)} are open after the end, among them a {what}")
