"""Serve the admin surface: Hypercorn's trio worker on a port that is ours.

Law: whoever does not ask, does not read or comes as one too many is let go. Nothing that was begun here outlives
`serve_admin`, and its graceful end has a bound. Hypercorn's own accept loop is left out: it sends behind a shield, so
one client that does not read would keep it from ever ending, and it has no limit of clients.
"""

import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast, final

import attrs
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from trio.lowlevel import enable_ki_protection

from lifecycle.registry.loopback import is_loopback
from lifecycle.registry.registry import Registry
from lifecycle.trio.interrupts import ki_protected, unprotected
from lifecycle.trio.pipes.listener import accept_clients, listen

from .admin import Admin

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

log = logging.getLogger("lifecycle.registry.admin")

IDLE: Final = 5.0
"""Seconds that a client may take for the first line and headers of a request, and be idle between two."""
PATIENCE: Final = 10.0
"""Seconds that a client may take to read what was sent to it."""


@attrs.frozen
class Place:
    """Where it listens.

    Attributes:
        host, port: as they are, whatever was asked for.
        url: of it, such as http://127.0.0.1:8000.
    """

    host: str
    port: int
    url: str


@enable_ki_protection
async def serve_admin(
    registry: Registry,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key: str | None = None,
    without_key: bool = False,
    tls: ssl.SSLContext | None = None,
    wait: float = 0.0,
    limit: int = 100,
    grace: float = 5.0,
    stop: Callable[[], Awaitable[object]] = trio.sleep_forever,
    task_status: "trio.TaskStatus[Place]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a registry's admin surface, until `stop` returns or this is cancelled.

    Args:
        registry: entered already, and left by who did.
        host: a name or an address to listen on.
        port: of TCP; 0 is a free one.
        key: that clients bring as `Authorization: Bearer KEY`.
        without_key: serve without one, on loopback only.
        tls: with our certificate, for https://.
        wait: seconds that a join may wait for a slot while everything is full; 0 refuses at once.
        limit: the most connections at once; who comes then is hung up on.
        grace: seconds that requests have to be answered after `stop` has returned.
        stop: waited for; then nobody is accepted any more, and what is being asked is answered.
        task_status: told the Place when it listens.

    Raises:
        ValueError: the key cannot be one, or there is none and host is not loopback.
        CannotListen: the port is taken or not ours to take, or there is no such address.
    """
    app = Admin(registry, key=key, without_key=without_key, wait=wait)
    if without_key and not is_loopback(host):
        raise ValueError(f"without a key only this machine is served, and {host!r} is for others too: give a key")
    if tls is None and not is_loopback(host):
        log.warning("the key goes through the network in clear text: give tls, or put a proxy with TLS before this")
    listeners = await listen(host, port)
    serving = _Serving(app, tls, limit)
    try:
        async with trio.open_nursery() as clients:
            clients.start_soon(serving.hang_up_at_the_end)
            async with trio.open_nursery() as accepting:
                for listener in listeners:
                    accepting.start_soon(accept_clients, listener, partial(serving.come, clients))
                where = listeners[0].getsockname()
                place = _place(where[0], where[1], tls)
                log.info("%s: serves %s", place.url, registry.leases.place)
                task_status.started(place)
                await unprotected(stop())
                accepting.cancel_scope.cancel()
            _close(listeners)
            await serving.end(grace)
            clients.cancel_scope.cancel()
    finally:
        _close(listeners)


def _close(listeners: Iterable[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


@final
@ki_protected
class _Serving:
    """The clients that are there."""

    def __init__(self, app: Admin, tls: ssl.SSLContext | None, limit: int) -> None:
        self._app, self._tls, self._limit = ASGIWrapper(cast("ASGIFramework", app)), tls, limit
        self._context = WorkerContext(None)
        self._config = Config()
        self._config.errorlog = log
        self._config.include_server_header = False
        self._config.keep_alive_timeout = IDLE
        self._config.ssl_handshake_timeout = IDLE
        self._streams: set[_Patient] = set()
        self._left = trio.Event()

    def come(self, nursery: trio.Nursery, sock: socket.socket, address: str) -> None:
        if len(self._streams) >= self._limit:
            log.warning("hung up on %s: there are %d clients already", address, self._limit)
            sock.close()
            return
        stream = _Patient(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
        self._streams.add(stream)
        nursery.start_soon(self._serve, stream)

    async def _serve(self, stream: "_Patient") -> None:
        over: Any = stream
        if self._tls is not None:
            over = trio.SSLStream(cast("trio.abc.Stream", stream), self._tls, server_side=True, https_compatible=True)
        server = TCPServer(self._app, self._config, self._context, ConnectionState({}), over)
        stream.over = server.idle_task.stop
        try:
            with stream.scope:
                await server
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            log.debug("a client has gone: %s", group.exceptions[0])
        except* Exception:  # one client's trouble is nobody else's
            log.exception("serving a client has failed")
        finally:
            stream.abort()
            self._streams.discard(stream)
            self._left.set()

    async def end(self, grace: float) -> None:
        """Let those go who ask nothing, and wait for those who do."""
        await self._context.terminated.set()
        with trio.move_on_after(grace):
            while self._streams:
                self._left = trio.Event()
                await self._left.wait()
        for stream in self._streams:
            log.warning("hung up on a client whose request was not done within %g s", grace)
            stream.abort()

    async def hang_up_at_the_end(self) -> None:
        """Break sends that are shielded, when all of this is cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            for stream in self._streams:
                stream.abort()


@final
@ki_protected
class _Patient:
    """A socket whose peer has to read what it is sent; as much of a stream as Hypercorn uses."""

    def __init__(self, inner: trio.SocketStream) -> None:
        self._inner, self.socket = inner, inner.socket
        self.over: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint
        self.scope = trio.CancelScope()

    async def send_all(self, data: "bytes | bytearray | memoryview") -> None:
        sent = False
        try:
            with trio.move_on_after(PATIENCE):
                await self._inner.send_all(data)
                sent = True
        finally:
            if not sent:  # Hypercorn would wait for ever for its turn to read
                log.info("hung up on a client that has gone, or does not read")
                self.scope.cancel()
        if not sent:
            raise trio.BrokenResourceError

    async def receive_some(self, max_bytes: int | None = None) -> "bytes | bytearray":
        data: bytes | bytearray = b""
        try:
            data = await self._inner.receive_some(max_bytes)
        finally:
            if not data:  # or Hypercorn would count down the idle time of a client that has gone
                await self.over()
        return data

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def abort(self) -> None:
        """Close it at once; whoever waits for it is told."""
        self.socket.close()


def _place(host: str, port: int, tls: ssl.SSLContext | None) -> Place:
    scheme = "http" if tls is None else "https"
    return Place(host, port, f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
