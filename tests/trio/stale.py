"""Everything that a connection ever made, and a voice that tells what is stale of it again, after each task step."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import trio

import lifecycle.trio.driver
from lifecycle.machine import effects as do
from lifecycle.machine.events import Event
from lifecycle.trio.driver import Driver
from lifecycle.trio.epoch import Epoch
from lifecycle.trio.mail.replies import Reply
from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.timers import Timers
from lifecycle.trio.transports.transport import Transport
from lifecycle.wire.ending import CloseEnding, ErrorEnding, HttpEnding
from lifecycle.wire.ticket import SETTLED, Ticket

ENDINGS = (CloseEnding(1000), CloseEnding(1012, "stale"), ErrorEnding("reset", "stale"), HttpEnding(503))
FACTS = (
    Event("opened", cause="opened"),
    Event("closed", cause="closed"),
    Event("heard", cause="heard"),
    Event("lost.network", {"retry_after": 1.0}, "end"),
    Event("challenged", {"challenge": {"nonce": -1, "slow": 0}}, "message"),
)
BATCH = (
    '{"t": "challenge", "body": {"nonce": -1, "slow": 0}}',
    '{"t": "refused", "error": {"code": "stale"}}',
    '{"t": "message", "n": -1}',
    "not JSON",
)
DONE = {"frame": {"t": "hello", "signed": -1}, "token": "stale"}
MOST = 5_000
FAILED = {"code": "stale", "message": "stale"}


class Late(Transport):
    """A transport that nobody has waited for."""

    aborted = False
    ended = None

    async def receive(self) -> tuple[()]:
        await trio.sleep_forever()
        return ()

    def send(self, data: str | bytes) -> None:
        raise trio.BrokenResourceError

    def ping(self, payload: bytes = b"") -> None:
        """Nobody is there."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Nobody is there."""

    def abort(self) -> None:
        self.aborted = True


