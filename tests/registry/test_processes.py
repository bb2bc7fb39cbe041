"""Many processes and one place: never more sessions than slots, whoever is killed, stopped, or told another time.

The owners are processes of their own (owner.py), eight of them, on a file of SQLite and on a real redis-server.
"""

import contextlib
import math
import random
import re
import signal
import sqlite3
import time

import pytest
import trio

from .crew import PATIENCE, Gone, crew_at, until
from .redis_server import RedisServer, needs_redis

OWNERS = 8
CAPACITY = 5
LENGTH = 3.0
LONG = 30.0
IMPATIENT = 1.0
SEED = 1729
KEEPS = ("--appendonly", "yes", "--appendfsync", "always")
PLACES = ["sqlite", pytest.param("redis", marks=needs_redis)]

pytestmark = pytest.mark.real_time(limit=300)


class Sqlite:
    """A place that can be stopped: while somebody writes, nobody else does."""

    def __init__(self, path):
        self.url, self._path = f"sqlite:{path}", path
        self._writer = None

    def pause(self):
        self._writer = sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE)
        self._writer.execute("BEGIN IMMEDIATE")

    def resume(self):
        self._writer.execute("ROLLBACK")
        self._writer.close()


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    """A place for processes."""
    if request.param == "sqlite":
        yield Sqlite(tmp_path / "sessions.db")
    else:
        with RedisServer(tmp_path / "redis", *KEEPS) as server:
            yield server


@pytest.fixture
def redis(tmp_path):
    """A real redis-server that forgets nothing."""
    with RedisServer(tmp_path / "redis", *KEEPS) as server:
        yield server


def starts(crew, each):
    """As many starts for each owner, of ids that nobody else has."""
    return [(owner, "start", {"id": f"{owner.name}-{number}"}) for number in range(each) for owner in crew.owners]


async def all_at_once(crew, each=6):
    """Everybody starts at once: exactly as many are active as there are slots, and nothing is begun for the others."""
    before = len(crew.rows("begin"))
    asked = starts(crew, each)
    told = await crew.together(asked)
    active = [(owner, more["id"]) for (owner, _, more), one in zip(asked, told, strict=True) if "generation" in one]
    refused = [one for one in told if "generation" not in one]
    assert len(active) == CAPACITY, told
    assert {one.get("refused") for one in refused} == {4002}, told
    assert len(refused) == len(asked) - CAPACITY
    assert all("concurrency over limit" in one["said"] for one in refused)
    assert len(crew.rows("begin")) - before == CAPACITY
    return active


async def leave_all(crew, active):
    """Everybody leaves, and all slots are free."""
    told = await crew.together([(owner, "leave", {"id": id}) for owner, id in active])
    assert all(one == {"left": True} for one in told), told
    assert await crew.leases.count() == 0


async def test_exactly_as_many_as_there_are_slots(place, tmp_path):
    """Of 48 starts at once by 8 processes 5 are active and 43 refused with 4002 before anything is begun; and again."""
    async with crew_at(place.url, tmp_path, capacity=CAPACITY, length=LONG) as crew:
        await crew.hire(OWNERS)
        for _ in range(3):
            active = await all_at_once(crew)
            assert await crew.leases.count() == CAPACITY
            await leave_all(crew, active)
        begun, _ = crew.check()
    assert begun == 3 * CAPACITY


class Churn:
    """Owners that start sessions and leave them, again and again; some starts fail, some are given up."""

    def __init__(self, crew, nursery):
        self.crew, self.nursery = crew, nursery
        self.told, self._going, self._over = [], 0, trio.Event()

    def join(self, owners):
        """Let owners do it until they are calm or gone."""
        for owner in owners:
            self._going += 1
            self.nursery.start_soon(self._go, owner)

    async def goes_on(self, more=15):
        """Wait until so many more upstreams have begun."""
        before = await self.crew.written("begin")
        await until(lambda: self.crew.written("begin"), lambda begun: begun >= before + more)

    async def calm(self):
        """Let everybody end what they do, and wait until all slots are free."""
        await self.crew.together([(owner, "calm", {}) for owner in self.crew.owners])
        await self._over.wait()
        await until(self.crew.held, lambda held: held == 0)

    async def _go(self, owner):
        with contextlib.suppress(Gone):  # we have killed it
            self.told.append(await owner.ask("churn", patience=math.inf, fails=0.1))
        self._going -= 1
        if not self._going:
            self._over.set()


