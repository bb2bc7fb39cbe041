from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.proof.graph import Edge, Graph, Move
from lifecycle.proof.watch import watch


def graph_of(ways: dict[int, list[tuple[str, int]]], firsts: list[tuple[str, int]]) -> Graph:
    """A graph in which only events and targets matter."""
    graph = Graph(world=None)
    graph.firsts = [Edge(Move("start", event), None, target) for event, target in firsts]
    graph.edges = [[Edge(Move("wish", event), None, target) for event, target in ways[node]] for node in sorted(ways)]
    return graph


def events(way: list[tuple[int, Edge]]) -> list[tuple[int, str]]:
    """A way as pairs of a node and the event that happens there."""
    return [(node, edge.move.event) for node, edge in way]


def test_an_offence_has_its_shortest_way() -> None:
    """A step that must not be is told with a shortest way to it, itself included."""
    graph = graph_of({0: [("long", 1), ("short", 2)], 1: [("on", 2)], 2: [("bad", 0)]}, [("start", 0)])
    found = list(watch(graph, None, lambda memory, _, edge: ((memory,), "no" if edge.move.event == "bad" else None)))
    assert [(one.what, events(one.way)) for one in found] == [("no", [(-1, "start"), (0, "short"), (2, "bad")])]


def test_the_start_is_judged_too() -> None:
    """A first step may be the offence; each start is judged, and the walk goes on behind it."""
    graph = graph_of({0: [("bad", 1)], 1: []}, [("bad", 0), ("good", 1)])
    found = list(watch(graph, None, lambda memory, _, edge: ((memory,), "no" if edge.move.event == "bad" else None)))
    assert [events(one.way) for one in found] == [[(-1, "bad")], [(-1, "bad"), (0, "bad")]]


def test_a_memory_tells_ways_to_one_node_apart() -> None:
    """What is wrong may depend on the way: a node is visited once for each memory of it."""
    graph = graph_of({0: [("arm", 1), ("pass", 1)], 1: [("fire", 2)], 2: []}, [("start", 0)])
    asked: list[tuple[bool, int, str]] = []

    def step(armed: bool, node: int, edge: Edge) -> tuple[tuple[bool, ...], str | None]:  # noqa: FBT001 -- the memory
        asked.append((armed, node, edge.move.event))
        return (armed or edge.move.event == "arm",), "fired" if armed and edge.move.event == "fire" else None

    found = list(watch(graph, False, step))
    assert [events(one.way) for one in found] == [[(-1, "start"), (0, "arm"), (1, "fire")]]
    assert sorted(asked) == sorted(set(asked))


def test_a_step_may_have_several_memories_or_none() -> None:
    """With two memories both are followed; without one the walk ends there."""
    graph = graph_of({0: [("fork", 1)], 1: [("end", 0)]}, [("start", 0)])
    asked: list[tuple[str, str]] = []

    def step(memory: str, _: int, edge: Edge) -> tuple[tuple[str, ...], str | None]:
        asked.append((memory, edge.move.event))
        return {"start": ("",), "fork": ("left", "right"), "end": ()}[edge.move.event], None

    assert list(watch(graph, "", step)) == []
    assert asked == [("", "start"), ("", "fork"), ("left", "end"), ("right", "end")]


@given(st.data())
def test_the_walk_is_complete_and_shortest(data: st.DataObject) -> None:
    """On random graphs with a counting memory, each offence is found, by a way as short as any, shortest first."""
    size = data.draw(st.integers(1, 6), label="nodes")
    edge = st.tuples(st.sampled_from("abx"), st.integers(0, size - 1))
    ways = {node: data.draw(st.lists(edge, max_size=3), label=f"edges of {node}") for node in range(size)}
    graph = graph_of(ways, [("start", 0)])

    def step(seen: int, _: int, edge: Edge) -> tuple[tuple[int, ...], str | None]:
        return (min(2, seen + (edge.move.event == "a")),), "x after two a" if (edge.move.event, seen) == (
            "x",
            2,
        ) else None

    distance = {(0, 0): 1}
    todo = deque(distance)
    while todo:
        node, seen = todo.popleft()
        for event, target in ways[node]:
            place = (target, min(2, seen + (event == "a")))
            if place not in distance:
                distance[place] = distance[node, seen] + 1
                todo.append(place)
    expected = [
        distance[node, 2] + 1 for node in ways for event, _ in ways[node] if event == "x" and (node, 2) in distance
    ]
    found = list(watch(graph, 0, step))
    assert [len(one.way) for one in found] == sorted(expected)
    for one in found:
        assert all(edge.target == node for (_, edge), (node, _) in zip(one.way, one.way[1:], strict=False))
        assert [event for _, event in events(one.way)].count("a") > 1