@attrs.define
class Past:
    """What there ever was of one connection.

    Attributes:
        driver: its driver, once it has begun.
    """

    driver: Driver | None = None
    epochs: list[Epoch] = attrs.field(factory=list)
    clocks: list[do.StartClock] = attrs.field(factory=list)
    calls: list[do.StartCall] = attrs.field(factory=list)
    timers: list[tuple[Any, ...]] = attrs.field(factory=list)
    replies: list[Reply] = attrs.field(factory=list)
    tickets: list[Ticket] = attrs.field(factory=list)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Note all that is made meanwhile."""
        carry_out, set_timer = lifecycle.trio.driver.carry_out, Timers.set
        begin_epoch, begin_reply, begin_ticket = Epoch.__init__, Reply.__init__, Ticket.__attrs_post_init__

        def carried(driver: Driver, effects: tuple[do.Effect, ...]) -> None:
            self.driver = driver
            self.clocks += [effect for effect in effects if isinstance(effect, do.StartClock)]
            self.calls += [effect for effect in effects if isinstance(effect, do.StartCall)]
            carry_out(driver, effects)

        def timer(timers: Timers, key: Any, when: float, what: Any) -> None:
            set_timer(timers, key, when, what)
            self.timers.append(timers._live[key])

        def epoch(made: Epoch, *args: Any) -> None:
            begin_epoch(made, *args)
            self.epochs.append(made)

        def reply(made: Reply, *args: Any) -> None:
            begin_reply(made, *args)
            self.replies.append(made)

        def ticket(made: Ticket) -> None:
            begin_ticket(made)
            self.tickets.append(made)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lifecycle.trio.driver, "carry_out", carried)
            patch.setattr(Timers, "set", timer)
            patch.setattr(Epoch, "__init__", epoch)
            patch.setattr(Reply, "__init__", reply)
            patch.setattr(Ticket, "__attrs_post_init__", ticket)
            yield


# Each tells what is stale, or, as a control, what is not; and returns how much that was.


def _epochs(past: Past, driver: Driver, *, live: bool) -> list[Epoch]:
    return [epoch for epoch in past.epochs if (epoch is driver.current) is live]


def batches(past: Past, driver: Driver, *, live: bool) -> int:
    """Messages, and answers to what is asked now; bytes that were heard."""
    answers = [
        f'{{"t": "answer", "id": "{id_}", "ok": true, "result": "stale"}}' for id_ in driver.mail.requests.pending
    ]
    epochs = [epoch for epoch in _epochs(past, driver, live=live) if not live or epoch.transport is not None]
    for epoch in epochs:
        epoch.put((*BATCH[: 3 if live else 4], *answers))
        epoch._hear()
        epoch.readable()
    return len(epochs) * (len(BATCH) + len(answers) + 2)


def endings(past: Past, driver: Driver, *, live: bool) -> int:
    """A connection has ended, in one way or another, or is to be given up."""
    epochs = _epochs(past, driver, live=live)
    for epoch in epochs:
        for ending in ENDINGS:
            epoch.end(ending)
        epoch.over()
        epoch.overfull("inbox_full", "stale")
    return len(epochs) * (len(ENDINGS) + 2)


def opened(past: Past, driver: Driver, *, live: bool) -> int:
    """A dial is ready."""
    epochs = [epoch for epoch in _epochs(past, driver, live=live) if not live or epoch.transport is None]
    for epoch in epochs:
        transport = Late()
        epoch._opened(transport, memory_pair(driver.spawn)[0])
        assert transport.aborted is not live
    return len(epochs)


def facts(past: Past, driver: Driver, *, live: bool) -> int:
    """What a transport tells, as the machine hears it."""
    tokens = [epoch.token for epoch in _epochs(past, driver, live=live)]
    for token in tokens:
        for fact in FACTS:
            driver.dispatch(attrs.evolve(fact, token=token))
    return len(tokens) * len(FACTS)


def timers(past: Past, driver: Driver, *, live: bool) -> int:
    """A clock has run out: back in the heap, as if it had never been taken out, and as an event."""
    running, now = driver.machine._clocks, trio.current_time()
    clocks = [each for each in past.clocks if (running.get(each.clock.name) == each.token) is live]
    for each in clocks:
        driver.dispatch(Event(each.clock.name, cause="timer", token=each.token))
    dead = [] if live else [entry for entry in past.timers if driver.timers._live.get(entry[2]) is not entry]
    for _, serial, key, what in dead:
        heapq.heappush(driver.timers._heap, (now, serial, key, what))
    driver.armed()
    return len(clocks) + len(dead)


def calls(past: Past, driver: Driver, *, live: bool) -> int:
    """A call has succeeded, and failed."""
    running = driver.machine._calls
    found = [each for each in past.calls if (running.get(each.state) == each.token) is live]
    for each in found:
        driver.dispatch(Event(f"done.{each.state}", DONE, "call", each.token))
        driver.dispatch(Event(f"failed.{each.state}", FAILED, "call", each.token))
    return 2 * len(found)


def answers(past: Past, driver: Driver, *, live: bool) -> int:
    """A request is answered, is lost, has timed out, or is given up by who asked."""
    found = [reply for reply in past.replies if reply.done is not live]
    for reply in found:
        driver.mail.requests.answered(reply.id, "stale", good=True)
        driver.mail.requests.answered(reply.id, "stale", good=False)
        reply.dropped(reply.ticket)
        reply.expired()
        reply.cancel()
    return 5 * len(found)


def tickets(past: Past, driver: Driver, *, live: bool) -> int:
    """A message is late, is withdrawn, is lost; a pipe has room again."""
    sending, found = driver.mail._sending, [each for each in past.tickets if (each.fate in SETTLED) is not live]
    for ticket in found:
        sending._late(ticket)
        sending.withdraw(ticket)
        sending.outbox.settle(ticket, "maybe", "stale")
    epochs = [] if live else _epochs(past, driver, live=live)
    for epoch in epochs:
        epoch._drained()
    return 3 * len(found) + len(epochs)


KINDS: tuple[Callable[..., int], ...] = (batches, endings, opened, facts, timers, calls, answers, tickets)


class Echo(trio.abc.Instrument):
    """Tells what is stale, of each kind, after each task step; or, once, what is not.

    Attributes:
        told: how much, of each kind.
        ticks: after how many task steps.
        fault: what that has raised.
    """

    def __init__(self, past: Past, kinds: tuple[Callable[..., int], ...] = KINDS, *, live: bool = False) -> None:
        self.past, self.kinds, self.live = past, kinds, live
        self.told: Counter[str] = Counter()
        self.ticks = 0
        self.fault: Exception | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Tell."""
        driver = self.past.driver
        if driver is None or driver.finished or self.fault is not None or (self.live and self.told):
            return
        self.ticks += 1
        try:
            assert self.ticks < MOST, "what we tell is answered for ever"
            for kind in self.kinds:
                count = kind(self.past, driver, live=self.live)
                if count:
                    self.told[kind.__name__] += count
        except Exception as fault:  # noqa: BLE001 -- trio would log it, and tell no more
            self.fault = fault
