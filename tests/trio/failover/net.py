"""Several servers in memory, found by their hosts, with a dialer that remembers who was asked, when, and what for.

A dial that is a probe is told from one of the connection by what it calls when it is open.
"""

from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs
import trio

import lifecycle
from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read_text
from lifecycle.testing.peer import Peer
from lifecycle.trio.pipes.pipe import Pipe, Spawn
from lifecycle.trio.transports.dialer import Opened
from lifecycle.trio.transports.transport import Transport, TransportFailed
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import ErrorEnding, HttpEnding

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = """
lifecycle: 1
page: rooms
title: A room that one is welcomed to
role: client
parameters:
  ticket:  {secret: optional}
  patience: {duration: 3 s}
hears: {connect: {}, disconnect: {}, reconnect: {}}
min_time_per_dial: 500 ms
good: {open: [welcomed]}
dial:
  query: {ticket: =ticket}
calls:
  pay: {timeout: 1 s}
causes:
  - {http: [301-303, 307, 308], is: lost.redirected, endpoint: header}
  - {http: [401, 403],          is: lost.unknown}
  - {close: 3000,               is: lost.unknown}
  - {match: {why: moved},       is: lost.moved, endpoint: to.url}
  - {match: {why: drained},     is: lost.drained, endpoint: next}
  - {refusal: any,              is: lost.refused}
  - {otherwise: true,           is: lost.network}
messages:
  codec: json
  routes:
    - {match: {type: welcome}, raise: welcomed, fields: {endpoint: where}}
    - {match: {type: pay},     raise: billed}
    - {match: {type: leave},   refusal: leave}
    - {deliver: true}
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
          asking:
            status: authenticating
            clauses:
              RM1: {on: welcomed, to: inside}
              RM2: {on: billed, to: paying}
              RM3: {after: patience, to: unwelcome}
          paying:
            status: authenticating
            call: pay
            ignore: [welcomed, billed]
            clauses:
              RM4: {on: done, to: asking}
              RM5: {on: failed, to: unwelcome}
          inside:
            status: ready
            rest: true
            ignore: [welcomed, billed]
          unwelcome: {final: lost.unwelcome}
    ignore: [connect]
    clauses:
      RM6: {on: done, to: closed}
      RM7: {on: lost, to: waiting}
  waiting:
    use: reconnect
    with: {redial: {first: 1 s, factor: 1, jitter: [100 %, 100 %]}}
    clauses:
      RM8: {on: done, to: online}
      RM9: {on: exhausted, to: failed}
  failed: {status: failed, needs: none, rest: true}
  closed: {status: closed, needs: none, final: done}
clauses:
  RM10: {on: [connect, reconnect], do: {set: {waiting.attempts: 0}}, to: online}
  RM11: {on: disconnect, to: closed}
"""


def rooms() -> Definition:
    """The page `rooms`: ready is who was welcomed, and a second passes before it dials again."""
    return read_text(PAGE, "rooms.yaml")


def stubborn() -> Definition:
    """The same, but it allows `reconnect` only while it waits."""
    text = PAGE.replace("RM10: {on: [connect, reconnect],", "RM10: {on: connect,")
    waits = "      RM9: {on: exhausted, to: failed}\n"
    assert waits in text
    return read_text(text.replace(waits, f"{waits}      RM12: {{on: reconnect, to: online}}\n"), "rooms.yaml")


@attrs.frozen
class Dialled:
    """A dial.

    Attributes:
        at: when it began, by trio's clock.
        url: where to, as it stands in the request line.
        probe: whether it was none of the connection's.
    """

    at: float
    url: str
    probe: bool


class Net:
    """Some hosts with a peer each; to be used as `async with Net("a", "b") as net`, and dialled by `net.dialer`.

    Attributes:
        peers: by host.
        dials: every dial, whatever became of it.
        answers: by URL without query: an answer of HTTP in place of the peer's.
        offline: whether nobody is reached at all.
        open: how many transports of the connection there are now; probes left out.
        most: how many there were at most.
        mute: hosts that accept and welcome nobody.
    """

    def __init__(self, *hosts: str) -> None:
        self.peers = {host: Peer(handler=partial(self._welcome, host)) for host in hosts}
        self.mute: set[str] = set()
        self.dials: list[Dialled] = []
        self.answers: dict[str, tuple[int, Mapping[str, str]]] = {}
        self.offline = False
        self.open = self.most = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for peer in self.peers.values():
            await self._stack.enter_async_context(peer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    async def _welcome(self, host: str, connection: lifecycle.Connection) -> None:
        if host not in self.mute:
            # a field that only happens to be called so
            await connection.send('{"type": "welcome", "where": "/elsewhere"}')
        async for message in connection:
            await connection.send(message)

    def redirect(self, place: str, to: str, status: int = 307) -> None:
        """Let a URL without query answer every handshake with a Location."""
        self.answers[place] = (status, {"location": to})

    async def dialer(self, request: DialRequest, spawn: Spawn, opened: Opened) -> None:
        """Dial the peer of the request's host."""
        url = f"{'wss' if request.secure else 'ws'}://{request.authority}{request.resource}"
        probe = "shake_hands" in getattr(opened, "__qualname__", "")
        self.dials.append(Dialled(trio.current_time(), url, probe))
        place = url.partition("?")[0]
        if self.offline or request.host not in self.peers:
            await trio.lowlevel.checkpoint()
            raise TransportFailed(ErrorEnding("dns", "no such host"))
        if place in self.answers:
            await trio.lowlevel.checkpoint()
            raise TransportFailed(HttpEnding(*self.answers[place]))

        made: list[Transport] = []

        def counted(transport: Transport, pipe: Pipe) -> None:
            made.append(transport)
            self.open += not probe
            self.most = max(self.most, self.open)
            opened(transport, pipe)

        try:
            await self.peers[request.host].dialer(request, spawn, counted)
        finally:  # who was let in is gone by now
            self.open -= bool(made) and not probe

    def asked(self, *, probes: bool = False) -> list[str]:
        """The URLs that the connection has dialled; or those that were probed."""
        return [dial.url for dial in self.dials if dial.probe is probes]


def opened(net: Net, urls: Any, page: Any = None, **more: Any) -> lifecycle.Connection:
    """A connection to a net, by `rooms` if no page is said."""
    settings = {"calls": Calls(), "urls": urls, "transport": net.dialer, "seed": 1, **more}
    return lifecycle.open(page or rooms(), **settings)


class Calls:
    """What `rooms` calls: who has to pay cannot."""

    async def pay(self) -> None:
        """Fail."""
        raise lifecycle.CallFailed("poor")
