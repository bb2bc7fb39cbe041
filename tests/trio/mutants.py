"""Mistakes that a driver could make: each is the driver with one thing done wrong, and the story that must notice it.

A story under a mistake may go round in circles, so it is told with some patience only.
"""

import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import lifecycle.trio.carry
import lifecycle.trio.driver
from lifecycle.errors import MaybeDelivered
from lifecycle.machine.effects import StopCall
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.trio.calls import Calls
from lifecycle.trio.closing import tell
from lifecycle.trio.connection import Connection
from lifecycle.trio.driver import Driver
from lifecycle.trio.epoch import Epoch
from lifecycle.trio.mail.mail import Mail
from lifecycle.trio.mail.receiving import Receiving
from lifecycle.trio.mail.replies import Replies
from lifecycle.trio.timers import Timers
from lifecycle.trio.transports.transport import Transport
from lifecycle.wire.frames import TEXT
from lifecycle.wire.outbox import Outbox
from lifecycle.wire.routes import Outcome
from lifecycle.wire.ticket import Ticket

Patch = Callable[[pytest.MonkeyPatch], None]
MOST_STEPS = 100_000
LONGEST = 4000.0
"""Seconds of the virtual clock."""


@attrs.frozen
class Mutant:
    """A mistake.

    Attributes:
        make: makes it, for a while.
        story: the name of the one that notices.
    """

    make: Patch
    story: str


def nothing(*_: object) -> None:
    """Do nothing, where something had to be done."""


def _replace(owner: Any, name: str, new: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, new)


# Sending


