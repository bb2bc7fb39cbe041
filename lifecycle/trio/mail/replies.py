"""Requests, and the answers to come: an object each, no task.

Law: a request settles exactly once, as soon as its answer is read, and never behind the inbox. Who
gives one up tells the peer, if the page says how and the peer may have it. One that goes again
after a loss has the same id and the same time.
"""

import copy
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.errors import (
    LifecycleError,
    MaybeDelivered,
    NoRequests,
    NotSent,
    RequestTimeout,
    RequestUnsupported,
)
from lifecycle.trio.interrupts import ki_protected
from lifecycle.trio.parking import Parking
from lifecycle.wire.codec import Written
from lifecycle.wire.requests import Requests, frame, frame_names
from lifecycle.wire.ticket import Ticket

from .sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from .mail import Mail

MISSING: Any = object()
"""Stands for a fallback that was not given; None may be one."""
_OWN = frozenset({"id", "method", "params"})


@final
@ki_protected
class Reply:
    """The answer to a request, now or later; made by `Connection.ask`.

    Attributes:
        id: in its frame; empty if nothing was sent, for the peer is known not to support it.
        method: what was asked for.
        ticket: the fate of the message that asks; of the last one, if it was sent again.
        done: whether it is settled.
    """

    __slots__ = (
        "_error",
        "_losses",
        "_message",
        "_parked",
        "_replies",
        "_seconds",
        "_value",
        "done",
        "id",
        "method",
        "ticket",
    )

    def __init__(self, replies: "Replies", id_: str, method: str, ticket: Ticket, seconds: float) -> None:
        self.id, self.method, self.ticket, self._seconds = id_, method, ticket, seconds
        self.done = False
        self._replies = replies
        self._message: Written | None = None  # kept while it may have to be sent again
        self._losses = 0  # how often it may have arrived, and then its connection was lost
        self._value: Any = None
        self._error: LifecycleError | None = None
        self._parked: Parking | None = None

    def __repr__(self) -> str:
        return f"<Reply {self.id} to {self.method}: {'done' if self.done else 'pending'}>"

    async def wait(self) -> Any:
        """Wait for the answer. Any number of tasks may, and again later; who is cancelled cancels nobody else.

        Returns:
            The result.

        Raises:
            RequestFailed, RequestUnsupported: the peer refuses.
            RequestTimeout: no answer came in time; the ticket says whether it was sent.
            NotSent, MaybeDelivered: none will come, for the connection was lost, or it was cancelled.
        """
        if self.done:
            await trio.lowlevel.checkpoint()
        else:
            self._parked = self._parked or Parking()
            await self._parked.wait()
        if self._error is not None:
            raise copy.copy(self._error)  # a traceback belongs to one raise
        return self._value

    def cancel(self) -> None:
        """Wait no longer: what has not left is withdrawn, else the peer is told, if the page says how."""
        self._give_up(None)

    def settle(self, value: Any, error: LifecycleError | None) -> None:
        """The result, or why there is none; later ones are ignored."""
        if self.done:
            return
        self.done, self._value, self._error, self._message = True, value, error, None
        self._replies.forget(self)
        if self._parked is not None:
            self._parked.wake()

    def loss(self, cause: str) -> LifecycleError:
        """The error of one that gets no answer any more."""
        if self.ticket.fate in ("queued", "not_sent", "withdrawn") and not self._losses:
            return NotSent(f"the request `{self.method}` was not sent", cause=cause)
        return MaybeDelivered(f"the request `{self.method}` got no answer", cause=cause)

    def keep(self, message: Written) -> None:
        """Keep the message, to be sent again."""
        self._message = message

    def again(self, most: int) -> Ticket | None:
        """Its epoch has ended: a ticket to send it again, if it may be."""
        left = self.ticket.fate != "not_sent"
        if self._message is None or (left and self._losses >= most):
            return None
        self._losses += left
        self.ticket = Ticket(self._message, event=self.ticket.event, told=self.dropped)
        return self.ticket

    def dropped(self, ticket: Ticket) -> None:
        """The fate of its message; one that was dropped settles it, unless it goes again when its epoch is over."""
        if ticket.fate == "not_sent" and (self._message is None or not ticket.epoch):
            self.settle(None, self.loss(ticket.cause))

    def expired(self) -> None:
        """Its time is over."""
        self._give_up(RequestTimeout(self.method, self._seconds))

    def _give_up(self, error: LifecycleError | None) -> None:
        if self.done:
            return
        gone = self.ticket.fate not in ("queued", "not_sent")
        self.settle(None, error or self.loss("it was cancelled"))
        if gone:
            self._replies.take_back(self)


