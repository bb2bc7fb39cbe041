"""What is tested: a transport of one of the libraries on one kind of pipe, with a raw peer at the other end.

A `Lane` is one column of the matrix. `lane.open()` gives an open connection, and after each test it holds us to the law
that every transport has: abort it, and nothing of it runs any more, the pipe is closed, the end was told once.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, final

import attrs
import trio

from lifecycle.trio.pipes.memory import ROOM, memory_pair
from lifecycle.trio.pipes.pipe import BufferedPipe, Pipe, SocketPipe
from lifecycle.trio.pipes.tls import TlsPipe
from lifecycle.trio.transports.transport import Asking, Batch, Transport
from lifecycle.trio.transports.trio_websocket import TrioWebsocketTransport
from lifecycle.trio.transports.websockets import WebsocketsTransport
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import Ending

from .raw import RawPeer, Wire, asking, switching

Side = Literal["client", "server"]
After = Callable[[RawPeer], bytes]

TAP, NO_TAP, WEBSOCKETS = "trio-websocket tap", "trio-websocket", "websockets"
LIBRARIES = (TAP, NO_TAP, WEBSOCKETS)
WIRES = ("socket", "socket tls", "memory", "memory tls")
FEW = ("socket tls", "memory")  # the two that differ most, for tests with many cases
HOSTNAME = "localhost"
CLIENT_ADDRESS = "192.0.2.7"
URL = "ws://peer.example/path?a=1"


def nothing(_: RawPeer) -> bytes:
    """Say nothing more."""
    return b""


@attrs.frozen
class Lane:
    """One column of the matrix, on one side of the connection.

    Attributes:
        library: who parses; trio-websocket twice, with and without its private attribute.
        wire: what carries the bytes.
        side: which role is ours.
        contexts: of TLS: a client's that trusts, and a server's that is trusted.
        sockets: those that were made, to be closed if a test fails.
    """

    library: str
    wire: str
    side: Side
    contexts: tuple[ssl.SSLContext, ssl.SSLContext] = attrs.field(repr=False)
    sockets: list[socket.socket] = attrs.field(factory=list, repr=False)

    @property
    def transport(self) -> type[TrioWebsocketTransport | WebsocketsTransport]:
        """The class under test."""
        return WebsocketsTransport if self.library == WEBSOCKETS else TrioWebsocketTransport

    @property
    def tapped(self) -> bool:
        """Whether messages are pushed."""
        return self.library == TAP

    @asynccontextmanager
    async def open(
        self, after: After = nothing, *, limit: int = DEFAULT_LIMIT, driven: bool = True, room: int = ROOM
    ) -> AsyncIterator[tuple["Subject", RawPeer]]:
        """Open a connection between us and a peer.

        Args:
            after: what the peer says in the segment that opens the connection, behind its head.
            limit: the longest message that we accept, in bytes.
            driven: whether messages are taken as they come.
            room: how many bytes a direction in memory holds.
        """
        async with trio.open_nursery() as nursery:
            pipe, peer = await self.connect(nursery, room)
            subject = Subject(self, pipe, nursery, driven=driven)
            await subject.open(peer, after, limit)
            yield subject, peer
            subject.transport.abort()
            subject.transport.abort()
            # the nursery waits here: whatever goes on runs into the limit of the test
        subject.check_over()
        peer.wire.pipe.abort()

    async def connect(self, nursery: trio.Nursery, room: int = ROOM) -> tuple[Pipe, RawPeer]:
        """Connect our pipe with a peer's wire, with TLS agreed on; nothing of WebSocket has been said."""
        near, far = self._socket_pair(nursery) if "socket" in self.wire else memory_pair(nursery.start_soon, room=room)
        serving = self.side == "server"
        if "tls" not in self.wire:
            return near, RawPeer(Wire(far), client=serving)
        trusting, trusted = self.contexts
        pipe = TlsPipe(near, "", trusted, server=True) if serving else TlsPipe(near, HOSTNAME, trusting)
        wire = Wire(far, trusting, hostname=HOSTNAME) if serving else Wire(far, trusted)
        async with trio.open_nursery() as both:
            both.start_soon(pipe.handshake)
            both.start_soon(wire.handshake)
        return pipe, RawPeer(wire, client=serving)

    def _socket_pair(self, nursery: trio.Nursery) -> tuple[BufferedPipe, BufferedPipe]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.socket()
            for sock in (listener, ours):
                # small, so that a long write has to wait; what is accepted inherits it
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            ours.connect(listener.getsockname())
            theirs, _ = listener.accept()
        self.sockets.extend([ours, theirs])
        return SocketPipe(ours, nursery.start_soon), SocketPipe(theirs, nursery.start_soon)


class StrangeChannel:
    """What a later version of trio-websocket may have in place of its channel: the same, of another class."""

    def __init__(self, channel: object) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)


