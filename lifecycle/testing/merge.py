"""Two traces as one story: what a client and its servers have lived through, in an order that could have been.

Law: each session keeps its own order. A message is received after it was sent, and a server's session begins between
its client's dial and that dial's opening: that decides, whatever the clocks of the machines say. A server's clock is
set right by as little as that asks for; what it leaves open, the clocks decide.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import attrs

from .belong import Dated, Stretch, belonging, bounds, causes, dials, visits
from .trace_lines import Line


@attrs.frozen
class Told:
    """One line of a story.

    Attributes:
        side: 0 for what stands in the first trace, 1 for the second.
        line: as it stands there.
        wall: when, in seconds since 1970 by the clock of the client's machine.
        peer: the other side's session, if it is known which.
    """

    side: int
    line: Line
    wall: float
    peer: str = ""


def told(lines: Sequence[Line]) -> tuple[Told, ...]:
    """One trace as a story."""
    return tuple(Told(0, each.line, each.wall) for each in _dated(lines))


def merged(client: Sequence[Line], server: Sequence[Line]) -> tuple[Told, ...]:
    """Two traces as one story.

    Args:
        client: of one that dials; its sessions are matched dial by dial.
        server: with one session for each connection; of several machines, the traces one behind the other.
    """
    sides = _dated(client), _dated(server)
    theirs = visits(sides[1])
    matched = belonging(dials(sides[0]), theirs)
    moved = _moved(matched, theirs)
    peers = {each: visit.session for dial, visit in matched.items() for each in dial.lines}
    peers |= {each: dial.session for dial, visit in matched.items() for each in visit.lines}
    story = {each: Told(0, each.line, each.wall, peers.get(each, "")) for each in sides[0]}
    for each in sides[1]:
        session = each.line.session
        story[each] = Told(1, each.line, each.wall + moved[session], peers.get(each, ""))
    before = [pair for lines in sides for pair in _in_turn(lines)]
    before += [pair for dial, visit in matched.items() for pair in causes(dial, visit)]
    return tuple(_ordered(story, before))


def _dated(lines: Sequence[Line]) -> list[Dated]:
    moved: dict[str, float] = {}
    dated = []
    for place, line in enumerate(lines):
        if line.kind == "header":
            date = line.row.get("date")
            moved[line.session] = datetime.fromisoformat(date).timestamp() - line.at if date else 0.0
        moved[line.session] = moved.get(line.session, 0.0) + line.row.get("slept", 0.0)
        dated.append(Dated(line, line.at + moved[line.session], place))
    return dated


def _moved(matched: Mapping[Stretch, Stretch], theirs: Sequence[Stretch]) -> dict[str, float]:
    """What is to be added to the clock of each session of the server; those of one machine stand side by side."""
    known = {visit: bounds(dial, visit) for dial, visit in matched.items()}
    moved: dict[str, float] = {}
    machine: list[str] = []
    low, high = -math.inf, math.inf
    for visit in theirs:
        least, most = known.get(visit, (low, high))
        if max(low, least) > min(high, most):
            machine, low, high = [], least, most
        low, high = max(low, least), min(high, most)
        machine.append(visit.session)
        moved |= dict.fromkeys(machine, min(max(0.0, low), high))
    return moved


def _in_turn(lines: Iterable[Dated]) -> Iterable[tuple[Dated, Dated]]:
    """Each line of a session with the next one."""
    sessions: dict[str, list[Dated]] = {}
    for each in lines:
        sessions.setdefault(each.line.session, []).append(each)
    for session in sessions.values():
        yield from pairwise(session)


def _ordered(story: Mapping[Dated, Told], before: Iterable[tuple[Dated, Dated]]) -> list[Told]:
    """By the clock, but for what must come before something else."""
    after: dict[Dated, list[Dated]] = {each: [] for each in story}
    waits = dict.fromkeys(story, 0)
    for one, other in before:
        after[one].append(other)
        waits[other] += 1
    keys = {each: (told.wall, told.side, each.place) for each, told in story.items()}
    by_key = {key: each for each, key in keys.items()}
    free = [keys[each] for each, number in waits.items() if not number]
    heapq.heapify(free)
    ordered: dict[Dated, Told] = {}
    while len(ordered) < len(story):
        # where each waits for the other the traces do not belong together, and the clocks decide
        key = heapq.heappop(free) if free else min(keys[each] for each in story if each not in ordered)
        each = by_key[key]
        if each in ordered:
            continue
        ordered[each] = story[each]
        for other in after[each]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(free, keys[other])
    return list(ordered.values())
