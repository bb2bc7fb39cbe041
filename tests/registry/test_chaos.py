"""Registries through bad luck: random starts, cancellations, failures, silences and freezes never count wrong."""

import os
import random

import pytest
import trio

from lifecycle.errors import CallFailed, LifecycleError
from lifecycle.registry import MemoryLeases, NoCapacity, Registry, SqliteLeases

from .upstream import Flaky, Upstream

CAPACITY = 3
SEEDS = range(1000 if os.environ.get("LIFECYCLE_NIGHTLY") else 8)
PARAMETERS = {"lease_length": "30 s", "start_timeout": "6 s", "idle_after": "20 s", "reap_after": "40 s"}


class Luck:
    """What happens to the sessions of one run, by its dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.memory = MemoryLeases()
        self.upstreams: list[Upstream] = []
        self.places: list[Flaky] = []
        self.most = 0

    async def begin(self, upstream: Upstream, lease) -> None:
        upstream.takes = self.dice.choice([0.0, 0.5, 2.0, 9.0])
        await upstream.begin(lease)
        self.most = max(self.most, sum(len(each.running) for each in self.upstreams))
        if self.dice.random() < 0.2:
            raise CallFailed("4003")

    async def owner(self, number: int) -> None:
        """One registry and those who use it."""
        upstream, place = Upstream(), Flaky()
        place.leases = self.memory
        self.upstreams.append(upstream)
        self.places.append(place)

        async def begin(lease) -> None:
            await self.begin(upstream, lease)

        async with (
            Registry(place, capacity=CAPACITY, begin=begin, stop=upstream.stop, parameters=PARAMETERS) as registry,
            trio.open_nursery() as nursery,
        ):
            for user in range(4):
                nursery.start_soon(self.user, registry, number, user)
            for _ in range(20):
                await trio.sleep(self.dice.uniform(1, 10))
                place.slow = self.dice.choice([0.0, 0.0, 0.3, 2.0])
                place.down = self.dice.random() < 0.15
                place.mute = self.dice.random() < 0.1
            place.down = place.mute = False
            place.slow = 0.0

    async def user(self, registry: Registry, owner: int, number: int) -> None:
        for turn in range(15):
            id = self.dice.choice(["shared", f"{owner}-{number}", f"{owner}-{number}-{turn}"])
            with trio.move_on_after(self.dice.choice([0.2, 3.0, 100.0])):
                try:
                    session = await registry.start(id, wait=self.dice.choice([0.0, 5.0]))
                    for _ in range(self.dice.randrange(4)):
                        await trio.sleep(self.dice.uniform(0, 15))
                        session.touch()
                    what = self.dice.randrange(4)
                    if what == 0:
                        await session.leave()
                    elif what == 1:
                        session.lost("bad luck")
                    # what another owner has would go on till he renews
                    elif what == 2 and session.status in ("active", "idle"):
                        await registry.leave(id)
                except LifecycleError:
                    await trio.sleep(self.dice.uniform(0, 5))

    async def observe(self) -> None:
        while True:
            assert await self.memory.count() <= CAPACITY
            await trio.sleep(0.1)


@pytest.mark.parametrize("seed", SEEDS)
async def test_bad_luck_never_counts_wrong(seed):
    """No more are granted or begun than there are slots, at no instant; at the end all of them are back, and all is stopped."""
    luck = Luck(seed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(luck.observe)
        async with trio.open_nursery() as owners:
            for number in range(3):
                owners.start_soon(luck.owner, number)
        assert luck.most <= CAPACITY
        assert luck.most > 0
        assert [sorted(each.running) for each in luck.upstreams] == [[], [], []]
        await trio.sleep(31)
        assert await luck.memory.count() == 0
        nursery.cancel_scope.cancel()


@pytest.mark.real_time
async def test_registries_of_every_place_count_together(place):
    """Three of them, twelve starts at once, and three slots; as many again when those have left."""
    upstream, refused = Upstream(takes=0.0), []
    async with place.make() as one, place.make() as two, place.make() as three:
        more = {"capacity": CAPACITY, "begin": upstream.begin, "stop": upstream.stop}
        async with Registry(one, **more) as a, Registry(two, **more) as b, Registry(three, **more) as c:
            for turn in range(3):

                async def start(registry: Registry, id: str) -> None:
                    try:
                        await registry.start(id)
                    except NoCapacity:
                        refused.append(id)

                async with trio.open_nursery() as nursery:
                    for number in range(12):
                        nursery.start_soon(start, (a, b, c)[number % 3], f"{turn}-{number}")
                assert (len(await a.list()), len(refused), len(upstream.running)) == (3, 9 * (turn + 1), 3)
                assert (await c.clear()).before == 3
                for registry in (a, b, c):
                    for lease in list(registry._sessions):
                        await lease.leave()
                assert (await b.health()).active == 0
    assert upstream.most == 3


@pytest.mark.real_time
async def test_a_waiting_start_of_another_handle_is_granted_what_comes_back(tmp_path):
    """Through a file, as with another process."""
    path = str(tmp_path / "leases.db")
    async with (
        SqliteLeases(path) as one,
        SqliteLeases(path) as two,
        Registry(one, capacity=1) as ours,
        Registry(two, capacity=1) as theirs,
        trio.open_nursery() as nursery,
    ):
        session = await theirs.start("a")
        nursery.start_soon(session.leave)
        assert (await ours.start("b", wait=50)).status == "active"
