"""The only loop: turns trio's world into events, and effects into trio's world.

Law: no lifecycle logic. Dispatch is synchronous, from any task, and never runs user code; one
engine task waits for bytes or time; dials and calls are tasks only while they work, each in the
scope of what started it. Nothing outlives the nursery, and an error in here fails the connection
instead of a task that happened to be there.
"""

import contextvars
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, final

import trio

from lifecycle.errors import IllegalEvent, LifecycleError
from lifecycle.machine import effects as do
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.step import Step
from lifecycle.wire.codec import encode
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import ErrorEnding
from lifecycle.wire.inbox import Discontinuity

from .calls import Calls
from .dialer import Dialer
from .epoch import Epoch
from .mail import Mail
from .parking import Parking
from .timers import Timers

log = logging.getLogger("lifecycle.driver")
_TRYING = ("connecting", "authenticating", "ready")
_CAUSES = 8


@final
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
        epoch: how many dials there were.
        causes: what went wrong since the last ready, in words.
        changed: who waits for any change.
        refused, unrouted: facts that the state did not allow, messages that no route took.
        failure: the fault of ours that ended it.
        failed: called when that happens.
        over: called once, when it has ended.
    """

    def __init__(
        self, machine: Machine, dialer: Dialer, calls: object, tell: Callable[[Step], None], dice: random.Random
    ) -> None:
        self.machine, self.definition = machine, machine.definition
        self.timers = Timers()
        self.mail = Mail(self.definition, self.timers, self.armed)
        self.current: Epoch | None = None
        self.epoch = self.refused = self.unrouted = 0
        self.causes: list[str] = []
        self.changed = Parking()
        self.finished = False
        self.failure: BaseException | None = None
        self.failed: Callable[[], object] = lambda: None
        self.over: Callable[[], object] = lambda: None
        self._dialer, self._tell, self._dice = dialer, tell, dice
        self._calls = Calls(self, calls)
        self._context = contextvars.copy_context()
        self._nursery: trio.Nursery | None = None
        self._engine = Parking()
        self._alarm: trio.CancelScope | None = None
        self._queue: deque[Event] = deque()
        self._busy = False
        self._emitted: dict[str, Any] = {}
        self._waits: dict[str, float] = {}
        self._continuous = True
        self._gap = ""
        self._now = ""

    # -- life

    @property
    def begun(self) -> bool:
        """Whether it has started, or can no more."""
        return self._nursery is not None or self.finished

    def begin(self, nursery: trio.Nursery) -> None:
        """Start the machine and the engine in a nursery."""
        self._nursery, self._busy = nursery, True
        self.spawn(self._run)
        try:
            self._carry_out(self.machine.start())
        except Exception as error:  # noqa: BLE001 -- a fault of ours ends the connection, and is told at its door
            self.fail(error)
        self._drain()

    def finish(self) -> None:
        """End at once: nothing is left running, everything has its fate. Again is no harm."""
        if self.finished:
            return
        self.finished = True
        self._calls.cancel_all()
        self._drop()
        self.timers.clear()
        self._queue.clear()
        self._engine.wake()
        if self._alarm is not None:
            self._alarm.cancel()
        self.over()
        self.changed.wake()

    def fail(self, error: BaseException) -> None:
        """Something that must not happen has happened."""
        log.error("%s: the driver has failed", self.definition.name, exc_info=error)
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
                refusal = self._step(self._queue.popleft()) or refusal
            self._settle()
        except Exception as error:  # noqa: BLE001 -- as above
            self.fail(error)
        finally:
            self._busy = False
        return refusal

    def _step(self, event: Event) -> IllegalEvent | None:
        machine, before, stale = self.machine, self.machine.row, self.machine.stale
        self._emitted = {}
        try:
            effects = machine.receive(event)
        except IllegalEvent as error:
            return self._not_allowed(event, error)
        if machine.stale != stale:
            return None
        self._now = self._said(event)
        self._carry_out(effects)
        path = machine.trace[-1]
        say = str(
            next((s for c in path.clauses if (s := self.definition.clauses[c].say)), None)
            or event.fields.get("say")
            or ""
        )
        self._remember(event, before.status, say)
        self._tell(
            Step(
                time=trio.current_time(),
                epoch=self.epoch,
                event=event.name,
                clauses=path.clauses,
                before=before.leaves,
                after=machine.states,
                status_before=before.status,
                status=machine.status,
                emitted=self._emitted,
                cause=event.words,
                say=say,
            )
        )
        return None

    def _said(self, event: Event) -> str:
        """An event in words."""
        if event.cause == "timer":
            clock = next(clock for clock in self.definition.clocks if clock.name == event.name)
            return f"`{clock.text}` has run out in {clock.state}"
        return event.words or event.name

    def _remember(self, event: Event, before: str, say: str) -> None:
        """Keep what `why` tells: everything that went wrong since the last ready."""
        now = self.machine.status
        if now == "ready" and before != "ready":
            self.causes.clear()
        elif event.words or say or (event.cause == "timer" and before in _TRYING and now not in _TRYING):
            self.causes.append(" — ".join(filter(None, (say, self._now))))
            del self.causes[:-_CAUSES]

    def _not_allowed(self, event: Event, error: IllegalEvent) -> IllegalEvent | None:
        if event.cause == "wish":
            return error
        if error.reason:  # a variable cannot take what the event brings: the proof was skipped, or does not hold
            raise error
        self.refused += 1
        log.warning("%s", error)
        return None

    def _settle(self) -> None:
        """After the last step: mail goes where the new state lets it go, and watchers are told."""
        self.mail.turn(now_open=self.machine.status == "ready" and self.mail.transport is not None)
        if self.mail.open:
            self._tell_gap()
            self.mail.flush()
        if self.machine.ended:
            self.finish()
        self.changed.wake()

    def _tell_gap(self) -> None:
        """Ready again, and the page has not said what became of the stream: nobody knows."""
        if not self._continuous:
            self._mark(do.Mark("lost"))

    # -- effects

    def _carry_out(self, effects: tuple[do.Effect, ...]) -> None:
        for effect in effects:
            _CARRIED[type(effect)](self, effect)

    def _open(self, effect: do.Open) -> None:
        self.epoch += 1
        self._continuous = self.epoch == 1
        epoch = self.current = Epoch(self, effect.token, self.epoch)
        try:
            limit = self.definition.messages.limit or DEFAULT_LIMIT
            request = DialRequest.parse(
                str(effect.url), effect.query, effect.headers, self.definition.dial.subprotocols, limit
            )
        except ValueError as error:
            epoch.end(ErrorEnding("connect", str(error)))
            return
        self.spawn(lambda: epoch.dial(self._dialer, request))

    def _close(self, effect: do.Close) -> None:
        if self.current is not None:
            self.current.close(effect.code, effect.reason)

    def _drop(self, _: do.Drop | None = None) -> None:
        epoch, self.current = self.current, None
        if epoch is not None:
            self._gap = epoch.loss or self._now
            self.mail.detach(self._gap)
            epoch.drop()

    def _ping(self, _: do.Ping) -> None:
        if self.current is not None and self.current.transport is not None:
            self.current.transport.ping()

    def _send(self, effect: do.Send) -> None:
        if self.current is not None and self.current.transport is not None:
            try:
                self.current.transport.send(encode(self.mail.codec, effect.value))
            except trio.BrokenResourceError:  # its end is on its way, and will be told
                log.debug("%s: the frame %s was not sent", self.definition.name, effect.frame)

    def _emit(self, effect: do.Emit) -> None:
        self._emitted[effect.name] = effect.fields

    def _mark(self, effect: do.Mark) -> None:
        self._continuous = True
        if self.mail.delivered:
            self.mail.mark(Discontinuity(effect.kind, why=self._gap))

    def _start_clock(self, effect: do.StartClock) -> None:
        seconds = effect.seconds
        if seconds is None and effect.backoff is not None:
            name = effect.clock.name
            previous = self._waits.get(name) if effect.attempt > 1 else None
            seconds = self._waits[name] = self._dice.uniform(*effect.backoff.bounds(effect.attempt, previous))
        self._arm_clock(effect, trio.current_time() + (seconds or 0.0), seconds or 0.0)

    def _arm_clock(self, effect: do.StartClock, when: float, seconds: float) -> None:
        self.timers.set(effect.clock.name, when, lambda _: self._run_out(effect, seconds))
        self.armed()

    def _run_out(self, effect: do.StartClock, seconds: float) -> None:
        heard_at = self.current.heard_at if self.current is not None else 0.0
        if effect.clock.kind == "silent" and heard_at + seconds > trio.current_time():
            self._arm_clock(effect, heard_at + seconds, seconds)
        else:
            self.dispatch(Event(effect.clock.name, cause="timer", token=effect.token))

    def _stop_clock(self, effect: do.StopClock) -> None:
        self.timers.cancel(effect.clock.name)

    def _start_call(self, effect: do.StartCall) -> None:
        self._calls.start(effect)

    def _stop_call(self, effect: do.StopCall) -> None:
        self._calls.stop(effect)

    def _server_only(self, effect: do.Admit | do.Refuse) -> None:
        raise LifecycleError(f"{type(effect).__name__} is for servers")

    # -- the engine

    def armed(self) -> None:
        """A timer was set: the engine may have to wake earlier."""
        if self._alarm is not None:
            self._alarm.deadline = min(self._alarm.deadline, self.timers.next())

    def clocks(self) -> list[float]:
        """When each clock of the page that runs will run out; timers of messages and requests left out."""
        due = (self.timers.deadline(clock.name) for clock in self.definition.clocks)
        return [when for when in due if when is not None]

    def wake(self) -> None:
        """There is something to receive."""
        self._engine.wake()

    async def _run(self) -> None:
        while not self.finished:
            for key, what in self.timers.due(trio.current_time()):
                what(key)
            with trio.CancelScope(deadline=self.timers.next()) as self._alarm:
                while not self.finished:
                    epoch = self.current
                    if epoch is not None and epoch.receiving:
                        await epoch.receive()
                    else:
                        await self._engine.wait()


_CARRIED: dict[type, Callable[[Driver, Any], None]] = {
    do.Open: Driver._open,  # noqa: SLF001 -- the same class, here and below
    do.Close: Driver._close,  # noqa: SLF001
    do.Drop: Driver._drop,  # noqa: SLF001
    do.Ping: Driver._ping,  # noqa: SLF001
    do.Send: Driver._send,  # noqa: SLF001
    do.Emit: Driver._emit,  # noqa: SLF001
    do.Mark: Driver._mark,  # noqa: SLF001
    do.StartClock: Driver._start_clock,  # noqa: SLF001
    do.StopClock: Driver._stop_clock,  # noqa: SLF001
    do.StartCall: Driver._start_call,  # noqa: SLF001
    do.StopCall: Driver._stop_call,  # noqa: SLF001
    do.Admit: Driver._server_only,  # noqa: SLF001
    do.Refuse: Driver._server_only,  # noqa: SLF001
}
