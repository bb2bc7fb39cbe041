"""What users hold: one connection that lives longer than its transports.

Law: the object stays while transports come and go. Errors are of one tree; the body's own exception leaves the door as
it is, never in a group. Nothing that a user awaits can be torn by cancelling it, and everything has a bound.
"""

import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, final

import trio

from lifecycle.definition.definition import Definition
from lifecycle.definition.parameters import missing_calls, parameter_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import ConnectionEnded, IllegalEvent, NotReady
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine
from lifecycle.machine.shipped import bring
from lifecycle.machine.step import Step
from lifecycle.machine.tables import table_of
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.failover.endpoints import Endpoints
from lifecycle.trio.failover.urls import switch_of
from lifecycle.trio.mail.replies import MISSING, Reply
from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.dialer import Dialer, dialer_of, no_dialer
from lifecycle.trio.transports.transport import Asking
from lifecycle.wire.ticket import Ticket

from .account import Account, Counters
from .changes import Changes
from .closing import close
from .door import Door, raise_failure
from .driver import Driver
from .instruments import Instruments, Subject
from .interrupts import ki_protected
from .runnable import unrunnable

_DICE = random.SystemRandom()  # has no state of its own, which would be 2.5 KiB for each connection


@final
@ki_protected
class Connection:
    """A connection that heals itself as its page says; `definition` is the page.

    Use it as `async with lifecycle.open(page, …) as connection`, or, where it outlives a function,
    `connection = Connection(page, …); await nursery.start(connection.run)`.

    Args:
        page: a bundled name, a path, or a Definition.
        calls: an object with the async methods that the page calls: a module, an instance.
        transport: `trio-websocket` (the default), `websockets`, or a dialer of your own.
        tls: an ssl.SSLContext for wss://, in place of the verifying default.
        urls: several addresses, in place of the page's `url`: the first is the primary; or `Endpoints`.
        seed: for jitter; by default it is unpredictable.
        instruments: told of each thing that happens, such as a `lifecycle.observe.Trace`.
        parameters: the page's. Durations are numbers of seconds, texts with a unit, or timedeltas; sizes bytes or text.

    Raises:
        PageError: the page is wrong.
        WrongParameters: parameters, calls, transport or role do not fit it; all wrong ones at once.
    """

    __slots__ = ("__weakref__", "_account", "_door", "_driver", "definition")

    def __init__(
        self,
        page: PageLike,
        *,
        calls: object = None,
        transport: str | Dialer | None = None,
        tls: ssl.SSLContext | None = None,
        urls: Endpoints | Iterable[str] | None = None,
        seed: int | None = None,
        instruments: Iterable[Instrument] = (),
        **parameters: Any,
    ) -> None:
        self.definition = read(page)
        problems = [*unrunnable(self.definition, "client", "session"), *missing_calls(self.definition, calls)]
        dialer: Dialer = no_dialer
        if self.definition.role != "session":
            dialer = dialer_of(transport, tls, problems)
        elif transport is not None or tls is not None:
            problems.append("it has no transport: leave `transport` and `tls` out")
        switches = switch_of(self.definition, urls, parameters, problems)
        values = parameter_values(self.definition, parameters, problems)
        told = (*switches, *instruments)
        self._set_up(values, dialer, calls, _DICE if seed is None else random.Random(seed), told)
        for switch in switches:
            switch.join(self._driver)

    @classmethod
    def accepted(
        cls,
        definition: Definition,
        values: tuple[Any, ...],
        calls: object,
        *,
        asking: Asking,
        pipe: Pipe,
        subprotocol: str | None,
        instruments: Iterable[Instrument] = (),
    ) -> Self:
        """The server's side of a connection that a client asks for; used by `Server`."""
        self = cls.__new__(cls)
        self.definition = definition
        self._set_up(values, no_dialer, calls, _DICE, instruments)
        self._driver.asked(asking, pipe, subprotocol)
        return self

    def _set_up(
        self,
        values: tuple[Any, ...],
        dialer: Dialer,
        calls: object,
        dice: random.Random,
        instruments: Iterable[Instrument],
    ) -> None:
        table = table_of(self.definition)
        bring(table)
        self._driver = Driver(Machine(table, values), dialer, calls, self._step, dice)
        self._driver.over = self._over
        self._account = Account(self._driver)
        if told := tuple(instruments):
            self._driver.instruments = Instruments(Subject(self._driver, self._account), told)
        self._driver.mail.at_rest = self._account.unsendable
        self._door: Door | None = None

    # -- what it is like

    @property
    def status(self) -> str:
        """idle, connecting, authenticating, ready, waiting, suspended, closing, closed or failed."""
        return self._account.status

    @property
    def state(self) -> tuple[str, ...]:
        """The paths of the innermost active states."""
        return self._driver.machine.states

    @property
    def epoch(self) -> int:
        """Which dial it is, counted from 1; 0 before the first, and 1 on a server."""
        return self._driver.epoch

    @property
    def next_try(self) -> float | None:
        """Seconds until the next attempt, while waiting or suspended; None where there is none to wait for."""
        return self._account.next_try

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words, with the seconds until the next try."""
        return self._account.why

    @property
    def history(self) -> tuple[Step, ...]:
        """The last 64 steps, oldest first."""
        return tuple(self._account.history)

    @property
    def counters(self) -> Counters:
        """What was counted since it began, as it is now."""
        return self._account.counters

    @property
    def variables(self) -> Mapping[str, Any]:
        """The page's variables by name; a copy."""
        machine = self._driver.machine
        return dict(zip(self.definition.variables, machine.variables, strict=True))

    @property
    def about(self) -> Mapping[str, Any]:
        """What its records of the log say besides, for records of yours: `page`, `session`, `epoch`, `event_id`."""
        return self._driver.mail.ids.about()

    def changes(self) -> Changes:
        """Every step from now on: `async for step in connection.changes()`. It keeps 256; what is missed is counted."""
        return self._account.changes()

    # -- what it does

    def tell(self, wish: str, **fields: Any) -> None:
        """Tell the page a wish, such as `reconnect`, with its fields.

        Raises:
            IllegalEvent: the page does not hear it, or does not allow it now; nothing has changed.
        """
        self._check_wish(wish)
        if self._driver.finished or not self._driver.begun:
            why = "the connection has ended" if self._driver.finished else "the connection has not begun"
            raise IllegalEvent(self.definition.name, wish, (), (), why)
        self._driver.dispatch(Event(wish, fields))

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- NotReady tells why
        """Wait until it is ready.

        Args:
            timeout: seconds; without, it is the page that gives up.

        Raises:
            NotReady: the time is over.
            ConnectionFailed, ConnectionEnded: it will not become ready by itself.
        """
        if self.status == "ready":
            await trio.lowlevel.checkpoint()
        with contextlib.nullcontext() if timeout is None else trio.move_on_after(timeout):
            while self.status != "ready":
                error = self._account.at_rest()
                if error is not None:
                    raise error()
                await self._driver.changed.wait()
            return
        raise NotReady(f"not ready within {timeout:g} s", cause=self.why)

    def post(self, message: Any) -> Ticket:
        """Give a message to the connection, without waiting.

        Returns:
            A ticket that tells its fate; cancelling its caller does not withdraw it.

        Raises:
            NotSent: there is no room for it, no connection will come, or the page lets nothing wait for one.
            TypeError, ValueError: the codec cannot write it.
        """
        return self._driver.mail.post(message)

    async def send(self, message: Any) -> Ticket:
        """Send a message: return when its last byte was given to the system.

        While not ready, or the outbox is full, it waits as the page says. Cancelled, it leaves whole or not at all.

        Raises:
            NotSent: no byte of it has left.
            MaybeDelivered: some of it has, and then the connection was lost.
            TypeError, ValueError: the codec cannot write it.
        """
        return await self._driver.mail.send(message)

    async def request(
        self,
        method: str,
        params: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- RequestTimeout tells of what
        *,
        fallback: Any = MISSING,
    ) -> Any:
        """Ask the peer and wait for its answer; who is cancelled meanwhile withdraws or cancels what he asked.

        Args:
            method: what is asked for; the request frame's `=method`.
            params: with what; its `=params`.
            timeout: seconds for the answer, in place of the page's.
            fallback: what to return where the peer does not support the method.

        Raises:
            NoRequests: the page has none.
            RequestFailed: the peer refuses. RequestUnsupported: it does not know the method, and there is no fallback.
            RequestTimeout: no answer came in time.
            NotSent, MaybeDelivered: it was not sent; or the connection was lost before an answer came.
            ConnectionFailed, ConnectionEnded: no connection will come.
            TypeError, ValueError: the codec cannot write it.
        """
        return await self._driver.mail.request(method, params, timeout, fallback)

    def ask(self, method: str, params: Any = None, timeout: float | None = None) -> Reply:
        """Ask the peer, without waiting: `request` in two halves.

        Returns:
            The reply to come: `await reply.wait()`, or `reply.cancel()`.

        Raises:
            NoRequests, ConnectionFailed, ConnectionEnded, TypeError, ValueError: as `request`.
            NotSent: there is no room for it, or the page lets nothing wait for a connection.
        """
        return self._driver.mail.ask(method, params, timeout)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Messages and, in their place, Discontinuity marks; stops when closed, raises when failed."""
        return self

    async def __anext__(self) -> Any:
        """The next message or mark; what has come is given before the end. Raises ConnectionFailed when failed."""
        try:
            return await self._driver.mail.receive()
        except ConnectionEnded:
            raise StopAsyncIteration from None

    async def aclose(self, wish: str | None = None, **fields: Any) -> None:
        """Say goodbye, wait until the page has closed, and end; cancelled, end at once. Again is no harm.

        Args:
            wish: which one the page is told; by default its wish to end, which follows if this one does not end it.
            fields: of the wish.

        Raises:
            IllegalEvent: the page hears no such wish; nothing has changed.
        """
        if wish is not None:
            self._check_wish(wish)
        await close(self._driver, wish or self.definition.stop, fields)

    # -- the door

    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until the page ends or `aclose` is called; to be started in a nursery.

        Raises:
            DriverFailed: a fault of ours.
        """
        self._refuse_again()
        async with trio.open_nursery() as nursery:
            try:
                self._begin(nursery)
                task_status.started(self)
                while not self._driver.finished:
                    await self._driver.changed.wait()
            except trio.Cancelled:
                self._driver.goodbye()
                raise
            finally:  # while the nursery is open: a task of somebody else may be using the connection
                self._driver.finish()
                nursery.cancel_scope.cancel()
        raise_failure(self._driver)

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
        error = self._account.at_rest()
        assert error is not None  # noqa: S101 -- the driver has finished
        self._driver.mail.finish(error)
        self._account.end()

    def _check_wish(self, wish: str) -> None:
        if wish not in self.definition.hears:
            allowed = tuple(self.definition.hears)
            raise IllegalEvent(
                self.definition.name, wish, self.state, allowed, f"the page hears {', '.join(allowed) or 'nothing'}"
            )

    def _step(self, step: Step) -> None:
        self._account.put(step)
        if step.status == step.status_before:
            return
        error = self._account.at_rest()
        if error is not None:
            self._driver.mail.rest(error)
        elif step.status == "idle":
            self._driver.mail.give_up("the connection is idle")


def open(
    page: PageLike,
    *,
    calls: object = None,
    transport: str | Dialer | None = None,
    tls: ssl.SSLContext | None = None,
    urls: Endpoints | Iterable[str] | None = None,
    seed: int | None = None,
    instruments: Iterable[Instrument] = (),
    **parameters: Any,
) -> Connection:
    """Open a connection: `async with lifecycle.open("websocket", url="wss://…") as connection`.

    Arguments and errors are those of `Connection`.
    """
    settings: Any = {"transport": transport, "tls": tls, "urls": urls, "seed": seed, "instruments": instruments}
    return Connection(page, calls=calls, **settings, **parameters)
