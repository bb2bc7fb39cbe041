"""The three stores of events, each as a function that opens one more on the same place."""

import pytest

from lifecycle.systems.openhands import MemoryEventStore, RedisEventStore, SqliteEventStore

from ...registry.redis_server import redis, redis_of_module  # noqa: F401, TID252 -- fixtures; tests are no package


@pytest.fixture(params=["memory", "sqlite", "redis"])
def place(request, tmp_path):
    """Where the events are; in memory, all who open it have the same object."""
    if request.param == "memory":
        store = MemoryEventStore()
        return lambda: store
    return _shared(request, tmp_path)


@pytest.fixture(params=["sqlite", "redis"])
def shared_place(request, tmp_path):
    """Where several processes may have them."""
    return _shared(request, tmp_path)


def _shared(request, tmp_path):
    if request.param == "sqlite":
        return lambda: SqliteEventStore(tmp_path / "events.db")
    server = request.getfixturevalue("redis")
    return lambda: RedisEventStore(server.url)
