"""An upstream that writes down what happens to it, and a place of leases that can be out of reach."""

from collections.abc import Sequence

import trio

from lifecycle.registry import Lease, Leases, LeasesUnavailable, MemoryLeases, Status, Terms


class Upstream:
    """What sessions are for, as `Registry(leases, begin=upstream.begin, stop=upstream.stop)`.

    Attributes:
        takes: seconds that beginning takes; stopping takes as long.
        running: generations of those that were begun and not stopped.
        most: how many there were at once, at most.
        stopped_at: when the last one had stopped.
        told: what happened, in order.
        fails: what beginning raises for an id, and stopping for `stop <id>`.
    """

    def __init__(self, takes: float = 1.0) -> None:
        self.takes = takes
        self.running: set[int] = set()
        self.most = 0
        self.told: list[str] = []
        self.stopped_at = 0.0
        self.fails: dict[str, Exception] = {}

    async def begin(self, lease: Lease) -> None:
        self.told.append(f"begin {lease.id}")
        self.running.add(lease.generation)
        self.most = max(self.most, len(self.running))
        await trio.sleep(self.takes)
        if lease.id in self.fails:
            raise self.fails[lease.id]

    async def stop(self, lease: Lease) -> None:
        self.told.append(f"stop {lease.id}")
        await trio.sleep(self.takes)
        self.running.discard(lease.generation)
        self.stopped_at = trio.current_time()
        if (error := self.fails.get(f"stop {lease.id}")) is not None:
            raise error


class Flaky(Leases):
    """Leases in memory, behind a network.

    Attributes:
        leases: those in memory.
        down: nothing arrives, and that is told at once.
        mute: what arrives is done, and its answer never comes.
        broken: the names of what does not arrive, likewise.
        slow: seconds until it arrives.
        asked: the names of what was asked.
    """

    def __init__(self) -> None:
        self.place = "far away"
        self.leases = MemoryLeases()
        self.down = self.mute = False
        self.broken: set[str] = set()
        self.slow = 0.0
        self.asked: list[str] = []

    async def _over(self, name: str, *arguments, **more):
        self.asked.append(name)
        await trio.sleep(self.slow)
        if self.down or name in self.broken:
            raise LeasesUnavailable(self.place, "nobody answers")
        with trio.CancelScope(shield=True):  # what has left is done
            answer = await getattr(self.leases, name)(*arguments, **more)
        if self.mute:
            await trio.sleep_forever()
        return answer

    async def reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        return await self._over("reserve", id, ticket, owner, terms)

    async def renew(
        self, id: str, ticket: str, length: float, *, status: Status | None = None, touched: bool = False
    ) -> Lease:
        return await self._over("renew", id, ticket, length, status=status, touched=touched)

    async def release(self, id: str, ticket: str, *, cooldown: float = 0.0) -> bool:
        return await self._over("release", id, ticket, cooldown=cooldown)

    async def revoke(self, id: str, generation: int) -> bool:
        return await self._over("revoke", id, generation)

    async def held(self, id: str) -> Sequence[Lease]:
        return await self._over("held", id)

    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        return await self._over("list", after, limit)

    async def count(self) -> int:
        return await self._over("count")

    async def cooling(self, id: str) -> float:
        return await self._over("cooling", id)
