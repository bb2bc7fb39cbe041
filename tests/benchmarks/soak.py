"""Many connections whose server dies again and again, and at last only goes silent: whether all heal, and nothing grows.

Law: what is compared is the same moment of each round, when all are ready and all have echoed. A connection keeps its
last steps, so memory is compared from the round on in which it can keep no more of them; in a run that is too short
for that, from the middle. It is counted in blocks, which is exact, and in what is resident, which the allocator keeps
when it was needed once. The bound on a silent peer is the proof's for the very parameters that are run, and that of
the page's certificate unless another heartbeat is asked for; what is added is only how long this process was busy at a
stretch.
"""

import argparse
import json
import math
import statistics
import sys
from collections import Counter
from typing import Any, final

import attrs
import trio

import lifecycle
from lifecycle.proof.numbers import half_open
from lifecycle.proof.prove import prove

from .fleet import Fleet, Server, make_room, say, usage
from .rounds import Cases, told
from .tables import table

PARAMETERS: dict[str, Any] = {
    "redial": {"first": 0.1, "factor": 2, "max": 2.0, "jitter": "full", "floor": 0.05},
    "max_attempts": 40,
    "connect_timeout": 30.0,  # so many handshakes at once take the server some seconds
    "proven_after": 1.0,
}
DOWN = 0.3
PROVEN = 1.1
_HEARTBEAT = ("heartbeat_after", "heartbeat_wait")
GROWTH = {"blocks": 1.005, "memory": 1.05}
"""How many times as much there may be in the end."""
# What was there is read late, then two clocks run out late: each by the rest of one turn of the loop and all of the next.
LATE_TURNS = 6


@attrs.frozen
class Check:
    """Something that must hold."""

    what: str
    said: str
    held: bool


