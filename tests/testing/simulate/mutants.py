"""Mistakes that a driver could make: each is the driver with one thing done wrong, and what must notice it."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from lifecycle.machine import effects as do
from lifecycle.machine.machine import Machine
from lifecycle.trio import carry
from lifecycle.trio.calls import Calls
from lifecycle.trio.driver import Driver
from lifecycle.trio.epoch import Epoch
from lifecycle.trio.mail.receiving import Receiving
from lifecycle.trio.mail.replies import Replies, Reply
from lifecycle.trio.mail.sending import Sending
from lifecycle.trio.timers import Timers
from lifecycle.wire.inbox import Inbox
from lifecycle.wire.outbox import Outbox, _without
from lifecycle.wire.requests import Requests
from lifecycle.wire.routes import Outcome
from lifecycle.wire.ticket import Ticket

Patch = Callable[[pytest.MonkeyPatch], None]
FACTS = ("opened", "closed", "end", "message", "heard")


@attrs.frozen
class Mutant:
    """A mistake.

    Attributes:
        make: makes it, for a while.
        page: where it is looked for.
        noticed: the invariants, one of which must notice it.
    """

    make: Patch
    page: str
    noticed: tuple[str, ...]


def nothing(*_: object) -> None:
    """Do nothing, where something had to be done."""


def _replace(owner: Any, name: str, new: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, new)


def _any_fact_lives(patch: pytest.MonkeyPatch) -> None:
    lives = Machine.lives
    patch.setattr(Machine, "lives", lambda machine, event: event.cause in FACTS or lives(machine, event))


def _forget_to_cancel(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(carry._CARRIED, do.StopClock, nothing)


def _forgive_on_open(patch: pytest.MonkeyPatch) -> None:
    opened = Epoch._opened

    def mutant(epoch: Epoch, *args: Any) -> None:
        machine = epoch._driver.machine
        index = list(machine.definition.variables).index("waiting.attempts")
        machine.variables = (*machine.variables[:index], 0, *machine.variables[index + 1 :])
        opened(epoch, *args)

    patch.setattr(Epoch, "_opened", mutant)


def _drop_an_answer(patch: pytest.MonkeyPatch) -> None:
    answered, count = Requests.answered, iter(range(10**9))

    def mutant(requests: Any, id_: Any, value: Any, *, good: bool) -> None:
        if next(count) % 10:
            answered(requests, id_, value, good=good)
        else:
            requests.pending.pop(str(id_), None)

    patch.setattr(Requests, "answered", mutant)


def _take_the_last(outbox: Outbox) -> Ticket | None:
    if not outbox.waiting:
        return None
    ticket = tuple(outbox.waiting)[-1]
    outbox.waiting = _without(outbox.waiting, ticket)
    outbox.bytes -= ticket.size
    outbox._let_in()
    return ticket


def _checkpoint_after_the_take(patch: pytest.MonkeyPatch) -> None:
    receive = Receiving.receive

    async def mutant(receiving: Receiving) -> Any:
        message = await receive(receiving)
        await trio.lowlevel.checkpoint()
        return message

    patch.setattr(Receiving, "receive", mutant)


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


async def _body_first(calls: Calls, effect: Any, scope: trio.CancelScope) -> None:
    event = calls._failed(effect, "timeout", "")
    with scope:
        event = await calls._outcome(effect)
    if calls._scopes.get(effect.state) is scope:
        del calls._scopes[effect.state]
        calls._driver.dispatch(event)


def _sweep_one_too_many(patch: pytest.MonkeyPatch) -> None:
    sweep = Timers._sweep

    def mutant(timers: Timers) -> None:
        before = len(timers._heap)
        sweep(timers)
        if len(timers._heap) < before:
            timers._heap.pop()

    patch.setattr(Timers, "_sweep", mutant)


MUTANTS = {
    "fencing is skipped at dequeue": Mutant(_any_fact_lives, "openhands-conversation-server", ("handled",)),
    "a timer is not cancelled": Mutant(_forget_to_cancel, "websocket", ("timers of the dead",)),
    "attempts are reset on open": Mutant(_forgive_on_open, "websocket", ("backoff", "dial rate")),
    "a settlement is dropped": Mutant(_drop_an_answer, "resume", ("settled once",)),
    "the outbox is reordered": Mutant(_replace(Outbox, "take", _take_the_last), "websocket", ("order kept",)),
    "a checkpoint after the take": Mutant(_checkpoint_after_the_take, "websocket", ("nothing lost",)),
    "an answer behind the inbox": Mutant(_answers_behind_the_inbox, "openclaw-gateway", ("settled once",)),
    "a body before its scope is asked": Mutant(_replace(Calls, "_run", _body_first), "resume", ("calls",)),
    "a live timer is swept": Mutant(_sweep_one_too_many, "websocket", ("clocks", "settled once", "silence")),
    "a marker is lost": Mutant(_replace(Inbox, "mark", nothing), "websocket", ("marks", "nothing lost")),
}


def _raise(*_: object) -> bool:
    raise RuntimeError("a fault of ours")


def _only_cancel(epoch: Epoch) -> None:
    epoch._cancel()


def _no_late_abort(patch: pytest.MonkeyPatch) -> None:
    opened = Epoch._opened

    def mutant(epoch: Epoch, *args: Any) -> None:
        if epoch.current:
            opened(epoch, *args)

    patch.setattr(Epoch, "_opened", mutant)


def _forget_the_call(calls: Calls, effect: do.StopCall) -> None:
    calls._scopes.pop(effect.state, None)


def _answer_any(patch: pytest.MonkeyPatch) -> None:
    answered = Requests.answered

    def mutant(requests: Any, id_: Any, value: Any, *, good: bool) -> None:
        answered(requests, id_ if id_ in requests.pending else next(iter(requests.pending), id_), value, good=good)

    patch.setattr(Requests, "answered", mutant)


def _remember_the_settled(patch: pytest.MonkeyPatch) -> None:
    forget = Replies.forget

    def mutant(replies: Replies, reply: Reply) -> None:
        forget(replies, reply)
        replies.requests.pending[reply.id] = reply

    patch.setattr(Replies, "forget", mutant)


def _send_twice(patch: pytest.MonkeyPatch) -> None:
    write = Sending._write

    def mutant(sending: Sending, ticket: Ticket, pipe: Any) -> None:
        message = ticket.message
        write(sending, ticket, pipe)
        if sending.transport is not None and not pipe.total % 5:
            sending.transport.send(message)

    patch.setattr(Sending, "_write", mutant)


def _arm_early(driver: Driver, effect: do.StartClock, when: float) -> None:
    driver.timers.set(effect.clock.name, when - 0.5, effect)
    driver.armed()


def _taken_is_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Outbox,
        "lost",
        lambda outbox, offset, cause: [
            outbox.settle(ticket, "sent") for ticket in outbox.give_up(cause) + tuple(outbox.taken)
        ],
    )


MORE = {
    "a fault of ours": Mutant(_replace(Inbox, "put", _raise), "websocket", ("no fault of ours",)),
    "what is dropped lives on": Mutant(_replace(Epoch, "drop", _only_cancel), "websocket", ("one live epoch",)),
    "a late dial is not dropped": Mutant(_no_late_abort, "websocket", ("one live epoch",)),
    "a call is not cancelled": Mutant(_replace(Calls, "stop", _forget_the_call), "resume", ("calls",)),
    "any answer is mine": Mutant(_answer_any, "resume", ("fates", "settled once")),
    "a request is not settled when it is lost": Mutant(_replace(Replies, "lost", nothing), "resume", ("settled once",)),
    "what is settled is remembered": Mutant(_remember_the_settled, "resume", ("no growth",)),
    "what was taken is lost without a fate": Mutant(
        _replace(Outbox, "lost", nothing), "websocket", ("fates", "settled once")
    ),
    "what was taken counts as sent": Mutant(_taken_is_sent, "websocket", ("fates",)),
    "a message is sent twice": Mutant(_send_twice, "websocket", ("settled once",)),
    "room in the pipe is not told": Mutant(
        _replace(Epoch, "_drained", nothing), "websocket", ("nothing waits in vain",)
    ),
    "the engine is not woken": Mutant(_replace(Driver, "wake", nothing), "websocket", ("nothing waits in vain",)),
    "an earlier timer is not told": Mutant(_replace(Driver, "armed", nothing), "resume", ("clocks", "settled once")),
    "bytes are not noticed": Mutant(_replace(Epoch, "_hear", nothing), "websocket", ("clocks",)),
    "a clock runs too short": Mutant(
        lambda patch: patch.setattr(carry, "_arm", _arm_early), "session-lease", ("clocks",)
    ),
    "what the transport tells is not heard": Mutant(
        _replace(Epoch, "_tell", nothing), "websocket", ("clocks", "ready again", "stop")
    ),
}
"""Further mistakes, so that each invariant is seen to fail."""
