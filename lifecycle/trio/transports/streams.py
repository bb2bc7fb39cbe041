"""What trio-websocket believes to be its socket: our pipe, which knows a frame by its first byte.

Law: the library writes one frame at a time, so a pong that waits gives way to the next one. In the handshake the
library waits for ever when the peer ends, so each stream ends that wait. What a client sends behind its request would
be lost in the library, so it is held until the client is admitted.
It does not know messages, nor what a connection ends with.
"""

import re
from typing import TYPE_CHECKING, Final, final

import trio

from lifecycle.trio.pipes.pipe import Pipe, PipeStream

from .losses import MOST_OF_AN_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable

READ_SIZE: Final = 64 * 1024

_PONG: Final = b"\x8a"
_CLOSE: Final = b"\x88"
# as the parser of HTTP under the library sees it
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_CUT_IN_TWO: Final = 2


class LibraryStream(PipeStream):
    """What both sides have in common.

    Attributes:
        waiting: where the library waits for the end of the handshake; cancelled if there will be none.
        goodbye: called when the library has said goodbye, or is about to end the stream.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self.waiting = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # it misreads trio's attrs
        self.goodbye: Callable[[], None] | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Give a frame, or a head of HTTP, to the pipe; a pong only if no later one takes its place."""
        frame = bytes(data)
        try:
            if frame.startswith(_PONG):
                self._pipe.write_latest(frame)
            else:
                self._pipe.write(frame)
        except trio.BrokenResourceError:
            self.waiting.cancel()
            raise
        if frame.startswith(_CLOSE) and self.goodbye:
            self.goodbye()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; empty is the end."""
        try:
            return await super().receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.waiting.cancel()
            raise


@final
class DialStream(LibraryStream):
    """The client's: until the connection is open we hear the answer too, and its end.

    Attributes:
        answer: what the server has answered, until the connection is open.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self.answer = b""
        self._opening = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; empty is the end."""
        data = await super().receive_some(max_bytes)
        if self._opening:
            self._overhear(data)
        return data

    def opened(self) -> None:
        """Hear no more."""
        self._opening = False
        self.answer = b""

    def _overhear(self, data: bytes) -> None:
        # If the library has seen a 101 by now, its waiting is over and cancelling it does nothing.
        self.answer = (self.answer + data)[:MOST_OF_AN_ANSWER]
        endless = len(self.answer) == MOST_OF_AN_ANSWER and not self.answer.startswith(b"HTTP/1.1 101")
        if endless or not data:
            self.waiting.cancel()


@final
class AcceptStream(LibraryStream):
    """The server's: the library hears the head of the request, and what follows once the client was answered.

    Attributes:
        head: of the request, as far as it came.
        asked: whether the head is whole.
        answered: whether the client was told something.
        gone: whether the client has ended its side.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self.head = b""
        self.asked = False
        self.answered = False
        self.gone = False
        self._early = b""  # what came behind the head
        self._asking = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # as above

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Give a frame to the pipe, or the refusal of a request that makes no sense."""
        self.answered = True
        await super().send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for the head, then for our answer, then for bytes; empty is the end."""
        if not self.asked:
            return self._cut(await self._receive(max_bytes))
        if not self.answered:
            await self._hold()
        if self.gone:
            return b""
        if self._early:
            early, self._early = self._early, b""
            return early
        return await self._receive(max_bytes)

    async def aclose(self) -> None:
        """End our side only: what was said last may still be on its way, and the client ends its own when it has it."""
        if self.goodbye:
            self.goodbye()
        self.waiting.cancel()
        self._pipe.write_eof()
        await trio.lowlevel.checkpoint()

    def answer(self) -> None:
        """Let the library hear what follows the head."""
        self.answered = True
        self._asking.cancel()

    async def _receive(self, max_bytes: int | None) -> bytes:
        data = await super().receive_some(max_bytes)
        if not data:
            self.gone = True
            self.waiting.cancel()
        return data

    def _cut(self, data: bytes) -> bytes:
        before = len(self.head)
        self.head += data
        end = _END_OF_HEAD.search(self.head, max(0, before - _CUT_IN_TWO))
        if end:
            self.asked = True
            self.head, self._early = self.head[: end.end()], self.head[end.end() :]
        return self.head[before:]

    async def _hold(self) -> None:
        # We read on only to notice that the client goes, and no more than one read's worth: it is still a stranger.
        with self._asking:
            while not self.gone and len(self._early) < READ_SIZE:
                self._early += await self._receive(READ_SIZE)
            if not self.gone:
                await trio.sleep_forever()
