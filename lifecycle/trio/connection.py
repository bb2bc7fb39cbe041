"""What users hold: one connection that lives longer than its transports.

Law: the object stays while transports come and go. Errors are of one tree; the body's own
exception leaves the door as it is, never in a group. Nothing that a user awaits can be torn by
cancelling it, and everything has a bound.
"""

import functools
import itertools
import math
import random
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final
from weakref import WeakSet

import trio

from lifecycle.definition.page import Outbox
from lifecycle.definition.parameters import missing_calls, parameter_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    IllegalEvent,
    NoRequests,
    NotReady,
    NotSent,
    RequestTimeout,
)
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.shipped import bring
from lifecycle.machine.step import Step
from lifecycle.machine.tables import table_of
from lifecycle.wire.requests import frame
from lifecycle.wire.ticket import Ticket

from .changes import Changes
from .dialer import Dialer, websocket_dialer
from .door import Door, raise_failure
from .driver import Driver
from .runnable import refuse_unrunnable

if TYPE_CHECKING:
    from lifecycle.definition.definition import Definition

HISTORY = 64
_BELT = 1.0


@final
class Connection:
    """A connection that heals itself as its page says.

    Use it as `async with lifecycle.open(page, …) as connection`, or, where it outlives a function,
    `connection = Connection(page, …); await nursery.start(connection.run)`.

    Args:
        page: a bundled name, a path, or a Definition.
        calls: an object with the async methods that the page calls: a module, an instance.
        transport: a dialer, in place of WebSocket over TCP.
        tls: an ssl.SSLContext for wss://, in place of the verifying default.
        seed: for jitter; by default it is unpredictable.
        parameters: the page's parameters. Durations are numbers of seconds, texts with a unit, or
            timedeltas; sizes are bytes or texts.

    Raises:
        PageError: the page is wrong.
        WrongParameters: parameters or calls do not fit it; all wrong ones at once.
    """

    def __init__(
        self,
        page: PageLike,
        *,
        calls: object = None,
        transport: Dialer | None = None,
        tls: ssl.SSLContext | None = None,
        seed: int | None = None,
        **parameters: Any,
    ) -> None:
        self.definition: Definition = read(page)
        refuse_unrunnable(self.definition)
        values = parameter_values(self.definition, parameters, missing_calls(self.definition, calls))
        table = table_of(self.definition)
        bring(table)
        machine = Machine(table, values)
        dice = random.Random(seed)
        self._driver = Driver(machine, transport or websocket_dialer(tls), calls, self._step, dice)
        self._driver.over = self._over
        self._history: deque[Step] = deque(maxlen=HISTORY)
        self._watchers: WeakSet[Changes] = WeakSet()
        self._door: Door | None = None

    # -- what it is like

    @property
    def status(self) -> str:
        """idle, connecting, authenticating, ready, waiting, suspended, closing, closed or failed."""
        return self._driver.machine.status

    @property
    def state(self) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return self._driver.machine.states

    @property
    def epoch(self) -> int:
        """Which dial it is, counted from 1."""
        return self._driver.epoch

    @property
    def next_try(self) -> float | None:
        """Seconds until the next attempt, while waiting for one."""
        if self.status not in ("waiting", "suspended"):
            return None
        due = min(self._driver.clocks(), default=None)
        return max(0.0, due - trio.current_time()) if due is not None else None

    @property
    def why(self) -> str:
        """What has happened since the last ready, in words, with the seconds until the next try."""
        told = "; then ".join(_counted(self._driver.causes))
        wait = self.next_try
        return ". ".join(filter(None, (told, f"next try in {wait:.1f} s" if wait is not None else "")))

    @property
    def history(self) -> tuple[Step, ...]:
        """The last steps, oldest first."""
        return tuple(self._history)

    @property
    def variables(self) -> Mapping[str, Any]:
        """The page's variables by name."""
        machine = self._driver.machine
        return dict(zip(self.definition.variables, machine.variables, strict=True))

    def changes(self) -> Changes:
        """Every step from now on: `async for step in connection.changes()`. Bounded; what is missed is counted."""
        watcher = Changes()
        self._watchers.add(watcher)
        if self._driver.finished:
            watcher.end()
        return watcher

    # -- what it does

    def tell(self, wish: str, **fields: Any) -> None:
        """Tell the page a wish, such as `reconnect`.

        Raises:
            IllegalEvent: the page does not hear it now.
        """
        if wish not in self.definition.hears:
            allowed = tuple(self.definition.hears)
            raise IllegalEvent(
                self.definition.name, wish, self.state, allowed, f"the page hears {', '.join(allowed) or 'nothing'}"
            )
        if self._driver.finished:
            raise IllegalEvent(self.definition.name, wish, (), (), "the connection has ended")
        self._driver.dispatch(Event(wish, fields))

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- NotReady tells why
        """Wait until it is ready.

        Args:
            timeout: seconds; without, it is the page that gives up.

        Raises:
            NotReady: the time is over.
            ConnectionFailed, ConnectionEnded: it will not become ready by itself.
        """
        with trio.move_on_after(math.inf if timeout is None else timeout):
            while self.status != "ready":
                self._raise_at_rest()
                await self._driver.changed.wait()
            await trio.lowlevel.checkpoint()
            return
        raise NotReady(f"not ready within {timeout:g} s", cause=self.why)

    def post(self, message: Any) -> Ticket:
        """Give a message to the connection, without waiting.

        Returns:
            A ticket that tells its fate, also to a caller that was cancelled.

        Raises:
            NotSent: it cannot be sent, or waits for nothing.
        """
        error = self._at_rest_error()
        if error is not None:
            raise NotSent("the message was not sent", cause=str(error()))
        outbox = self.definition.messages.outbox or Outbox()
        return self._driver.mail.post(message, self._driver.machine.value(outbox.until_ready))

    async def send(self, message: Any) -> Ticket:
        """Send a message: return when its last byte was given to the system.

        While the connection is not ready, the message waits as the page says.

        Raises:
            NotSent: no byte of it has left.
            MaybeDelivered: some of it has, and then the connection was lost.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = self.post(message)
        await self._driver.mail.sent(ticket)
        return ticket

    async def request(
        self,
        method: str,
        params: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- RequestTimeout tells of what
    ) -> Any:
        """Ask the peer and wait for its answer.

        Args:
            method: what is asked for; the request frame's `=method`.
            params: with what; its `=params`.
            timeout: seconds for the answer, in place of the page's.

        Raises:
            NoRequests: the page has none.
            RequestFailed: the peer refuses; its words are in `error`.
            RequestTimeout: no answer came.
            NotSent, MaybeDelivered: the connection was lost before an answer came.
        """
        requests = self.definition.requests
        if requests is None:
            raise NoRequests(self.definition.name)
        await trio.lowlevel.checkpoint_if_cancelled()
        self._raise_at_rest()
        machine, mail = self._driver.machine, self._driver.mail
        seconds = machine.value(requests.timeout) if timeout is None else timeout
        id_ = mail.requests.next_id()
        names = {**machine.names(), "id": id_, "method": method, "params": params}

        def timed() -> None:
            when = trio.current_time() + seconds
            self._driver.timers.set(
                ("request", id_), when, lambda _: mail.requests.fail(id_, RequestTimeout(method, seconds))
            )
            self._driver.armed()

        return await mail.request(
            method, frame(self.definition, str(requests.send), names), id_, machine.value(requests.until_ready), timed
        )

    def __aiter__(self) -> AsyncIterator[Any]:
        """Messages and, in their place, Discontinuity marks; stops when closed, raises when failed."""
        return self

    async def __anext__(self) -> Any:
        """The next message or mark."""
        try:
            return await self._driver.mail.receive(self._raise_at_rest)
        except ConnectionEnded:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Say goodbye, wait until the page has closed, and end. Again is no harm."""
        driver = self._driver
        try:
            self._wish_end()
            while not driver.finished and self.status not in ("closed", "failed", "idle"):
                last = max(driver.clocks(), default=0.0)
                with trio.move_on_at(max(trio.current_time(), last) + _BELT) as belt:
                    await driver.changed.wait()
                if belt.cancelled_caught:
                    break
            await trio.lowlevel.checkpoint()
        finally:
            driver.finish()

    # -- the door

    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until the page ends or `aclose` is called; to be started in a nursery.

        Raises:
            DriverFailed: a fault of ours.
        """
        self._refuse_again()
        driver = self._driver
        async with trio.open_nursery() as nursery:
            try:
                self._begin(nursery)
                task_status.started(self)
                while not driver.finished:
                    await driver.changed.wait()
            except trio.Cancelled:
                driver.goodbye()
                raise
            finally:  # while the nursery is open: a task of somebody else may be using the connection
                driver.finish()
                nursery.cancel_scope.cancel()
        raise_failure(driver)

    async def __aenter__(self) -> Self:
        """Start; the page is told `connect` if it hears it."""
        self._refuse_again()
        self._door = Door(self._driver, self._begin, self.aclose)
        await self._door.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Close, within the page's own bounds; cancelled, at once."""
        if self._door is None:
            return False
        door, self._door = self._door, None
        return await door.leave(error)

    def _begin(self, nursery: trio.Nursery) -> None:
        self._driver.begin(nursery)
        if "connect" in self.definition.hears and not self._driver.finished:
            try:
                self.tell("connect")
            except IllegalEvent as error:  # the page hears it and does not take it: its proof was skipped
                self._driver.fail(error)

    def _refuse_again(self) -> None:
        if self._driver.begun:
            raise ConnectionEnded("a connection runs once: make another one")

    def _over(self) -> None:
        self._driver.mail.finish(self._at_rest_error())
        for watcher in list(self._watchers):
            watcher.end()

    def _wish_end(self) -> None:
        if not self._driver.finished and self.definition.stop in self.definition.hears:
            try:
                self.tell(self.definition.stop)
            except IllegalEvent:
                self._driver.finish()

    def _step(self, step: Step) -> None:
        self._history.append(step)
        for watcher in list(self._watchers):
            watcher.put(step)
        error = self._at_rest_error()
        if error is not None and step.status != step.status_before:
            self._driver.mail.rest(error)
        elif step.status == "idle" != step.status_before:
            self._driver.mail.give_up("the connection is idle")

    def _at_rest_error(self) -> Any:
        """How to make the error of a connection that will not become ready by itself."""
        driver = self._driver
        if driver.failure is not None:
            return functools.partial(ConnectionFailed, "the driver has failed", cause=type(driver.failure).__name__)
        if self.status == "failed":
            return functools.partial(ConnectionFailed, "the connection has failed", cause=self.why)
        if self.status == "closed" or driver.finished:
            return functools.partial(ConnectionEnded, "the connection is closed", cause=self.why)
        return None

    def _raise_at_rest(self) -> None:
        error = self._at_rest_error()
        if error is not None:
            raise error()


def _counted(causes: Iterable[str]) -> Iterator[str]:
    """The same cause several times in a row is told once, with how often."""
    for cause, same in itertools.groupby(causes):
        often = len(list(same))
        yield cause if often == 1 else f"{cause} ({often} times)"


def open(
    page: PageLike,
    *,
    calls: object = None,
    transport: Dialer | None = None,
    tls: ssl.SSLContext | None = None,
    seed: int | None = None,
    **parameters: Any,
) -> Connection:
    """Open a connection: `async with lifecycle.open("websocket", url="wss://…") as connection`.

    Arguments and errors are those of `Connection`.
    """
    return Connection(page, calls=calls, transport=transport, tls=tls, seed=seed, **parameters)
