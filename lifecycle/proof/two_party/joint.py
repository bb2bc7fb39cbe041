"""A client and a server page together: where both stand, what is between them, and what comes of a step.

Law: TCP. A channel is first in, first out; every end of a connection empties both, and both parties are
told. A party that has closed is still given what was sent to it, until the other one takes the end. Each
dial meets a new server page, over the same log of messages.
"""

from collections.abc import Mapping
from typing import NamedTuple

from .frames import Frame, find, number
from .parties import Party
from .standing import Standing, Turn

_OVER = ("idle", "closed", "failed")


class Log(NamedTuple):
    """The server's messages: how many there are, the last sent on this connection, and the last that was ever sent.

    A connection on which nothing is sent again begins with what is new. `ever` is told to pages that ask for it.
    """

    produced: int = 0
    sent: int = 0
    ever: int = 0


class Ledger(NamedTuple):
    """What the client's user knows: messages in the order of their delivery, and what the marks have said.

    Up to `gap` some may be missing, up to `again` some may come twice. `continuous`: this connection has its
    mark, or needs none; none before the first dial.
    """

    delivered: tuple[int, ...] = ()
    gap: int = 0
    again: int = 0
    continuous: bool | None = None


class Node(NamedTuple):
    """A state of the whole."""

    client: Standing
    server: Standing
    up: tuple[Frame, ...] = ()
    down: tuple[Frame, ...] = ()
    log: Log = Log()
    ledger: Ledger = Ledger()
    query: tuple[tuple[str, float], ...] = ()
    closes: int = 0
    duplicates: int = 0
    stopped: bool = False

    @property
    def missing(self) -> tuple[int, ...]:
        """Messages that the user was not given, and not told that they may be missing."""
        known = self.ledger
        return tuple(n for n in range(known.gap + 1, self.log.produced + 1) if n not in known.delivered)

    @property
    def over(self) -> bool:
        """Whether the client has come to rest without a transport, and the server is not waiting for anything."""
        parted = self.client.phase == self.server.phase == "none"
        done = self.client.row.ended or self.client.row.status in _OVER
        return parted and done and not (self.client.calls or self.server.calls or self.server.clocks)


class Move(NamedTuple):
    """Something that may happen.

    Attributes:
        free: nobody can rely on it: a fault, a wish, or a new message.
        doubled: the number of a message that this delivers once more.
    """

    who: str
    what: str
    node: Node
    free: bool = False
    doubled: int = 0


