"""A peer on the virtual clock: a dialer over pipes in memory, with a server of trio-websocket at the other end.

Each dial takes the next act of a script; the last act goes on for ever. Whatever a server is told to do, its side of
the pipe is ended when it has done it.
"""

import base64
import errno
import hashlib
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import trio
import trio_websocket

from lifecycle.trio.dialer import Opened
from lifecycle.trio.memory import ROOM, MemoryPipe, memory_pair
from lifecycle.trio.pipe import PipeStream, Spawn
from lifecycle.trio.transport import TransportFailed
from lifecycle.trio.trio_websocket import TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding

URL = "ws://peer.example/path"
REFUSED = ErrorEnding("refused", "Connection refused", errno.ECONNREFUSED)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ENDS = (
    trio_websocket.ConnectionClosed,
    trio_websocket.HandshakeError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)

Act = Callable[["Peer", MemoryPipe], Awaitable[None]]
Handler = Callable[["Peer", trio_websocket.WebSocketConnection], Awaitable[None]]


class Peer:
    """A dialer, and what it dials. Use it as `async with Peer(echo) as peer`.

    Attributes:
        dials: when each dial began.
        requests: what each dial asked for.
        heard: the messages that servers received.
        codes: the close codes that servers received; 1006 where a connection just ended.
        near, far: the ends of the pipe of each dial that had one.
    """

    def __init__(self, *script: Act | Ending, room: int = ROOM) -> None:
        self.script, self.room = script, room
        self.dials: list[float] = []
        self.requests: list[DialRequest] = []
        self.heard: list[str | bytes] = []
        self.codes: list[int] = []
        self.near: list[MemoryPipe] = []
        self.far: list[MemoryPipe] = []
        self.sockets: list[trio_websocket.WebSocketConnection] = []
        self._manager = trio.open_nursery()

    async def __aenter__(self) -> Self:
        self.nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self.nursery.cancel_scope.cancel()
        try:
            return await self._manager.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            if error is not None and group.exceptions == (error,):
                return False  # as it is, not in a group
            raise

    async def __call__(self, request: DialRequest, spawn: Spawn, opened: Opened) -> None:
        act = self.script[min(len(self.dials), len(self.script) - 1)]
        self.dials.append(trio.current_time())
        self.requests.append(request)
        await trio.lowlevel.checkpoint()
        if isinstance(act, HttpEnding | ErrorEnding | CloseEnding):
            raise TransportFailed(act)
        near, far = memory_pair(spawn, self.nursery.start_soon, room=self.room)
        self.near.append(near)
        self.far.append(far)
        self.nursery.start_soon(self._play, act, far)
        try:
            await TrioWebsocketTransport.run(request, near, lambda transport: opened(transport, near))
        finally:
            near.abort()

    async def _play(self, act: Act, far: MemoryPipe) -> None:
        try:
            await act(self, far)
        except* _ENDS:
            pass
        finally:
            far.abort()


def serving(handle: Handler) -> Act:
    """Accept, and let a handler speak; then say goodbye."""

    async def act(peer: Peer, far: MemoryPipe) -> None:
        async with trio.open_nursery() as nursery:
            asked = await trio_websocket.wrap_server_stream(nursery, PipeStream(far))
            websocket = await asked.accept()
            peer.sockets.append(websocket)
            try:
                await handle(peer, websocket)
                await websocket.aclose()
            finally:
                reason = websocket.closed
                peer.codes.append(reason.code if reason else 1006)

    return act


async def _echo(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
    while True:
        message = await websocket.get_message()
        peer.heard.append(message)
        await websocket.send_message(message)


echo = serving(_echo)
"""Accept, and send back what comes."""


def closing(code: int, reason: str = "", *, after: float = 0, messages: int = 0) -> Act:
    """Accept, perhaps send messages `0`, `1`, …, then close after some seconds."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        for number in range(messages):
            await websocket.send_message(str(number))
        await trio.sleep(after)
        await websocket.aclose(code, reason)

    return serving(handle)


def speaking(*messages: str | bytes, until: float = float("inf")) -> Act:
    """Accept, send messages, and read on without a word; then drop the connection after some seconds."""

    async def act(peer: Peer, far: MemoryPipe) -> None:
        async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
            for message in messages:
                await websocket.send_message(message)
            while True:
                peer.heard.append(await websocket.get_message())

        with trio.move_on_after(until):
            await serving(handle)(peer, far)

    return act


def answering(rule: Callable[[Any], list[Any]]) -> Act:
    """Accept, and answer each message of JSON by what the rule makes of it; a number is seconds to wait."""

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        while True:
            message = json.loads(await websocket.get_message())
            peer.heard.append(message)
            for reply in rule(message):
                if isinstance(reply, int | float):
                    await trio.sleep(reply)
                else:
                    await websocket.send_message(reply if isinstance(reply, str | bytes) else json.dumps(reply))

    return serving(handle)


async def _asked(far: MemoryPipe) -> bytes:
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        asked += await PipeStream(far).receive_some()
    return asked


async def silent(_: Peer, far: MemoryPipe) -> None:
    """Open, then read nothing and say nothing for ever: what a half-open connection looks like."""
    (key,) = [line[19:] for line in (await _asked(far)).split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")]
    token = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    far.write(head + b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n")
    await trio.sleep_forever()


async def stall(_: Peer, far: MemoryPipe) -> None:
    """Never answer the handshake."""
    await _asked(far)
    await trio.sleep_forever()


def http(status: int, **headers: str) -> Act:
    """Answer the handshake with another status; `retry_after="3"` is the header Retry-After."""

    async def act(_: Peer, far: MemoryPipe) -> None:
        await _asked(far)
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        far.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{lines}\r\n".encode())
        await trio.sleep_forever()

    return act


def tasks() -> int:
    """How many tasks there are, all in all."""
    return trio.lowlevel.current_statistics().tasks_living