@final
class Replies:
    """The requests of one connection.

    Args:
        desk: the mail.
        sending: the way out.

    Attributes:
        requests: those that wait.
        changed: told when there is one more, or one less.
    """

    __slots__ = ("_desk", "_plain", "_sending", "changed", "requests")

    def __init__(self, desk: "Mail", sending: Sending) -> None:
        spec = desk.definition.requests
        self.requests: Requests[Reply] = Requests(spec.unsupported if spec is not None else ())
        self.changed: Callable[[], None] | None = None
        self._desk, self._sending = desk, sending
        self._plain: dict[str, bool] | None = None  # frames that ask for nothing but the request's own values

    @property
    def offered(self) -> bool:
        """Whether the page has any."""
        return self._desk.definition.requests is not None

    def ask(self, method: str, params: Any, seconds: float | None, *, patient: bool = False) -> Reply:
        """Send a request.

        Args:
            method: what is asked for.
            params: with what.
            seconds: for the answer, in place of the page's.
            patient: whether who asks can wait for room.

        Raises:
            NoRequests: the page has none.
            NotSent: there is no room, or no connection will come.
            TypeError, ValueError: the codec cannot write it.
        """
        definition, requests = self._desk.definition, self.requests
        spec = definition.requests
        if spec is None:
            raise NoRequests(definition.name)
        timeout: float = self._desk.value(spec.timeout) if seconds is None else seconds
        if method in requests.unsupported:
            reply = Reply(self, "", method, Ticket(b"", "not_sent", "not supported"), timeout)
            reply.settle(None, RequestUnsupported(method, requests.unsupported[method]))
            return reply
        id_ = requests.next_id()
        asked = self._frame(spec.send, id=id_, method=method, params=params)
        message = self._sending.encode(asked)
        ticket = Ticket(message, event=self._desk.ids.of(asked))
        reply = Reply(self, id_, method, ticket, timeout)
        if spec.on_loss == "resend":
            reply.keep(message)
        self._sending.give(ticket, spec.until_ready, patient=patient)
        if ticket.fate == "not_sent":
            reply.dropped(ticket)
        elif ticket.fate == "queued":
            ticket.told = reply.dropped
        if reply.done:
            return reply
        requests.pending[id_] = reply
        self._desk.alarm(reply, timeout, Reply.expired)
        if self.changed is not None:
            self.changed()
        return reply

    def lost(self, cause: str) -> None:
        """The epoch has ended, after its tickets were settled: what was sent gets no answer any more, or goes again."""
        self.requests.unsupported.clear()
        spec, back = self._desk.definition.requests, []
        for reply in self.requests.sent():
            ticket = reply.again(spec.resends) if spec is not None else None
            if ticket is not None:
                back.append(ticket)
            else:
                reply.settle(None, reply.loss(cause))
        if spec is not None and back:
            self._sending.give_back(back, spec.until_ready)

    def forget(self, reply: Reply) -> None:
        """A request is settled: nothing of it is left."""
        self._desk.timers.cancel(reply)
        self._sending.withdraw(reply.ticket)
        self.requests.pending.pop(reply.id, None)
        if self.changed is not None:
            self.changed()

    def take_back(self, reply: Reply) -> None:
        """Tell the peer that nobody waits for an answer any more, if it is the one that was asked."""
        spec, sending = self._desk.definition.requests, self._sending
        if spec is not None and spec.cancel is not None and sending.open and reply.ticket.epoch == sending.epoch:
            sending.say(self._frame(spec.cancel, id=reply.id, method=reply.method))

    def _frame(self, name: str, **own: Any) -> Any:
        definition = self._desk.definition
        if self._plain is None:
            self._plain = {}
        plain = self._plain.get(name)
        if plain is None:
            plain = self._plain[name] = frame_names(definition, name) <= _OWN
        return frame(definition, name, own if plain else {**self._desk.names(), **own})
