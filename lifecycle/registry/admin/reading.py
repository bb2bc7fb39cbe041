"""A request while it is answered: its body, and whether who sent it is still there.

Law: what arrives is always taken, kept up to a limit and else thrown away, so a body that nobody wants stops nothing
(Hypercorn would wait for ever to hand it over). Every wait has a bound.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from lifecycle.trio.interrupts import ki_protected

Message = MutableMapping[str, Any]
LINGER: Final = 2.0
"""Seconds that an answer waits for the rest of a body: a client that is answered and hung up on while it still sends
would see a reset, and no answer."""
_LINGER_BYTES: Final = 4 * 2**20


class BodyTooLarge(Exception):
    """There is more of it than is wanted."""


class BodyTooSlow(Exception):
    """Its end did not come in time."""


@final
@ki_protected
class Reading:
    """Takes what comes.

    Args:
        receive: of ASGI.
        limit: bytes that are kept of a body.
    """

    def __init__(self, receive: Callable[[], Awaitable[Message]], limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._body = bytearray()
        self._size = 0
        self._end, self._much = trio.Event(), trio.Event()
        self._complete = self._gone = False
        self._minding: set[trio.CancelScope] = set()

    async def run(self) -> None:
        """Take it all, until the client has gone."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                self._complete = True
                self._end.set()
        self._gone = True
        self._end.set()
        for scope in self._minding:
            scope.cancel()

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._body += data
        if self._size > _LINGER_BYTES:
            self._much.set()

    async def body(self, patience: float) -> bytes:
        """The whole body.

        Args:
            patience: seconds that it may take.

        Raises:
            BodyTooLarge: it has more bytes than the limit.
            BodyTooSlow: there was no end in time.
        """
        with trio.move_on_after(patience):
            await self._whole()
        if self._size > self._limit:
            raise BodyTooLarge
        if not self._complete:
            raise BodyTooSlow
        return bytes(self._body)

    async def rest(self) -> None:
        """Wait a little for the end of a body that nobody wants."""
        with trio.move_on_after(LINGER):
            await self._whole()

    async def _whole(self) -> None:
        async with trio.open_nursery() as nursery:
            for event in (self._end, self._much):
                nursery.start_soon(_first, event, nursery.cancel_scope)

    @contextmanager
    def minding(self) -> Iterator[trio.CancelScope]:
        """What is in here is cancelled when the client hangs up."""
        with trio.CancelScope() as scope:
            self._minding.add(scope)
            if self._gone:
                scope.cancel()
            try:
                yield scope
            finally:
                self._minding.discard(scope)


@enable_ki_protection
async def _first(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
