import itertools
import math
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.proof.bound import Endless, longest
from lifecycle.proof.graph import Armed, Edge, Move, Node, Pending
from lifecycle.proof.lengths import Length

OUT = 99
"""A node outside of the part."""
Way = tuple[int, str | None, int, frozenset[str]]
"""From, the clock that runs out (none: an event), to, and the clocks that stop or start."""


def clock(name: str, seconds: float, kind: str = "after") -> Armed:
    """A clock of a fixed length."""
    return Armed(0, name, kind, Length(seconds, seconds, seconds))


@attrs.frozen
class Deeds:
    touches: frozenset[str]


@attrs.define
class Graph:
    """A part of a graph, made by hand: the clocks of each node, and the ways between them."""

    clocks: dict[str, Armed | Pending]
    running: list[str]
    ways: list[Way]
    phase: str = "none"

    @property
    def nodes(self) -> list[Node]:
        return [self._node([self.clocks[name] for name in names]) for names in self.running]

    def _node(self, found: list[Armed | Pending]) -> Node:
        armed = tuple(one for one in found if isinstance(one, Armed))
        return Node(None, (), armed, tuple(one for one in found if isinstance(one, Pending)), self.phase)

    def edges(self, index: int) -> list[Edge]:
        return [self._edge(number) for number, way in enumerate(self.ways) if way[0] == index]

    def _edge(self, number: int) -> Edge:
        _, fired, target, _ = self.ways[number]
        one = self.clocks.get(fired or "")
        timer, call = (one, None) if isinstance(one, Armed) else (None, one)
        return Edge(Move("timer" if fired else "wish", str(number), clock=timer, call=call), None, target)

    def deeds(self, _: int, edge: Edge) -> Deeds:
        return Deeds(self.ways[int(edge.move.event)][3])

    def longest(self, **options: object) -> tuple[float, dict[int, float]] | Endless:
        return longest(self, range(len(self.running)), self.edges, **options)


def way(start: int, target: int, fired: str | None = None, touches: str = "") -> Way:
    """A way; the names of clocks are single letters."""
    return start, fired, target, frozenset(touches)


ABC = {"a": clock("a", 10), "b": clock("b", 3), "c": clock("c", 5)}


@pytest.mark.parametrize(
    ("running", "ways", "expected"),
    [
        (["a"], [way(0, OUT, "a")], 10),
        (["ab"], [way(0, OUT, "a"), way(0, OUT, "b")], 3),  # the shorter one ends it
        (["a", "b"], [way(0, 1, "a", "b"), way(1, OUT, "b")], 13),  # one after the other
        (["a", "a"], [way(0, 1), way(1, OUT, "a")], 10),  # one clock all the while
        (["a", "a"], [way(0, 1, None, "a"), way(1, OUT, "a")], 20),  # it starts anew on the way
        (["ab", "ac"], [way(0, 1, "b", "c"), way(1, OUT, "c")], 8),  # 3 s and 5 s are less than one clock of 10 s
        (["bc", "b"], [way(0, 1, "c"), way(1, OUT, "b")], 3),
        (
            ["b", "c", "a"],
            [way(0, 1, None, "bc"), way(0, 2, None, "ab"), way(1, OUT), way(2, OUT)],
            13,
        ),  # the worse of two
        (["ab"], [way(0, 0, "b", "b"), way(0, OUT, "a")], 10),  # a ping goes round under a deadline
        (["ab", "ac"], [way(0, 1, "b", "bc"), way(1, 0, "c", "bc"), way(1, OUT, "a")], 10),
        (["b"], [], 3),  # nothing can happen any more; the clock's end is outside of the graph
        ([], [], 0),
    ],
)
def test_the_longest_stay_by_hand(running: list[str], ways: list[Way], expected: float) -> None:
    """The stay is as long as the clocks that overlook it, and of two that do the shorter counts."""
    found = Graph(ABC, running, ways).longest()
    assert not isinstance(found, Endless)
    assert found[0] == expected


