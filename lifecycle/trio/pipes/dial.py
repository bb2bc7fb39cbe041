"""Connect a bare socket: resolve the name, then try its addresses, a new one whenever the last one is slow or failed.

Law: at most one socket leaves, every other is closed, also when the dial is cancelled. Attempts overlap as in RFC 8305,
in the resolver's order but with the families in turn.
It does not know what will be said on the socket, nor how long the caller is willing to wait.
"""

import contextlib
import errno
import functools
import itertools
import os
import socket
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import attrs
import trio
from trio.lowlevel import enable_ki_protection, wait_writable

from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.ending import ErrorEnding, ErrorWord

STAGGER = 0.25

_MOST_LOOK_UPS = 40
_LOOK_UPS: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("lifecycle.look_ups")

_WORDS: dict[int | None, ErrorWord] = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


@attrs.frozen
class _Target:
    family: int
    kind: int
    protocol: int
    address: Address


async def connect_tcp(host: str, port: int, *, stagger: float = STAGGER) -> socket.socket:
    """Connect to the first address of a host that answers.

    Args:
        host: a name or an IP address.
        port: of TCP.
        stagger: seconds that an attempt has to itself before the next one starts beside it.

    Returns:
        A socket of the standard library: connected, non-blocking, and small writes leave at once.

    Raises:
        TransportFailed: with `dns`; or, if no address answers, with `refused`, `timeout` or `connect`.
    """
    targets = _literal(host, port) or await _resolve(host, port)
    if len(targets) == 1:  # nothing to race against
        try:
            return await _connect(targets[0])
        except OSError as error:
            raise TransportFailed(_why([error])) from error
    won: list[socket.socket] = []
    failures: list[OSError] = []

    @enable_ki_protection
    async def attempt(target: _Target, failed: trio.Event) -> None:
        """Try one address; who answers first ends the others."""
        try:
            sock = await _connect(target)
        except OSError as error:
            failures.append(error)
            failed.set()
            return
        won.append(sock)
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for target in targets:
                failed = trio.Event()
                nursery.start_soon(attempt, target, failed)
                with trio.move_on_after(stagger):
                    await failed.wait()
    except BaseException:
        _close(won)
        raise
    if not won:
        raise TransportFailed(_why(failures))
    # two may have answered in the same moment
    _close(won[1:])
    return won[0]


def _literal(host: str, port: int) -> list[_Target]:
    """An address that needs no resolver; empty for a name, and for what only the resolver understands."""
    addresses: dict[int, Address] = {socket.AF_INET: (host, port), socket.AF_INET6: (host, port, 0, 0)}
    for family, address in addresses.items():
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return [_Target(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, address)]
    return []


async def _resolve(host: str, port: int) -> list[_Target]:
    try:
        found = await _look_up(host, port)
    except socket.gaierror as error:
        said = f"{error.strerror or 'the name was not resolved'}: {host}"
        raise TransportFailed(ErrorEnding("dns", said, error.errno)) from error
    except UnicodeError as error:
        raise TransportFailed(ErrorEnding("dns", f"this cannot be a name: {host}")) from error
    return _in_turn([_Target(family, kind, protocol, address) for family, kind, protocol, _, address in found])


async def _look_up(host: str, port: int) -> list[Any]:
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        limiter = _LOOK_UPS.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_MOST_LOOK_UPS)
        _LOOK_UPS.set(limiter)
    # a lookup that hangs keeps its thread after its dial was given up: not one of those that the embedder waits for
    return await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=limiter)


def _in_turn(targets: Sequence[_Target]) -> list[_Target]:
    families = defaultdict(list)
    for target in targets:
        families[target.family].append(target)
    return [target for rank in itertools.zip_longest(*families.values()) for target in rank if target]


async def _connect(target: _Target) -> socket.socket:
    sock = socket.socket(target.family, target.kind, target.protocol)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(target.address)
        except BlockingIOError:
            await wait_writable(sock.fileno())
        _raise_error_of(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _raise_error_of(sock: socket.socket) -> None:
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _why(failures: Sequence[OSError]) -> ErrorEnding:
    # "refused" is said only if everybody refuses: an unreachable network says more than a closed port
    number = next((error.errno for error in failures if error.errno != errno.ECONNREFUSED), errno.ECONNREFUSED)
    text = os.strerror(number) if number else "no address could be reached"
    return ErrorEnding(_WORDS.get(number, "connect"), text, number)
