"""The only loop: turns trio's world into events, and effects into trio's world.

Law: no lifecycle logic. Dispatch is synchronous, from any task, and never runs user code; one
engine task waits for bytes or time; dials and calls are tasks only while they work, each in the
scope of what started it. Nothing outlives the nursery, and an error in here fails the connection
instead of a task that happened to be there.
"""

import contextvars
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.errors import IllegalEvent
from lifecycle.machine import effects as do
from lifecycle.machine.effects import StartClock
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.plan import START
from lifecycle.machine.step import Step
from lifecycle.trio.mail.mail import Mail
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.dialer import Dialer
from lifecycle.trio.transports.transport import Asking
from lifecycle.wire.ending import ErrorWord
from lifecycle.wire.upgrade import first_values

from .calls import Calls
from .carry import carry_out, drop, mark, run_out
from .epoch import Epoch
from .interrupts import ki_protected
from .parking import Parking
from .telling import remember, told
from .timers import Timers
from .verdict import Silence, asks_for_life
from .watch import Watch

if TYPE_CHECKING:
    from .instruments import Instruments

log = logging.getLogger("lifecycle.driver")
_ON_TIME = 0.01
"""A timer that is late by so many seconds has something before it in the queue; perhaps a sign of life."""
_CATCH_UP = 0.05
"""Seconds that we then have for reading, before late timers are believed."""
_NAME = 15
"""Bytes of a text that nothing else is called."""
_SILENT: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> None:
    """Where nobody listens."""


