"""The three places where leases are kept, each with a way to let time pass in it."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from lifecycle.registry import Leases, MemoryLeases, SqliteLeases

from .redis_server import MISSING, PROGRAM, RedisServer, redis, redis_of_module

__all__ = ["redis", "redis_of_module"]

KINDS = [
    "memory",
    "sqlite",
    pytest.param("redis", marks=pytest.mark.skipif(PROGRAM is None, reason=MISSING)),
]


@attrs.define
class Place:
    """A place of leases for one test.

    Attributes:
        kind: memory, sqlite or redis.
        make: makes leases that are kept there; again, they are of another process that counts there too.
        unit: seconds that are a while there.
        now: the clock; None if it is the place's own.
    """

    kind: str
    make: Callable[..., Leases]
    unit: float
    now: float | None

    async def passes(self, units: float) -> None:
        """So much time passes."""
        if self.now is None:
            await trio.sleep(units * self.unit)
        else:
            self.now += units * self.unit


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each place in turn, empty."""
    return place_of_kind(request.param, tmp_path, request)


def place_of_kind(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """A place of one kind, in a folder of its own."""
    if kind == "redis":
        from lifecycle.registry import RedisLeases  # a library that not everybody has

        server: RedisServer = request.getfixturevalue("redis")
        return Place(kind, lambda name="sessions": RedisLeases(server.url, name=name), 0.5, None)
    place = Place(kind, MemoryLeases, 100.0, 1000.0)
    if kind == "sqlite":
        path = str(folder / "leases.db")
        place.make = lambda name="sessions": SqliteLeases(path, name=name, clock=lambda: place.now, timeout=30.0)
    else:
        memories: dict[str, MemoryLeases] = {}
        place.make = lambda name="sessions": memories.setdefault(name, MemoryLeases(clock=lambda: place.now))
    return place
