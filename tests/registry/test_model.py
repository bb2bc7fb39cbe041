"""The same random operations on every place of leases, and on a model of a few lines: all of them agree."""

import itertools
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.registry import (
    AlreadyHeld,
    CoolingDown,
    LeaseLost,
    Leases,
    MemoryLeases,
    NoCapacity,
    SqliteLeases,
    Terms,
)

from .redis_server import PROGRAM, RedisServer

NAMES = itertools.count(1)
FOREVER = 1_000_000.0

ids = st.sampled_from(["a", "b", "c"])
tickets = st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6"])
terms = st.builds(
    Terms,
    capacity=st.integers(1, 3),
    length=st.sampled_from([10.0, 20.0, FOREVER]),
    allowed=st.integers(1, 2),
    replace=st.booleans(),
)
operations = st.one_of(
    st.tuples(st.just("reserve"), ids, tickets, terms),
    st.tuples(st.just("reserve"), ids, tickets, terms),
    st.tuples(
        st.just("renew"), ids, tickets, st.sampled_from([10.0, FOREVER]), st.sampled_from([None, "active", "idle"])
    ),
    st.tuples(st.just("release"), ids, tickets, st.sampled_from([0.0, 0.0, 15.0])),
    st.tuples(st.just("revoke"), ids, st.integers(1, 6)),
    st.tuples(st.just("passes"), st.sampled_from([1.0, 9.0, 11.0])),
)


@attrs.define
class Held:
    id: str
    ticket: str
    generation: int
    until: float
    status: str = "pending"


