"""What users send, ask and receive: three queues, and what they have to know of each other.

Law: no user's task is ever in the driver's nursery, and a cancelled user tears nothing: a message
is withdrawn whole or leaves whole, a received one is not lost. An answer is settled when it is
read, never behind the inbox.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import value
from lifecycle.errors import RequestUnsupported
from lifecycle.trio.ids import Ids
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.timers import Timers
from lifecycle.trio.transports.transport import Transport
from lifecycle.wire.codec import Encode
from lifecycle.wire.continuity import Continuity
from lifecycle.wire.inbox import Discontinuity, Inbox
from lifecycle.wire.outbox import Outbox
from lifecycle.wire.requests import Requests
from lifecycle.wire.routes import Outcome
from lifecycle.wire.ticket import Ticket

from .receiving import MakeError, Receiving
from .replies import MISSING, Replies, Reply
from .sending import Sending

if TYPE_CHECKING:
    from lifecycle.wire.ending import ErrorWord


def _nothing(*_: object) -> None:
    """Where nobody listens."""


@final
class Mail:
    """The mail of one connection; the driver calls the synchronous half, users the other.

    Args:
        definition: the page.
        timers: the connection's.
        arm: told when a timer was set.
        names: what the names of the page's expressions stand for now.

    Attributes:
        ids: what the connection and its events are called.
        ended: makes the error of a connection that has ended.
        at_rest: asked for what makes the error of a connection that will not become ready by itself.
        overfull: told, with an error's word and in words, that the connection is to be given up, for a queue is full.
        resume: told that reading goes on.
    """

    __slots__ = (
        "_arm",
        "_receiving",
        "_replies",
        "_sending",
        "at_rest",
        "definition",
        "ended",
        "ids",
        "names",
        "overfull",
        "resume",
        "timers",
    )

    def __init__(
        self,
        definition: Definition,
        timers: Timers,
        arm: Callable[[], None],
        names: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.definition, self.timers, self.names, self._arm = definition, timers, names, arm
        self.ids = Ids(definition, names)
        self.ended: MakeError | None = None
        self.at_rest: Callable[[], MakeError | None] = _nothing
        self.overfull: Callable[[ErrorWord, str], None] = _nothing
        self.resume: Callable[[], None] = _nothing
        self._sending = Sending(self)
        self._replies = Replies(self, self._sending)
        self._receiving = Receiving(self, self._sending, self._replies)

    # -- what others look at

    @property
    def encode(self) -> Encode:
        """Writes a value by the page's codec."""
        return self._sending.encode

    @property
    def transport(self) -> Transport | None:
        """The connection, while there is one."""
        return self._sending.transport

    @property
    def open(self) -> bool:
        """Whether messages may be sent now."""
        return self._sending.open

    @property
    def written(self) -> int:
        """How many messages were given to this connection."""
        return self._sending.written

    @property
    def outbox(self) -> Outbox:
        """What waits for the peer."""
        return self._sending.outbox

    @property
    def requests(self) -> Requests[Reply]:
        """What waits for an answer."""
        return self._replies.requests

    @property
    def inbox(self) -> Inbox:
        """What waits for the user."""
        return self._receiving.inbox

    @property
    def continuity(self) -> Continuity:
        """What is known of missing and doubled messages."""
        return self._receiving.continuity

    @property
    def delivered(self) -> int:
        """How many messages were put into the inbox, or handed to who waited."""
        return self._receiving.delivered

    @property
    def reading(self) -> bool:
        """Whether the connection is to be read."""
        return self._receiving.paused_since is None

    @property
    def paused_since(self) -> float | None:
        """When reading stopped, by the connection's clock; None while it goes on."""
        return self._receiving.paused_since

    # -- told by the driver, synchronously

    def attach(self, transport: Transport, pipe: Pipe, epoch: int) -> None:
        """A connection is there."""
        self._sending.attach(transport, pipe, epoch)

    def detach(self, cause: str) -> None:
        """The epoch is over: everything that was taken has its fate, every request that was sent its error."""
        if self.transport is not None:
            self.turn(now_open=False)
            self._sending.detach(cause)
            self._replies.lost(cause)

    def turn(self, *, now_open: bool) -> None:
        """Messages may be sent now, or may not; if they may not any more, the patience of those that wait begins."""
        if now_open is not self.open:
            self._sending.turn(now_open=now_open)
            self._receiving.pace()

    def flush(self) -> None:
        """Give the pipe what waits, while it has room."""
        self._sending.flush()

    def deliver(self, outcome: Outcome, size: int) -> bool:
        """A message of so many bytes for the user; whether it was taken."""
        return self._receiving.deliver(outcome, size)

    def count(self, outcome: Outcome) -> None:
        """A message that is an event has a number among those for the user."""
        self._receiving.count(outcome)

    def mark(self, mark: Discontinuity) -> None:
        """A mark for the user, in its place among the messages."""
        self._receiving.mark(mark)

    def give_up(self, cause: str) -> None:
        """Nothing will be sent any more: what waits is not sent."""
        self._sending.give_up(cause)

    def rest(self, error: MakeError) -> None:
        """The connection rests: nothing will be sent, and who waits for messages is told."""
        if self.outbox.waiting or self.outbox.lobby:
            self.give_up(str(error()))
        self._receiving.fail(error)

    def finish(self, error: MakeError) -> None:
        """The connection has ended; readers get what is there, then the error."""
        self.turn(now_open=False)
        self.ended = error
        self.rest(error)

    # -- asked by its parts

    def value(self, given: Any) -> Any:
        """A value of the page, as it is now."""
        return value(given, self.names)

    def alarm(self, key: Hashable, seconds: float, what: Callable[[Any], None]) -> None:
        """Call something with the key after some seconds."""
        self.timers.set(key, trio.current_time() + seconds, what)
        self._arm()

    # -- for users

    def post(self, message: Any, *, patient: bool = False) -> Ticket:
        """Send a message at once, or queue it.

        Args:
            message: for the codec.
            patient: whether its sender can wait for room.

        Raises:
            NotSent: there is no room for it, or no connection will come.
        """
        error = None if self.open else self.at_rest()
        if error is not None:
            raise self._sending.refused(str(error()))
        return self._sending.post(message, patient=patient)

    async def send(self, message: Any) -> Ticket:
        """Send a message and wait for its fate; raises NotSent or MaybeDelivered."""
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = self.post(message, patient=True)
        await self._sending.sent(ticket)
        return ticket

    def ask(self, method: str, params: Any = None, seconds: float | None = None, *, patient: bool = False) -> Reply:
        """Send a request; raises NoRequests, NotSent, or what ended the connection."""
        error = None if self.open else self.at_rest()
        if error is not None and self._replies.offered:
            raise error()
        return self._replies.ask(method, params, seconds, patient=patient)

    async def request(
        self, method: str, params: Any = None, seconds: float | None = None, fallback: Any = MISSING
    ) -> Any:
        """Send a request and wait for what becomes of it; it is cancelled with its caller."""
        await trio.lowlevel.checkpoint_if_cancelled()
        reply = self.ask(method, params, seconds, patient=True)
        try:
            return await reply.wait()
        except RequestUnsupported:
            if fallback is MISSING:
                raise
            return fallback
        finally:
            reply.cancel()

    def receive(self) -> Awaitable[Any]:
        """The next message or mark; raises what ended the connection, after the last one."""
        return self._receiving.receive()
