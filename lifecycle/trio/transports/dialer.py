"""From an address to an open transport, and the transport's life.

Law: a dialer stays as long as its connection needs a host, and owns every task of it; when it is
cancelled, nothing of the connection is left.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import cache, partial

from lifecycle.errors import LifecycleError
from lifecycle.trio.pipes.dial import connect_tcp
from lifecycle.trio.pipes.pipe import Pipe, SocketPipe, Spawn
from lifecycle.trio.pipes.tls import TlsPipe, check_context
from lifecycle.wire.dial_request import DialRequest

from .library import DEFAULT, Library, library
from .transport import Transport

Opened = Callable[[Transport, Pipe], None]
Dialer = Callable[[DialRequest, Spawn, Opened], Awaitable[None]]
"""`await dialer(request, spawn, opened)`: calls `opened` once, synchronously, when the handshake is
done. It may return then, if nothing of the transport needs it. Raises TransportFailed before."""


def dialer_of(transport: str | Dialer | None, context: ssl.SSLContext | None, problems: list[str]) -> Dialer:
    """The dialer that a user means; what is wrong with what he says is added to the problems."""
    if callable(transport):
        return transport
    if transport is not None and not isinstance(transport, str):
        problems.append(f"`transport` must be a name or a dialer, not {type(transport).__name__}")
    else:
        try:
            return websocket_dialer(context, transport or DEFAULT)
        except ValueError as error:
            problems.append(str(error))
    return _plain(DEFAULT)


def websocket_dialer(context: ssl.SSLContext | None = None, name: str = DEFAULT) -> Dialer:
    """Dial WebSocket over TCP, on our pipe.

    Args:
        context: for wss://; by default certificates and host names are verified.
        name: of the library.

    Raises:
        ValueError: there is no such library, it is not installed, or the context is none of a client.
    """
    if context is None:
        return _plain(name)
    check_context(context)
    return partial(_dial, library(name), context)


async def no_dialer(_: DialRequest, __: Spawn, ___: Opened) -> None:
    """The dialer of who does not dial: a server, and a session.

    Raises:
        LifecycleError: always.
    """
    raise LifecycleError("only a client's page dials")


@cache
def _plain(name: str) -> Dialer:
    # one for all connections: it is most of what each would have of its own
    return partial(_dial, library(name), None)


async def _dial(
    websocket: Library, context: ssl.SSLContext | None, request: DialRequest, spawn: Spawn, opened: Opened
) -> None:
    pipe: Pipe = SocketPipe(await connect_tcp(request.host, request.port), spawn)
    try:
        if request.secure:
            pipe = secured = TlsPipe(pipe, request.host, context)
            await secured.handshake()
        await websocket.dial(request, pipe, lambda transport: opened(transport, pipe))
    except BaseException:
        pipe.abort()
        raise
