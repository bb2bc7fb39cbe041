"""From an address to an open transport, and the transport's life.

Law: a dialer stays as long as its connection and owns every task of it; when it is cancelled,
nothing of the connection is left.
"""

import ssl
from collections.abc import Awaitable, Callable

from lifecycle.wire.dial_request import DialRequest

from .dial import connect_tcp
from .pipe import Pipe, SocketPipe, Spawn
from .tls import TlsPipe
from .transport import Transport
from .trio_websocket import TrioWebsocketTransport

Opened = Callable[[Transport, Pipe], None]
Dialer = Callable[[DialRequest, Spawn, Opened], Awaitable[None]]
"""`await dialer(request, spawn, opened)`: calls `opened` once, synchronously, when the handshake is
done, and stays until it is cancelled or the connection has ended. Raises TransportFailed before."""


def websocket_dialer(context: ssl.SSLContext | None = None) -> Dialer:
    """Dial with trio-websocket on our pipe.

    Args:
        context: for wss://; by default certificates and host names are verified.
    """

    async def dial(request: DialRequest, spawn: Spawn, opened: Opened) -> None:
        pipe: Pipe = SocketPipe(await connect_tcp(request.host, request.port), spawn)
        try:
            if request.secure:
                pipe = secured = TlsPipe(pipe, request.host, context)
                await secured.handshake()
            await TrioWebsocketTransport.run(request, pipe, lambda transport: opened(transport, pipe))
        finally:
            pipe.abort()

    return dial
