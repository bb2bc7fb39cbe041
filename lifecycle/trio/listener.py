"""Sockets that listen, and the loop that accepts.

Law: a port that cannot be had is one clear error, and nothing stays bound. When the system has no descriptor left,
accepting pauses and goes on.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable

import trio
from trio.lowlevel import wait_readable

from lifecycle.errors import CannotListen

log = logging.getLogger("lifecycle.server")

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_PAUSE = 0.1
_MOST_PORT = 65_535


async def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on a port, on every address of a host.

    Args:
        host: a name or an address.
        port: of TCP; 0 is a free one.

    Returns:
        Sockets of the standard library, non-blocking.

    Raises:
        CannotListen: the port is taken or not ours to take, or there is no such port or address here.
    """
    # the system's resolver would take 65,616 for 80
    if type(port) is not int or not 0 <= port <= _MOST_PORT:
        raise CannotListen(host, port, f"a port is a whole number from 0 to {_MOST_PORT}")
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except (OSError, OverflowError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        name = isinstance(error, socket.gaierror) or not number
        why = "there is no such address" if name else os.strerror(number or 0)
        raise CannotListen(host, port, why.lower()) from error
    found = []
    for listener in listeners:
        sock = socket.socket(fileno=listener.socket.detach())
        sock.settimeout(0)
        found.append(sock)
    return found


async def accept_clients(
    listener: socket.socket, listening: trio.CancelScope, come: Callable[[socket.socket, str], None]
) -> None:
    """Accept until the scope is cancelled; `come` takes each socket and the address it comes from."""
    with listening:
        while True:
            await wait_readable(listener)
            try:
                sock, address = listener.accept()
            except OSError as error:  # also BlockingIOError: the client has gone again
                if error.errno in _EXHAUSTED:
                    log.warning("no client can be accepted: %s", os.strerror(error.errno or 0))
                    await trio.sleep(_PAUSE)
                continue
            come(sock, str(address[0]))
