"""One connection by one transport: dialled, or asked for by a client, and what came of it.

Law: an epoch is used once. What it tells is fenced by identity: once the driver has another one,
or none, nothing that this one says is heard. It ends with its scope; no task of it is left.
"""

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, final

import trio

from lifecycle.machine.events import Event
from lifecycle.observe.plain import hushed, secrets_of
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.dialer import Dialer
from lifecycle.trio.transports.transport import Asking, Batch, Transport, TransportFailed, transmit
from lifecycle.wire.causes import Refusal, Verdict, classify
from lifecycle.wire.codec import PARTIAL, Message, TooLong, Undecodable, Written, reader
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import Ending, ErrorEnding, ErrorWord
from lifecycle.wire.outbox import HIGH_WATER
from lifecycle.wire.routes import Outcome, route

from .ids import Id
from .parking import Parking

if TYPE_CHECKING:
    from lifecycle.wire.upgrade import Upgrade

    from .driver import Driver

log = logging.getLogger("lifecycle.epoch")
_UNREADABLE = 1007
_TOO_MUCH = 1008
_TOO_BIG = 1009


@final
class Epoch:
    """One transport's life. It is the sink of a transport that pushes.

    Args:
        driver: whom it tells.
        token: what the machine knows it by.
        number: which transport it is, counted from 1.

    Attributes:
        transport: the connection, while there is one.
        upgrade: what the client asks for, role server.
        heard_at: when bytes came last, by the connection's clock.
        loss: what ended it, in words.
        first: whether no message came or went before it.
        received: how many messages came.
    """

    __slots__ = (
        "_asking",
        "_definition",
        "_driver",
        "_early",
        "_over",
        "_pipe",
        "_pushed",
        "_reader",
        "_rest",
        "_roomless",
        "_said",
        "_scope",
        "_subprotocol",
        "first",
        "heard_at",
        "loss",
        "number",
        "received",
        "token",
        "transport",
        "upgrade",
    )

    def __init__(self, driver: "Driver", token: int, number: int) -> None:
        self.token, self.number = token, number
        self.transport: Transport | None = None
        self.upgrade: Upgrade | None = None
        self.heard_at = trio.current_time()
        self.loss = ""
        self._driver, self._definition = driver, driver.definition
        driver.mail.ids.dial(number)
        self._scope: trio.CancelScope | None = None
        self._pipe: Pipe | None = None
        self._asking: Asking | None = None
        self._subprotocol: str | None = None
        self._early: tuple[tuple[Written, Id | None], ...] = ()  # what is said before a client is admitted
        self._rest: deque[Message] | None = None
        self._roomless: Parking | None = None
        self._pushed = False
        self._over = False  # its end was told
        self.received = self._said = 0
        self.first = not (driver.mail.delivered or driver.mail.outbox.counts["sent"])
        messages = self._definition.messages
        self._reader = reader(messages.codec or "text", messages.limit or DEFAULT_LIMIT)

    @property
    def current(self) -> bool:
        """Whether the driver still listens."""
        return self._driver.current is self

    @property
    def sent(self) -> int:
        """How many messages were sent."""
        return self._said + (self._driver.mail.written if self.transport is not None else 0)

    @property
    def receiving(self) -> bool:
        """Whether there is something to wait for, and room for what comes."""
        return self.transport is not None and not (self._over or self._pushed) and self._driver.mail.reading

    # -- how it begins

    async def dial(self, dialer: Dialer, request: DialRequest) -> None:
        """Dial, and be the host of the transport for as long as it needs one."""
        ending: Ending = ErrorEnding("eof", "the connection ended while it was made")
        with trio.CancelScope() as self._scope:
            if not self.current:  # it was given up before its first step
                return
            try:
                await dialer(request, self._driver.spawn, self._opened)
            except TransportFailed as failed:
                ending = failed.ending
        self._scope = None
        if self.current and self.transport is None:
            self.end(ending)

    def _opened(self, transport: Transport, pipe: Pipe) -> None:
        if not self.current:
            transport.abort()
            return
        self._join(transport, pipe)
        self._tell(Event("opened", cause="opened", token=self.token))
        self._listen()

    def asked(self, asking: Asking, pipe: Pipe, subprotocol: str | None) -> None:
        """A client asks to connect; `admit` or `refuse` answers."""
        self._asking, self._pipe, self._subprotocol = asking, pipe, subprotocol
        self.upgrade = asking.upgrade

    def admit(self) -> None:
        """Accept what was asked for."""
        asking, self._asking = self._asking, None
        if asking is None or self._pipe is None:
            return
        try:
            self._join(asking.admit(self._subprotocol), self._pipe)
        except trio.BrokenResourceError:
            self.end(ErrorEnding("eof", "the client has gone before it was answered"))
            return
        early, self._early = self._early, ()
        for message, event in early:
            self._say(message, event)
        self._listen()

    def refuse(self, status: int) -> None:
        """Answer what was asked for with a status of HTTP."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.refuse(status, {})

    def _join(self, transport: Transport, pipe: Pipe) -> None:
        self.transport, self._pipe = transport, pipe
        self.heard_at = trio.current_time()
        pipe.heard = self._hear
        self._driver.mail.attach(transport, pipe, self.number)
        pipe.drained = self._drained

    def _listen(self) -> None:
        if self.current and self.transport is not None:
            self._pushed = self.transport.attach(self)
            self._driver.wake()

    # -- what it does

    def send(self, value: Any) -> None:
        """Send a frame of the page; before a client is admitted it waits for that.

        Raises:
            TypeError, ValueError: the codec cannot write it.
        """
        message, event = self._driver.mail.encode(value), self._driver.mail.ids.of(value)
        if self._asking is not None:
            self._early = (*self._early, (message, event))
        else:
            self._say(message, event)

    def _say(self, message: Written, event: Id | None) -> None:
        if self.transport is None:
            return
        try:
            transmit(self.transport, message)
            self._said += 1
            self._driver.mail.ids.go(event)
        except trio.BrokenResourceError:  # its end is on its way, and will be told
            log.debug("%s: a frame was not sent", self._definition.name, extra=self._driver.mail.ids.about())

    async def sendable(self) -> None:
        """Wait until what was sent has left, but for a little; returns at once if nothing can be sent any more."""
        while self._pipe is not None and self._pipe.given - self._pipe.sent >= HIGH_WATER and not self._done:
            self._roomless = self._roomless or Parking()
            await self._roomless.wait()

    @property
    def _done(self) -> bool:
        return self._over or not self.current

    def _drained(self) -> None:
        self._driver.mail.flush()
        if self._roomless is not None:
            self._roomless.wake()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the peer's answer, or our giving up on the dial, is `closed`."""
        if self.transport is not None:
            self.transport.close(code, reason)
        else:
            self._cancel()
            self._tell(Event("closed", cause="closed", token=self.token))

    def drop(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abort()
        self._cancel()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
        if self._roomless is not None:
            self._roomless.wake()

    # -- what comes

    async def receive(self) -> None:
        """Wait for messages, and tell what becomes of them; returns when there is nothing to wait for."""
        if self._rest:
            await trio.lowlevel.checkpoint()
            self._absorb(self._rest)
            return
        transport = self.transport
        if transport is None:
            return
        batch = await transport.receive()
        if len(batch) == 1:
            if self.current:
                self._message(batch[0])
        elif batch:
            self._absorb(deque(batch))
        # it may have ended already while messages that came before are still to be received
        elif transport.ended is not None:
            self.end(transport.ended)

    def _absorb(self, batch: deque[Message]) -> None:
        mail = self._driver.mail
        while batch and self.current and mail.reading:
            self._message(batch.popleft())
        self._rest = batch or None

    def put(self, batch: Batch) -> None:
        """Take what a transport pushes."""
        for message in batch:
            if self.current:
                self._message(message)

    async def room(self) -> None:
        """Wait until more may be read."""
        while not self._driver.mail.reading and not self._done:
            self._roomless = self._roomless or Parking()
            await self._roomless.wait()

    def readable(self) -> None:
        """Reading may go on."""
        if self._roomless is not None:
            self._roomless.wake()

    def over(self) -> None:
        """The transport that pushes has ended."""
        if self.transport is not None and self.transport.ended is not None:
            self.end(self.transport.ended)

    def overfull(self, word: ErrorWord, words: str) -> None:
        """Give the connection up, for a queue of ours is full."""
        if self.transport is not None:
            self.transport.close(_TOO_MUCH, words[:100])
        self.end(ErrorEnding(word, words))

    def end(self, ending: Ending) -> None:
        """There is no connection any more, or never was."""
        if not self.current or self._over:
            return
        self._over = True
        if self._roomless is not None:
            self._roomless.wake()
        if self._driver.machine.phase == "closing":
            self._driver.mail.detach(str(ending))
            self._tell(Event("closed", cause="closed", token=self.token))
        else:
            self._verdict(classify(self._definition.causes, ending), "end")

    def _message(self, message: Message) -> None:
        try:
            value = self._reader.decode(message)
        except Undecodable as error:
            too_long = isinstance(error, TooLong)
            if self.transport is not None:
                self.transport.close(_TOO_BIG if too_long else _UNREADABLE)
            self.end(ErrorEnding("too_big" if too_long else "protocol", str(error)))
            return
        if value is PARTIAL:
            return
        self.received += 1
        outcome = route(self._definition.messages.routes, value)
        mail = self._driver.mail
        if mail.ids.path is not None:
            mail.ids.come(value)
        if outcome.delivers and not self._driver.listens:
            if outcome.kind == "deliver":
                self._driver.unrouted += 1
                return
            outcome.delivers = False
        if outcome.delivers and not mail.deliver(outcome, self._reader.size(message)):
            return  # as if it had not come: it may come again on another connection
        for name, pick, taken in outcome.keep:
            self._driver.machine.keep(name, taken, highest=pick.max)
            if self._driver.instruments is not None:
                self._driver.instruments.kept(name)
        self._route(outcome)

    def _route(self, outcome: Outcome) -> None:
        mail = self._driver.mail
        match outcome.kind:
            case "answer":
                mail.requests.answered(outcome.id, outcome.value, good=outcome.good)
            case "raise":
                if not outcome.delivers:
                    mail.count(outcome)
                self._tell(Event(outcome.event, outcome.fields, "message", self.token))
            case "refusal":
                self._verdict(classify(self._definition.causes, Refusal(outcome.refused)), "message")
            case "unrouted":
                self._driver.unrouted += 1

    def _verdict(self, verdict: Verdict, cause: Literal["end", "message"]) -> None:
        # a peer may repeat what we told it
        words = hushed(verdict.words, secrets_of(self._driver.machine))
        event = Event(verdict.event, verdict.fields, cause, self.token, words)
        if self._driver.machine.lives(event):
            self.loss = words
            about = self._driver.mail.ids.about()
            log.info("%s: %s (%s)", self._definition.name, verdict.event, words, extra=about)
        self._tell(event)

    def _hear(self) -> None:
        self.heard_at = trio.current_time()
        if self.current and self._driver.machine.row.hears:
            self._tell(Event("heard", cause="heard", token=self.token))

    def _tell(self, event: Event) -> None:
        if self.current:
            self._driver.dispatch(event)
