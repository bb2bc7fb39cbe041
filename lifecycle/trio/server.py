"""`lifecycle.serve`: one machine for each client that connects.

Law: whoever asks is answered within a bound, also with a refusal; whoever does not is let go. What goes wrong with one
client ends that client and nobody else. Draining stops accepting, tells every connection the page's wish to end, waits,
and then cancels.
"""

import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final

import trio

from lifecycle.definition.parameters import missing_calls, parameter_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import ConnectionEnded, ConnectionFailed, MaybeDelivered, NotReady, NotSent
from lifecycle.observe.instrument import Instrument
from lifecycle.trio.pipes.listener import accept_clients, listen
from lifecycle.trio.pipes.pipe import Pipe, SocketPipe
from lifecycle.trio.pipes.tls import TlsPipe, check_context
from lifecycle.trio.transports.library import DEFAULT, library
from lifecycle.trio.transports.transport import Asking, TransportFailed
from lifecycle.wire.dial_request import DEFAULT_LIMIT

from .admission import Admission, Client
from .connection import Connection
from .door import Door
from .groups import alone
from .interrupts import Protected, ki_protected, unprotected
from .runnable import unrunnable

if TYPE_CHECKING:
    from collections import Counter

    from lifecycle.definition.definition import Definition

log = logging.getLogger("lifecycle.server")
Handler = Callable[[Connection], Awaitable[None]]

_DRAINED = "drained"
_MOMENT = 1.0
"""Seconds in which a connection whose peer has said goodbye is over."""
_ENDINGS = (ConnectionEnded, ConnectionFailed, NotReady, NotSent, MaybeDelivered)
_OVER = ("closing", "closed", "failed")
_OWN = ("handler", "host", "port", "subprotocols", "limit", "per_address", "patience", "grace", "instruments")


