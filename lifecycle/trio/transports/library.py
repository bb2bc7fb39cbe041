"""Which WebSocket library lies over the pipe: found by its name, imported when it is first wanted.

Law: every library is a class with `dial` and `accept`, and behaves alike; one conformance suite says so.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.wire.dial_request import DialRequest

from .transport import Asking, Transport

DEFAULT = "trio-websocket"
_CLASSES = {
    "trio-websocket": ("lifecycle.trio.transports.trio_websocket", "TrioWebsocketTransport"),
    "websockets": ("lifecycle.trio.transports.websockets", "WebsocketsTransport"),
}


class Library(Protocol):
    """What each library's class can do. Both stay for as long as the connection needs a host task."""

    async def dial(self, request: DialRequest, pipe: Pipe, opened: Callable[[Transport], None]) -> None:
        """Shake hands as a client; `opened` is called once. Raises TransportFailed before."""

    async def accept(self, pipe: Pipe, limit: int, peer: str, asked: Callable[[Asking], None]) -> None:
        """Read a client's request; `asked` is called once. Raises TransportFailed before."""


def library(name: str) -> Library:
    """The library of a name.

    Raises:
        ValueError: there is none of that name, or it is not installed.
    """
    if name not in _CLASSES:
        raise ValueError(f"there is no transport {name!r}: use {' or '.join(map(repr, _CLASSES))}, or pass a dialer")
    module, found = _CLASSES[name]
    try:
        return cast("Library", getattr(import_module(module), found))
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the transport {name!r} needs the package {error.name}: pip install 'connection-lifecycle[websockets]'"
        ) from error