async def test_owners_are_killed_at_random(place, tmp_path):
    """Killed in the midst of starting and leaving, owners leave nothing behind: all slots come back, none twice."""
    chance = random.Random(SEED)
    async with crew_at(place.url, tmp_path, capacity=CAPACITY, length=LENGTH) as crew, trio.open_nursery() as nursery:
        await crew.hire(OWNERS)
        churn = Churn(crew, nursery)
        churn.join(crew.owners)
        for _ in range(3):
            await churn.goes_on()
            for owner in chance.sample(crew.owners, 2):
                await crew.lose(owner)
            churn.join(await crew.hire(2))
        await churn.goes_on()
        await churn.calm()
        active = await all_at_once(crew, each=2)
        holder = active[0][0]
        await crew.lose(holder)
        kept = [(owner, id) for owner, id in active if owner is not holder]
        others = [
            (owner, "start", {"id": f"late-{number}", "wait": PATIENCE})
            for number, owner in zip(range(CAPACITY - len(kept)), crew.owners, strict=False)
        ]
        told = await crew.together(others)  # they wait until the dead one's leases have run out
        assert all("generation" in one for one in told), told
        assert await crew.leases.count() == CAPACITY
        _, counted = crew.check()
    assert counted > CAPACITY  # the others had no time to run


async def test_an_owner_that_was_stopped_and_dates_that_were_moved(place, tmp_path):
    """Who comes back after his lease ended finds it taken, and takes nothing from the new one. Dates change nothing."""
    async with crew_at(place.url, tmp_path, capacity=2, length=LENGTH) as crew:
        frozen, early, late = await crew.hire(3)
        old = await frozen.ask("start", id="one")
        there = await early.ask("start", id="two")
        assert (await late.ask("start", id="one"))["refused"] == 4004
        for owner, ahead in ((early, -3600.0), (late, 3600.0)):
            moved = await owner.ask("date", ahead=ahead)
            assert abs(moved["date"] - time.time() - ahead) < 600
        assert (await late.ask("start", id="three"))["refused"] == 4002
        frozen.process.send_signal(signal.SIGSTOP)
        new = await until(lambda: late.ask("start", id="one"), lambda told: told.get("refused") != 4004)
        assert new["generation"] > there["generation"] > old["generation"]
        frozen.process.send_signal(signal.SIGCONT)
        await until(lambda: frozen.ask("status", id="one"), lambda told: told["status"] is None)
        assert [row["generation"] for row in crew.rows("stop")] == [old["generation"]]
        assert await late.ask("status", id="one") == {"status": "active", **new}
        assert await early.ask("status", id="two") == {"status": "active", **there}
        assert [lease.generation for lease in await crew.leases.list()] == [there["generation"], new["generation"]]
        assert (await frozen.ask("start", id="three"))["refused"] == 4002
        crew.check()


async def test_a_place_that_is_stopped_in_mid_run(place, tmp_path):
    """A place that says nothing: whoever cannot renew stops by itself, what is told is clear, and then it goes on."""
    async with (
        crew_at(place.url, tmp_path, capacity=CAPACITY, length=LENGTH, patience=IMPATIENT) as crew,
        trio.open_nursery() as nursery,
    ):
        await crew.hire(OWNERS)
        active = await all_at_once(crew, each=2)
        place.pause()
        await until(lambda: crew.written("stop"), lambda stopped: stopped == len(active))
        churn = Churn(crew, nursery)
        churn.join(crew.owners)
        await trio.sleep(2 * IMPATIENT)
        place.resume()
        await churn.goes_on()
        await churn.calm()
        said = troubles(churn)
        await leave_all(crew, await all_at_once(crew, each=2))
        crew.check()
    assert said
    assert all(one.startswith(f"{crew.leases.place} is not available: ") for one in said), said
    assert any("not answer within" in one or "not our turn in time" in one for one in said), said


@needs_redis
async def test_a_redis_that_is_killed_and_started_again(redis, tmp_path):
    """It keeps what it has granted; until those who might have been forgotten have stopped, it says how long to wait."""
    async with (
        crew_at(redis.url, tmp_path, capacity=CAPACITY, length=LENGTH, patience=IMPATIENT) as crew,
        trio.open_nursery() as nursery,
    ):
        await crew.hire(OWNERS)
        churn = Churn(crew, nursery)
        churn.join(crew.owners)
        for _ in range(2):
            await churn.goes_on()
            await trio.to_thread.run_sync(redis.restart)
        await churn.goes_on()
        await churn.calm()
        said = troubles(churn)
        await leave_all(crew, await all_at_once(crew, each=2))
        crew.check()
    assert said
    assert all(one.startswith(f"{redis.url} is not available: ") for one in said), said
    assert any(re.search(r": wait \d seconds$", one) for one in said), said


def troubles(churn):
    """What was told of the place while it was not to be had."""
    return sorted({one for told in churn.told for one in told["said"]})
