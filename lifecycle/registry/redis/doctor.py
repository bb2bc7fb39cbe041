"""Look at a Redis: whether it can be reached, how fast it is, and whether it keeps the leases that it has granted.

Law: a bound for each answer and for all, and what was found instead of an exception. It is asked by the way that
leases go, and what is asked changes nothing. Of the URL, in which a password may stand, only the place is shown.
"""

import logging
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Final

import trio

from lifecycle.observe.diagnosis import Diagnosis
from lifecycle.registry.refusal import LeasesUnavailable
from lifecycle.trio.doctor import LIMIT, judge_clock

from .address import Address, address
from .server import Script, Server

_PINGS: Final = 5
_SLOW: Final = 0.1
_LEAST: Final = (6, 2)
_TIME: Final = Script("return redis.call('TIME')")


def look_at_redis(url: str, limit: float = LIMIT) -> list[Diagnosis]:
    """Look at a Redis or Valkey.

    Args:
        url: `redis://` or `rediss://`.
        limit: seconds that an answer may take; all of them, twice as long.

    Raises:
        ModuleNotFoundError: the extra `redis` is not installed.
        ValueError: the URL is none; the sentence does not show it.
    """
    # what it says of a connection that is not to be had is found anyway, and no traceback for the terminal
    logging.getLogger("coredis").addHandler(logging.NullHandler())
    return trio.run(_look, address(url), limit)


async def _look(where: Address, limit: float) -> list[Diagnosis]:
    found: list[Diagnosis] = []
    with trio.move_on_after(2 * limit) as scope:
        async with Server(where, timeout=limit, fail=LeasesUnavailable) as server:
            try:
                await _ask(server, found)
            except LeasesUnavailable as trouble:
                advice = "look at host and port, whether redis-server runs there, and at user and password in the URL"
                found.append(Diagnosis("redis", "fail", str(trouble), advice))
    if scope.cancelled_caught:
        said = f"{where.place} did not tell everything within {2 * limit:g} s"
        found.append(Diagnosis("redis", "fail", said, "it may be stopped, or busy with a long command or a save"))
    return found


async def _ask(server: Server, found: list[Diagnosis]) -> None:
    info = _pairs(await server.call("INFO"))
    found.append(_version(server.place, info))
    found.append(await _latency(server))
    found.append(await _clock(server))
    try:
        sync = (await server.call("CONFIG", "GET", "appendfsync"))[b"appendfsync"].decode()
    except (LeasesUnavailable, LookupError):  # many that are hosted forbid it
        sync = ""
    found.extend(_keeps(info, sync))


def _pairs(text: bytes) -> dict[str, str]:
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _version(where: str, info: Mapping[str, str]) -> Diagnosis:
    name, version = ("valkey", info["valkey_version"]) if "valkey_version" in info else ("redis", info["redis_version"])
    found = f"{name} {version} at {where}"
    if info.get("role") == "slave":
        return Diagnosis("redis", "fail", f"{found}: a replica, which takes no writes", "name its primary in the URL")
    if tuple(int(part) for part in info["redis_version"].split(".")[:2]) < _LEAST:
        return Diagnosis("redis", "warn", f"{found}, older than what is tested", "use 6.2 or newer")
    return Diagnosis("redis", "ok", found)


async def _latency(server: Server) -> Diagnosis:
    took = []
    for _ in range(_PINGS):
        begun = trio.current_time()
        await server.call("PING")
        took.append(trio.current_time() - begun)
    middle = statistics.median(took)
    found = f"{middle * 1000:.2g} ms there and back, at worst {max(took) * 1000:.2g} ms"
    if middle <= _SLOW:
        return Diagnosis("redis latency", "ok", found)
    return Diagnosis("redis latency", "warn", found, "put it nearer to those who ask: every start of a session waits")


async def _clock(server: Server) -> Diagnosis:
    before = time.time()
    seconds, micros = await server.run(_TIME, ())
    half = (time.time() - before) / 2
    return judge_clock("redis clock", before + half - int(seconds) - int(micros) / 1e6, half)


def _keeps(info: Mapping[str, str], sync: str) -> Iterator[Diagnosis]:
    if not int(info.get("aof_enabled", 0)):
        yield Diagnosis(
            "redis persistence",
            "warn",
            "no append-only file: a restart ends all sessions that it counts, and none begins for one lease",
            "CONFIG SET appendonly yes, CONFIG SET appendfsync always, CONFIG REWRITE",
        )
    elif sync and sync != "always":
        yield Diagnosis(
            "redis persistence",
            "warn",
            f"appendonly yes, appendfsync {sync}: a crash ends the sessions that it has counted last",
            "CONFIG SET appendfsync always, CONFIG REWRITE",
        )
    else:
        yield Diagnosis("redis persistence", "ok", f"appendonly yes{f', appendfsync {sync}' if sync else ''}")
    policy, most = info.get("maxmemory_policy", ""), int(info.get("maxmemory", 0))
    bound = f"{policy}, maxmemory {most or 'without a bound'}"
    if policy == "noeviction":
        yield Diagnosis("redis memory", "ok", bound)
    else:
        yield Diagnosis(
            "redis memory",
            "fail" if most else "warn",
            f"{bound}: it may evict the leases; then all sessions end, and none begins for one lease",
            "CONFIG SET maxmemory-policy noeviction, CONFIG REWRITE",
        )
