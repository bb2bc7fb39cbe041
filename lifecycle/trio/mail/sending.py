"""What users send: from the caller to the pipe, at once where nothing is in the way.

Law: a cancelled user tears nothing: a message is withdrawn whole or leaves whole. Order is that of
the callers. A fate is raised only at a caller that was not cancelled; to the others the ticket
tells it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.definition.page import Length
from lifecycle.definition.page import Outbox as Bounds
from lifecycle.errors import MaybeDelivered, NotSent
from lifecycle.trio.parking import Parking
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.transport import Transport, transmit
from lifecycle.wire.codec import encoder
from lifecycle.wire.outbox import HIGH_WATER, Full, Outbox
from lifecycle.wire.ticket import SETTLED, Ticket

if TYPE_CHECKING:
    from .mail import Mail

BREATH = 64
"""How many messages a user may take or send without giving other tasks a turn."""
_DEFAULT = Bounds()


@final
class Sending:
    """The messages of one connection on their way out.

    Args:
        desk: the mail.

    Attributes:
        encode: writes a value by the page's codec.
        open: whether messages may be sent now.
    """

    __slots__ = ("_desk", "_sent", "_until_ready", "encode", "epoch", "open", "outbox", "pipe", "transport", "written")

    def __init__(self, desk: "Mail") -> None:
        messages = desk.definition.messages
        bounds = messages.outbox or _DEFAULT
        self.encode = encoder(messages.codec or "text")
        self.outbox = Outbox(bounds.items, bounds.size, bounds.when_full)
        self.transport: Transport | None = None
        self.pipe: Pipe | None = None
        self.epoch = self.written = 0
        self.open = False
        self._desk, self._until_ready = desk, bounds.until_ready
        self._sent = 0

    # -- synchronously

    def attach(self, transport: Transport, pipe: Pipe, epoch: int) -> None:
        """A connection is there."""
        self.transport, self.pipe, self.epoch, self.written = transport, pipe, epoch, 0
        pipe.drained = self.flush

    def detach(self, cause: str) -> None:
        """The connection has gone: everything that was taken has its fate."""
        pipe, self.transport, self.pipe = self.pipe, None, None
        if pipe is not None:
            pipe.drained = None
            self.outbox.lost(pipe.sent, cause)

    def turn(self, *, now_open: bool) -> None:
        """Messages may be sent now, or may not; if they may not any more, the patience of those that wait begins."""
        closed, self.open = self.open and not now_open, now_open
        if closed:
            for ticket in (*self.outbox.waiting, *self.outbox.lobby):
                self._be_patient(ticket)

    def give_up(self, cause: str) -> None:
        """Nothing will be sent any more: what waits is not sent."""
        for ticket in self.outbox.give_up(cause):
            self._desk.timers.cancel(ticket)

    def withdraw(self, ticket: Ticket) -> bool:
        """Take a message back; false if it was taken already."""
        self._desk.timers.cancel(ticket)
        return self.outbox.withdraw(ticket)

    def flush(self) -> None:
        """Give the pipe what waits, while it has room."""
        pipe = self.pipe
        if pipe is None:
            return
        self.outbox.sent(pipe.sent)
        while (
            self.open
            and pipe.given - pipe.sent < HIGH_WATER
            and pipe.broken is None
            and (ticket := self.outbox.take()) is not None
        ):
            self._desk.timers.cancel(ticket)
            self._write(ticket, pipe)

    def say(self, message: Any) -> None:
        """Send a message of our own, past those that wait; if the connection is ending, it is for nobody."""
        if self.transport is not None:
            try:
                transmit(self.transport, self.encode(message))
                self.written += 1
                self._desk.ids.go(self._desk.ids.of(message))
            except trio.BrokenResourceError:
                return

    def post(self, message: Any, *, patient: bool = False) -> Ticket:
        """Send a message at once, or queue it.

        Raises:
            NotSent: there is no room, or no connection will come.
            TypeError, ValueError: the codec cannot write it.
        """
        ticket = Ticket(self.encode(message))
        if self._desk.ids.path is not None:
            ticket.event = self._desk.ids.of(message)
        self.give(ticket, self._until_ready, patient=patient)
        return ticket

    def give(self, ticket: Ticket, until_ready: Length, *, patient: bool) -> None:
        """Send a message at once, or queue it.

        Args:
            ticket: the message.
            until_ready: how long it waits while the connection is not ready; a value of the page.
            patient: whether its sender can wait for room.

        Raises:
            NotSent: there is no room, or no connection will come.
        """
        outbox, pipe = self.outbox, self.pipe
        if self._desk.ended is not None:
            raise self.refused(str(self._desk.ended()), ticket, "the connection has ended")
        try:
            if (
                self.open
                and pipe is not None
                and not outbox.waiting
                and pipe.given == pipe.sent
                and pipe.broken is None
            ):
                outbox.check(ticket)
                self._write(ticket, pipe)
                return
            ticket.patience = self._desk.value(until_ready) or 0.0
            if not self.open and not ticket.patience:
                raise self.refused("", ticket, "the connection is not ready, and the page lets nothing wait")
            for gone in outbox.put(ticket, patient=patient):
                self._desk.timers.cancel(gone)
        except Full as full:
            error = self.refused(str(full), ticket, "the outbox is full")
            if self.open and outbox.when_full == "close" and ticket.size <= outbox.size:
                self._desk.overfull("outbox_full", f"the peer reads too slowly: {full}")
            raise error from None
        if not self.open:
            self._be_patient(ticket)
        self.flush()

    def give_back(self, tickets: Iterable[Ticket], until_ready: Length) -> None:
        """Queue messages again that were sent on a connection that was lost, before all others."""
        tickets = list(tickets)
        for ticket in tickets:
            ticket.patience = self._desk.value(until_ready) or 0.0
        self.outbox.put_back(tickets)
        for ticket in tickets:
            self._be_patient(ticket)

    def refused(self, cause: str, ticket: Ticket | None = None, what: str = "the message was not sent") -> NotSent:
        """Count a message that is not even queued, and make its error."""
        self.outbox.settle(ticket or Ticket(b""), "not_sent", cause or what)
        return NotSent(what, cause=cause)

    def _write(self, ticket: Ticket, pipe: Pipe) -> None:
        assert self.transport is not None  # noqa: S101 -- it comes and goes with its pipe
        ticket.epoch, ticket.start = self.epoch, pipe.given
        try:
            message = ticket.message
            if isinstance(message, tuple):
                transmit(self.transport, message)
            else:  # without a call of our own: most are of this kind
                self.transport.send(message)
        except trio.BrokenResourceError:
            torn = pipe.sent > ticket.start
            self.outbox.settle(ticket, "maybe" if torn else "not_sent", "the connection was ending")
            return
        self.written += 1
        if ticket.event is not None:
            self._desk.ids.go(ticket.event)
        ticket.end = pipe.given
        self.outbox.framed(ticket, pipe.sent)

    def _be_patient(self, ticket: Ticket) -> None:
        if not ticket.patience:
            self.outbox.withdraw(ticket, "not_sent", "the connection was lost, and the page lets nothing wait")
            return
        self._desk.alarm(ticket, ticket.patience, self._late)

    def _late(self, ticket: Ticket) -> None:
        # while it is ready a message waits for the peer to read, which the page's heartbeat judges
        if not self.open:
            self.outbox.withdraw(ticket, "not_sent", "the connection was not ready in time")

    # -- for users

    async def sent(self, ticket: Ticket) -> None:
        """Wait for the fate of a message.

        Raises:
            NotSent: no byte of it has left.
            MaybeDelivered: some of it has, and then the connection was lost.
        """
        if ticket.fate not in SETTLED:
            parked = Parking()
            ticket.told = parked.wake
            try:
                await parked.wait()
            finally:
                ticket.told = None
                self.withdraw(ticket)
        else:
            self._sent += 1
            if self._sent % BREATH == 0:
                # after the deed: a cancellation here would claim that the message was not sent
                await trio.lowlevel.cancel_shielded_checkpoint()
        if ticket.fate == "not_sent":
            raise NotSent("the message was not sent", cause=ticket.cause)
        if ticket.fate == "maybe":
            raise MaybeDelivered("the message may not have arrived", cause=ticket.cause)
