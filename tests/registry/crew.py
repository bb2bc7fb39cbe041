"""Owners as processes, and what they had upstream at the same time.

Law: a crew's processes end with its `async with`, whatever happened to them. What is held against the capacity is what
the owners wrote themselves, by one clock; an upstream of an owner that was killed or got no time to run is counted
until then, for nobody can ask more of it.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from lifecycle.registry import LeasesUnavailable

from .owner import leases_of

PATIENCE = 60.0
"""Seconds for one answer; only what hangs takes as long."""
OWNER = str(Path(__file__).with_name("owner.py"))


class Gone(Exception):
    """The owner was killed before it had answered."""


@attrs.frozen
class Upstream:
    """What one owner had upstream for one lease, from when to when."""

    owner: int
    generation: int
    since: float
    until: float


async def until(ask, good):
    """Ask again and again, until the answer is good; that answer."""
    with trio.fail_after(PATIENCE):
        while not good(told := await ask()):  # noqa: ASYNC110 -- another process knows
            await trio.sleep(0.02)
    return told


class Owner:
    """One process, asked by lines and answering by lines."""

    def __init__(self, process, name):
        self.process, self.name = process, name
        self.killed = None
        self._asked, self._turn = 0, trio.Lock()
        self._answers, self._waiting = {}, {}

    async def ask(self, do, patience=PATIENCE, **more):
        """What it answers; raises Gone if it is killed before."""
        self._asked += 1
        number = self._asked
        self._waiting[number] = trio.Event()
        if self.killed is None:
            try:
                async with self._turn:
                    await self.process.stdin.send_all(f"{json.dumps({'n': number, 'do': do, **more})}\n".encode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise Gone from None
        return await self._answer(number, patience)

    async def ready(self):
        """Wait until it is open."""
        self._waiting[0] = trio.Event()
        await self._answer(0)

    async def listen(self):
        """Hand its answers to who waits for them, until it ends."""
        rest = b""
        async with self.process.stdout:
            async for data in self.process.stdout:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    told = json.loads(line)
                    number = told.pop("n")
                    self._answers[number] = told
                    if number in self._waiting:
                        self._waiting[number].set()
        for event in self._waiting.values():
            event.set()

    async def kill(self):
        """As if by the power; it has written what it has written."""
        self.process.kill()
        await self.process.wait()
        self.killed = time.monotonic()
        await self.process.stdin.aclose()

    async def _answer(self, number, patience=PATIENCE):
        if number not in self._answers:
            with trio.fail_after(patience):
                await self._waiting[number].wait()
        del self._waiting[number]
        if number not in self._answers:
            raise Gone
        return self._answers.pop(number)


@asynccontextmanager
async def crew_at(place, folder, *, capacity, length, patience=10.0):
    """A crew without owners.

    Args:
        place: as `place_of` takes it.
        folder: for what they write down.
        capacity: how many sessions there may be at once.
        length: of a lease, in seconds.
        patience: seconds that the place may take for an answer.
    """
    async with leases_of(place, patience) as leases, trio.open_nursery() as nursery:
        crew = Crew(place, folder, leases, nursery, capacity=capacity, length=length, patience=patience)
        nursery.start_soon(crew.observe)
        try:
            yield crew
        finally:
            for owner in crew.owners:
                owner.process.kill()
            with trio.CancelScope(shield=True):
                for owner in crew.owners:
                    await owner.kill()
            nursery.cancel_scope.cancel()


class Crew:
    """Processes that share a place, and an observer who looks at it all the time.

    Attributes:
        owners: those that are there, the oldest first.
        past: those that were killed.
    """

    def __init__(self, place, folder, leases, nursery, *, capacity, length, patience):
        self.place, self.capacity, self.length, self.patience = place, capacity, length, patience
        self.leases, self.events = leases, folder / "events.jsonl"
        self.events.touch()
        self.owners, self.past = [], []
        self.wrong, self.samples = [], 0
        self._seen, self._made, self._nursery = {}, 0, nursery

    async def hire(self, count=1):
        """Start owners, side by side; those that were made."""
        made = []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        for _ in range(count):
            self._made += 1
            name = f"owner-{self._made}"
            terms = map(str, (self.capacity, self.length, self.patience))
            command = [sys.executable, "-P", OWNER, self.place, str(self.events), *terms, name]
            process = await trio.lowlevel.open_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
            owner = Owner(process, name)
            self.owners.append(owner)
            made.append(owner)
            self._nursery.start_soon(owner.listen)
        for owner in made:
            await owner.ready()
        return made

    async def lose(self, owner):
        """Kill an owner."""
        self.owners.remove(owner)
        self.past.append(owner)
        await owner.kill()

    async def together(self, questions):
        """Ask many owners at once; the answers in the same order."""
        told = [None] * len(questions)

        async def ask(number, owner, do, more):
            told[number] = await owner.ask(do, **more)

        async with trio.open_nursery() as nursery:
            for number, (owner, do, more) in enumerate(questions):
                nursery.start_soon(ask, number, owner, do, more)
        return told

    async def held(self):
        """How many slots are held; None if nobody says so."""
        try:
            return await self.leases.count()
        except LeasesUnavailable:
            return None

    async def observe(self):
        """Look at the place, all the time."""
        while True:
            try:
                self._look(await self.leases.list(0, 1000))
            except LeasesUnavailable:
                await trio.sleep(0.02)
            await trio.sleep(0.005)

    def _look(self, page):
        self.samples += 1
        if len(page) > self.capacity:
            self.wrong.append(f"{len(page)} leases at once: {page}")
        for lease in page:
            if self._seen.setdefault(lease.generation, (lease.id, lease.owner)) != (lease.id, lease.owner):
                self.wrong.append(f"{lease} is another one than before")
            if lease.left > self.length + 0.001:
                self.wrong.append(f"{lease} is for longer than a lease")

    # -- what was written down

    def rows(self, *whats):
        """What the owners wrote, of these kinds."""
        rows = [json.loads(line) for line in self.events.read_text().splitlines()]
        return [row for row in rows if row["what"] in whats]

    async def written(self, what):
        """How many lines of a kind there are."""
        await trio.lowlevel.checkpoint()
        return len(self.rows(what))

    def upstreams(self):
        """All that was upstream; what has not ended has not."""
        ends = {owner.process.pid: owner.killed for owner in self.past}
        stops = {(row["owner"], row["generation"]): row["at"] for row in self.rows("stop")}
        found = []
        for row in self.rows("begin"):
            owner, generation = row["owner"], row["generation"]
            until = stops.get((owner, generation), ends.get(owner, float("inf")))
            found.append(Upstream(owner, generation, row["at"], until))
        return found

    def check(self):
        """No two had the same slot: by the place, all the time; and by what was upstream, of all who had time to run.

        Returns:
            How many upstreams there were, and how many of them were counted.
        """
        assert self.wrong == []
        assert self.samples > 0
        every = self.upstreams()
        assert [each for each, times in Counter(one.generation for one in every).items() if times > 1] == []
        counted = list(filter(None, map(self._counted(), every)))
        changes = sorted([(one.since, 1) for one in counted] + [(one.until, -1) for one in counted])
        level = most = 0
        for _, change in changes:
            level += change
            most = max(most, level)
        assert most <= self.capacity, f"{most} upstreams at once"
        return len(every), len(counted)

    def _counted(self):
        """From an upstream to the part of it in which its owner had time to run; None if it had none before."""
        starved = {}
        for row in self.rows("starved"):
            starved.setdefault(row["owner"], []).append((row["since"], row["at"]))

        def counted(one):
            until = one.until
            for since, at in starved.get(one.owner, ()):
                if since < one.since < at + self.length:
                    return None  # it may have got its slot before
                if one.since <= since < until:
                    until = since
            return attrs.evolve(one, until=until)

        return counted