@final
@ki_protected
class Server:
    """A page of the role server, on a port.

    Use it as `async with lifecycle.serve(page, handler, port=8080) as server`, or `server = Server(page, …)` and
    `await nursery.start(server.run)`.

    Args:
        page: a bundled name, a path, or a Definition; its role is server.
        handler: `async def handler(connection)`, called for each client; when it returns, the connection is closed as
            the page says. Without one a connection lives until the page ends it.
        host: the address to listen on; `0.0.0.0` and `::` are all of this machine.
        port: of TCP; 0 is a free one.
        calls: an object with the async methods that the page calls, shared by all connections.
        transport: `trio-websocket` (the default) or `websockets`.
        tls: an ssl.SSLContext with our certificate, for wss://.
        subprotocols: those we speak, the best first; the first that a client offers is chosen.
        limit: the most connections at once; who asks then is refused with 503. As many others, and at least 32, may be
            there besides who have not asked yet, or were refused and stay; who comes then is dropped without a word.
        per_address: the most connections from one address, without a bound if it is not said; who asks then is refused
            with 429. As many others may be there from that address. Of IPv6 a /64 counts as one address.
        patience: seconds that a client has for TLS, and as many again for its request; who is refused goes by then too.
        grace: seconds that draining waits for what the page and the handlers still do.
        instruments: told of each thing that happens to a connection, such as a `lifecycle.observe.Trace`.
        parameters: the page's parameters, as for `open`.

    Attributes:
        definition: the page.
        port: that of the first listener; 0 before it listens.
        connections: those that are there now, oldest first; the keys of a mapping.
        counts: each client has one of `accepted`, `refused` (by a limit, or while it drains), `failed` (no request came
            of it) and `dropped` (there were too many who had not asked). `crashed` are those of the accepted whose
            handler, or page, has raised anything but that the connection has ended.

    Raises:
        PageError: the page is wrong.
        WrongParameters: parameters, calls, transport or role do not fit it, or an argument is none that can be; all
            wrong ones at once.
    """

    def __init__(
        self,
        page: PageLike,
        handler: Handler | None = None,
        *,
        host: str = "127.0.0.1",
        port: int,
        calls: object = None,
        transport: str = DEFAULT,
        tls: ssl.SSLContext | None = None,
        subprotocols: Iterable[str] = (),
        limit: int = 1000,
        per_address: int | None = None,
        patience: float = 10.0,
        grace: float = 30.0,
        instruments: Iterable[Instrument] = (),
        **parameters: Any,
    ) -> None:
        self.definition: Definition = read(page)
        problems = [*unrunnable(self.definition, "server"), *missing_calls(self.definition, calls)]
        problems += _wrong(limit, per_address, patience, grace)
        taken = [name for name in _OWN if name in self.definition.parameters]
        problems += [f"its parameter `{name}` is an argument of serve: call it otherwise" for name in taken]
        try:
            self._library = library(transport)
            if tls is not None:
                check_context(tls, server=True)
        except ValueError as error:
            problems.append(str(error))
        self._values = parameter_values(self.definition, parameters, problems)
        self._handler, self._calls, self._tls = handler, calls, tls
        self._where = (host, port)
        self._subprotocols = tuple(subprotocols)
        self._patience, self._grace = patience, grace
        self._instruments = tuple(instruments)
        self._admission = Admission(limit, per_address)
        self.connections: dict[Connection, None] = {}
        self.counts: Counter[str] = self._admission.counts
        self.failure: BaseException | None = None
        self.failed: Callable[[], object] = lambda: None
        self.port = 0
        self._listeners: list[socket.socket] = []
        self._listening, self._serving = trio.CancelScope(), trio.CancelScope()
        self._door: Door | None = None

    # -- one client

    async def accept(self, pipe: Pipe, peer: str) -> None:
        """Serve one client on a pipe, until it has gone; for other listeners than our own, and for tests.

        Args:
            pipe: connected, with TLS on it if there is any; it is aborted at the end.
            peer: the address it comes from.
        """
        client = self._admission.come(peer)
        if client is None:
            pipe.abort()
            return
        with self._attended(client):
            await self._attend(client, pipe)

    async def _client(self, client: Client, sock: socket.socket) -> None:
        with self._attended(client):
            async with trio.open_nursery() as nursery:
                pipe: Pipe = SocketPipe(sock, Protected(nursery).start_soon)
                try:
                    if self._tls is not None:
                        pipe = secured = TlsPipe(pipe, "", self._tls, server=True)
                        client.hurry(self._patience)
                        await secured.handshake()
                    await self._attend(client, pipe)
                finally:
                    pipe.abort()

    @contextmanager
    def _attended(self, client: Client) -> Iterator[None]:
        name = self.definition.name
        try:
            with client.scope:
                yield
            if client.scope.cancelled_caught:
                log.info("%s: %s was let go", name, client.address)
        except* (TransportFailed, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            log.info("%s: %s did not connect: %s", name, client.address, alone(group))
        except* Exception as group:  # one client's trouble is nobody else's
            log.exception("%s: serving %s has failed", name, client.address, exc_info=alone(group))
        finally:
            self._admission.leave(client)

    async def _attend(self, client: Client, pipe: Pipe) -> None:
        client.hurry(self._patience)
        try:
            async with trio.open_nursery() as nursery:

                def asked(asking: Asking) -> None:
                    status = self._admission.admit(client)
                    if status is None:
                        nursery.start_soon(self._handle, self._accepted(asking, pipe), nursery.cancel_scope)
                    else:
                        log.info("%s: refused %s with %d", self.definition.name, client.address, status)
                        asking.refuse(status, {"Retry-After": "1"})

                limit = self.definition.messages.limit or DEFAULT_LIMIT
                await self._library.accept(pipe, limit, client.address, asked)
        finally:
            pipe.abort()

    def _accepted(self, asking: Asking, pipe: Pipe) -> Connection:
        offered = asking.upgrade.subprotocols
        subprotocol = next((name for name in self._subprotocols if name in offered), None)
        connection = Connection.accepted(
            self.definition,
            self._values,
            self._calls,
            asking=asking,
            pipe=pipe,
            subprotocol=subprotocol,
            instruments=self._instruments,
        )
        self.connections[connection] = None
        return connection

    async def _handle(self, connection: Connection, scope: trio.CancelScope) -> None:
        try:
            await self._run(connection)
        except* Exception as group:
            self.counts["crashed"] += 1
            about = connection.about
            name = self.definition.name
            log.exception("%s: the handler of a connection has failed", name, exc_info=alone(group), extra=about)
        finally:
            self.connections.pop(connection, None)
            scope.cancel()

    async def _run(self, connection: Connection) -> None:
        if self._handler is None:
            await connection.run()
            return
        async with connection:
            try:
                await unprotected(self._handler(connection))
            except* _ENDINGS as group:
                # while it stands these tell of something else, such as another connection
                if not await _ended(connection):
                    raise
                log.info("%s: a connection ended: %s", self.definition.name, alone(group), extra=connection.about)

    # -- its life

    def begin(self, nursery: trio.Nursery) -> None:
        """Accept clients, in a nursery."""
        nursery.start_soon(self._serve)

    async def _serve(self) -> None:
        with self._serving:  # not the nursery's own scope, for the body of `async with` is in that one
            async with trio.open_nursery() as clients:
                log.info("%s: listening on port %d", self.definition.name, self.port)

                def come(sock: socket.socket, peer: str) -> None:
                    client = self._admission.come(peer)
                    if client is None:
                        sock.close()
                    else:
                        clients.start_soon(self._client, client, sock)

                with self._listening:
                    async with trio.open_nursery() as nursery:
                        for listener in self._listeners:
                            nursery.start_soon(accept_clients, listener, come)
                await trio.sleep_forever()

    async def drain(self, **fields: Any) -> None:
        """Stop accepting, let every connection end as its page says, and end what is left after the grace.

        The page is told `drained` if it hears that and takes it as it is now, else its wish to end. Who has not asked
        yet is let go at once.

        Args:
            fields: of that wish, such as `why`.
        """
        self._admission.close()
        self._stop_listening()
        try:
            with trio.move_on_after(self._grace):
                # who was admitted in this tick begins in the next, and is told after it
                await trio.lowlevel.checkpoint()
                async with trio.open_nursery() as nursery:
                    for connection in tuple(self.connections):
                        nursery.start_soon(self._end, connection, fields)
                await self._admission.empty()
        finally:
            self.finish()

    async def _end(self, connection: Connection, fields: Mapping[str, Any]) -> None:
        wish = _DRAINED if _DRAINED in self.definition.hears else None
        await connection.aclose(wish, **fields)

    async def aclose(self) -> None:
        """Drain, with no words."""
        await self.drain()

    def goodbye(self) -> None:
        """Say nothing more: each connection says goodbye by itself when it is cancelled."""

    def finish(self) -> None:
        """End at once. Again is no harm."""
        self._admission.close()
        self._stop_listening()
        self._serving.cancel()

    def _stop_listening(self) -> None:
        self._listening.cancel()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            trio.lowlevel.notify_closing(listener)
            listener.close()

    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `drain` or cancellation; to be started in a nursery.

        Raises:
            CannotListen: the port is taken, or not ours to take; or there is no such address.
            ConnectionEnded: it has run before.
        """
        await self._bind()
        task_status.started(self)
        try:
            await self._serve()
        finally:
            self.finish()

    async def __aenter__(self) -> Self:
        """Listen; errors are those of `run`."""
        await self._bind()
        self._door = Door(self, self.begin, self.aclose)
        await self._door.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Drain; cancelled, end at once."""
        if self._door is None:
            return False
        door, self._door = self._door, None
        return await door.leave(error)

    async def _bind(self) -> None:
        if self.port:
            raise ConnectionEnded("a server runs once: make another one")
        self._listeners = await listen(*self._where)
        self.port = self._listeners[0].getsockname()[1]


def serve(page: PageLike, handler: Handler | None = None, *, port: int, **settings: Any) -> Server:
    """Serve a page: `async with lifecycle.serve("page.yaml", handler, port=8080) as server`.

    Arguments and errors are those of `Server`.
    """
    return Server(page, handler, port=port, **settings)


async def _ended(connection: Connection) -> bool:
    """Whether a connection has ended, or is about to: what its peer said before is still read then."""
    changes = connection.changes()
    with trio.move_on_after(_MOMENT):
        while connection.status not in _OVER:
            await anext(changes, None)
    return connection.status in _OVER


def _wrong(limit: Any, per_address: Any, patience: Any, grace: Any) -> Iterator[str]:
    """What is wrong with the bounds of a server; one sentence each."""
    if type(limit) is not int or limit < 0:
        yield f"`limit` must be a whole number, 0 or more, not {limit!r}"
    if per_address is not None and (type(per_address) is not int or per_address < 1):
        yield f"`per_address` must be a whole number, 1 or more, not {per_address!r}"
    if not (type(patience) in (int, float) and patience > 0):  # so a NaN is none either
        yield f"`patience` must be a number of seconds above 0, not {patience!r}"
    if not (type(grace) in (int, float) and grace >= 0):
        yield f"`grace` must be a number of seconds, 0 or more, not {grace!r}"
