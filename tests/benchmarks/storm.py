"""What many clients do to a server that comes back: how often they dial, and what that costs them.

Law: the page as it is shipped. The bounds are those of its certificate, which speaks of one connection; how long it
takes until all are back is told and not judged, for the page decides it. How wide the first dials lie is held against
its jitter: with an even one, the middle four fifths of all clients take four fifths of its width.
"""

import statistics
import time
from bisect import bisect_left
from collections.abc import Iterable

import trio

import lifecycle
from lifecycle.machine.step import Step
from lifecycle.proof.prove import prove

from .fleet import Fleet, Server, make_room, say
from .gates import Gate, judged
from .rounds import Cases, told

CLIENTS = 200
ROUNDS = 3
TRANSPORTS = {"managed, trio-websocket": {}, "managed, websockets": {"transport": "websockets"}}
# after this the page has seen that the server is well, and counts its attempts from nothing
_WELL = 5.5
_DOWN = 2.0
_MINUTE = 60.0
_EDGE = 10
"""Of so many parts, the first and the last are left out of a spread."""
CERTIFIED = "all of them at the certified least time per dial"
EVEN = "even jitter"
WIDTH = "first dials, the middle 80 %"


def storm(clients: int = CLIENTS, rounds: int = ROUNDS) -> Cases:
    """Kill a server, bring it back, and see how its clients' dials spread, and when all are ready again."""
    make_room(clients)
    page = lifecycle.read("websocket")
    certified, redial = prove(page).numbers, page.parameters["redial"].default
    shortest, longest = redial.bounds(1)
    cases: Cases = {}
    gates: dict[str, Gate] = {}
    for name, options in TRANSPORTS.items():
        with Server() as server:
            rows = trio.run(_storms, Fleet(page, clients, url=server.url, **options), server, rounds, name)
        for what, unit in _UNITS.items():
            cases |= told({f"{what}: {name}": [row[what] for row in rows]}, unit, 1)
        peak = cases[f"dials in the busiest second: {name}"]
        peak["ratio"] = {CERTIFIED: round(peak["median"] * certified["least time per dial"] / clients, 3)}
        width = cases[f"{WIDTH}: {name}"]
        width["ratio"] = {EVEN: round(width["median"] / (longest - shortest) / (1 - 2 / _EDGE), 3)}
        gates[f"most dials of one client in a minute: {name}"] = Gate(certified["dials in a minute"], ratio=False)
    return judged(cases, gates)


_UNITS = {
    "half are back": "s after the kill",
    "all are back": "s after the kill",
    WIDTH: "s",
    "dials in the busiest second": "dials/s",
    "most dials of one client in a minute": "dials",
    "dials": "dials/client",
    "CPU": "us CPU/dial",
}


async def _storms(fleet: Fleet, server: Server, rounds: int, name: str) -> list[dict[str, float]]:
    server.start()
    rows = []
    async with trio.open_nursery() as nursery:
        await fleet.begin(nursery)
        await fleet.ready()
        for number in range(rounds):
            await trio.sleep(_WELL)
            rows.append(await _storm(fleet, server))
            say(f"storm: {name}, kill {number + 1} of {rounds}: all are back after {rows[-1]['all are back']:.1f} s")
        await fleet.end()
    return rows


async def _storm(fleet: Fleet, server: Server) -> dict[str, float]:
    before, began, cpu = fleet.epochs, trio.current_time(), time.process_time()
    server.kill()
    await trio.sleep(_DOWN)
    server.start()
    await fleet.ready(before)
    seconds, cpu = trio.current_time() - began, time.process_time() - cpu
    lives = list(fleet.steps(began))
    each = [_begins(steps, "connecting") for steps in lives]
    every = [when for dials in each for when in dials]
    return {
        "half are back": statistics.median(_begins(steps, "ready")[-1] for steps in lives) - began,
        "all are back": seconds,
        WIDTH: _width(sorted(dials[0] for dials in each)),
        "dials in the busiest second": _crowd(sorted(every), 1.0),
        "most dials of one client in a minute": max(_crowd(dials, _MINUTE) for dials in each),
        "dials": len(every) / len(each),
        "CPU": cpu / len(every) * 1e6,
    }


def _begins(steps: Iterable[Step], status: str) -> list[float]:
    return [step.time for step in steps if step.status == status != step.status_before]


def _width(times: list[float]) -> float:
    """Between which all lie but the first tenth and the last, of times in order."""
    tenths = statistics.quantiles(times, n=_EDGE)
    return tenths[-1] - tenths[0]


def _crowd(times: list[float], window: float) -> int:
    """The most that fall into one window, of times in order."""
    return max((bisect_left(times, first + window) - place for place, first in enumerate(times)), default=0)
