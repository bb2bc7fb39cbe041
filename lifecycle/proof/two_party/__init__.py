"""A client page and a server page explored together, and held against the laws that need both.

Law: breadth first, so what breaks a law is told with one of the shortest ways to it. Complete within
its bounds, and deterministic. No deadlock: where nothing can happen, or nothing but a clock saves
two parties that still have their transport, the client is ready with everything delivered, or has ended;
and a way leads to such a place from everywhere, without a fault. No lost and no doubled message: each
is delivered once, unless the page has marked the place (`lost`, `replayed`). Both end: once the user has
wished to stop, a way leads to the end from everywhere, so if what can happen does happen, both end.
"""

from collections.abc import Iterable
from typing import Literal

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.proof.explore import LIMIT, TooManyStates

from .joint import Move, Node
from .pair import Bounds, Pair

LawName = Literal["no deadlock", "no lost message", "no doubled message", "both end"]


@attrs.frozen
class Happened:
    """A step of a trace, and where it has led.

    Attributes:
        who: user, client, server or network.
        what: what happens.
        client, server: where they stand then.
        up, down: the frames on their way to the server, and to the client, first to arrive first.
    """

    who: str
    what: str
    client: str
    server: str
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.who} {self.what} — {self.client} >{', '.join(self.up)}> <{', '.join(self.down)}< {self.server}"


@attrs.frozen
class Together:
    """What is known of two pages.

    Attributes:
        states, edges: how much was explored; up to the breach, if there is one.
        broken: the law that is broken, if one is.
        because: the sentence that says how.
        steps: one of the shortest ways to it.
    """

    client: str
    server: str
    states: int
    edges: int
    broken: LawName | None = None
    because: str = ""
    steps: tuple[Happened, ...] = ()

    def __str__(self) -> str:
        size = f"{self.client} and {self.server}: {self.states} states, {self.edges} edges"
        if self.broken is None:
            return f"{size}, all laws kept"
        steps = [f"{index:3} {step}" for index, step in enumerate(self.steps, 1)]
        return "\n".join([f"{size}, `{self.broken}` is broken: {self.because}", *steps])


def explore_together(
    client: Definition,
    server: Definition,
    *,
    messages: int = 2,
    capacity: int = 2,
    closes: int = 2,
    duplicates: int = 0,
    limit: int = LIMIT,
) -> Together:
    """Explore two pages over two channels that close, and judge both.

    Args:
        client: a page with the role client.
        server: a page with the role server.
        messages: how many messages the server has for the client.
        capacity: how many frames are on their way at most, each way; where a party only reacts, one more for each.
        closes: how often the network or the server ends a connection, or refuses a dial.
        duplicates: how many frames come twice; only a datagram channel does that.
        limit: the most states.

    Raises:
        TooManyStates: there are more.
        ValueError: a page has another role.
    """
    for page, role in ((client, "client"), (server, "server")):
        if page.role != role:
            raise ValueError(f"{page.name} has the role {page.role}; a {role} is asked for here")
    return _Search(Pair(client, server, Bounds(messages, capacity, closes, duplicates)), limit).result()


class _Search:
    def __init__(self, pair: Pair, limit: int) -> None:
        self.pair, self.limit = pair, limit
        self.nodes: list[Node] = []
        self.parents: list[tuple[int, Move | None]] = []
        self.known: dict[Node, int] = {}
        self.behind: list[list[int]] = []
        self.resting: list[int] = []
        self.edges = 0

    def result(self) -> Together:
        names = (self.pair.client.definition.name, self.pair.server.definition.name)
        breach = self.explored() or self.without_way()
        if breach is None:
            return Together(*names, len(self.nodes), self.edges)
        return Together(
            *names, len(self.nodes), self.edges, breach.law, breach.because, self.trace(breach.node, breach.last)
        )

    def explored(self) -> "_Breach | None":
        """Everything that can happen, until a law is broken."""
        self.add(self.pair.start(), -1, None)
        for index, node in enumerate(self.nodes):
            moves = self.pair.moves(node)
            if all(move.free for move in moves):
                resort = self.pair.last_resort(node)
                breach = None if node.stopped else self.judged(node, index, saved=bool(resort))
                if breach is not None:
                    return breach
                moves += resort
            for move in moves:
                self.edges += 1
                if move.doubled:
                    return _Breach("no doubled message", f"message {move.doubled} is delivered twice", index, move)
                self.add(move.node, index, move)
        return None

    def add(self, node: Node, behind: int, move: Move | None) -> None:
        index = self.known.setdefault(node, len(self.nodes))
        if index == len(self.nodes):
            if index == self.limit:
                names = f"{self.pair.client.definition.name} and {self.pair.server.definition.name}"
                raise TooManyStates(f"{names} have more than {self.limit} states; explore fewer messages or closes")
            self.nodes.append(node)
            self.parents.append((behind, move))
            self.behind.append([])
        if move is not None and not move.free:
            self.behind[index].append(behind)

    def judged(self, node: Node, index: int, *, saved: bool) -> "_Breach | None":
        """What is wrong with a node where nothing happens by itself, but for clocks that may save it."""
        client, server = node.client, node.server
        ready = client.ready and server.ready
        if ready and node.missing:
            lost = ", ".join(map(str, node.missing))
            return _Breach("no lost message", f"both are ready, and message {lost} was never delivered", index)
        if ready or node.over:
            self.resting.append(index)
            return None
        parting = "closing" in (client.row.status, server.row.status) or not (client.connected and server.connected)
        if saved and parting:
            return None
        how = "nothing but a clock can happen" if saved else "nothing can happen any more"
        return _Breach("no deadlock", f"{how}: the client is in {client}, the server in {server}", index)

    def without_way(self) -> "_Breach | None":
        """A node from which no way leads where it must."""
        resting = self.leading_to(self.resting)
        ending = self.leading_to(index for index, node in enumerate(self.nodes) if node.stopped and node.over)
        for index, node in enumerate(self.nodes):
            where = f"from the client in {node.client}, the server in {node.server}"
            if node.stopped and index not in ending:
                return _Breach("both end", f"{where}, no way leads to the end of both", index)
            if not node.stopped and index not in resting:
                return _Breach("no deadlock", f"{where}, no way leads to rest", index)
        return None

    def leading_to(self, nodes: Iterable[int]) -> set[int]:
        """Every node from which a way leads to one of these, with nothing free on it."""
        found = set(nodes)
        waiting = list(found)
        while waiting:
            for index in self.behind[waiting.pop()]:
                if index not in found:
                    found.add(index)
                    waiting.append(index)
        return found

    def trace(self, index: int, last: Move | None) -> tuple[Happened, ...]:
        moves = [last] if last is not None else []
        while index >= 0:
            index, move = self.parents[index]
            moves += [move] if move is not None else []
        return tuple(_happened(move) for move in reversed(moves))


@attrs.frozen
class _Breach:
    law: LawName
    because: str
    node: int
    last: Move | None = None


def _happened(move: Move) -> Happened:
    node = move.node
    up, down = (tuple(frame.said for frame in way) for way in (node.up, node.down))
    return Happened(move.who, move.what, str(node.client), str(node.server), up, down)
