"""A portal from asyncio into trio, so that a connection lives in a program that is not written for trio.

Law: one thread. trio is a guest of the asyncio loop, so what does not wait is called as ever, and what waits is
carried by a task on trio's side. A cancelled asyncio task cancels what it waits for and goes on when that has ended;
a message that came meanwhile is there for the next one. Nothing outlives its `async with`.
"""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, TypeVarTuple, final
from weakref import WeakKeyDictionary

import outcome
import trio

from lifecycle.errors import CallFailed, ConnectionEnded

from .connection import Connection
from .groups import alone

T = TypeVar("T")
P = ParamSpec("P")
Args = TypeVarTuple("Args")


@final
class Portal:
    """trio inside a running asyncio loop: `async with Portal() as portal`. A loop has one, for all connections.

    At its end, everything in it is cancelled; who still waits for it gets ConnectionEnded.

    Raises:
        RuntimeError: trio runs in this thread already.
    """

    def __init__(self) -> None:
        self._begun, self._over = _Crossing(), _Crossing()
        self._scope = trio.CancelScope()
        self._ahead: WeakKeyDictionary[object, _Ahead[Any]] = WeakKeyDictionary()
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Self:
        """Start trio in this loop."""
        loop = asyncio.get_running_loop()
        if self._begun.result is not None:
            raise ConnectionEnded("a portal runs once: make another one")
        if trio.lowlevel.in_trio_run():
            raise RuntimeError("trio runs in this thread already: a loop has one portal, for all connections")
        trio.lowlevel.start_guest_run(
            self._live,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=loop.call_soon,
            done_callback=self._over.end,
            host_uses_signal_set_wakeup_fd=True,
        )
        try:
            await self._begun.wait(_wait_on)
        except asyncio.CancelledError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel what is left, and wait until trio has ended."""
        self._scope.cancel()
        over = await self._over.wait(_wait_on)
        if isinstance(over, outcome.Error):
            raise alone(over.error)

    async def call(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Call an async function of trio and wait for it: `await portal.call(connection.send, message)`.

        Args:
            function: what to call; it is cancelled with its caller, who goes on when it has ended.
            args: for the function, by position, as everywhere in trio; `functools.partial` takes names.

        Raises:
            ConnectionEnded: the portal has closed.
            Exception: whatever the function raises.
        """
        crossing, scope = _Crossing(), trio.CancelScope()
        self.spawn(functools.partial(crossing.carry, scope, functools.partial(function, *args)))
        result: T = (await crossing.wait(scope.cancel)).unwrap()
        return result

    def enter(self, manager: AbstractAsyncContextManager[T]) -> "Stay[T]":
        """Open and close something of trio: `async with portal.enter(lifecycle.open(…)) as connection`.

        Args:
            manager: it is told an exception of the body, and cancelled if the body is.
        """
        return Stay(self, manager)

    def each(self, source: AsyncIterator[T]) -> "Each[T]":
        """What an async iterator of trio gives: `async for message in portal.each(connection)`.

        Args:
            source: a connection, or its `changes()`. Of the messages that wait in a connection's inbox up to 64 are
                taken at once, unless the page keeps the latest only; all iterators of one source share them.

        Raises:
            ConnectionEnded: the portal has closed.
            Exception: whatever the iterator raises.
        """
        return Each(self, source, self._ahead.setdefault(source, _Ahead()))

    def spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task on trio's side, for `call` and `enter`; it must not raise.

        Raises:
            ConnectionEnded: the portal has closed.
        """
        if self._nursery is None or self._scope.cancel_called or self._over.result is not None:
            raise _closed()
        self._nursery.start_soon(run)

    async def _live(self) -> None:
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                self._begun.end(outcome.Value(None))
                await trio.sleep_forever()


@final
class Stay(Generic[T]):
    """One `async with` of trio, in a task of its own; `Portal.enter` makes it."""

    def __init__(self, portal: Portal, manager: AbstractAsyncContextManager[T]) -> None:
        self._portal, self._manager = portal, manager
        self._entered, self._left = _Crossing(), _Crossing()
        self._scope, self._leave = trio.CancelScope(), trio.Event()
        self._error: Exception | None = None

    async def __aenter__(self) -> T:
        """Enter it; raises what it raises."""
        self._portal.spawn(functools.partial(self._left.carry, self._scope, self._stay))
        try:
            entered = await self._entered.wait(self._scope.cancel)
        except asyncio.CancelledError:
            await self._left.wait(_wait_on)
            raise
        if isinstance(entered, outcome.Error):
            entered = await self._left.wait(self._scope.cancel)  # which knows why
        value: T = entered.unwrap()
        return value

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Leave it as trio would; a body that was cancelled cancels it."""
        if error is None or isinstance(error, Exception):
            self._error = error
            self._leave.set()
        else:
            self._scope.cancel()
        left = await self._left.wait(self._scope.cancel)
        if not isinstance(left, outcome.Error):
            return isinstance(error, Exception)  # the manager has settled it
        if error is not None and (left.error is error or isinstance(left.error, ConnectionEnded)):
            error.__traceback__ = traceback  # without the way that it took through trio
            return False
        raise left.error

    async def _stay(self) -> None:
        try:
            async with self._manager as value:
                self._entered.end(outcome.Value(value))
                await self._body()
        finally:
            self._entered.end(outcome.Error(_closed()))

    async def _body(self) -> None:
        await self._leave.wait()
        if self._error is not None:
            raise self._error


