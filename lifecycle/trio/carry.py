"""What each effect of a machine does in trio's world.

Law: synchronous, in the machine's order, and without a decision: whatever may be otherwise is in the page.
An effect that cannot be carried out any more, because its transport has just gone, is no error: the end is told.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from lifecycle.machine import effects as do
from lifecycle.machine.events import Event
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import ErrorEnding
from lifecycle.wire.inbox import Discontinuity

from .epoch import Epoch
from .verdict import asks_for_life

if TYPE_CHECKING:
    from .driver import Driver


def carry_out(driver: "Driver", effects: tuple[do.Effect, ...]) -> None:
    """Carry out effects, in order."""
    for effect in effects:
        _CARRIED[type(effect)](driver, effect)


def _open(driver: "Driver", effect: do.Open) -> None:
    driver.epoch += 1
    driver.continuous = driver.epoch == 1
    epoch = driver.current = Epoch(driver, effect.token, driver.epoch)
    try:
        limit = driver.definition.messages.limit or DEFAULT_LIMIT
        subprotocols = driver.definition.dial.subprotocols
        request = DialRequest.parse(str(effect.url), effect.query, effect.headers, subprotocols, limit)
    except ValueError as error:
        epoch.end(ErrorEnding("connect", str(error)))
        return
    driver.spawn(lambda: epoch.dial(driver.dialer, request))


def _close(driver: "Driver", effect: do.Close) -> None:
    if driver.current is not None:
        driver.current.close(effect.code, effect.reason)


def drop(driver: "Driver", _: do.Drop | None = None) -> None:
    """End the epoch: everything that was taken has its fate, and nothing that it says is heard any more."""
    epoch, driver.current = driver.current, None
    if epoch is not None:
        driver.gap = epoch.loss or driver.now
        driver.traffic = (epoch.received, epoch.sent)
        driver.mail.detach(driver.gap)
        epoch.drop()


def _ping(driver: "Driver", _: do.Ping) -> None:
    if driver.current is not None and driver.current.transport is not None:
        driver.current.transport.ping()


def _send(driver: "Driver", effect: do.Send) -> None:
    epoch = driver.current
    if epoch is None:
        return
    try:
        epoch.send(effect.value)
    except (TypeError, ValueError) as error:  # a call of the embedder's has returned what the codec cannot write
        epoch.end(ErrorEnding("protocol", f"the frame `{effect.frame}` cannot be written: {error}"))


def _emit(driver: "Driver", effect: do.Emit) -> None:
    driver.emitted = {**driver.emitted, effect.name: effect.fields}


def mark(driver: "Driver", effect: do.Mark) -> None:
    """Tell the user what became of the stream, once something of it came or went."""
    driver.continuous = True
    if effect.kind != "lost" and driver.current is not None and driver.current.first:
        return  # there was nothing before that could go on
    if driver.mail.delivered or driver.mail.outbox.counts["sent"]:
        driver.mail.mark(Discontinuity(effect.kind, why=driver.gap))


def _admit(driver: "Driver", _: do.Admit) -> None:
    if driver.current is not None:
        driver.current.admit()


def _refuse(driver: "Driver", effect: do.Refuse) -> None:
    if driver.current is not None:
        driver.current.refuse(effect.http)


def _start_clock(driver: "Driver", effect: do.StartClock) -> None:
    seconds = effect.seconds
    if seconds is None and effect.backoff is not None:
        name = effect.clock.name
        previous = driver.waits.get(name) if effect.attempt > 1 else None
        seconds = driver.waits[name] = driver.dice.uniform(*effect.backoff.bounds(effect.attempt, previous))
    _arm(driver, effect, trio.current_time() + (seconds or 0.0))


def _arm(driver: "Driver", effect: do.StartClock, when: float) -> None:
    driver.timers.set(effect.clock.name, when, effect)
    driver.armed()


def run_out(driver: "Driver", effect: do.StartClock) -> None:
    """A clock of the page has run out; or it goes on, for there is a reason."""
    clock, now = effect.clock, trio.current_time()
    seconds = driver.waits.get(clock.name, 0.0) if effect.seconds is None else effect.seconds
    heard_at = driver.current.heard_at if driver.current is not None else 0.0
    if not driver.mail.reading and asks_for_life(driver.definition, clock):
        _arm(driver, effect, now + seconds)  # we do not read, so silence says nothing of the peer
    elif clock.kind == "silent" and heard_at + seconds > now:
        _arm(driver, effect, heard_at + seconds)
    else:
        driver.dispatch(Event(clock.name, cause="timer", token=effect.token))


def _stop_clock(driver: "Driver", effect: do.StopClock) -> None:
    driver.timers.cancel(effect.clock.name)


def _start_call(driver: "Driver", effect: do.StartCall) -> None:
    driver.calls.start(effect)


def _stop_call(driver: "Driver", effect: do.StopCall) -> None:
    driver.calls.stop(effect)


_CARRIED: dict[type, Callable[["Driver", Any], None]] = {
    do.Open: _open,
    do.Close: _close,
    do.Drop: drop,
    do.Ping: _ping,
    do.Send: _send,
    do.Emit: _emit,
    do.Mark: mark,
    do.Admit: _admit,
    do.Refuse: _refuse,
    do.StartClock: _start_clock,
    do.StopClock: _stop_clock,
    do.StartCall: _start_call,
    do.StopCall: _stop_call,
}
