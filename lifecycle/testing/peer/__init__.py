"""A peer in memory: a page of the other role runs as the server of a client under test, and the test may step in.

Law: whatever runs here is what runs in production: the server's machine and driver, the WebSocket library, handshakes,
frames and close codes. Only the network is made of memory: no socket, no thread, and no name is looked up, so the
virtual clock jumps safely. What is remembered is bounded, and nothing of a peer outlives its `async with`.
"""

import errno
import functools
import json
import os
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, final

import attrs
import trio
from trio.lowlevel import checkpoint

from lifecycle.definition.read import PageLike
from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    DriverFailed,
    LifecycleError,
    MaybeDelivered,
    NotReady,
    NotSent,
)
from lifecycle.testing.puppet import NotThere
from lifecycle.trio.connection import Connection
from lifecycle.trio.door import Door
from lifecycle.trio.groups import alone
from lifecycle.trio.parking import Parking
from lifecycle.trio.pipes.pipe import Pipe, Spawn
from lifecycle.trio.server import Handler, Server
from lifecycle.trio.transports.dialer import Opened
from lifecycle.trio.transports.transport import Batch, Transport, TransportFailed, check_refusal
from lifecycle.wire.codec import PARTIAL, Reader, Undecodable, encoder, reader
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import ErrorEnding

from .link import Link
from .watch import Heard, WatchedLibrary

if TYPE_CHECKING:
    from collections.abc import Mapping

Way = Literal["both", "up", "down"]

REMEMBERED: Final = 10_000
"""Of dials, connections and messages: the latest so many."""
_URL: Final = "ws://peer.test/"  # a name that nobody has (RFC 6761)
_ADDRESS: Final = "memory"
_REFUSED: Final = ErrorEnding("refused", os.strerror(errno.ECONNREFUSED), errno.ECONNREFUSED)
_ENDINGS: Final = (ConnectionEnded, ConnectionFailed, NotReady, NotSent, MaybeDelivered)
_JSON: Final = functools.partial(json.dumps, allow_nan=False)
_OF_SOCKETS: Final = ("host", "port", "tls")


@attrs.frozen
class Dial:
    """Somebody has dialled.

    Attributes:
        at: when, in seconds by trio's clock.
        request: whereto, and what was asked for: `host`, `resource`, `headers`, `subprotocols`.
    """

    at: float
    request: DialRequest


