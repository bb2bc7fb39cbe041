"""Which session of a server is which dial of a client: as the world was made, and whatever the clocks say."""

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.testing.belong import Dated, Stretch, belonging, bounds, dials, visits
from lifecycle.testing.trace_lines import read_lines

HEADER = {"trace": 2, "page": "p", "hash": "", "parameters": {}}
UP = {"states": ["up"], "status": "ready", "phase": "open"}


class World:
    """One client that dials again and again, servers with clocks of their own, and what each has written.

    Attributes:
        truth: to each dial that came through, the server and how many of its sessions were before.
    """

    def __init__(self, seed: int, offsets: list[float], *, ids: str = "counted", quiet: float = 0.0, name: str = "a"):
        self.dice, self.offsets, self.name = random.Random(seed), offsets, name
        self.mine: list[dict[str, Any]] = []
        self.theirs: list[list[dict[str, Any]]] = [[] for _ in offsets]
        self.truth: dict[int, tuple[int, int]] = {}
        self.now, self.news, self.ids, self.quiet = 1000.0, 0, ids, quiet
        self._say(self.mine, 0.0, 0, **HEADER)

    def dial(self, server: int) -> None:
        """Dial; a server of -1 refuses."""
        epoch = self.mine[-1]["epoch"] + 1
        self._pass()
        self._say(self.mine, 0.0, epoch, cause="wish", event="go", effects=["open"], **UP)
        if server < 0:
            self._pass()
            self._say(self.mine, 0.0, epoch, cause="end", event="lost", **UP | {"phase": "none"})
            return
        lines, clock = self.theirs[server], self.offsets[server]
        self.truth[epoch] = server, sum("trace" in row for row in lines)
        session = len(lines) + 1000 * server + 2
        self._pass()
        self._say(lines, clock, 1, session, **HEADER)
        self._say(lines, clock, 1, session, cause="start", event="@start", **UP)
        self._pass()
        self._say(self.mine, 0.0, epoch, cause="opened", event="opened", **UP)
        sent = 0 if self.dice.random() < self.quiet else self.dice.randint(1, 4)
        came = self.dice.randint(0, sent) if self.quiet else sent
        first = 1 if self.ids == "again" else self.news + 1
        for number in range(came):
            self._pass()
            self._say(self.mine, 0.0, epoch, kept={}, **{"in": number + 1}, **self._passed("came", first, number))
        self.news += came
        self._pass()
        self._say(
            self.mine,
            0.0,
            epoch,
            cause="end",
            event="lost",
            **UP | {"phase": "none", "in": came},
            **self._passed("came", first, came - 1),
        )
        self._say(lines, clock, 1, session, end="closed", out=sent, **self._passed("went", first, sent - 1))

    def told(self) -> tuple[list[Dated], list[Dated]]:
        """Both traces; of the servers one behind the other."""
        return self._dated(self.mine), self._dated([row for lines in self.theirs for row in lines])

    def found(self) -> dict[int, tuple[int, int]]:
        """What is found of the truth."""
        mine, theirs = self.told()
        sessions = [
            (server, number)
            for server, lines in enumerate(self.theirs)
            for number in range(sum("trace" in row for row in lines))
        ]
        places = dict(zip(visits(theirs), sessions, strict=True))
        ours = dials(mine)
        keys = {visit.session: places[visit] for visit in places}
        return {dial.epoch: keys[visit.session] for dial, visit in belonging(ours, visits(theirs)).items()}

    def _pass(self) -> None:
        self.now += self.dice.uniform(0.001, 0.2) + (self.dice.uniform(0.5, 20) if self.dice.random() < 0.2 else 0)

    def _passed(self, key: str, first: int, number: int) -> dict[str, Any]:
        return {key: [first, first + number]} if number >= 0 and self.ids != "none" else {}

    def _say(self, lines: list[dict[str, Any]], clock: float, epoch: int, connection: int = 1, **row: Any) -> None:
        at = self.now + clock
        said = {
            "session": self.name or str(connection),
            "connection": connection,
            "at": at,
            "epoch": epoch,
            "in": 0,
            "out": 0,
        }
        lines.append(said | row)

    @staticmethod
    def _dated(rows: list[dict[str, Any]]) -> list[Dated]:
        lines = read_lines(map(json.dumps, rows), "t")
        return [Dated(line, line.at, place) for place, line in enumerate(lines)]


