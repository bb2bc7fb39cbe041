"""One dial, and the connection that came of it.

Law: an epoch is used once. What it tells is fenced by identity: once the driver has another one,
or none, nothing that this one says is heard. It ends with its scope; no task of it is left.
"""

import logging
from typing import Literal, final

import trio

from lifecycle.machine.events import Event
from lifecycle.wire.causes import Refusal, Verdict, classify
from lifecycle.wire.codec import Message, Undecodable, decode, length
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending, ErrorEnding
from lifecycle.wire.routes import Outcome, route

from .dialer import Dialer
from .host import Host
from .pipe import Pipe
from .transport import Transport, TransportFailed

log = logging.getLogger("lifecycle.epoch")
_UNREADABLE = 1007


@final
class Epoch:
    """One dial.

    Args:
        driver: whom it tells.
        token: what the machine knows it by.
        number: which dial it is, counted from 1.

    Attributes:
        transport: the connection, while there is one.
        heard_at: when bytes came last, by the connection's clock.
        loss: what ended it, in words.
    """

    def __init__(self, driver: Host, token: int, number: int) -> None:
        self.token, self.number = token, number
        self.transport: Transport | None = None
        self.heard_at = trio.current_time()
        self.loss = ""
        self._driver, self._definition = driver, driver.definition
        self._scope = trio.CancelScope()
        self._over = False  # its end was told

    @property
    def current(self) -> bool:
        """Whether the driver still listens."""
        return self._driver.current is self

    async def dial(self, dialer: Dialer, request: DialRequest) -> None:
        """Dial, and stay as long as the connection."""
        ending: Ending = ErrorEnding("eof", "the connection ended while it was made")
        with self._scope:
            try:
                await dialer(request, self._driver.spawn, self._opened)
            except TransportFailed as failed:
                ending = failed.ending
        if self.current and self.transport is None:
            self.end(ending)

    def _opened(self, transport: Transport, pipe: Pipe) -> None:
        if not self.current:
            transport.abort()
            return
        self.transport = transport
        self.heard_at = trio.current_time()
        pipe.heard = self._hear
        self._driver.mail.attach(transport, pipe, self.number)
        self._tell(Event("opened", cause="opened", token=self.token))
        self._driver.wake()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the peer's answer, or our giving up on the dial, is `closed`."""
        if self.transport is not None:
            self.transport.close(code, reason)
        else:
            self._scope.cancel()
            self._tell(Event("closed", cause="closed", token=self.token))

    def drop(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abort()
        self._scope.cancel()

    async def receive(self) -> None:
        """Wait for messages, and tell what becomes of them; returns when there is nothing to wait for."""
        transport = self.transport
        if transport is None:
            return
        batch = await transport.receive()
        for message in batch:
            if not self.current:
                return
            self._message(message)
        # it may have ended already while messages that came before are still to be received
        if not batch and transport.ended is not None:
            self.end(transport.ended)

    @property
    def receiving(self) -> bool:
        """Whether there is something to wait for."""
        return self.transport is not None and not self._over

    def end(self, ending: Ending) -> None:
        """There is no connection any more, or never was."""
        if not self.current or self._over:
            return
        self._over = True
        if self._driver.machine.phase == "closing":
            self._driver.mail.detach(str(ending))
            self._tell(Event("closed", cause="closed", token=self.token))
        else:
            self._verdict(classify(self._definition.causes, ending), "end")

    def _message(self, message: Message) -> None:
        try:
            value = decode(self._driver.mail.codec, message)
        except Undecodable as error:
            if self.transport is not None:
                self.transport.close(_UNREADABLE)
            self.end(ErrorEnding("protocol", str(error)))
            return
        outcome = route(self._definition.messages.routes, value)
        for name, pick, taken in outcome.keep:
            self._driver.machine.keep(name, taken, highest=pick.max)
        self._route(outcome, length(message))

    def _route(self, outcome: Outcome, size: int) -> None:
        mail = self._driver.mail
        match outcome.kind:
            case "deliver":
                mail.deliver(outcome.value, size)
            case "answer":
                mail.requests.answered(outcome.id, outcome.value, good=outcome.good)
            case "raise":
                self._tell(Event(outcome.event, outcome.fields, "message", self.token))
            case "refusal":
                self._verdict(classify(self._definition.causes, Refusal(outcome.value)), "message")
            case "unrouted":
                self._driver.unrouted += 1

    def _verdict(self, verdict: Verdict, cause: Literal["end", "message"]) -> None:
        event = Event(verdict.event, verdict.fields, cause, self.token, verdict.words)
        if self._driver.machine.lives(event):
            self.loss = verdict.words
            log.info("%s: %s (%s)", self._definition.name, verdict.event, verdict.words)
        self._tell(event)

    def _hear(self) -> None:
        self.heard_at = trio.current_time()
        if self.current and self._driver.machine.row.hears:
            self._tell(Event("heard", cause="heard", token=self.token))

    def _tell(self, event: Event) -> None:
        if self.current:
            self._driver.dispatch(event)
