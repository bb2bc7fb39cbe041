"""`lifecycle.serve`: one machine for each client that connects.

Law: whoever comes is answered within a bound, also with a refusal. What goes wrong with one client ends that client and
nobody else. Draining stops accepting, tells every connection the page's wish to end, waits, and then cancels.
"""

import functools
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final

import trio

from lifecycle.definition.parameters import missing_calls, parameter_values
from lifecycle.definition.read import PageLike, read
from lifecycle.errors import ConnectionEnded, LifecycleError
from lifecycle.wire.dial_request import DEFAULT_LIMIT

from .connection import Connection
from .door import Door
from .library import DEFAULT, library
from .listener import accept_clients, listen
from .parking import Parking
from .pipe import Pipe, SocketPipe
from .runnable import unrunnable
from .tls import TlsPipe, check_context
from .transport import Asking, TransportFailed

if TYPE_CHECKING:
    from lifecycle.definition.definition import Definition

log = logging.getLogger("lifecycle.server")
Handler = Callable[[Connection], Awaitable[None]]

_BUSY, _TOO_MANY = 503, 429
_DRAINED = "drained"
_OWN = ("handler", "host", "port", "subprotocols", "limit", "per_address", "patience", "grace")


@final
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
        limit: the most connections at once; who comes then is refused with 503.
        per_address: the most from one address, without a bound if it is not said; who comes then is refused with 429.
        patience: seconds that a client has for TLS, and as many again for its request.
        grace: seconds that draining waits for what the page and the handlers still do.
        parameters: the page's parameters, as for `open`.

    Attributes:
        definition: the page.
        port: that of the first listener; 0 before it listens.
        connections: those that are there now.
        counts: `accepted`, `refused` (by a limit, or while it drains), `failed` (no request came of it) and `crashed`
            (the handler raised).

    Raises:
        PageError: the page is wrong.
        WrongParameters: parameters, calls, transport or role do not fit it; all wrong ones at once.
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
        **parameters: Any,
    ) -> None:
        self.definition: Definition = read(page)
        problems = [*unrunnable(self.definition, "server"), *missing_calls(self.definition, calls)]
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
        self._limit, self._per_address, self._patience, self._grace = limit, per_address, patience, grace
        self.connections: set[Connection] = set()
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self.failed: Callable[[], object] = lambda: None
        self._addresses: Counter[str] = Counter()
        self._gone = Parking()
        self.port = 0
        self._listeners: list[socket.socket] = []
        self._listening, self._serving = trio.CancelScope(), trio.CancelScope()
        self._door: Door | None = None
        self._draining = False

    # -- one client

    async def accept(self, pipe: Pipe, peer: str) -> None:
        """Serve one client on a pipe, until it has gone; for other listeners than our own, and for tests.

        Args:
            pipe: connected, with TLS on it if there is any; it is aborted at the end.
            peer: the address it comes from.
        """
        self._addresses[peer] += 1
        limit = self.definition.messages.limit or DEFAULT_LIMIT
        try:
            async with trio.open_nursery() as nursery:
                begun = trio.CancelScope(deadline=trio.current_time() + self._patience)

                def asked(asking: Asking) -> None:
                    begun.deadline = float("inf")
                    connection = self._admitted(asking, pipe, peer)
                    if connection is None:
                        return
                    self.connections.add(connection)
                    nursery.start_soon(self._handle, connection, nursery.cancel_scope)

                with begun:
                    await self._library.accept(pipe, limit, peer, asked)
                if begun.cancelled_caught:
                    self.counts["failed"] += 1
        finally:
            pipe.abort()
            self._addresses[peer] -= 1
            self._addresses += Counter()  # forget the address when nobody is left
            self._gone.wake()

    def _admitted(self, asking: Asking, pipe: Pipe, peer: str) -> Connection | None:
        status = self._refusal(peer)
        if status:
            self.counts["refused"] += 1
            log.info("%s: refused %s with %d", self.definition.name, peer, status)
            asking.refuse(status, {"Retry-After": "1"})
            return None
        self.counts["accepted"] += 1
        offered = asking.upgrade.subprotocols
        subprotocol = next((name for name in self._subprotocols if name in offered), None)
        return Connection.accepted(
            self.definition, self._values, self._calls, asking=asking, pipe=pipe, subprotocol=subprotocol
        )

    def _refusal(self, peer: str) -> int | None:
        if self._draining or len(self.connections) >= self._limit:
            return _BUSY
        # its own is counted already
        many = self._per_address is not None and self._addresses[peer] > self._per_address
        return _TOO_MANY if many else None

    async def _handle(self, connection: Connection, scope: trio.CancelScope) -> None:
        try:
            if self._handler is None:
                await connection.run()
            else:
                async with connection:
                    await self._handler(connection)
        except LifecycleError as error:
            log.info("%s: a connection ended: %s", self.definition.name, error)
        except Exception:
            self.counts["crashed"] += 1
            log.exception("%s: the handler of a connection has failed", self.definition.name)
        finally:
            self.connections.discard(connection)
            scope.cancel()

    async def _client(self, sock: socket.socket, peer: str) -> None:
        try:
            async with trio.open_nursery() as nursery:
                pipe: Pipe = SocketPipe(sock, nursery.start_soon)
                try:
                    if self._tls is not None:
                        pipe = secured = TlsPipe(pipe, "", self._tls, server=True)
                        with trio.fail_after(self._patience):
                            await secured.handshake()
                    await self.accept(pipe, peer)
                finally:
                    pipe.abort()
        except* (TransportFailed, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            self.counts["failed"] += 1
            log.info("%s: %s did not connect: %s", self.definition.name, peer, group.exceptions[0])
        except* Exception:  # one client's trouble is nobody else's
            log.exception("%s: serving %s has failed", self.definition.name, peer)

    # -- its life

    def begin(self, nursery: trio.Nursery) -> None:
        """Accept clients, in a nursery."""
        nursery.start_soon(self._serve)

    async def _serve(self) -> None:
        with self._serving:  # not the nursery's own scope, for the body of `async with` is in that one
            async with trio.open_nursery() as nursery:
                log.info("%s: listening on port %d", self.definition.name, self.port)

                def come(sock: socket.socket, peer: str) -> None:
                    nursery.start_soon(self._client, sock, peer)

                for listener in self._listeners:
                    nursery.start_soon(accept_clients, listener, self._listening, come)
                await trio.sleep_forever()

    async def drain(self, **fields: Any) -> None:
        """Stop accepting, let every connection end as its page says, and end what is left after the grace.

        The page is told `drained` if it hears that, else its wish to end.

        Args:
            fields: of that wish, such as `why`.
        """
        wish = _DRAINED if _DRAINED in self.definition.hears else None
        self._draining = True
        self._stop_listening()
        try:
            with trio.move_on_after(self._grace):
                async with trio.open_nursery() as nursery:
                    for connection in tuple(self.connections):
                        nursery.start_soon(functools.partial(connection.aclose, wish, **fields))
                while self._addresses.total():
                    await self._gone.wait()
        finally:
            self.finish()

    async def aclose(self) -> None:
        """Drain, with no words."""
        await self.drain()

    def goodbye(self) -> None:
        """Say nothing more: each connection says goodbye by itself when it is cancelled."""

    def finish(self) -> None:
        """End at once. Again is no harm."""
        self._draining = True
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
