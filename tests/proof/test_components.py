from hypothesis import given
from hypothesis import strategies as st

from lifecycle.proof.components import components

NODES = st.integers(-2, 6)
GRAPHS = st.dictionaries(NODES, st.lists(NODES, max_size=4))


def reachable(graph: dict[int, list[int]], start: int) -> set[int]:
    """All nodes of the graph that a walk from the start visits, the start too."""
    seen = {start}
    ahead = [start]
    while ahead:
        new = {target for target in graph[ahead.pop()] if target in graph} - seen
        seen |= new
        ahead += new
    return seen


@given(GRAPHS)
def test_components_are_those_who_reach_each_other(graph: dict[int, list[int]]) -> None:
    """Two nodes share a component exactly if each reaches the other, and every node is in one."""
    found = components(graph, graph.__getitem__)
    assert sorted(node for component in found for node in component) == sorted(graph)
    reach = {node: reachable(graph, node) for node in graph}
    for component in found:
        for node in component:
            assert {other for other in reach[node] if node in reach[other]} == set(component)


@given(GRAPHS)
def test_a_component_comes_after_those_it_reaches(graph: dict[int, list[int]]) -> None:
    """No edge leads to a later component."""
    found = components(graph, graph.__getitem__)
    place = {node: number for number, component in enumerate(found) for node in component}
    assert all(place[target] <= place[node] for node in graph for target in graph[node] if target in graph)


def test_successors_outside_are_skipped() -> None:
    """A cycle through a node that was not given is no cycle."""
    graph = {1: [2], 2: [1]}
    assert components([1], graph.__getitem__) == [[1]]
    assert [set(component) for component in components([1, 2, 1], graph.__getitem__)] == [{1, 2}]


def test_no_nodes() -> None:
    """An empty graph has no components."""
    assert components([], {}.__getitem__) == []


def test_a_long_chain() -> None:
    """A chain that is longer than Python may recurse comes from its end to its start."""
    length = 20_000
    assert components(range(length), lambda node: [node + 1]) == [[node] for node in reversed(range(length))]
