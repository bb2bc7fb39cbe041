"""A whole service: a place, a registry on it and its admin surface, until a signal ends it.

Law: the first SIGINT or SIGTERM ends it in order: nobody is accepted any more, who has asked is answered, and the
sessions are left. The second one ends it at once; what it held then comes back when its leases run out.
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import attrs
import trio

from lifecycle.registry.lease import Lease
from lifecycle.registry.place import place_of
from lifecycle.registry.registry import Registry
from lifecycle.trio.groups import alone

from .serve import Place, serve_admin

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@attrs.frozen
class Service:
    """What is to be served.

    Attributes:
        place: where leases are kept, such as `sqlite:sessions.db`.
        capacity: sessions at once in that place.
        host, port: where to listen.
        key: of the admin surface; None with `without_key`.
        without_key: serve this machine without one.
        begin, stop: what starts and stops a session upstream; None only counts.
    """

    place: str
    capacity: int
    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = attrs.field(default=None, repr=False)
    without_key: bool = False
    begin: Callable[[Lease], Awaitable[None]] | None = None
    stop: Callable[[Lease], Awaitable[None]] | None = None


def run_service(service: Service, listening: Callable[[Place], object]) -> int:
    """Serve until a signal.

    Args:
        service: what.
        listening: told where, when it listens.

    Returns:
        0 after one signal, 130 after two.

    Raises:
        ValueError: the place, the capacity or the key cannot be one.
        CannotListen: the port is not to be had.
        LeasesUnavailable: the place cannot be opened.
    """
    try:
        return trio.run(partial(serve_until_signals, service, listening))
    except BaseExceptionGroup as group:
        raise alone(group) from group


async def serve_until_signals(service: Service, listening: Callable[[Place], object]) -> int:
    """As `run_service`, for programs that run trio already, in their main thread."""
    with trio.open_signal_receiver(*_SIGNALS) as signals, trio.CancelScope() as all_of_it:
        stopping = trio.Event()
        async with trio.open_nursery() as nursery:
            async with place_of(service.place) as leases:
                registry = Registry(leases, capacity=service.capacity, begin=service.begin, stop=service.stop)
                nursery.start_soon(_obey, signals, stopping, registry, all_of_it)
                async with registry, trio.open_nursery() as serving:
                    listening(await serving.start(partial(_serve, registry, service, stopping)))
            nursery.cancel_scope.cancel()
    return INTERRUPTED if all_of_it.cancelled_caught else 0


async def _serve(
    registry: Registry,
    service: Service,
    stopping: trio.Event,
    task_status: "trio.TaskStatus[Place]" = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve_admin(
        registry,
        host=service.host,
        port=service.port,
        key=service.key,
        without_key=service.without_key,
        stop=stopping.wait,
        task_status=task_status,
    )


async def _obey(
    signals: AsyncIterator[int], stopping: trio.Event, registry: Registry, all_of_it: trio.CancelScope
) -> None:
    async for _ in signals:
        if stopping.is_set():
            all_of_it.cancel()
            registry.abandon()
        stopping.set()