async def _in_halves(mail: Mail, message: Any) -> Ticket:
    sending, pipe = mail._sending, mail._sending.pipe
    assert pipe is not None
    ticket = Ticket(mail.encode(message))
    frame = sending.transport._frame(TEXT, ticket.message.encode())  # type: ignore[union-attr]  # of websockets
    ticket.epoch, ticket.start, ticket.fate = sending.epoch, pipe.given, "taken"
    pipe.write(frame[: len(frame) // 2])
    await trio.lowlevel.checkpoint()
    pipe.write(frame[len(frame) // 2 :])
    ticket.end = pipe.given
    sending.outbox.framed(ticket, pipe.sent)
    await sending.sent(ticket)
    return ticket


async def _with_an_error(mail: Mail, message: Any) -> Ticket:
    ticket = mail.post(message)
    try:
        await mail._sending.sent(ticket)
    except trio.Cancelled:
        raise MaybeDelivered("cancelled") from None
    return ticket


def _withdraw_taken(patch: pytest.MonkeyPatch) -> None:
    withdraw = Outbox.withdraw

    def mutant(outbox: Outbox, ticket: Ticket, *args: Any) -> bool:
        if ticket.fate == "taken":
            outbox.settle(ticket, "withdrawn")
            return True
        return withdraw(outbox, ticket, *args)

    patch.setattr(Outbox, "withdraw", mutant)


# Receiving and asking


def _checkpoint_after_the_take(patch: pytest.MonkeyPatch) -> None:
    receive = Receiving.receive

    async def mutant(receiving: Receiving) -> Any:
        message = await receive(receiving)
        await trio.lowlevel.checkpoint()
        return message

    patch.setattr(Receiving, "receive", mutant)


def _deliver_without_a_word(receiving: Receiving, outcome: Outcome, size: int) -> bool:
    receiving.delivered += 1
    return receiving.inbox.put(outcome.value, size)


async def _request_and_forget(mail: Mail, method: str, params: Any = None, *args: Any) -> Any:
    await trio.lowlevel.checkpoint_if_cancelled()
    return await mail.ask(method, params, *args[:1], patient=True).wait()


def _answers_behind_the_inbox(patch: pytest.MonkeyPatch) -> None:
    route = Epoch._route

    def mutant(epoch: Epoch, outcome: Outcome) -> None:
        async def later() -> None:
            while len(epoch._driver.mail.inbox):  # noqa: ASYNC110 -- a mistake
                await trio.sleep(0.1)
            route(epoch, outcome)

        if outcome.kind == "answer" and len(epoch._driver.mail.inbox):
            epoch._driver.spawn(later)
        else:
            route(epoch, outcome)

    patch.setattr(Epoch, "_route", mutant)


def _nothing_is_read_behind_a_full_inbox(patch: pytest.MonkeyPatch) -> None:
    def mutant(epoch: Epoch) -> bool:
        inbox = epoch._driver.mail.inbox
        return epoch.transport is not None and not epoch._over and inbox.count < inbox.items

    patch.setattr(Epoch, "receiving", property(mutant))


# Fences


def _lives(machine: Machine, event: Event) -> bool:
    return bool(event.cause not in ("timer", "call")) or _LIVES(machine, event)


_LIVES = Machine.lives


def _put(epoch: Epoch, batch: Any) -> None:
    for message in batch:
        epoch._message(message)


def _opened(patch: pytest.MonkeyPatch) -> None:
    opened = Epoch._opened

    def mutant(epoch: Epoch, transport: Transport, pipe: Any) -> None:
        if epoch.current:
            opened(epoch, transport, pipe)

    patch.setattr(Epoch, "_opened", mutant)


def _alive(timers: Timers, entry: Any) -> bool:
    return entry[2] in timers._live


def _answer_any(patch: pytest.MonkeyPatch) -> None:
    from lifecycle.wire.requests import Requests

    answered = Requests.answered

    def mutant(requests: Any, id_: Any, value: Any, *, good: bool) -> None:
        answered(requests, id_ if id_ in requests.pending else next(iter(requests.pending), id_), value, good=good)

    patch.setattr(Requests, "answered", mutant)


# Calls


def _forget_the_call(calls: Calls, effect: StopCall) -> None:
    calls._scopes.pop(effect.state, None)


async def _count_any_result(calls: Calls, effect: Any, scope: trio.CancelScope) -> None:
    event = calls._failed(effect, "timeout", "")
    with scope:
        event = await calls._outcome(effect)
    if calls._scopes.pop(effect.state, None) is not None:
        calls._driver.dispatch(event)


# The driver


async def _swallow(driver: Driver, run: Callable[[], Any]) -> None:
    with contextlib.suppress(Exception):
        await run()


def _spawn(driver: Driver, run: Callable[[], Any]) -> None:
    if driver._nursery is not None and not driver.finished:
        driver._nursery.start_soon(driver._guarded, run)


def _drop(epoch: Epoch) -> None:
    epoch._cancel()


def _no_stop_at_the_first(driver: Driver, event: Event) -> None:
    refusal = driver._step(event)
    driver._settle()
    if refusal is not None:
        raise refusal


async def _close_without_an_end(connection: Connection, wish: str | None = None, **fields: Any) -> None:
    driver = connection._driver
    tell(driver, wish or connection.definition.stop, fields)
    while not driver.finished and connection.status not in ("closed", "failed", "idle"):
        await driver.changed.wait()
    driver.finish()


MUTANTS = {
    "a send in two halves": Mutant(_replace(Mail, "send", _in_halves), "send, websockets"),
    "an error in place of Cancelled": Mutant(_replace(Mail, "send", _with_an_error), "send"),
    "what was taken is withdrawn": Mutant(_withdraw_taken, "send"),
    "what was taken is lost without a fate": Mutant(_replace(Outbox, "lost", nothing), "does not read"),
    "room in the pipe is not told": Mutant(_replace(Epoch, "_drained", nothing), "post"),
    "a checkpoint after the take": Mutant(_checkpoint_after_the_take, "take"),
    "who waits for a message is not woken": Mutant(_replace(Receiving, "deliver", _deliver_without_a_word), "receive"),
    "who is cancelled leaves his request": Mutant(_replace(Mail, "request", _request_and_forget), "a request given up"),
    "a request is not settled when it is lost": Mutant(_replace(Replies, "lost", nothing), "a lost request"),
    "any answer is mine": Mutant(_answer_any, "fencing"),
    "an answer behind the inbox": Mutant(_answers_behind_the_inbox, "asking while messages wait"),
    "a pong behind the inbox": Mutant(_nothing_is_read_behind_a_full_inbox, "a ping while messages wait"),
    "no fence at dequeue": Mutant(_replace(Machine, "lives", _lives), "fencing"),
    "no fence at enqueue": Mutant(_replace(Epoch, "current", property(lambda _: True)), "fencing"),
    "no fence for what is pushed": Mutant(_replace(Epoch, "put", _put), "fencing"),
    "a late dial is not dropped": Mutant(_opened, "fencing"),
    "timers by key, not by serial": Mutant(_replace(Timers, "_alive", _alive), "fencing"),
    "a call is not cancelled": Mutant(_replace(Calls, "stop", _forget_the_call), "a call whose state is left"),
    "any result counts": Mutant(_replace(Calls, "_run", _count_any_result), "a call that comes late"),
    "the end cancels no call": Mutant(_replace(Calls, "cancel_all", nothing), "nothing is left"),
    "an error is swallowed": Mutant(_replace(Driver, "_guarded", _swallow), "an error of a library"),
    "a failure ends nothing": Mutant(_replace(Driver, "fail", nothing), "an error of ours"),
    "a task in the user's context": Mutant(_replace(Driver, "spawn", _spawn), "whose context"),
    "an earlier timer is not told": Mutant(_replace(Driver, "armed", nothing), "a request in time"),
    "the engine is not woken": Mutant(_replace(Driver, "wake", nothing), "an echo in no time"),
    "events within events": Mutant(_replace(Driver, "dispatch", _no_stop_at_the_first), "refused while it is asked"),
    "what is dropped lives on": Mutant(_replace(Epoch, "drop", _drop), "what is dropped"),
    "a goodbye that is cancelled ends nothing": Mutant(
        _replace(Connection, "aclose", _close_without_an_end), "a goodbye that is cancelled"
    ),
    "bytes are not noticed": Mutant(_replace(Epoch, "_hear", nothing), "a peer that answers pings"),
    "silence is judged unread": Mutant(
        _replace(lifecycle.trio.carry, "asks_for_life", lambda *_: False), "an inbox that nobody empties"
    ),
    "a stall is blamed on the peer": Mutant(_replace(lifecycle.trio.driver, "_ON_TIME", math.inf), "a stall"),
}


class Patience(trio.abc.Instrument):
    """Gives a story up that has no end, for a mutant may go round in circles."""

    def __init__(self) -> None:
        self.steps, self.scope = 0, trio.CancelScope()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        self.steps += 1
        if self.steps == MOST_STEPS:
            self.scope.cancel()


def run(live: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Tell a story to its end; one that has none fails. Tasks have their turns in the same order each time."""
    patience = Patience()

    async def limited() -> Any:
        with patience.scope, trio.fail_after(LONGEST):
            return await live(*args)
        raise trio.TooSlowError

    watching = [each for each in args if isinstance(each, trio.abc.Instrument)]
    return trio.run(limited, clock=trio.testing.MockClock(autojump_threshold=0), instruments=[patience, *watching])
