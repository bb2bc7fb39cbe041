"""What stands in trio-websocket where its channel of messages stood, so that its reader hands them over itself.

Law: messages go to the sink in order, each once; the end is told once, after the last. What a sink raises is kept for
the host of the connection, for the library drops some exceptions without a word.
It does not know what a connection ended with.
"""

from collections.abc import Callable
from typing import final

import trio

from .transport import Sink

Message = str | bytes


@final
class Tap:
    """Has what the library uses of a `trio.MemorySendChannel`.

    Attributes:
        fault: what the sink raised first.
    """

    __slots__ = ("_abort", "_over", "_settle", "_sink", "_wanted", "fault")

    def __init__(
        self, sink: Sink, wanted: Callable[[Message], bool], settle: Callable[[], None], abort: Callable[[], None]
    ) -> None:
        """Make a tap.

        Args:
            sink: who takes the messages.
            wanted: whether a message may be handed over; if not, it may have ended the connection.
            settle: finds out what the connection ended with, before the sink is told.
            abort: ends the connection, when the sink has failed.
        """
        self._sink = sink
        self._wanted = wanted
        self._settle = settle
        self._abort = abort
        self._over = False
        self.fault: Exception | None = None

    def drain(self, queue: trio.MemoryReceiveChannel[Message]) -> None:
        """Hand over what the library has queued; if that was all there will ever be, tell the end."""
        while True:
            try:
                message = queue.receive_nowait()
            except trio.WouldBlock:
                return
            except (trio.EndOfChannel, trio.ClosedResourceError):
                self.end()
                return
            self._put(message)

    def end(self) -> None:
        """Tell the end, unless that was done."""
        if self._over:
            return
        self._over = True
        self._settle()
        try:
            self._sink.over()
        except Exception as fault:  # noqa: BLE001 -- it belongs to the host, not to the library
            self._fail(fault)

    async def send(self, message: Message) -> None:
        """Hand over a message, and wait until there is room for the next one."""
        self._put(message)
        if self._over:
            return
        try:
            await self._sink.room()
        except Exception as fault:  # noqa: BLE001 -- as above
            self._fail(fault)

    async def aclose(self) -> None:
        """Tell the end: the library has no more messages."""
        self.end()

    def _put(self, message: Message) -> None:
        if self._over or not self._wanted(message):
            return
        try:
            self._sink.put((message,))
        except Exception as fault:  # noqa: BLE001 -- as above
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        self.fault = self.fault or fault
        self._abort()