class Model:
    """What a place of leases is, as short as it can be said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.granted = 0
        self.held: list[Held] = []
        self.gone: set[str] = set()
        self.cooling: dict[str, float] = {}

    def passes(self, seconds: float) -> str:
        self.now += seconds
        self.held = [each for each in self.held if each.until > self.now]
        self.cooling = {id: until for id, until in self.cooling.items() if until > self.now}
        return "passed"

    def reserve(self, id: str, ticket: str, terms: Terms) -> object:
        if (mine := self._of(ticket)) is not None:
            return mine.generation
        if ticket in self.gone:
            return "lost"
        if id in self.cooling:
            return "cooling", self.cooling[id] - self.now
        own = [each for each in self.held if each.id == id]
        goes = len(own) >= terms.allowed
        if goes and not terms.replace:
            return "held", own[0].status == "pending"
        if len(self.held) - goes >= terms.capacity:
            return "full"
        if goes:
            self._take(own[0])
        self.granted += 1
        self.held.append(Held(id, ticket, self.granted, self.now + terms.length))
        return self.granted

    def renew(self, id: str, ticket: str, length: float, status: str | None) -> object:
        found = self._of(ticket)
        if found is None or found.id != id:
            return "lost"
        found.until, found.status = self.now + length, status or found.status
        return found.generation

    def release(self, id: str, ticket: str, cooldown: float) -> bool:
        found = self._of(ticket)
        if found is not None and found.id != id:
            return False
        self.gone.add(ticket)
        if found is None:
            return False
        self._take(found)
        if cooldown:
            self.cooling[id] = max(self.cooling.get(id, 0.0), self.now + cooldown)
        return True

    def revoke(self, id: str, generation: int) -> bool:
        found = [each for each in self.held if (each.id, each.generation) == (id, generation)]
        for each in found:
            self._take(each)
        return bool(found)

    def _of(self, ticket: str) -> Held | None:
        return next((each for each in self.held if each.ticket == ticket), None)

    def _take(self, lease: Held) -> None:
        self.held.remove(lease)
        self.gone.add(lease.ticket)


class Real:
    """A place, told the same as the model; its generations are counted as the model does."""

    def __init__(self, kind: str, leases: Leases, clock: "Clock") -> None:
        self.kind, self.leases, self.clock = kind, leases, clock
        self.order: list[int] = []

    async def do(self, name: str, *arguments) -> object:
        try:
            return await getattr(self, f"_{name}")(*arguments)
        except LeaseLost:
            return "lost"
        except CoolingDown as refusal:
            return "cooling", pytest.approx(refusal.retry_after, abs=0.01 if self.kind != "redis" else 60)
        except AlreadyHeld as refusal:
            return "held", refusal.pending
        except NoCapacity:
            return "full"

    async def _passes(self, seconds: float) -> str:
        await trio.lowlevel.checkpoint()
        return "passed"

    async def _reserve(self, id: str, ticket: str, terms: Terms) -> int:
        lease = await self.leases.reserve(id, ticket, "somebody", terms)
        if lease.generation not in self.order:
            assert lease.generation > max(self.order, default=0)
            self.order.append(lease.generation)
        return self.order.index(lease.generation) + 1

    async def _renew(self, id: str, ticket: str, length: float, status) -> int:
        lease = await self.leases.renew(id, ticket, length, status=status)
        return self.order.index(lease.generation) + 1

    async def _release(self, id: str, ticket: str, cooldown: float) -> bool:
        return await self.leases.release(id, ticket, cooldown=cooldown)

    async def _revoke(self, id: str, generation: int) -> bool:
        known = self.order[generation - 1] if generation <= len(self.order) else 10**18
        return await self.leases.revoke(id, known)

    async def state(self) -> tuple[object, ...]:
        listed = [(each.id, self.order.index(each.generation) + 1, each.status) for each in await self.leases.list()]
        cooling = {id for id in "abc" if await self.leases.cooling(id) > 0}
        return listed, await self.leases.count(), cooling


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


def agree(operations: list[tuple], folder: Path, server: RedisServer | None) -> None:
    """Do the operations everywhere, and compare what each answers and what is there afterwards."""

    async def main() -> None:
        clock, name = Clock(), f"run{next(NAMES)}"
        kinds: dict[str, Leases] = {
            "memory": MemoryLeases(clock=clock),
            "sqlite": SqliteLeases(str(folder / "leases.db"), name=name, clock=clock, timeout=30.0),
        }
        if server is not None and not any(name == "passes" for name, *_ in operations):  # its clock is its own
            from lifecycle.registry import RedisLeases

            kinds["redis"] = RedisLeases(server.url, name=name, timeout=30.0)
        for kind, leases in kinds.items():
            await play(Real(kind, leases, clock), operations)

    async def play(real: Real, operations: list[tuple]) -> None:
        model, real.clock.now = Model(), 5_000.0
        async with real.leases:
            for done, (name, *arguments) in enumerate(operations):
                expected = getattr(model, name)(*arguments)
                if name == "passes":
                    real.clock.now += arguments[0]
                where = f"{real.kind}, after {operations[: done + 1]}"
                assert await real.do(name, *arguments) == expected, where
                there = [(each.id, each.generation, each.status) for each in model.held]
                assert await real.state() == (there, len(there), set(model.cooling)), where

    trio.run(main)


@settings(max_examples=60)
@given(st.lists(operations, min_size=4, max_size=25))
def test_places_agree_with_the_model_while_time_passes(tmp_path_factory, operations):
    """Leases in memory and in SQLite do what the model does, whatever is asked of them and whenever."""
    agree(operations, tmp_path_factory.getbasetemp(), None)


@pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")
@settings(max_examples=30)
@given(operations=st.lists(operations.filter(lambda each: each[0] != "passes"), min_size=4, max_size=25))
def test_all_places_agree_with_the_model(tmp_path_factory, redis_of_module, operations):
    """With Redis, whose time nobody sets: leases that are long enough for the test, and the same answers."""
    long = [_lasting(*operation) for operation in operations]
    agree(long, tmp_path_factory.getbasetemp(), redis_of_module)


def _lasting(name: str, *arguments) -> tuple:
    """The same operation, with lengths that do not end before the test."""
    if name == "reserve":
        id, ticket, wanted = arguments
        return name, id, ticket, attrs.evolve(wanted, length=FOREVER)
    if name == "renew":
        id, ticket, _, status = arguments
        return name, id, ticket, FOREVER, status
    if name == "release":
        id, ticket, cooldown = arguments
        return name, id, ticket, cooldown * 1000
    return (name, *arguments)