class Draft:
    """A node while something happens in it."""

    def __init__(self, parties: Mapping[str, Party], node: Node) -> None:
        self.parties = parties
        self.at = {"client": node.client, "server": node.server}
        self.ways: dict[str, tuple[Frame, ...]] = {"client": node.up, "server": node.down}
        self.before, self.log, self.ledger, self.query = node, node.log, node.ledger, node.query
        self.doubled = 0

    def act(self, side: str, turn: Turn) -> None:
        """A party takes a step, and its peer is told what it must be."""
        self.at[side] = turn.after
        peer = "server" if side == "client" else "client"
        for word, what in turn.deeds:
            match word:
                case "send":
                    self.ways[side] = (*self.ways[side], what)
                case "open":
                    self.query = what
                    self.ledger = self.ledger._replace(continuous=self.ledger.continuous is None)
                case "close" if self.at[peer].connected:
                    self.ways[side] = (*self.ways[side], what)
                case "close":
                    self.act(side, self.parties[side].ended(self.at[side], what.code))
                case "drop":
                    self.clear()
                    if self.at[peer].connected:
                        self.act(peer, self.parties[peer].ended(self.at[peer], "eof"))
                case "log":
                    self.log = self.log._replace(sent=self.log.ever if what is None else what)
                case "refuse":
                    continue  # the dial is answered by it
                case _:  # a mark; there are no other deeds
                    self.mark(what)
        if side == "client" and self.ledger.continuous is False and self.at["client"].ready:
            # as the driver does: ready again, and the page has not said what became of the stream
            self.mark("lost")

    def meet(self) -> None:
        """The dial reaches a new server."""
        query, self.query = self.query, ()
        if not self.at["server"].row.states:
            # nobody has promised what was there before the first connection
            self.ledger = self.ledger._replace(gap=self.log.produced)
        self.clear()
        self.log = self.log._replace(sent=self.log.produced)
        turn = self.parties["server"].start("open", query)
        self.act("server", turn)
        refused = next((status for word, status in turn.deeds if word == "refuse"), None)
        client = self.parties["client"]
        if refused is None:
            self.act("client", client.told(self.at["client"], "opened", "opened"))
        else:
            self.act("client", client.ended(self.at["client"], refused))

    def lose(self) -> None:
        """The network loses the connection, or refuses the dial."""
        how = "connect" if self.at["client"].phase == "dialing" else "eof"
        self.clear()
        if self.at["server"].connected:
            self.act("server", self.parties["server"].ended(self.at["server"], how))
        self.act("client", self.parties["client"].ended(self.at["client"], how))

    def finish(self, side: str, code: int) -> None:
        """A party is told that the other one has closed, and the other one that it is."""
        self.clear()
        for who in ("server", "client") if side == "client" else ("client", "server"):
            self.act(who, self.parties[who].ended(self.at[who], code))

    def take(self, side: str, frame: Frame, turn: Turn) -> None:
        """A party takes the first frame that waits for it."""
        peer = "server" if side == "client" else "client"
        self.ways[peer] = self.ways[peer][1:]
        row = self.parties[side].route(frame)
        if side == "client" and row is not None and row.deliver and frame.item is not None:
            known = self.ledger.delivered
            by = number(find(frame.content, row.dedupe.by)) if row.dedupe else None
            if not (row.dedupe and by in known[-row.dedupe.window :]):
                self.deliver(frame.item)
        self.act(side, turn)

    def deliver(self, item: int) -> None:
        """The client's user is given a message."""
        if item not in self.ledger.delivered:
            self.ledger = self.ledger._replace(delivered=(*self.ledger.delivered, item))
        elif item > self.ledger.again:
            self.doubled = item

    def mark(self, kind: str) -> None:
        """The client's user is told what became of the stream."""
        self.ledger = self.ledger._replace(continuous=True)
        if kind == "lost":
            self.ledger = self.ledger._replace(gap=self.log.produced)
        if kind == "replayed":
            self.ledger = self.ledger._replace(again=self.log.produced)

    def clear(self) -> None:
        """All that is on its way is lost."""
        self.ways = {"client": (), "server": ()}

    def fits(self, capacity: int) -> bool:
        """Whether the channels have room for what was sent; the end of a connection needs none."""
        return all(sum(frame.code is None for frame in way) <= capacity for way in self.ways.values())

    def node(self) -> Node:
        """What has come of it."""
        before, log, ledger = self.before, self.log, self.ledger
        if not self.at["server"].connected:
            log = log._replace(sent=0)
        if before.stopped:
            # what matters now is only whether both end
            log, ledger = Log(), Ledger(continuous=True)
        elif ledger.gap and all(n in ledger.delivered for n in range(1, ledger.gap + 1)):
            ledger = ledger._replace(gap=0)
        return Node(
            self.at["client"],
            self.at["server"],
            self.ways["client"],
            self.ways["server"],
            log,
            ledger,
            self.query,
            before.closes,
            before.duplicates,
            before.stopped,
        )

    def move(self, who: str, what: str, turn: Turn | None = None, *, free: bool = False) -> Move:
        """What has come of it, as a move."""
        clauses = f" ({', '.join(turn.clauses)})" if turn is not None and turn.clauses else ""
        return Move(who, what + clauses, self.node(), free, self.doubled)
