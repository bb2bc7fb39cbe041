"""What users send, ask and receive: tickets, requests, the inbox, and who waits for them.

Law: no user's task is ever in the driver's nursery, and a cancelled user tears nothing: a message
is withdrawn whole or leaves whole, a received one is not lost. An answer is settled when it is
read, never behind the inbox.
"""

from collections.abc import Callable
from typing import Any, final

import trio

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import Inbox as InboxBounds
from lifecycle.definition.page import Outbox as OutboxBounds
from lifecycle.errors import LifecycleError, MaybeDelivered, NotSent
from lifecycle.wire.codec import encode
from lifecycle.wire.inbox import Discontinuity, Inbox
from lifecycle.wire.outbox import HIGH_WATER, Full, Outbox
from lifecycle.wire.requests import Pending, Requests
from lifecycle.wire.ticket import SETTLED, Ticket

from .parking import Parking
from .pipe import Pipe
from .timers import Timers
from .transport import Transport

BREATH = 64
"""How many messages a user may take or send without giving other tasks a turn."""


@final
class Mail:
    """The mail of one connection; the driver calls the synchronous half, users the other.

    Args:
        definition: the page.
        timers: the connection's; `arm` is told when one was set.
    """

    def __init__(self, definition: Definition, timers: Timers, arm: Callable[[], None]) -> None:
        messages = definition.messages
        inbox, outbox = messages.inbox or InboxBounds(), messages.outbox or OutboxBounds()
        self.codec = messages.codec or "text"
        self.inbox = Inbox(inbox.items, inbox.size)
        self.outbox = Outbox(outbox.items, outbox.size)
        self.requests = Requests()
        self.transport: Transport | None = None
        self.pipe: Pipe | None = None
        self.epoch = 0
        self.open = False
        self.delivered = 0
        self.ended: Callable[[], LifecycleError] | None = None
        self._timers, self._arm = timers, arm
        self._readers = Parking()
        self._owed = 0

    # -- told by the driver, synchronously

    def attach(self, transport: Transport, pipe: Pipe, epoch: int) -> None:
        """A connection is there."""
        self.transport, self.pipe, self.epoch = transport, pipe, epoch
        pipe.drained = self.flush

    def detach(self, cause: str) -> None:
        """The epoch is over: everything that was taken has its fate."""
        pipe, self.transport, self.pipe = self.pipe, None, None
        self.turn(now_open=False)
        if pipe is not None:
            pipe.drained = None
            self.outbox.lost(pipe.sent, cause)
        self.requests.lost(cause)

    def turn(self, *, now_open: bool) -> None:
        """Messages may be sent now, or may not; if they may not any more, the patience of those that wait begins."""
        if self.open and not now_open:
            for ticket in self.outbox.waiting:
                self._be_patient(ticket)
        self.open = now_open

    def give_up(self, cause: str) -> None:
        """Nothing will be sent any more: what waits is not sent."""
        self.outbox.give_up(cause)
        self.requests.unsent(cause)

    def finish(self, error: Callable[[], LifecycleError]) -> None:
        """The connection has ended; readers get what is there, then the error."""
        self.give_up(str(error()))
        self.ended = error
        self._readers.fail(error)

    def rest(self, error: Callable[[], LifecycleError]) -> None:
        """The connection rests: nothing will be sent, and who waits for messages is told."""
        self.give_up(str(error()))
        self._readers.fail(error)

    def deliver(self, value: Any, size: int) -> None:
        """A message for the user."""
        self.delivered += 1
        if len(self._readers) and not len(self.inbox):
            self._readers.hand(value)
        else:
            self.inbox.put(value, size)

    def mark(self, mark: Discontinuity) -> None:
        """A mark for the user, in its place among the messages."""
        if len(self._readers) and not len(self.inbox):
            self._readers.hand(mark)
        else:
            self.inbox.mark(mark)

    def flush(self) -> None:
        """Give the pipe what waits, while it has room."""
        pipe, transport = self.pipe, self.transport
        if pipe is None or transport is None:
            return
        self.outbox.sent(pipe.sent)
        while (
            self.open
            and pipe.given - pipe.sent < HIGH_WATER
            and pipe.broken is None
            and (ticket := self.outbox.take()) is not None
        ):
            self._timers.cancel(ticket)
            ticket.start, ticket.end, ticket.epoch = pipe.given, pipe.given, self.epoch
            try:
                transport.send(ticket.message)
            except trio.BrokenResourceError:
                self.outbox.taken.remove(ticket)
                ticket.settle("not_sent", "the connection was ending")
                self.requests.unsent("the connection was ending")
            ticket.end = pipe.given
        self.outbox.sent(pipe.sent)

    # -- sending

    def post(self, value: Any, until_ready: float | None) -> Ticket:
        """Queue a message; raises NotSent if there is no room or no connection will come."""
        return self._post(Ticket(encode(self.codec, value), patience=until_ready or 0.0))

    def _post(self, ticket: Ticket) -> Ticket:
        if self.ended is not None:
            raise NotSent("the connection has ended", cause=str(self.ended()))
        if not self.open and not ticket.patience:
            ticket.settle("not_sent", "not ready")
            raise NotSent("the connection is not ready, and the page lets nothing wait")
        try:
            self.outbox.put(ticket)
        except Full as full:
            raise NotSent("the outbox is full", cause=str(full)) from None
        if not self.open:
            self._be_patient(ticket)
        self.flush()
        return ticket

    def _be_patient(self, ticket: Ticket) -> None:
        self._timers.set(ticket, trio.current_time() + ticket.patience, self._late)
        self._arm()

    def _late(self, ticket: Ticket) -> None:
        # while it is ready a message waits for the peer to read, which the page's heartbeat judges
        if not self.open:
            self.outbox.withdraw(ticket, "not_sent", "the connection was not ready in time")
            self.requests.unsent("the connection was not ready in time")

    async def sent(self, ticket: Ticket) -> None:
        """Wait for the fate of a message."""
        if ticket.fate not in SETTLED:
            parked = Parking()
            ticket.told = lambda _: parked.wake()
            try:
                await parked.wait()
            finally:
                ticket.told = None
                if self.outbox.withdraw(ticket):
                    self._timers.cancel(ticket)
        elif self._breath():
            # after the deed: a cancellation here would claim that the message was not sent
            await trio.lowlevel.cancel_shielded_checkpoint()
        if ticket.fate == "not_sent":
            raise NotSent("the message was not sent", cause=ticket.cause)
        if ticket.fate == "maybe":
            raise MaybeDelivered("the message may not have arrived", cause=ticket.cause)

    # -- requests

    async def request(
        self, method: str, message: Any, id_: str, until_ready: float | None, timed: Callable[[], None]
    ) -> Any:
        """Send a request and wait for what becomes of it; `timed` sets its timeout."""
        parked: Parking = Parking()
        outcome: list[Any] = []

        def settle(value: Any, error: LifecycleError | None) -> None:
            outcome.append((value, error))
            parked.wake()

        ticket = Ticket(encode(self.codec, message), patience=until_ready or 0.0)
        self.requests.pending[id_] = Pending(id_, method, ticket, settle)
        timed()
        try:
            self._post(ticket)
            if not outcome:
                await parked.wait()
        finally:
            self.requests.pending.pop(id_, None)
            self._timers.cancel(("request", id_))
            if self.outbox.withdraw(ticket):
                self._timers.cancel(ticket)
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    # -- receiving

    async def receive(self, check: Callable[[], None]) -> Any:
        """The next message or mark; raises what ended the connection, after the last one.

        Args:
            check: raises if nothing will come.
        """
        if len(self.inbox):
            if self._breath():
                await trio.lowlevel.checkpoint()  # before the take: after it, a cancellation would lose the message
            else:
                await trio.lowlevel.checkpoint_if_cancelled()
            if len(self.inbox):
                return self.inbox.take()
        if self.ended is not None:
            await trio.lowlevel.checkpoint()
            raise self.ended()
        check()
        return await self._readers.wait()

    def _breath(self) -> bool:
        self._owed = (self._owed + 1) % BREATH
        return self._owed == 0