@final
class Each(Generic[T]):
    """An async iterator of trio for asyncio; `Portal.each` makes it."""

    def __init__(self, portal: Portal, source: AsyncIterator[T], ahead: "_Ahead[T]") -> None:
        self._portal, self._source, self._ahead = portal, source, ahead

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> T:
        """The next one; cancelled, it is left for who comes next."""
        async with self._ahead.turn:
            if not self._ahead.taken:
                await self._portal.call(self._take)
            return self._ahead.taken.popleft()

    async def _take(self) -> None:
        await self._receive(1)
        waiting = _waiting(self._source)
        if waiting:
            with trio.CancelScope() as scope:
                # set in here, it is noticed by who has to wait: at the inbox's next breath, or if others were quicker
                scope.deadline = trio.current_time()
                await self._receive(waiting)

    async def _receive(self, count: int) -> None:
        for _ in range(count):
            # not returned, for what is on its way to an asyncio task that is cancelled just now would be lost
            self._ahead.taken.append(await anext(self._source))


@final
class _Ahead(Generic[T]):
    """What was taken from a source, and waits for who asks next."""

    def __init__(self) -> None:
        self.taken: deque[T] = deque()
        self.turn = asyncio.Lock()  # who comes second must see what the first, cancelled, has left


def on_asyncio(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a page's call be a function of asyncio: a decorator for the methods of `calls=`.

    Args:
        function: runs in a task of the portal's loop, is cancelled with its caller, and the caller waits for its end.

    Returns:
        An async function for trio.

    Raises:
        CallFailed: with the code `cancelled`: its task was cancelled on asyncio's side.
    """

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        task, done = asyncio.ensure_future(function(*args, **kwargs)), trio.Event()
        task.add_done_callback(lambda _: done.set())
        try:
            await done.wait()
        except trio.Cancelled:
            task.cancel()
            with trio.CancelScope(shield=True):
                await done.wait()
            if not task.cancelled():
                task.exception()  # or asyncio complains that nobody has looked at it
            raise
        if task.cancelled():
            raise CallFailed("cancelled", "the asyncio task of the call was cancelled")
        return task.result()

    return call


@final
class _Crossing:
    """Something on trio's side whose end asyncio waits for.

    Attributes:
        result: what it has ended with.
    """

    def __init__(self) -> None:
        self.result: outcome.Outcome[Any] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def end(self, result: outcome.Outcome[Any]) -> None:
        """It has ended; the first result counts."""
        if self.result is None:
            self.result = result
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def carry(self, scope: trio.CancelScope, run: Callable[[], Awaitable[Any]]) -> None:
        """Run something on trio's side, and end with what becomes of it."""
        try:
            with scope:
                self.end(outcome.Value(await run()))
        except Exception as error:  # noqa: BLE001 -- raised on the other side
            self.end(outcome.Error(error))
        finally:
            self.end(outcome.Error(_closed()))

    async def wait(self, cancel: Callable[[], object]) -> outcome.Outcome[Any]:
        """Wait for the end, on asyncio's side.

        Args:
            cancel: hastens the end; called if the waiting task is cancelled, which then waits on.

        Raises:
            asyncio.CancelledError: that happened, and it has ended now.
        """
        cancelled: asyncio.CancelledError | None = None
        while self.result is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                cancel()
        if cancelled is not None:
            raise cancelled
        return self.result


def _wait_on() -> None:
    """Where a cancellation can hasten nothing."""


def _closed() -> ConnectionEnded:
    return ConnectionEnded("the portal has closed")


def _waiting(source: object) -> int:
    """How many messages are there that may be taken ahead."""
    if not isinstance(source, Connection):
        return 0
    inbox = source.definition.messages.inbox
    return 0 if inbox is not None and inbox.when_full == "latest" else source.counters.waiting
