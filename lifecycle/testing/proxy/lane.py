"""One direction of a connection at the proxy: read, meddle, wait, write.

Law: bytes leave in the order they came in, but for what a fault holds back. What is kept is bounded: when it is
too much, nothing more is read. An end of the one side is passed to the other behind all that came before it.
"""

from collections import deque
from typing import TYPE_CHECKING, Final, Literal, final

import attrs
import trio
from trio.lowlevel import ParkingLot, wait_readable

from lifecycle.testing.schedule import FRAMED

from .frames import Framer, Meddler, Opening, Piece
from .weather import Counts, Side, Weather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifecycle.testing.schedule import Fault

READ: Final = 64 * 1024
ROOM: Final = 1024 * 1024
"""How many bytes are kept in one direction before nothing more is read."""
_TICK = 0.05  # how long a slice of a throttled connection takes, in seconds

End = Literal["eof", "reset"]


@attrs.frozen
class _Waiting:
    due: float
    piece: Piece | None
    end: End = "eof"


@final
class Lane:
    """One direction.

    Args:
        way: which.
        source: where bytes come from.
        sink: where they go.
        opening: the connection's handshake, shared by its two lanes.
        weather: what is done to it.
        counts: where to count.
        seed: decides what faults of frames hit.

    Attributes:
        ended: how the source has ended; None as long as it has not, or as long as the end was not passed on.
        said: set when the goodbye that `say` was given has left.
    """

    def __init__(
        self,
        way: Side,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        *,
        opening: Opening,
        weather: Weather,
        counts: Counts,
        seed: str,
    ) -> None:
        self.way: Side = way
        self._source, self._sink = source, sink
        self._opening, self._weather, self._counts = opening, weather, counts
        self._framer, self._meddler = Framer(), Meddler(seed, counts)
        self._queue: deque[_Waiting] = deque()
        self._size = 0
        self._held: Piece | None = None
        self._boundary = self._between = False
        self._goodbye = b""
        self._broken = False
        self._lot = ParkingLot()
        self.ended: End | None = None
        self.said = trio.Event()

    async def run(self, early: bytes = b"") -> None:
        """Pass bytes on until the source has ended, or the sink is gone.

        Args:
            early: what was read from the source before.
        """
        self._weather.watch(self._poke)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, early)
                try:
                    await self._write()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    # the other direction reads from that side, and tells how it has ended
                    self._queue.clear()
                nursery.cancel_scope.cancel()
        finally:
            self._weather.forget(self._poke)

    def say(self, frame: bytes) -> None:
        """Send this as soon as no frame is open, and nothing after it."""
        self._goodbye = frame
        self._poke()

    def broken(self) -> None:
        """Take the end of the source for a reset: a write to it has told so, and now a read does not."""
        self._broken = True

    def _poke(self) -> None:
        self._lot.unpark_all()

    # -- in

    async def _read(self, data: bytes) -> None:
        end: End = "eof"
        try:
            while True:
                self._take(data)
                while self._size > ROOM:
                    await self._lot.park()
                await self._readable()
                data = await self._source.receive_some(READ)
                if not data:
                    end = "reset" if self._broken else "eof"
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            end = "reset"
        if self._framer.rest:
            self._put(Piece(data=self._framer.rest))
        self._queue.append(_Waiting(self._due(), None, end))
        self._poke()

    async def _readable(self) -> None:
        while True:
            if self._source.socket.fileno() < 0:
                raise trio.ClosedResourceError
            await wait_readable(self._source.socket)
            if not self._weather.of("half-open", self.way):
                return
            await self._lot.park()

    def _take(self, data: bytes) -> None:
        plain, framed = self._opening.split(self.way, data)
        if plain:
            self._put(Piece(data=plain, ends=True, between=True))
        for piece in self._framer.cut(framed):
            passed = self._meddler.take(piece, self._meddling())
            if passed is not None:
                self._put(passed)

    def _meddling(self) -> "Sequence[Fault]":
        return [one.fault for one in self._weather.all() if one.fault.kind in FRAMED and one.fault.goes(self.way)]

    def _put(self, piece: Piece) -> None:
        self._queue.append(_Waiting(self._due(), piece))
        self._size += len(piece.data)
        self._poke()

    def _due(self) -> float:
        return trio.current_time() + sum(one.fault.by for one in self._weather.of("delay", self.way))

    # -- out

    async def _write(self) -> None:
        while True:
            piece = self._next()
            if piece is None:
                await self._wait()
            elif isinstance(piece, bytes):
                await self._send(piece)
                await self._sink.send_eof()
                self.said.set()
                return
            elif isinstance(piece, Piece):
                await self._send(piece.data)
                self._boundary, self._between = piece.ends, piece.between
                if piece.ends_message and self._held is not None:
                    self._counts.reordered += 1
                    late, self._held = self._held, None
                    await self._send(late.data)
            else:
                self.ended = piece
                if piece == "eof":
                    await self._sink.send_eof()
                return

    def _next(self) -> Piece | bytes | End | None:
        """What leaves now: a piece, our own goodbye, an end; or nothing yet."""
        if self._weather.of("half-open", self.way):
            return None
        if self._goodbye and self._boundary:
            return self._goodbye
        held = self._held
        if held is not None and self._between and held.reorder not in self._meddling():
            return self._freed()
        if not self._queue or self._queue[0].due > trio.current_time():
            return None
        waiting = self._queue[0]
        piece = waiting.piece
        if held is not None and (piece is None or piece.goodbye):
            return self._freed()
        self._queue.popleft()
        if piece is None:
            return waiting.end
        self._size -= len(piece.data)
        self._poke()
        if piece.reorder is not None and held is None:
            self._held = piece
            return self._next()
        return piece

    def _freed(self) -> Piece | None:
        held, self._held = self._held, None
        return held

    async def _wait(self) -> None:
        due = self._queue[0].due if self._queue else float("inf")
        # what is due already waits for better weather
        with trio.move_on_at(due if due > trio.current_time() else float("inf")):
            await self._lot.park()

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            while self._weather.of("half-open", self.way):
                await self._lot.park()
            rate = self._rate()
            part = view[: max(1, int(min(rate * _TICK, READ)))]
            await self._sink.send_all(part)
            self._counts.passed(self.way, len(part))
            view = view[len(part) :]
            with trio.move_on_after(len(part) / rate):
                while self._rate() == rate < float("inf"):
                    await self._lot.park()

    def _rate(self) -> float:
        return min((one.fault.rate for one in self._weather.of("throttle", self.way)), default=float("inf"))
