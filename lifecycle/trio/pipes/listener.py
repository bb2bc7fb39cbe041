"""Sockets that listen, and the loop that accepts.

Law: a port that cannot be had is one clear error, and nothing stays bound. When the system has no descriptor left,
accepting pauses and goes on.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

import trio
from trio.lowlevel import enable_ki_protection, wait_readable

from lifecycle.errors import CannotListen

log = logging.getLogger("lifecycle.server")

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_NOT_HERE = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
_PAUSE = 0.1
_MOST_PORT = 65_535
_BACKLOG = 65_535  # the system cuts it to what it allows
_TRIES = 5

Place = tuple[int, tuple[Any, ...]]
"""A family of addresses, and an address with its port as the system wants it."""


async def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on a port, on every address of a host; on the same one everywhere.

    Args:
        host: a name or an address. Of a name, an address that this machine does not have is left out with a warning.
        port: of TCP; 0 is one that is free on all the addresses.

    Returns:
        Sockets of the standard library, non-blocking.

    Raises:
        CannotListen: the port is taken or not ours to take, or there is no such port or address here.
    """
    # the system's resolver would take 65,616 for 80
    if type(port) is not int or not 0 <= port <= _MOST_PORT:
        raise CannotListen(host, port, f"a port is a whole number from 0 to {_MOST_PORT}")
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # some systems name an address twice
        places = list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))
        tries = _TRIES if port == 0 and len(places) > 1 else 1
        while True:
            tries -= 1
            try:
                return _open(places)
            except OSError as error:
                # free on the first address is not free on the next
                if error.errno != errno.EADDRINUSE or not tries:
                    raise
    except (OSError, OverflowError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        name = isinstance(error, socket.gaierror) or not number
        why = "there is no such address" if name else os.strerror(number or 0)
        raise CannotListen(host, port, why.lower()) from error


def _open(places: Iterable[Place]) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    missing: dict[str, OSError] = {}
    try:
        for family, (host, port, *rest) in places:
            common = listeners[0].getsockname()[1] if listeners else port
            try:
                listeners.append(_listener(family, (host, common, *rest)))
            except OSError as error:
                # as ::1 of `localhost`, where IPv6 is turned off
                if error.errno not in _NOT_HERE:
                    raise
                missing[host] = error
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    if not listeners:
        raise next(iter(missing.values()))
    for name, why in missing.items():
        log.warning("nobody can connect to %s: %s", name, os.strerror(why.errno or 0).lower())
    return listeners


def _listener(family: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.settimeout(0)
        if os.name == "posix":  # elsewhere it would let two listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


@enable_ki_protection
async def accept_clients(listener: socket.socket, come: Callable[[socket.socket, str], None]) -> None:
    """Accept until cancelled, or until the listener is closed.

    Args:
        listener: one of those that `listen` has made.
        come: takes each socket, and the address that it comes from.
    """
    # it may be closed in the very tick in which a client wakes us: too late for a cancellation
    while listener.fileno() >= 0:
        await wait_readable(listener)
        try:
            sock, address = listener.accept()
        except OSError as error:  # also BlockingIOError: the client has gone again
            if error.errno in _EXHAUSTED:
                log.warning("no client can be accepted: %s", os.strerror(error.errno or 0))
                await trio.sleep(_PAUSE)
            continue
        come(sock, str(address[0]))