@final
@ki_protected
class Driver:
    """Runs one machine.

    Args:
        machine: not started.
        dialer: makes transports.
        calls: the embedder's async methods.
        tell: is told each step; must not raise and not wait.
        dice: jitter comes from here.

    Attributes:
        current: the epoch that is heard.
        epoch: how many transports there were.
        causes: what went wrong since the last ready, in words.
        changed: who waits for any change.
        refused, unrouted: facts that the state did not allow, messages that no route took.
        failure: the fault of ours that ended it.
        failed: called when that happens.
        over: called once, when it has ended.
        waits: the last wait of each clock that has a backoff, in seconds.
        emitted: what the page has told in this step.
        continuous: whether it was said what became of the stream, since the last dial.
        gap: what ended the last epoch, in words.
        listens: whether messages are for the user; nobody listens to a client that was not let in yet.
        instruments: are told more than `tell`, if there are any.
        traffic: how many messages of the last epoch came, and how many went.
        now: the event of this step, in words.
    """

    __slots__ = (
        "_alarm",
        "_busy",
        "_context",
        "_engine",
        "_late",
        "_nursery",
        "_queue",
        "_slept",
        "_slept_at",
        "_tell",
        "calls",
        "causes",
        "changed",
        "continuous",
        "current",
        "definition",
        "dialer",
        "dice",
        "emitted",
        "epoch",
        "failed",
        "failure",
        "finished",
        "gap",
        "instruments",
        "listens",
        "machine",
        "mail",
        "now",
        "over",
        "refused",
        "timers",
        "traffic",
        "unrouted",
        "waits",
    )

    def __init__(
        self, machine: Machine, dialer: Dialer, calls: object, tell: Callable[[Step], None], dice: random.Random
    ) -> None:
        self.machine, self.definition = machine, machine.definition
        self.timers = Timers()
        self.mail = Mail(self.definition, self.timers, self.armed, machine.names)
        self.mail.overfull, self.mail.resume = self._overfull, self._resume
        self.dialer, self.dice = dialer, dice
        self.calls = Calls(self, calls)
        self.current: Epoch | None = None
        self.epoch = self.refused = self.unrouted = 0
        self.causes: list[str] = []
        self.changed = Parking()
        self.finished = False
        self.failure: BaseException | None = None
        self.failed: Callable[[], object] = _nothing
        self.over: Callable[[], object] = _nothing
        self.waits: dict[str, float] = {}
        self.emitted: Mapping[str, Any] = _SILENT
        self.continuous = True
        self.listens = self.definition.role != "server"
        self.gap = self.now = ""
        self.instruments: Instruments | None = None
        self.traffic: tuple[int, int] = (0, 0)
        self._tell = tell
        self._context = contextvars.copy_context()
        self._nursery: trio.Nursery | None = None
        self._engine = Parking()
        self._alarm: trio.CancelScope | None = None
        self._queue: list[Event] = []  # short; an empty deque is ten times as large
        self._busy = False
        self._late = self._slept = 0.0
        self._slept_at = -math.inf

    # -- life

    @property
    def begun(self) -> bool:
        """Whether it has started, or can no more."""
        return self._nursery is not None or self.finished

    def asked(self, asking: Asking, pipe: Pipe, subprotocol: str | None) -> None:
        """Before `begin`, role server: a client asks to connect."""
        self.epoch = 1
        self.current = Epoch(self, self.machine.transport, 1)
        self.current.asked(asking, pipe, subprotocol)

    def begin(self, nursery: trio.Nursery) -> None:
        """Start the machine and the engine in a nursery."""
        self._nursery, self._busy = nursery, True
        self.spawn(self._run)
        Watch.of_run().join(self)
        try:
            self._start()
        except Exception as error:  # noqa: BLE001 -- a fault of ours ends the connection, and is told at its door
            self.fail(error)
        self._drain()

    def _start(self) -> None:
        self.now = "the start"
        first, before = self._first_values(), self.machine.row
        self.mail.ids.begin(first)
        if self.instruments is not None:
            self.instruments.began()
        if self.current is not None and not {"admit", "refuse"} & self.definition.words:
            self.current.admit()
        effects = self.machine.start(first)
        carry_out(self, effects)
        if self.instruments is not None:
            event = Event(START, first, "start")
            self.instruments.stepped(told(self, event, before), event, effects)

    def _first_values(self) -> dict[str, Any]:
        epoch = self.current
        if epoch is None or epoch.upgrade is None:
            return {}
        return first_values(self.definition, epoch.upgrade, lambda: self.dice.randbytes(_NAME).hex())

    def finish(self) -> None:
        """End at once: nothing is left running, everything has its fate. Again is no harm."""
        if self.finished:
            return
        self.finished = True
        if not self._busy:  # no event of the page ends it
            self.now = "it was ended on this side"
        if self._nursery is not None:
            Watch.of_run().leave(self)
        self.calls.cancel_all()
        drop(self)
        self.timers.clear()
        self._queue.clear()
        self._engine.wake()
        self.over()
        if self.instruments is not None and self._nursery is not None:
            self.instruments.ended(self.failure)
        self.changed.wake()

    def fail(self, error: BaseException) -> None:
        """Something that must not happen has happened."""
        log.error("%s: the driver has failed", self.definition.name, exc_info=error, extra=self.mail.ids.about())
        self.failure = self.failure or error
        self.failed()
        self.finish()

    def goodbye(self) -> None:
        """Say goodbye without waiting for an answer."""
        if self.current is not None and self.machine.phase == "open":
            self.current.close(1001, "")

    def spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task of the connection; in its own context, not in that of the user who caused it."""
        if self._nursery is not None and not self.finished:
            self._context.copy().run(self._nursery.start_soon, self._guarded, run)

    async def _guarded(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 -- as above
            self.fail(error)

    # -- events

    def dispatch(self, event: Event) -> None:
        """Take an event, and all that it causes.

        Raises:
            IllegalEvent: the event is a wish, and the page does not allow it now.
        """
        if self.finished:
            return
        self._queue.append(event)
        refusal = None if self._busy else self._drain()
        if refusal is not None:
            raise refusal

    def _drain(self) -> IllegalEvent | None:
        self._busy, refusal = True, None
        try:
            while self._queue and not self.finished:
                refusal = self._step(self._queue.pop(0)) or refusal
            self._settle()
        except Exception as error:  # noqa: BLE001 -- as above
            self.fail(error)
        finally:
            self._busy = False
        return refusal

    def _step(self, event: Event) -> IllegalEvent | None:
        machine, before, stale = self.machine, self.machine.row, self.machine.stale
        self.emitted = _SILENT
        try:
            effects = machine.receive(event)
        except IllegalEvent as error:
            if self.instruments is not None:
                self.instruments.refused(event)
            return self._not_allowed(event, error)
        if machine.stale != stale:
            if self.instruments is not None:
                self.instruments.stale(event)
            return None
        self.now = self._said(event)
        carry_out(self, effects)
        step = told(self, event, before)
        remember(self, event, step)
        self._tell(step)
        if self.instruments is not None:
            self.instruments.stepped(step, event, effects)
        return None

    def _said(self, event: Event) -> str:
        """An event in words."""
        if event.cause == "timer":
            clock = next(clock for clock in self.definition.clocks if clock.name == event.name)
            said = f"`{clock.text}` has run out in {clock.state}"
            if self.current is None or not asks_for_life(self.definition, clock):
                return said
            heard_at = self.current.heard_at
            slept = self._slept if self._slept_at >= heard_at else 0.0
            return f"{said}: {Silence(trio.current_time() - heard_at, self._late, slept)}"
        return event.words or event.name

    def _not_allowed(self, event: Event, error: IllegalEvent) -> IllegalEvent | None:
        if event.cause == "wish":
            return error
        if error.reason:  # a variable cannot take what the event brings: the proof was skipped, or does not hold
            raise error
        self.refused += 1
        log.warning("%s", error, extra=self.mail.ids.about())
        return None

    def _settle(self) -> None:
        """After the last step: mail goes where the new state lets it go, and watchers are told."""
        self.mail.turn(now_open=self.machine.status == "ready" and self.mail.transport is not None)
        if self.mail.open:
            self.listens = True
            self._tell_gap()
            self.mail.flush()
        if self.machine.ended:
            self.finish()
        self.changed.wake()

    def _tell_gap(self) -> None:
        """Ready again, and the page has not said what became of the stream: nobody knows."""
        if not self.continuous:
            mark(self, do.Mark("lost"))

    # -- the engine

    def armed(self) -> None:
        """A timer was set: the engine may have to wake earlier."""
        if self._alarm is not None and self.timers.next() < self._alarm.deadline:
            self._alarm.deadline = self.timers.next()

    def clocks(self) -> list[float]:
        """When each clock of the page that runs will run out; timers of messages and requests left out."""
        due = (self.timers.deadline(clock.name) for clock in self.definition.clocks)
        return [when for when in due if when is not None]

    def wake(self) -> None:
        """There is something to receive."""
        self._engine.wake()

    def _resume(self) -> None:
        if self.current is not None:
            self.current.readable()
        self.wake()

    def _overfull(self, word: ErrorWord, words: str) -> None:
        if self.current is not None:
            self.current.overfull(word, words)

    def slept(self, seconds: float) -> None:
        """The machine has slept: the page's clocks count that, but for those that prove health or wait for a sign."""
        log.info("%s: this machine slept for %.1f s", self.definition.name, seconds, extra=self.mail.ids.about())
        self._slept, self._slept_at = seconds, trio.current_time()
        if self.instruments is not None:
            self.instruments.slept(seconds)
        proofs = {clause.clock for clause in self.definition.clauses.values() if clause.proof}
        for clock in self.definition.clocks:
            waits = clock.kind == "after" and asks_for_life(self.definition, clock)
            if clock not in proofs and not waits:
                self.timers.hasten(clock.name, seconds)
        if self.current is not None:
            self.current.heard_at -= seconds
        self.armed()

    async def _run(self) -> None:
        # one level deep, for each level is paid with each message
        catching_up = False
        while not self.finished:
            now = trio.current_time()
            if not catching_up:
                self._late = now - self.timers.next()
            catching_up = self._late > _ON_TIME and not catching_up
            if not catching_up:
                for key, what in self.timers.due(now):
                    if isinstance(what, StartClock):
                        run_out(self, what)
                    else:
                        what(key)
                self._late = 0.0
            with trio.CancelScope(deadline=now + _CATCH_UP if catching_up else self.timers.next()) as scope:
                # what came meanwhile is read before anybody is judged by his silence; no timer cuts that short
                self._alarm = None if catching_up else scope
                while not self.finished:
                    epoch = self.current
                    if epoch is not None and epoch.receiving:
                        await epoch.receive()
                    else:
                        await self._engine.wait()
