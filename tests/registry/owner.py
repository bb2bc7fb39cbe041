"""A process that owns sessions: it does what it is told by lines of JSON, and writes down what it has upstream.

    python owner.py PLACE EVENTS CAPACITY LENGTH TIMEOUT NAME

Each line has `n`, by which its answer is known, and `do`. To EVENTS it appends, by the clock that all processes of the
machine share, when an upstream begins and ends, and when this process got no time to run. It ends with its stdin.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from functools import partial

import trio

from lifecycle.errors import CallFailed
from lifecycle.registry import LeasesUnavailable, Registry, StartRefused
from lifecycle.registry.place import place_of
from lifecycle.registry.redis import RedisLeases
from lifecycle.registry.sqlite_leases import SqliteLeases
from lifecycle.registry.start_failed import StartFailed

TICK, STARVED = 0.05, 0.5

_time, _time_ns, _clock_gettime = time.time, time.time_ns, time.clock_gettime


def move_the_date(ahead):
    """From now on this process believes that it is so much later; clocks that nobody sets go on."""
    time.time = lambda: _time() + ahead
    time.time_ns = lambda: _time_ns() + int(ahead * 1e9)
    time.clock_gettime = lambda clock: _clock_gettime(clock) + (ahead if clock == time.CLOCK_REALTIME else 0.0)


def leases_of(place, timeout):
    """The place, with as much patience."""
    kind, _, path = place.partition(":")
    if kind == "sqlite":
        return SqliteLeases(path, timeout=timeout)
    return RedisLeases(place, timeout=timeout) if kind == "redis" else place_of(place)


class Owner:
    """One process's sessions, and what it knows of them."""

    def __init__(self, events, name):
        self.events = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.name = name
        self.chance = random.Random(name)
        self.fails = 0.0
        self.churning = False
        self.counts = Counter()
        self.registry = None

    def note(self, what, **more):
        """Write a line, whole, that stays though we are killed."""
        row = {"owner": os.getpid(), "what": what, "at": time.monotonic(), **more}
        os.write(self.events, f"{json.dumps(row)}\n".encode())

    async def begin(self, lease):
        self.note("begin", id=lease.id, generation=lease.generation)
        await trio.sleep(self.chance.uniform(0, 0.01))
        if self.chance.random() < self.fails:
            raise CallFailed("5002", "no free instance")

    async def stop(self, lease):
        await trio.sleep(self.chance.uniform(0, 0.01))
        self.note("stop", id=lease.id, generation=lease.generation)

    async def start(self, id, wait=0.0):
        """Start a session; what came of it."""
        try:
            session = await self.registry.start(id, wait=wait)
        except StartRefused as refusal:
            self.counts[f"refused {refusal.code}"] += 1
            return {"refused": refusal.code, "said": str(refusal)}
        except StartFailed as failure:
            self.counts["failed"] += 1
            return {"failed": str(failure.code), "said": str(failure)}
        except LeasesUnavailable as trouble:
            self.counts["unavailable"] += 1
            return {"unavailable": str(trouble)}
        self.counts["started"] += 1
        return {"generation": session.generation}

    async def leave(self, id):
        """End a session."""
        try:
            return {"left": await self.registry.leave(id)}
        except LeasesUnavailable as trouble:
            return {"unavailable": str(trouble)}

    async def status(self, id):
        """How a session is."""
        session = self.registry.get(id)
        return {"status": None if session is None else session.status, "generation": session and session.generation}

    async def date(self, ahead):
        """Move the date of this process."""
        move_the_date(ahead)
        return {"date": time.time()}

    async def churn(self, fails=0.0, tasks=3):
        """Start sessions and leave them again, until told to be calm; what went wrong meanwhile, in words."""
        self.churning, self.fails, said = True, fails, Counter()

        async def life(number):
            while self.churning:
                id = f"{self.name}-{number}-{self.chance.randrange(3)}"
                told = {}
                with trio.move_on_after(self.chance.choice((0.02, 5.0, 5.0, 5.0))):  # some give up on the way
                    told = await self.start(id, wait=self.chance.choice((0.0, 0.5)))
                if "unavailable" in told:
                    said[told["unavailable"]] += 1
                if "generation" in told:
                    # some are held for as long as it takes to be renewed, or not to be
                    await trio.sleep(self.chance.uniform(0, 0.1 if self.chance.random() < 0.95 else 4.0))
                    await self.leave(id)
                await trio.sleep(self.chance.uniform(0.005, 0.05))

        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(life, number)
        self.fails = 0.0
        return {"counts": self.counts, "said": said}

    async def calm(self):
        """End the churn."""
        self.churning = False
        return {}

    async def watch_time(self):
        """Note when this process was not run for so long that it might as well have been stopped."""
        last = time.monotonic()
        while True:
            await trio.sleep(TICK)
            now = time.monotonic()
            if now - last > STARVED:
                self.note("starved", since=last)
            last = now


async def main(place, events, *terms):
    """Answer, one task a line."""
    capacity, length, patience, name = terms
    owner = Owner(events, name)
    async with leases_of(place, float(patience)) as leases, trio.open_nursery() as nursery:
        parameters = {
            "lease_length": float(length),
            "reserve_timeout": float(patience) + 1,
            "cooldown": 0.01,
            "release_retry": {"first": 0.1, "max": 0.5},
        }
        registry = Registry(
            leases, capacity=int(capacity), begin=owner.begin, stop=owner.stop, parameters=parameters, owner=name
        )
        nursery.start_soon(owner.watch_time)
        async with registry:
            owner.registry = registry

            async def answer(n, do, **more):
                told = await getattr(owner, do)(**more)
                os.write(1, f"{json.dumps({'n': n, **told})}\n".encode())

            os.write(1, b'{"n": 0}\n')
            rest = b""
            async for data in trio.lowlevel.FdStream(os.dup(0)):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    nursery.start_soon(partial(answer, **json.loads(line)))
    os._exit(0)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
