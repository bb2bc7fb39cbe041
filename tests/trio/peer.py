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

from lifecycle.trio.pipes.memory import ROOM, MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import PipeStream, Spawn
from lifecycle.trio.transports.dialer import Opened
from lifecycle.trio.transports.library import DEFAULT, library
from lifecycle.trio.transports.transport import Transport, TransportFailed
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding

from .conformance.subject import hide_channel

URL = "ws://peer.example/path"
REFUSED = ErrorEnding("refused", "Connection refused", errno.ECONNREFUSED)
LONGEST = 16 * 1024 * 1024
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

    Args:
        script: what each dial meets.
        room: how many bytes each direction of a pipe holds.
        library: by which we dial; the other end is always a server of trio-websocket.
        tapped: with trio-websocket: whether its private channel is one that we know.

    Attributes:
        dials: when each dial began.
        requests: what each dial asked for.
        heard: the messages that servers received.
        codes: the close codes that servers received; 1006 where a connection just ended.
        near, far: the ends of the pipe of each dial that had one.
    """

    def __init__(self, *script: Act | Ending, room: int = ROOM, library: str = DEFAULT, tapped: bool = True) -> None:
        self.script, self.room, self.library, self.tapped = script, room, library, tapped
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

        def joined(transport: Transport) -> None:
            if not self.tapped:
                hide_channel(transport)
            opened(transport, near)

        try:
            await library(self.library).dial(request, near, joined)
        except BaseException:
            near.abort()
            raise

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
            asked = await trio_websocket.wrap_server_stream(nursery, PipeStream(far), max_message_size=LONGEST)
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


async def _asked(far: MemoryPipe) -> bytes:
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        asked += await PipeStream(far).receive_some()
    return asked


async def silent(_: Peer, far: MemoryPipe) -> None:
    """Open, then read nothing and say nothing for ever: what a half-open connection looks like."""
    (key,) = [
        line[19:] for line in (await _asked(far)).split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")
    ]
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


PAGE = """
lifecycle: 1
page: signed
role: client
parameters:
  patience:     {duration: 10 s}
  proven_after: {duration: 5 s, min: 1 s}
variables:
  challenge: {kept: object}
  frame:     {kept: object}
  token:     {kept: secret}
  seen:      {kept: number}
hears: {connect: {}, disconnect: {}, reconnect: {}}
calls:
  sign: {takes: {challenge: object}, returns: {frame: object, token: secret}, timeout: 10 s}
causes:
  - {match: {code: busy}, is: lost.busy, retry_after: {ms: wait}}
  - {refusal: any,        is: refused.other, say: The server refuses.}
  - {error: protocol,     is: refused.protocol, say: Not our protocol.}
  - {otherwise: true,     is: lost.network}
messages:
  codec: json
  inbox: {items: 4, size: 1 MiB}
  outbox: {items: 4, size: 1 MiB, until_ready: patience}
  routes:
    - {match: {t: challenge}, raise: challenged, fields: {challenge: body}}
    - {match: {t: refused},   refusal: error}
    - {match: {t: answer},    answer: id, ok: ok, result: result, error: error}
    - {match: {t: message},   keep: {seen: {max: n}}, deliver: n}
  frames:
    hello:   =frame
    request: {t: request, id: =id, method: =method, params: =params}
requests: {send: request, timeout: 30 s, until_ready: patience}
states:
  idle:
    status: idle
    needs: none
    rest: true
    ignore: [disconnect]
  online:
    use: connection
    fill:
      up:
        states:
          greeting:
            status: authenticating
            clauses:
              T1: {on: challenged, do: {set: {challenge: =event.challenge}}, to: signing}
              T2: {after: 10 s, to: unchallenged}
          signing:
            status: authenticating
            call: {sign: {challenge: =challenge}}
            ignore: [challenged]
            clauses:
              T3: {on: done, do: [{set: {frame: =event.frame, token: =event.token}}, {send: hello}], to: ready}
              T4: {on: failed, do: {emit: {unsigned: {code: =event.code, message: =event.message}}}, to: unsigned}
          ready:
            status: ready
            ignore: [challenged]
            regions:
              trust:
                states:
                  unproven:
                    clauses:
                      T5: {after: proven_after, proof: true, do: {set: {waiting.attempts: 0}}, to: proven}
                  proven: {}
              silence: {use: heartbeat}
          unchallenged: {final: lost.unchallenged}
          unsigned:     {final: refused.unsigned}
    ignore: [connect]
    clauses:
      T6: {on: done, to: closed}
      T7: {on: lost, do: {set: {waiting.told: =event.retry_after}}, to: waiting}
      T8: {on: refused, to: failed}
  waiting:
    use: reconnect
    clauses:
      T9: {on: done, to: online}
      T10: {on: exhausted, to: failed}
  failed: {status: failed, needs: none, rest: true}
  closed: {status: closed, needs: none, rest: true, ignore: [disconnect]}
clauses:
  T11: {on: [connect, reconnect], do: {set: {waiting.attempts: 0, waiting.told: none}}, to: online}
  T12: {on: disconnect, to: closed}
"""
"""A page with a call, requests and a codec. Its server challenges first."""

CHALLENGE = {"t": "challenge", "body": {"nonce": 1}}


class Signer:
    """The calls of the page: sign a challenge."""

    async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
        """Sign."""
        return {"frame": {"t": "hello", "signed": challenge["nonce"]}, "token": "hidden"}


def gateway(rule: Callable[[Any], list[Any]] = lambda _: []) -> Act:
    """The server of the page: challenge, take the hello, then answer by a rule as `answering` does."""

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(CHALLENGE))
        while True:
            message = json.loads(await websocket.get_message())
            peer.heard.append(message)
            for reply in rule(message):
                if isinstance(reply, int | float):
                    await trio.sleep(reply)
                else:
                    await websocket.send_message(reply if isinstance(reply, str | bytes) else json.dumps(reply))

    return serving(handle)