@attrs.frozen
class Found:
    """What was seen.

    Attributes:
        first: tasks, open files, blocks and MiB before the first kill.
        rows: of each round: the same, and seconds until all were ready, echoes, and steps that are remembered.
        noticed: seconds until each connection gave up its silent peer.
        again: seconds until all were ready when the peer spoke again.
        bound: within what time a silent peer is noticed, by proof.
        busy: seconds that this process was busy at a stretch meanwhile.
    """

    connections: int
    first: dict[str, float]
    rows: list[dict[str, float]]
    noticed: list[float]
    again: float
    bound: float
    busy: float

    @property
    def settled(self) -> list[dict[str, float]]:
        """The rounds that are compared."""
        full = [row for row in self.rows if row["steps"] == self.rows[-1]["steps"]]
        return full if len(full) > 1 else self.rows[len(self.rows) // 2 :]

    def trend(self, what: str) -> float:
        """How much more it is with each kill, by a straight line through the rounds that are compared."""
        seen = [row[what] for row in self.settled]
        return statistics.linear_regression(range(len(seen)), seen).slope if len(seen) > 1 else 0.0

    @property
    def checks(self) -> list[Check]:
        """The verdicts."""
        settled = self.settled
        echoes = min(row["echoes"] for row in self.rows)
        checks = [Check("echoes after every kill", f"{echoes} of {self.connections}", echoes == self.connections)]
        for what in ("tasks", "open files"):
            seen = sorted({row[what] for row in (self.first, *self.rows)})
            checks.append(Check(f"no growth of {what}", " to ".join(map(str, seen)), len(seen) == 1))
        for what, most in GROWTH.items():
            growth = settled[-1][what] / settled[0][what]
            said = f"x {growth:.4f} in {len(settled)} rounds, x {most:g} at most; {self.trend(what):+.3g} for each kill"
            checks.append(Check(f"no growth of {what}", said, growth <= most))
        slowest, late = max(self.noticed, default=0.0), LATE_TURNS * self.busy
        said = f"by {len(self.noticed)} of {self.connections} within {slowest:.2f} s; proven are {self.bound:g} s"
        held = len(self.noticed) == self.connections and slowest <= self.bound + late
        checks.append(Check("a silent peer is noticed", f"{said}, and {late:.2f} s are for this process", held))
        return checks


@final
class _Turns(trio.abc.Instrument):
    """How long the loop takes for one turn at most."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = trio.current_time()

    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._began = trio.current_time()

    def before_io_wait(self, timeout: float) -> None:
        """It ends."""
        self.longest = max(self.longest, trio.current_time() - self._began)


def soak(connections: int, kills: int, heartbeat: float | None = None, **options: Any) -> Found:
    """Run it.

    Args:
        connections: how many.
        kills: how often the server is killed.
        heartbeat: seconds of silence after which a peer is asked, and then given up; by default, those of the page.
        options: for each connection, besides the page's parameters.
    """
    make_room(connections)
    page = lifecycle.read("websocket")
    parameters = PARAMETERS if heartbeat is None else {**PARAMETERS, **dict.fromkeys(_HEARTBEAT, heartbeat)}
    bound = noticed_within(page, parameters)
    with Server() as server:
        return trio.run(_soak, Fleet(page, connections, url=server.url, **parameters, **options), server, kills, bound)


def noticed_within(page: lifecycle.Definition, parameters: dict[str, Any]) -> float:
    """The seconds that the page's proof states for a half-open peer.

    Raises:
        ValueError: it states none.
    """
    bound = half_open(prove(page, parameters).graphs)
    if bound is None:
        raise ValueError("this page does not notice a silent peer")
    return bound


async def _soak(fleet: Fleet, server: Server, kills: int, bound: float) -> Found:
    server.start()
    rows: list[dict[str, float]] = []
    async with trio.open_nursery() as nursery:
        await fleet.begin(nursery)
        await fleet.ready()
        await fleet.echo("at first")
        first = usage()
        say(f"soak: {len(fleet.connections)} connections are ready: {_told(first)}")
        for number in range(kills):
            rows.append(await _kill(fleet, server))
            say(f"soak: kill {number + 1} of {kills}: {_told(rows[-1])}")
        noticed, again, busy = await _silence(fleet, server, bound)
        say(f"soak: a silent peer was noticed within {max(noticed, default=0.0):.2f} s")
        await fleet.end()
    return Found(len(fleet.connections), first, rows, noticed, again, bound, busy)


def _told(row: dict[str, float]) -> str:
    return ", ".join(f"{name} {round(value, 2):,}" for name, value in row.items())


async def _kill(fleet: Fleet, server: Server) -> dict[str, float]:
    before = fleet.epochs
    server.kill()
    await trio.sleep(DOWN)
    server.start()
    seconds = await fleet.ready(before)
    echoes = await fleet.echo(f"after {seconds}")
    await trio.sleep(PROVEN)
    steps = sum(len(each.history) for each in fleet.connections)
    return {"seconds": seconds, "echoes": echoes, "steps": steps, **usage()}


async def _silence(fleet: Fleet, server: Server, bound: float) -> tuple[list[float], float, float]:
    before, turns, began = fleet.epochs, _Turns(), trio.current_time()
    trio.lowlevel.add_instrument(turns)
    server.stop()
    # those that are late are waited for, so that it is seen how late they are
    with trio.move_on_after(2 * bound + 10.0):
        await fleet.lost(before)
    trio.lowlevel.remove_instrument(turns)
    server.go_on()
    noticed = []
    for steps in fleet.steps(began):
        left = next((step for step in steps if step.status_before == "ready" != step.status), None)
        if left is not None:
            noticed.append(left.time - began)
    return noticed, await fleet.ready(before), turns.longest


def cases(found: Found) -> Cases:
    """The same as other benchmarks tell theirs."""
    return {
        **told({"ready after a kill": [row["seconds"] for row in found.rows]}, "s", 1),
        **told({"tasks": [row["tasks"] for row in found.rows]}, "tasks", 1),
        **told({"open files": [row["open files"] for row in found.rows]}, "files", 1),
        **told({"blocks": [row["blocks"] for row in found.rows]}, "blocks", 1),
        **told({"memory": [row["memory"] for row in found.rows]}, "MiB", 1),
        **told({"silent peer noticed": found.noticed or [0.0], "ready after silence": [found.again]}, "s", 1),
    }


def kills(found: Found) -> str:
    """Each round beside what was before it, and how the silence was noticed, second by second."""
    counted = f"{'kill':>5} {'ready, s':>9} {'echoes':>7} {'tasks':>7} {'files':>6} {'blocks':>10}"
    lines, before = [f"{counted} {'MiB before':>11} {'after':>7} {'growth':>7}"], found.first
    for number, row in enumerate(found.rows, start=1):
        growth = row["memory"] - before["memory"]
        counts = f"{row['echoes']:7g} {row['tasks']:7g} {row['open files']:6g} {row['blocks']:10,}"
        memory = f"{before['memory']:11.2f} {row['memory']:7.2f} {growth:+7.2f}"
        lines.append(f"{number:5} {row['seconds']:9.2f} {counts} {memory}")
        before = row
    seconds = Counter(math.ceil(each) for each in found.noticed)
    noticed = ", ".join(f"{count} within {second} s" for second, count in sorted(seconds.items()))
    return "\n".join([*lines, f"silence noticed by {noticed or 'none'}"])


def main(arguments: list[str]) -> None:
    """Read the command line, run, tell, and exit with 1 if something does not hold."""
    from .__main__ import machine, versions

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks soak", description=__doc__)
    parser.add_argument("--connections", type=int, default=2_000, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how often the server dies (%(default)s)")
    parser.add_argument("--heartbeat", type=float, metavar="SECONDS", help="of silence, in place of the page's")
    parser.add_argument("--transport", metavar="NAME", help="`websockets`, in place of trio-websocket")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    given = parser.parse_args(arguments)
    found = soak(
        given.connections, given.kills, given.heartbeat, **({"transport": given.transport} if given.transport else {})
    )
    held = all(check.held for check in found.checks)
    if given.json:
        told = {
            "before": found.first,
            "rounds": found.rows,
            "noticed": sorted(found.noticed),
            "bound": found.bound,
            "checks": [attrs.asdict(check) for check in found.checks],
            "held": held,
        }
        plain = {"soak": cases(found), **told, "machine": machine(), "versions": versions()}
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        lines = [f"{'held    ' if check.held else 'NOT HELD'}  {check.what}: {check.said}" for check in found.checks]
        sys.stdout.write("\n".join([kills(found), "", table("soak", cases(found)), "", *lines]) + "\n")
    sys.exit(0 if held else 1)