def hide_channel(transport: Transport) -> None:
    """Let trio-websocket's private channel be none that we know."""
    assert isinstance(transport, TrioWebsocketTransport)
    websocket = transport._websocket
    websocket._send_channel = StrangeChannel(websocket._send_channel)


@final
class Recorder:
    """A sink that keeps what it is given, and may be told to have no room.

    Attributes:
        messages: all that came, in order.
        overs: how often the end was told.
        on_put: called after each put.
    """

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.overs = 0
        self.on_put: Callable[[], None] = lambda: None
        self._taken = 0
        self._changed = trio.lowlevel.ParkingLot()
        self._room = trio.Event()
        self._room.set()

    def put(self, batch: Batch) -> None:
        """Take messages."""
        assert batch, "an empty batch was pushed"
        assert not self.overs, "a message came after the end"
        self.messages += batch
        self._changed.unpark_all()
        self.on_put()

    async def room(self) -> None:
        """Wait until there is room."""
        if not self._room.is_set():
            await self._room.wait()

    def over(self) -> None:
        """Take note of the end."""
        self.overs += 1
        self._changed.unpark_all()

    def shut(self) -> None:
        """Have no room from now on."""
        self._room = trio.Event()

    def widen(self) -> None:
        """Have room again."""
        self._room.set()

    async def next(self) -> str | bytes:
        """The next message; fails if the end comes instead."""
        while self._taken == len(self.messages):
            assert not self.overs, "the end came instead of a message"
            await self._changed.park()
        self._taken += 1
        return self.messages[self._taken - 1]

    async def wait_over(self) -> None:
        """Wait for the end."""
        while not self.overs:
            await self._changed.park()


@final
class Subject:
    """Our side of one connection.

    Attributes:
        lane: which library, wire and side.
        transport: set as soon as the connection is open.
        pipe: under it.
        recorder: what came.
        head: of the request, or of our answer to it.
        hosted: set when the task that opened it has returned.
        host_scope: around that task.
    """

    transport: Transport
    asking: Asking

    def __init__(self, lane: Lane, pipe: Pipe, nursery: trio.Nursery, *, driven: bool) -> None:
        self.lane, self.pipe = lane, pipe
        self.recorder = Recorder()
        self.head = b""
        self.hosted = trio.Event()
        self.host_scope = trio.CancelScope()
        self._nursery, self._driven = nursery, driven
        self._asked = trio.Event()
        self._opened = trio.Event()

    @property
    def kept(self) -> int:
        """How many bytes the pipe holds for the system."""
        return self.pipe.given - self.pipe.sent

    @property
    def messages(self) -> list[str | bytes]:
        """All that came."""
        return self.recorder.messages

    async def message(self) -> str | bytes:
        """The next message."""
        return await self.recorder.next()

    async def ended(self) -> Ending:
        """Wait for the end, which is told once all messages have come."""
        await self.recorder.wait_over()
        assert self.transport.ended
        return self.transport.ended

    def opened(self, transport: Transport) -> None:
        """Take the transport; told by it."""
        self.transport = transport
        self._opened.set()
        if self._driven:
            self.drive()

    def drive(self) -> None:
        """Take messages from now on: pushed where the library can, pulled where it cannot."""
        if self.lane.library == NO_TAP:
            hide_channel(self.transport)
        attached = self.transport.attach(self.recorder)
        assert attached is self.lane.tapped
        if not attached:
            self._nursery.start_soon(self._receive)

    async def open(self, peer: RawPeer, after: After, limit: int) -> None:
        """Shake hands with a peer."""
        if self.lane.side == "client":
            self._nursery.start_soon(self._host, self._dial, limit)
            self.head = await peer.head()
            peer.say(switching(self.head), after(peer))
            await self._opened.wait()
        else:
            self._nursery.start_soon(self._host, self._accept, limit)
            peer.say(asking(), after(peer))
            await self._asked.wait()
            self.opened(self.asking.admit())
            self.head = await peer.head()

    def check_over(self) -> None:
        """Look at what is left after the end: nothing."""
        assert self.hosted.is_set()
        assert self.pipe.closed
        assert self.transport.ended
        if self._driven:
            assert self.recorder.overs == 1

    async def _host(self, run: Callable[[int], Awaitable[None]], limit: int) -> None:
        with self.host_scope:
            await run(limit)
        self.hosted.set()

    async def _dial(self, limit: int) -> None:
        await self.lane.transport.dial(DialRequest.parse(URL, limit=limit), self.pipe, self.opened)

    async def _accept(self, limit: int) -> None:
        def asked(asking: Asking) -> None:
            self.asking = asking
            self._asked.set()

        await self.lane.transport.accept(self.pipe, limit, CLIENT_ADDRESS, asked)

    async def _receive(self) -> None:
        await self.recorder.room()
        while batch := await self.transport.receive():
            self.recorder.put(batch)
            await self.recorder.room()
        self.recorder.over()