@pytest.mark.parametrize(
    ("running", "ways", "nodes"),
    [
        ([""], [], (0,)),  # nothing runs
        ([""], [way(0, OUT)], (0,)),  # what others do need not happen
        (["b"], [way(0, 0, "b", "b")], (0,)),  # a ping loop
        (["a", "b"], [way(0, 1, "a", "b"), way(1, 0, "b", "a"), way(1, OUT)], (0, 1)),
        (["a", "a"], [way(0, 1), way(1, 0, None, "a"), way(1, OUT, "a")], (0, 1)),  # started anew each time round
        (["a", ""], [way(0, 1, "a")], (1,)),
    ],
)
def test_a_stay_without_end(running: list[str], ways: list[Way], nodes: tuple[int, ...]) -> None:
    """A part that no clock overlooks from end to end may be stayed in for ever."""
    found = Graph(ABC, running, ways).longest()
    assert isinstance(found, Endless)
    assert found.nodes == nodes


def test_each_node_has_its_own_bound() -> None:
    """What is left to stay is known for each node, and nodes of a circle share it."""
    graph = Graph(ABC, ["ab", "a", "c"], [way(0, 1, "b"), way(1, 0, None, "b"), way(1, 2, "a", "c"), way(2, OUT, "c")])
    assert graph.longest() == (15, {0: 15, 1: 15, 2: 5})


def test_a_call_overlooks_as_a_clock_does() -> None:
    """A call bounds a stay by its deadline, unless the stay begins it anew."""
    clocks = {"d": Pending("x", "sign", Length(0, 0, 7))}
    assert Graph(clocks, ["d"], [way(0, OUT, "d")]).longest() == (7, {0: 7})
    again = Graph(clocks, ["d"], [(0, "d", 0, frozenset({"call x"}))]).longest()
    assert isinstance(again, Endless)


@pytest.mark.parametrize(
    ("phase", "silent", "expected"),
    [("open", True, 4), ("half-open", False, 4), ("open", False, None), ("closing", False, None), ("none", False, 4)],
)
def test_silence_is_waited_for_in_vain_while_the_peer_speaks(phase: str, silent: bool, expected: float | None) -> None:  # noqa: FBT001 -- a table
    """A clock that waits for silence bounds nothing while the peer may speak."""
    graph = Graph({"s": clock("s", 4, "silent")}, ["s"], [way(0, OUT, "s")], phase)
    found = graph.longest(silent=silent)
    assert isinstance(found, Endless) if expected is None else found == (expected, {0: expected})


def test_a_good_peer_moves_things_on() -> None:
    """Where a good peer lets something happen within its latency, no clock is needed; in a circle it is."""
    straight = Graph(ABC, ["", "a"], [way(0, 1, None, "a"), way(1, OUT, "a")])
    assert straight.longest(latency=lambda index: 1.0 if index == 0 else None) == (11, {0: 11, 1: 10})
    assert isinstance(straight.longest(latency=lambda _: None), Endless)
    circle = Graph(ABC, ["", ""], [way(0, 1), way(1, 0), way(1, OUT)])
    assert isinstance(circle.longest(latency=lambda _: 1.0), Endless)


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    """Nodes in a row, each with some clocks; on the way from one to the next some stop or start."""
    lengths = draw(st.fixed_dictionaries({name: st.integers(1, 9) for name in "abcd"}))
    running = draw(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=6))
    ways = []
    for index, (here, there) in enumerate(zip(running, [*running[1:], set()], strict=True)):
        touched = draw(st.sets(st.sampled_from(sorted(here)), max_size=1)) | (here ^ there)
        ways.append((index, None, index + 1 if there else OUT, frozenset(touched)))
    return Graph(
        {name: clock(name, float(s)) for name, s in lengths.items()}, ["".join(sorted(n)) for n in running], ways
    )


def cuts(graph: Graph, start: int) -> Iterator[float]:
    """The sums of all ways to cut the rest of a chain into pieces that one clock overlooks."""
    if start == len(graph.running):
        yield 0.0
        return
    for name in graph.running[start]:
        end = start
        while True:
            end += 1
            for rest in cuts(graph, end):
                yield graph.clocks[name].length.most + rest
            if end == len(graph.running) or name in graph.ways[end - 1][3]:
                break