@final
class Peer:
    """A server in memory. Use it as `async with Peer("gate.yaml", calls=Calls()) as peer`.

    The client is opened with `url=peer.url, transport=peer.dialer`. Any other URL does as well: the name is not looked
    up, and there is no TLS.

    Args:
        page: of the role server: a bundled name, a path, or a Definition; or a Server that was made by
            `lifecycle.serve` and not started. By default a plain WebSocket server.
        handler: `async def handler(connection)`, as for `lifecycle.serve`; but what it raises, other than that its
            connection has ended, ends the body and comes out of the `async with`. A Server of your own logs it.
        settings: all others of `lifecycle.serve` but host, port and tls: calls, transport, subprotocols, limit, the
            page's parameters. `transport` is the library on both ends.

    Attributes:
        url: an address to dial.
        server: the server, with its `connections` and `counts`.
        dials: every dial, whatever became of it; the latest 10 000.
        links: the connections to which clients were let in, oldest first; the latest 10 000.
        received: the messages of all clients, in the order in which they came, as values of the page's codec; what is
            none of it is there as it came. The latest 10 000.

    Raises:
        PageError, WrongParameters: as `lifecycle.serve`.
        TypeError: settings for a server that has its own, or of sockets.
        ConnectionEnded: the server has been used already.
    """

    def __init__(
        self, page: PageLike | Server = "websocket-server", handler: Handler | None = None, **settings: Any
    ) -> None:
        wrong = [name for name in _OF_SOCKETS if name in settings]
        if wrong:
            raise TypeError(f"a peer is in memory: it takes no {' and no '.join(wrong)}")
        self._guards = not isinstance(page, Server)
        if isinstance(page, Server):
            if handler is not None or settings:
                raise TypeError("the server has its handler and its settings: pass nothing beside it")
            self.server = page
        else:
            self.server = Server(page, handler and self._guarded(handler), port=0, **settings)
        library = self.server._library  # noqa: SLF001 -- the only place at which its connections can be watched
        if self.server.port or isinstance(library, WatchedLibrary):
            raise ConnectionEnded("a server runs once: make another one")
        self._library = WatchedLibrary(library, self._link_of, self._listener, self._admitted)
        self.server._library = self._library  # noqa: SLF001 -- as above
        messages = self.server.definition.messages
        self._codec, self._limit = messages.codec or "text", messages.limit or DEFAULT_LIMIT
        self._write = encoder(self._codec) if self._codec in ("socketio", "avatar") else _JSON
        self.url = _URL
        self.dials: deque[Dial] = deque(maxlen=REMEMBERED)
        self.links: deque[Link] = deque(maxlen=REMEMBERED)
        self.received: deque[Any] = deque(maxlen=REMEMBERED)
        self._unread: deque[Any] = deque(maxlen=REMEMBERED)
        self._wires: dict[Pipe, Link] = {}  # by the server's end, while an end is there
        self._changed = Parking()
        self._held = {"up": False, "down": False}
        self._refusing = 0
        self._refusal: tuple[int, Mapping[str, str]] | None = None
        self._nursery: trio.Nursery | None = None
        self._door: Door | None = None
        self._ended = False
        self._trouble: BaseException | None = None

    # -- what the client dials with

    async def dialer(self, request: DialRequest, spawn: Spawn, opened: Opened) -> None:
        """Dial this peer: to be given as `transport=peer.dialer`.

        Raises:
            TransportFailed: it refuses; also before and after its `async with`.
        """
        self.dials.append(Dial(trio.current_time(), request))
        await checkpoint()
        refusing = self._refusing > 0
        self._refusing -= refusing
        if self._nursery is None or (refusing and self._refusal is None):
            raise TransportFailed(_REFUSED)
        link = Link(spawn, self._nursery.start_soon, self._gone, self._refusal if refusing else None, self._write)
        link.hold(**self._held)
        near, far = link.ends
        self._wires[far] = link

        def joined(transport: Transport) -> None:
            opened(transport, near)

        try:
            self._nursery.start_soon(self.server.accept, far, _ADDRESS)
            await self._library.dial(request, near, joined)
        except BaseException:
            near.abort()
            raise

    # -- what the test sees

    @property
    def link(self) -> Link:
        """The newest connection that is open.

        Raises:
            NotThere: there is none.
        """
        link = self._newest()
        if link is None:
            raise NotThere("no client is connected: `await peer.connected()` waits for one")
        return link

    async def connected(self) -> Link:
        """Wait until a client is connected.

        Returns:
            The newest connection that is open.

        Raises:
            NotThere: the peer has ended.
        """
        while (link := self._newest()) is None:
            await self._change()
        return link

    async def receive(self) -> Any:
        """Wait for the next message of any client; each is given once, whether the page takes it or not.

        Raises:
            NotThere: the peer has ended.
        """
        while not self._unread:
            await self._change()
        return self._unread.popleft()

    # -- what the test does

    def refuse(self, times: int = 1, *, http: int | None = None, retry_after: int | None = None) -> None:
        """Refuse the next dials; takes the place of what was said before.

        Args:
            times: how many; 0 ends it.
            http: with this status from 400 to 599 in answer to the handshake; without it nobody listens.
            retry_after: seconds for the header Retry-After.

        Raises:
            ValueError: one of them is none that can be; nothing has changed.
        """
        if times < 0 or (retry_after or 0) < 0:
            raise ValueError("`times` and `retry_after` must be 0 or more")
        if http is not None:
            check_refusal(http)
        elif retry_after is not None:
            raise ValueError("`retry_after` is a header of HTTP: say `http` too, such as http=503")
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._refusing, self._refusal = times, None if http is None else (http, headers)

    def hold(self, way: Way = "both") -> None:
        """Hold up whatever is on its way on every connection, also on those that are still to be made.

        Args:
            way: `up` is from clients, `down` is to them.

        Raises:
            ValueError: there is no such way.
        """
        ways = _ways(way)
        self._held.update(dict.fromkeys((name for name, said in ways.items() if said), True))
        for link in tuple(self._wires.values()):
            link.hold(**ways)

    def release(self, way: Way = "both") -> None:
        """Let it through again, in order.

        Raises:
            ValueError: there is no such way.
        """
        ways = _ways(way)
        self._held.update(dict.fromkeys((name for name, said in ways.items() if said), False))
        for link in tuple(self._wires.values()):
            link.release(**ways)

    # -- its life

    async def __aenter__(self) -> Self:
        """Begin; a peer is used once.

        Raises:
            ConnectionEnded: it has been used already.
        """
        if self._door is not None or self._ended:
            raise ConnectionEnded("a peer runs once: make another one")
        self._door = Door(self.server, self._begin, self._close)
        await self._door.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Drain the server, within its grace; cancelled, end at once.

        Raises:
            Exception: what the handler has raised, as it is.
            LifecycleError: the server's page has failed.
        """
        if self._door is None:
            return False
        door, self._door, self._ended = self._door, None, True
        try:
            settled = await door.leave(error)
            if self._guards and error is None and self.server.counts["crashed"]:
                raise LifecycleError(f"{self.server.definition.name}: a connection has failed: the log says how")
            return settled
        except DriverFailed as failed:
            if self._trouble is not None and failed.__cause__ is self._trouble:
                raise self._trouble from None
            raise
        finally:
            self._nursery = None
            self._changed.wake()

    def _begin(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def _close(self) -> None:
        self.release()
        for link in tuple(self._wires.values()):
            link.bury()
        await self.server.drain()

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(connection: Connection) -> None:
            try:
                await handler(connection)
            except* Exception as group:
                rest = group.split(_ENDINGS)[1]
                if rest is not None:
                    self._fail(alone(rest))
                raise

        return guarded

    def _fail(self, trouble: BaseException) -> None:
        # the server would only log it; so it ends the body at our door, as a failure of the driver does at its own
        self._trouble = self.server.failure = trouble
        self.server.failed()

    # -- what its links tell

    def _link_of(self, pipe: Pipe) -> Link:
        return self._wires[pipe]

    def _gone(self, link: Link) -> None:
        self._wires.pop(link.ends[1], None)

    def _admitted(self, link: Link) -> None:
        self.links.append(link)
        self._changed.wake()

    def _listener(self) -> Heard:
        return functools.partial(self._heard, reader(self._codec, self._limit))

    def _heard(self, client: Reader, batch: Batch) -> None:
        for message in batch:
            try:
                value = client.decode(message)
            except Undecodable:
                value = message
            if value is not PARTIAL:
                self.received.append(value)
                self._unread.append(value)
        self._changed.wake()

    def _newest(self) -> Link | None:
        return next((link for link in reversed(self.links) if link.open), None)

    async def _change(self) -> None:
        if self._ended:
            raise NotThere("the peer has ended")
        await self._changed.wait()


def _ways(way: Way) -> dict[str, bool]:
    if way not in ("both", "up", "down"):
        raise ValueError(f"`way` must be both, up or down, not {way!r}")
    return {"up": way != "down", "down": way != "up"}
