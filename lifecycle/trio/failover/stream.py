"""The output of one request, piece by piece, from whichever provider gives it.

Law: nothing is asked ahead of who takes it. Whoever leaves ends the request, and waits until it is over. A class and
not a generator: a generator must not hold a task.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar, final

import trio

from lifecycle.errors import ConnectionEnded
from lifecycle.trio.interrupts import ki_protected

T = TypeVar("T")
Give = Callable[[T], Awaitable[None]]
Walk = Callable[[Give[T]], Awaitable[object]]


@final
@ki_protected
class Stream(Generic[T]):
    """`async with failover.stream(…) as pieces: async for piece in pieces: …`.

    Args:
        walk: asks one provider after the other, and gives each piece.
        spawn: starts a task that lives no longer than the failover.
    """

    def __init__(self, walk: Walk[T], spawn: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        self._walk, self._spawn = walk, spawn
        self._scope, self._over = trio.CancelScope(), trio.Event()
        self._error: Exception | None = None
        self._to, self._from = trio.open_memory_channel[T](0)
        self._begun = self._complete = False

    async def __aenter__(self) -> Self:
        """Begin to ask.

        Raises:
            ConnectionEnded: it was begun before, or the failover is not open.
        """
        if self._begun:
            raise ConnectionEnded("a stream runs once: ask again")
        await trio.lowlevel.checkpoint()  # before it begins: who is cancelled here leaves nothing behind
        self._spawn(self._run)
        self._begun = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the request, and wait until it is over."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):  # as a nursery would, and as long as the provider's code takes to end
            await self._over.wait()
        self._from.close()

    def __aiter__(self) -> AsyncIterator[T]:
        """Its pieces."""
        return self

    async def __anext__(self) -> T:
        """The next piece; what was given comes before an error.

        Raises:
            StopAsyncIteration: that was all.
            AllFailed: nobody could serve. Or what the provider has raised, if some output was given.
            ConnectionEnded: the failover has ended first.
        """
        try:
            return await self._from.receive()
        except trio.EndOfChannel:
            if self._error is not None:
                raise self._error from self._error.__cause__
            if not self._complete:
                raise ConnectionEnded("the failover has ended in the middle of an answer") from None
            raise StopAsyncIteration from None

    async def _run(self) -> None:
        try:
            with self._scope:
                await self._walk(self._to.send)
            self._complete = True
        except Exception as error:  # noqa: BLE001 -- raised where the pieces are taken
            self._error = error
        finally:
            self._to.close()
            self._over.set()