@given(chains())
def test_a_chain_is_cut_as_cheaply_as_can_be(graph: Graph) -> None:
    """On a chain the bound of each node is the least sum of all ways to cut what is left of it."""
    found = graph.longest()
    assert not isinstance(found, Endless)
    assert found[1] == {index: min(cuts(graph, index)) for index in range(len(graph.running))}


@st.composite
def parts(draw: st.DrawFn) -> Graph:
    """Any part: each clock that runs may run out, events may come, and clocks go on, stop or start."""
    size = draw(st.integers(1, 4))
    running = [draw(st.sets(st.sampled_from("abc"), max_size=2)) for _ in range(size)]
    clocks = {name: clock(name, float(draw(st.integers(1, 4)))) for name in "abc"}
    ways = []
    for index, here in enumerate(running):
        for fired in (*sorted(here), *[None] * draw(st.integers(0, 1))):
            target = draw(st.sampled_from([*range(size), OUT]))
            there = running[target] if target != OUT else set()
            again = draw(st.sets(st.sampled_from(sorted(here & there) or ["a"]), max_size=1)) & here & there
            touched = again | (here ^ there) | ({fired} & there if fired else set())
            ways.append((index, fired, target, frozenset(touched)))
    return Graph(clocks, ["".join(sorted(names)) for names in running], ways)


def timed(graph: Graph) -> float:
    """The longest stay by brute force: every run in whole seconds, each clock with what is left of it."""
    Timed = tuple[int, tuple[tuple[str, float], ...]]  # noqa: N806 -- a type

    def fresh(index: int, left: dict[str, float], touched: frozenset[str]) -> Timed:
        names = graph.running[index]
        lasting = {name: graph.clocks[name].length.most for name in names}
        return index, tuple((n, left[n] if n in left and n not in touched else lasting[n]) for n in names)

    def after(place: Timed) -> Iterator[tuple[Timed | None, float]]:
        index, left = place[0], dict(place[1])
        if all(left.values()):
            yield (index, tuple((name, seconds - 1) for name, seconds in left.items())), 1.0
        for start, fired, target, touched in graph.ways:
            if start == index and (fired is None or left[fired] == 0):
                now = {name: seconds for name, seconds in left.items() if name != fired}
                yield (None if target == OUT else fresh(target, now, touched)), 0.0

    best = {fresh(index, {}, frozenset()): 0.0 for index in range(len(graph.running))}
    for round_ in itertools.count():
        grown = dict(best)
        for place, seconds in best.items():
            for target, more in after(place):
                if target is not None and seconds + more > grown.get(target, -1.0):
                    grown[target] = seconds + more
        if grown == best:
            return max(best.values())
        if round_ > 3 * len(grown) + 30:
            return math.inf
        best = grown
    raise AssertionError


@given(parts())
def test_no_run_stays_longer_than_the_bound(graph: Graph) -> None:
    """Whatever happens, in whatever order and at whatever second, nobody stays longer than was found."""
    found = graph.longest()
    if not isinstance(found, Endless):
        assert timed(graph) <= found[0]


@given(parts())
def test_what_is_endless_is_a_circle_that_nothing_overlooks(graph: Graph) -> None:
    """What is told as endless is closely connected, and each of its clocks is touched or missing somewhere in it."""
    found = graph.longest()
    if not isinstance(found, Endless):
        return
    inner = [number for number, one in enumerate(graph.ways) if one[0] in found.nodes and one[2] in found.nodes]
    walked = [graph.ways[int(edge.move.event)] for edge in found.edges]
    assert bool(walked) == bool(inner)
    for place, way in enumerate(walked):
        # a round: each step begins where the last one has led
        assert way[0] == (walked[place - 1][2] if place else found.nodes[0])
    assert not walked or walked[-1][2] == found.nodes[0]
    for name in graph.clocks:
        everywhere = all(name in graph.running[index] for index in found.nodes)
        assert not everywhere or any(name == graph.ways[n][1] or name in graph.ways[n][3] for n in inner)
    for start in found.nodes:
        reached = {start}
        for _ in found.nodes:
            reached |= {graph.ways[number][2] for number in inner if graph.ways[number][0] in reached}
        assert reached == set(found.nodes)
