"""What counting sessions costs: slots taken and given back, many leases listed, and eight processes at once.

Law: each backend is as it is shipped: the file on the disk of the temporary folder, and a redis-server on the loopback
that keeps nothing. Without redis-server its cases are left out, which is said.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trio

from lifecycle.registry import Leases, place_of
from tests.registry.redis_server import MISSING, PROGRAM, RedisServer

from .fleet import say
from .leasers import TERMS, one
from .rounds import Cases, told

ROUNDS = 3
SECONDS = 1.0
TASKS = 32
SESSIONS = 10_000
PAGE = 100
PROCESSES = 8
_ROUND = "grants and releases"


def registry(rounds: int = ROUNDS) -> Cases:
    """Grants and releases a second, 10,000 sessions listed, and the latency of 8 processes, for each backend."""
    cases: Cases = {}
    with _places() as places:
        found: dict[str, dict[str, list[float]]] = {}
        for kind, place in places.items():
            say(f"registry: {kind}")
            for what, values in trio.run(_measure, place, rounds).items():
                found.setdefault(what, {})[f"{what}: {kind}"] = values
        for kind, place in places.items():
            if kind != "memory":
                say(f"registry: {PROCESSES} processes, {kind}")
                for what, values in _together(place, rounds).items():
                    found.setdefault(what, {})[f"{what}: {kind}"] = values
    for what, values in found.items():
        unit = "ms" if "median" in what or "99" in what else "s" if "listed" in what else "/s"
        cases |= told(values, unit, 1)
    return cases


@contextlib.contextmanager
def _places() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        places = {"memory": "memory", "sqlite": f"sqlite:{folder}/sessions.db"}
        if PROGRAM is None:
            say(f"registry: {MISSING}")
        else:
            places["redis"] = stack.enter_context(RedisServer(Path(folder) / "redis")).url
        yield places


async def _measure(place: str, rounds: int) -> dict[str, list[float]]:
    async with place_of(place) as leases:
        alone = await _rates(rounds, lambda until: _until(until, leases, "one"))
        many = await _rates(rounds, lambda until: _tasks(until, leases))
        began = time.perf_counter()
        for number in range(SESSIONS):
            await leases.reserve(f"{number}", f"ticket {number}", "benchmark", TERMS)
        filled = SESSIONS / (time.perf_counter() - began)
        listed = [await _listed(leases) for _ in range(rounds)]
    return {
        f"{_ROUND}, one after the other": alone,
        f"{_ROUND}, {TASKS} tasks": many,
        f"grants, until {SESSIONS:,} are held": [filled],
        f"{SESSIONS:,} sessions listed in pages of {PAGE}": listed,
    }


async def _rates(rounds: int, run: Callable[[float], Awaitable[int]]) -> list[float]:
    rates = []
    for _ in range(rounds):
        began = trio.current_time()
        done = await run(began + SECONDS)
        rates.append(done / (trio.current_time() - began))
    return rates


async def _until(until: float, leases: Leases, id: str) -> int:
    done = 0
    while trio.current_time() < until:
        await one(leases, id)
        done += 1
    return done


async def _tasks(until: float, leases: Leases) -> int:
    done: list[int] = []

    async def task(id: str) -> None:
        done.append(await _until(until, leases, id))

    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(task, f"task {number}")
    return sum(done)


async def _listed(leases: Leases) -> float:
    began, after, count = time.perf_counter(), 0, 0
    while page := await leases.list(after, PAGE):
        after, count = page[-1].generation, count + len(page)
    assert count == SESSIONS, count
    return time.perf_counter() - began


def _together(place: str, rounds: int) -> dict[str, list[float]]:
    """Eight processes do it at once; latencies of all of them."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("leasers.py")), place]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            )
            for _ in range(PROCESSES)
        ]
        for child in children:
            stack.callback(child.kill)
        for child in children:
            assert _line(child).strip() == "ready"
        rows = [_ask(children) for _ in range(rounds)]
    return {
        f"{_ROUND}, {PROCESSES} processes": [len(took) / SECONDS for took in rows],
        f"{_ROUND}, {PROCESSES} processes, median": [statistics.median(took) for took in rows],
        f"{_ROUND}, {PROCESSES} processes, 99 of 100 within": [statistics.quantiles(took, n=100)[98] for took in rows],
    }


def _ask(children: "list[subprocess.Popen[str]]") -> list[float]:
    for child in children:
        assert child.stdin is not None
        child.stdin.write(f"{SECONDS}\n")
        child.stdin.flush()
    return [each for child in children for each in json.loads(_line(child))]


def _line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline()