def turns(seed: int, servers: int, count: int = 10) -> Iterator[int]:
    """Where each dial leads."""
    dice = random.Random(seed)
    return (dice.choice([-1, *range(servers)]) for _ in range(count))


CLOCKS = st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=3)


@given(st.integers(), CLOCKS)
def test_ids_find_every_dial(seed, clocks):
    """Each dial in which something came is known by it, on whatever machine, and however its clock goes."""
    world = World(seed, clocks)
    for server in turns(seed, len(clocks)):
        world.dial(server)
    assert world.found() == world.truth


@given(st.integers(), st.floats(-1e5, 1e5))
def test_dials_in_which_nothing_came_are_known_by_those_beside_them(seed, clock):
    """The difference of two clocks, once known, tells the others; lost events do no harm."""
    world = World(seed, [clock], quiet=0.4)
    for server in (0, *turns(seed, 1), 0):
        world.dial(server)
    found = world.found()
    assert all(world.truth[epoch] == place for epoch, place in found.items())
    if any("came" in row for row in world.mine):
        assert found == world.truth


@given(st.integers(), st.floats(-1e5, 1e5))
def test_without_ids_order_is_all_there_is(seed, clock):
    """Of one server; a dial that did not come through has no session."""
    world = World(seed, [clock], ids="none")
    for server in turns(seed, 1):
        world.dial(server)
    assert world.found() == world.truth


@given(st.integers())
def test_what_is_sent_again_from_the_beginning_is_told_apart_by_the_rest(seed):
    """Each session begins with the same event; how many came, and when, says which it is."""
    world = World(seed, [40.0], ids="again")
    for server in turns(seed, 1):
        world.dial(server)
    assert world.found() == world.truth


@given(st.integers(), st.floats(-1, 1))
def test_who_has_no_name_is_found_by_the_clock(seed, clock):
    """If that is about right; and not if it is not."""
    world = World(seed, [clock], name="")
    world.dial(0)
    assert world.found() == world.truth
    world = World(seed, [clock + 1e4], name="")
    world.dial(0)
    assert world.found() == {}


def test_two_clocks_lie_between_bounds():
    """What was sent before it came says how far apart they are; what cannot be, is not believed."""
    world = World(1, [100.0])
    world.dial(0)
    mine, theirs = world.told()
    dial, visit = dials(mine)[0], visits(theirs)[0]
    low, high = bounds(dial, visit)
    assert low < -100.0 < high
    assert high - low < 60
    nothing = Stretch("s", 1, "")
    nothing.lines = [visit.lines[-1]]
    assert bounds(nothing, nothing)[0] == -math.inf


@pytest.mark.parametrize(
    ("side", "row"),
    [
        ("mine", {"came": [99, 100]}),
        ("mine", {"in": 9}),
        ("theirs", {"at": 5.0, "kept": {}, "in": 0}),
    ],
)
def test_who_contradicts_is_not_believed(side, row):
    """Another event, more messages than went, or an answer before its question."""
    world = World(2, [0.0])
    world.dial(0)
    if side == "mine":
        world.mine[-1] |= row
    else:
        for each in world.theirs[0]:
            each["at"] += 50.0 * ("end" in each) - 50.0 * ("trace" in each)
        world.theirs[0][0]["at"] -= 1e5
        world.theirs[0][1]["at"] += 1e5
    assert world.found() == {}


@given(st.integers(), st.floats(-1e5, 1e5))
def test_a_trace_that_goes_on_in_the_middle_is_known_by_what_follows(seed, clock):
    """The file before was put aside: where a session began is not known, but its ids are."""
    world = World(seed, [clock])
    for _ in range(3):
        world.dial(0)
    standing = {"states": ["up"], "variables": {}, "phase": "open", "clocks": [], "calls": []}
    for row in world.theirs[0]:
        if "trace" in row:
            row["from"] = standing
    assert world.found() == world.truth
