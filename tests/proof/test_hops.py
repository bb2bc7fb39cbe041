"""The least time per dial, and bursts, against all walks of small graphs."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.proof.hops import hops, least_time_per_dial, most_dials

EDGES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.25, 1.0, 5.0]), st.sampled_from([0, 0, 1])),
    max_size=9,
)


def least_by_cycles(edges: list[tuple[int, int, float, int]]) -> float | None:
    """The least seconds per dial over all simple cycles."""
    found = []

    def walk(way: list[int]) -> None:
        last = edges[way[-1]][1]
        if last == edges[way[0]][0]:
            dials = sum(edges[i][3] for i in way)
            if dials:
                found.append(sum(edges[i][2] for i in way) / dials)
            return
        visited = {edges[i][0] for i in way}
        for number, edge in enumerate(edges):
            if edge[0] == last and edge[1] not in visited - {edges[way[0]][0]}:
                walk([*way, number])

    for number in range(len(edges)):
        walk([number])
    return min(found, default=None)


@given(EDGES)
def test_the_least_time_per_dial_is_that_of_the_best_cycle(edges) -> None:
    """No cycle dials more often, and the cycle that is told has that ratio."""
    found, expected = least_time_per_dial(hops(edges)), least_by_cycles(edges)
    if expected is None:
        assert found is None
        return
    assert math.isclose(found[0], expected, abs_tol=1e-6)
    cycle = [edges[number] for number in found[1]]
    assert all(one[1] == other[0] for one, other in itertools.pairwise([*cycle, cycle[0]]))
    assert math.isclose(sum(e[2] for e in cycle) / sum(e[3] for e in cycle), found[0], abs_tol=1e-6)


def burst_by_walks(edges: list[tuple[int, int, float, int]], window: float) -> float:
    """The most dials of any walk that begins with one and fits into the window; each place once at each time."""
    best, todo, seen = 0, [(edge[1], 0.0, 1) for edge in edges if edge[3]], set()
    while todo:
        node, time, dials = todo.pop()
        best = max(best, dials)
        if dials > 200:
            return math.inf
        for start, to, seconds, dialled in edges:
            place = (to, time + seconds, dials + dialled)
            if start == node and time + seconds <= window and place not in seen:
                seen.add(place)
                todo.append(place)
    return best


@given(EDGES)
def test_a_burst_is_that_of_the_best_walk(edges) -> None:
    """No walk has more dials within the window; none that needs no time has an end."""
    table = hops(edges)
    first = {to for _, to, _, dials in edges if dials}
    assert most_dials(table, first, 6.0) == burst_by_walks(edges, 6.0)


def test_what_is_nearer_counts() -> None:
    """Of two ways between two dials the quicker one decides, whatever it passes."""
    edges = [(0, 1, 5.0, 0), (0, 2, 1.0, 0), (2, 1, 1.0, 0), (1, 0, 0.0, 1)]
    assert least_time_per_dial(hops(edges)) == (2.0, (1, 2, 3))
    assert most_dials(hops(edges), [0], 60.0) == 31


def test_dials_without_a_pause_have_no_most() -> None:
    """A cycle of dials that takes no time is a burst without an end."""
    edges = [(0, 0, 0.0, 1)]
    assert least_time_per_dial(hops(edges)) == (0.0, (0,))
    assert most_dials(hops(edges), [0], 60.0) == math.inf
