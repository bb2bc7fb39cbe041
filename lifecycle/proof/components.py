"""The strongly connected components of a graph.

Law: a component comes after all those that it can reach, and every node is in exactly one. Nothing recurs,
so a chain may be as long as the graph.

Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972; with one number a node as in
D. Pearce, A space-efficient algorithm for finding strongly connected components, 2016.
"""

from collections.abc import Callable, Iterable, Iterator

_UNSEEN = -1


def components(nodes: Iterable[int], successors: Callable[[int], Iterable[int]]) -> list[list[int]]:
    """Find the strongly connected components.

    Args:
        nodes: any numbers; one that comes twice counts once.
        successors: where the edges of a node lead; what is not among the nodes is skipped.

    Returns:
        The components in reverse topological order: each comes after all those that it can reach.
    """
    low = dict.fromkeys(nodes, _UNSEEN)  # the earliest visit that a node reaches within its component, as far as known
    finished = len(low)  # later than every visit, so an edge into a finished component lowers nothing
    found: list[list[int]] = []
    waiting: list[int] = []  # those whose component is not finished, by visit
    visits = 0
    for start, seen in low.items():
        if seen != _UNSEEN:
            continue
        path: list[tuple[int, int, Iterator[int]]] = []
        entered = start
        while True:
            if low[entered] == _UNSEEN:
                low[entered] = visits
                path.append((entered, visits, iter(successors(entered))))
                waiting.append(entered)
                visits += 1
            node, visit, ahead = path[-1]
            lowest = low[node]
            for target in ahead:
                reached = low.get(target, finished)
                if reached < lowest:
                    if reached == _UNSEEN:
                        entered = target
                        break
                    lowest = reached
            low[node] = lowest
            if low[entered] == _UNSEEN:
                continue
            path.pop()
            if lowest == visit:
                component = _taken(waiting, node)
                found.append(component)
                low.update(dict.fromkeys(component, finished))
            if not path:
                break
            parent = path[-1][0]
            low[parent] = min(low[parent], low[node])
    return found


def _taken(waiting: list[int], first: int) -> list[int]:
    component: list[int] = []
    while not component or component[-1] != first:
        component.append(waiting.pop())
    return component
