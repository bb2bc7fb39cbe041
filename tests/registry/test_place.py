"""A place of leases, as it is written in settings."""

import pytest

from lifecycle.registry import MemoryLeases, SqliteLeases, place_of


def test_each_kind_has_its_leases(tmp_path):
    """Memory, a file with any path, and Redis where its library is."""
    assert isinstance(place_of("memory"), MemoryLeases)
    assert place_of("memory").place == "memory"
    leases = place_of(f"sqlite:{tmp_path}/a:b.db")
    assert isinstance(leases, SqliteLeases)
    assert leases.place == f"sqlite:{tmp_path}/a:b.db"


def test_redis_is_one_too():
    """Its place has no credentials in it."""
    pytest.importorskip("coredis", reason="the extra `redis` is not installed: pip install connection-lifecycle[redis]")
    leases = place_of("redis://:secret@localhost:6380/3")
    assert leases.place.endswith("localhost:6380/3")
    assert "secret" not in leases.place + repr(leases)


@pytest.mark.parametrize(
    "text", ["", "Memory", "sqlite", "sqlite:", "redis:", "redis://", "redis:localhost", "mysql://u:secret@h"]
)
def test_what_is_no_place_is_told(text):
    """With what to write instead, and without what may be a password."""
    with pytest.raises(ValueError, match="write memory, sqlite:PATH, redis://HOST:PORT/DATABASE") as error:
        place_of(text)
    assert "secret" not in str(error.value)
