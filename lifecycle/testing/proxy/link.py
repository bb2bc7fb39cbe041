"""One connection at the proxy: the client, the target, and the two directions between them.

Law: who has come is let through, answered, or reset; whatever happens, both sockets are closed at the end. Every
wait for one of the two to do what it need not do has a bound.
"""

import contextlib
import math
import os
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, final

import trio
from trio.lowlevel import ParkingLot

from lifecycle.testing.schedule import FRAMED, Fault

from .frames import MOST_OF_A_HEAD, Opening
from .lane import READ, Lane
from .weather import Active, Counts, Side, Weather

PATIENCE: Final = 10.0
"""Seconds that the target has to be reached, and a client to say what it wants if it is to be refused."""
GOODBYE: Final = 1.0
"""Seconds for a frame to end before ours is sent, and as many for the client to end its side then."""

_CLOSE_FRAME = 0x88
_LINGER = "hh" if os.name == "nt" else "ii"
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)
Tell = Callable[[str, int, str], None]
"""`tell(what, connection, text)`."""


@final
class Link:
    """One connection.

    Args:
        number: counted from 1.
        sock: the client's, connected.
        target: host and port.
        weather: the faults that are there.
        counts: where to count.
        seed: decides what faults of frames hit.
        tell: told of what happens.
        used: told that a counted fault has met a dial.
    """

    def __init__(
        self,
        number: int,
        sock: socket.socket,
        target: tuple[str, int],
        *,
        weather: Weather,
        counts: Counts,
        seed: int,
        tell: Tell,
        used: Callable[[Active], None],
    ) -> None:
        sock.settimeout(0)
        self.number = number
        self._client = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._target: trio.SocketStream | None = None
        self._where = target
        self._weather, self._counts, self._seed, self._tell, self._used = weather, counts, seed, tell, used
        self._opening = Opening(self._warn)
        self._scope, self._lanes = trio.CancelScope(), trio.CancelScope()
        self._down: Lane | None = None
        self._closing = self._farewell = self._over = False
        self._why = "it has ended"
        self._useless: set[tuple[str, str]] = set()
        self._lot = ParkingLot()

    async def run(self) -> None:
        """Serve the client until both sides have ended."""
        try:
            with self._scope:
                await self._serve()
        finally:
            self._over = True
            for stream in (self._client, self._target):
                if stream is not None:
                    stream.socket.close()
        self._tell("end", self.number, self._why)

    async def _serve(self) -> None:
        for active in (one for one in self._weather.of("refuse") if one.left is not None):
            self._used(active)
            self._counts.refused += 1
            self._cut("refuse: it was reset at once")
            return
        await self._passable()
        try:
            early = await self._refused()
        except _GONE:
            self._why = "the client has gone"
            return
        if early is None:
            return
        try:
            with trio.fail_after(PATIENCE):
                self._target = await trio.open_tcp_stream(*self._where)
        except (OSError, UnicodeError, trio.TooSlowError) as error:
            self._counts.unreachable += 1
            self._cut(f"the target cannot be reached: {str(error) or 'it does not answer'}")
            return
        await self._pass(self._target, early)

    # -- both directions

    async def _pass(self, target: trio.SocketStream, early: bytes) -> None:
        up, down = self._lane("up", self._client, target), self._lane("down", target, self._client)
        self._down = down
        self._weather.watch(self._warn)
        try:
            with self._lanes:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._one, up, down, early)
                    nursery.start_soon(self._one, down, up, b"")
        finally:
            self._weather.forget(self._warn)
        if self._farewell:
            target.socket.close()
            await self._client_ends()

    def _lane(self, way: Side, source: trio.SocketStream, sink: trio.SocketStream) -> Lane:
        return Lane(
            way,
            source,
            sink,
            opening=self._opening,
            weather=self._weather,
            counts=self._counts,
            seed=f"{self._seed}/{self.number}/{way}",
        )

    async def _one(self, lane: Lane, back: Lane, early: bytes) -> None:
        await lane.run(early)
        if lane.ended == "reset":
            self._cut(f"the {'client' if lane.way == 'up' else 'target'} has reset it")
        elif lane.ended is None:
            back.broken()

    def _warn(self) -> None:
        """Say once for each kind that frames are meant, and there are none."""
        if self._opening.framed is False:
            for kind in {one.fault.kind for one in self._weather.all()} & FRAMED:
                self._nothing(kind)

    def _nothing(self, kind: str, why: str = "this is no plain WebSocket") -> None:
        if (kind, why) not in self._useless:
            self._useless.add((kind, why))
            self._tell("nothing", self.number, f"{kind} does nothing here: {why}")

    # -- ends

    def reset(self) -> None:
        """Reset both sides, as a network does."""
        self._counts.reset += 1
        self._cut("it was reset")

    def _cut(self, why: str) -> None:
        self._why = why
        for stream in (self._client, self._target):
            if stream is not None:
                _reset(stream.socket)
        self._scope.cancel()

    async def close(self, fault: Fault) -> None:
        """Say goodbye to the client, behind the frame that is open, and end both sides.

        Args:
            fault: with code and reason.
        """
        if self._closing or self._opening.framed is False:
            self._nothing("close", "it says goodbye already" if self._closing else "this is no plain WebSocket")
            return
        if self._down is None or self._opening.framed is None:
            self._nothing("close", "the connection is not open yet")
            return
        self._closing = True
        payload = struct.pack("!H", fault.code) + fault.reason.encode()
        self._down.say(bytes((_CLOSE_FRAME, len(payload))) + payload)
        with trio.move_on_after(GOODBYE):
            await self._down.said.wait()
            self._counts.closed += 1
            self._farewell = True
            self._why = f"it was closed with {fault.code}"
            self._lanes.cancel()
            return
        if not self._over:
            self._counts.reset += 1
            self._cut("close: no frame could be sent in time, so it was reset")

    async def _client_ends(self) -> None:
        # closed with bytes unread, a socket sends a reset, which may overtake what was said last
        with trio.move_on_after(GOODBYE), contextlib.suppress(*_GONE):
            while await self._client.receive_some(READ):
                pass

    # -- before

    async def _passable(self) -> None:
        self._weather.watch(self._lot.unpark_all)
        try:
            while self._weather.of("half-open", "up"):
                await self._lot.park()
        finally:
            self._weather.forget(self._lot.unpark_all)

    async def _refused(self) -> bytes | None:
        """Answer with a status, if that is to be.

        Returns:
            What the client has said already; None if it was answered.
        """
        head = b""
        for active in self._weather.of("status"):
            with trio.move_on_after(PATIENCE):
                while b"\r\n\r\n" not in head and b"GET ".startswith(head[:4]) and len(head) <= MOST_OF_A_HEAD:
                    data = await self._client.receive_some(READ)
                    if not data:
                        break
                    head += data
            if b"\r\n\r\n" not in head or not head.startswith(b"GET "):
                self._nothing("status")
                return head
            if active not in self._weather.all():  # others were quicker, or it is over
                continue
            self._used(active)
            self._counts.answered += 1
            self._why = f"it was answered with {active.fault.status}"
            await self._client.send_all(_answer(active.fault))
            await self._client.send_eof()
            await self._client_ends()
            return None
        return head


def _answer(fault: Fault) -> bytes:
    phrase = next((status.phrase for status in HTTPStatus if status == fault.status), "")
    lines = [f"HTTP/1.1 {fault.status} {phrase}", "Connection: close", "Content-Length: 0"]
    if fault.retry_after is not None:
        lines.append(f"Retry-After: {math.ceil(fault.retry_after)}")  # whole seconds, says RFC 9110 10.2.3
    return "\r\n".join([*lines, "", ""]).encode()


def _reset(sock: trio.socket.SocketType) -> None:
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        sock.close()
