"""All that may happen between a client and a server page.

Law: the user wishes to connect while the client is idle, and to stop, once and for good, at any time. The
log grows at any time; messages are sent while a call that yields is pending, and while the server is ready.
Whoever only reacts to a frame never waits for room in a channel. What goes wrong is bounded as a whole: ends
by the network and by the server's own wish, dials that are refused, and calls that fail. Clocks run out
where there is no transport, and to give up where nothing else can happen.
"""

from collections.abc import Iterator

import attrs

from lifecycle.definition.definition import Definition

from .joint import Draft, Log, Move, Node
from .parties import Party

_SIDES = ("client", "server")


@attrs.frozen
class Bounds:
    """How far is explored: messages of the log, frames in a channel, faults of the network, doubled frames."""

    messages: int
    capacity: int
    closes: int
    duplicates: int


class Pair:
    """Two pages, and all that may happen between them."""

    def __init__(self, client: Definition, server: Definition, bounds: Bounds) -> None:
        self.client, self.server = Party(client, bounds.messages), Party(server, bounds.messages)
        self.parties = {"client": self.client, "server": self.server}
        self.bounds = bounds
        yielding = [call for call in server.calls.values() if call.yields]
        self.yields = [str(call.yields) for call in yielding]
        self.asks = any("number" in call.returns.values() for call in server.calls.values()) or any(
            "number" not in call.takes.values() for call in yielding
        )

    def start(self) -> Node:
        """The client has started, and there is no server yet."""
        draft = Draft(self.parties, Node(self.client.absent, self.server.absent))
        draft.act("client", self.client.start("none"))
        return draft.node()

    def moves(self, node: Node) -> list[Move]:
        """What may happen; clocks that give up are left out if anything else can, but for what is free."""
        found = [*self._network(node), *self._frames(node), *self._calls(node), *self._log(node)]
        found += [move for side in _SIDES for move in self._rings(node, side, last=False)]
        return found + list(self._free(node))

    def last_resort(self, node: Node) -> list[Move]:
        """Clocks that give up; asked for where nothing else can happen."""
        return [move for side in _SIDES for move in self._rings(node, side, last=True)]

    def _network(self, node: Node) -> Iterator[Move]:
        if node.client.phase == "dialing":
            draft = Draft(self.parties, node)
            draft.meet()
            yield draft.move("network", "the dial is answered")

    def _frames(self, node: Node) -> Iterator[Move]:
        for side, waiting in (("server", node.up), ("client", node.down)):
            if not waiting or not getattr(node, side).connected:
                continue
            frame = waiting[0]
            if frame.code is not None:
                draft = Draft(self.parties, node)
                draft.finish(side, frame.code)
                yield draft.move(side, f"is told `{frame.said}`")
                continue
            for turn in self.parties[side].hear(getattr(node, side), frame):
                draft = Draft(self.parties, node)
                draft.take(side, frame, turn)
                yield draft.move(side, f"takes `{frame.said}`", turn)

    def _calls(self, node: Node) -> Iterator[Move]:
        for side in _SIDES:
            party, at = self.parties[side], getattr(node, side)
            for state in at.calls:
                sending = side == "server" and party.yields(state)
                ways = [("is done", "done", node)] if not sending or node.log.sent == node.log.produced else []
                if node.closes < self.bounds.closes:
                    ways.append(("has failed", "failed", node._replace(closes=node.closes + 1)))
                for said, outcome, before in ways:
                    for turn in party.returns(at, state, outcome, node.log.ever):
                        draft = Draft(self.parties, before)
                        draft.act(side, turn)
                        if draft.fits(self.bounds.capacity):
                            what = f"call `{party.call(state)}` {said}"
                            yield draft.move(side, what, turn, free=outcome == "failed")

    def _log(self, node: Node) -> Iterator[Move]:
        if not self.yields or node.stopped:
            return
        log, server = node.log, node.server
        pending = next((name for state in server.calls if (name := self.server.yields(state))), None)
        sends = server.phase == "open" and (pending or server.ready) and len(node.down) < self.bounds.capacity
        if sends and log.sent < log.produced:
            frame = self.server.frames.make(pending or self.yields[0], item=log.sent + 1)
            log = Log(log.produced, log.sent + 1, max(log.ever, log.sent + 1) if self.asks else 0)
            yield Move("server", f"sends `{frame.said}`", node._replace(log=log, down=(*node.down, frame)))

    def _rings(self, node: Node, side: str, *, last: bool) -> Iterator[Move]:
        for clock, turn in self.parties[side].rings(getattr(node, side), last=last):
            draft = Draft(self.parties, node)
            draft.act(side, turn)
            yield draft.move(side, f"`{clock}` runs out", turn)

    def _free(self, node: Node) -> Iterator[Move]:
        """What the user, the messages' source and the network may do, and need not."""
        yield from self._wishes(node)
        log = node.log
        if self.yields and not node.stopped and log.produced < self.bounds.messages:
            produced = node._replace(log=log._replace(produced=log.produced + 1))
            yield Move("server", f"has message {log.produced + 1}", produced, free=True)
        if node.closes < self.bounds.closes and node.client.phase != "none":
            draft = Draft(self.parties, node._replace(closes=node.closes + 1))
            draft.lose()
            yield draft.move("network", "loses the connection", free=True)
        if node.duplicates < self.bounds.duplicates and not node.stopped:
            again = node._replace(duplicates=node.duplicates + 1)
            for channel, doubled in (
                (node.up, again._replace(up=node.up + node.up[-1:])),
                (node.down, again._replace(down=node.down + node.down[-1:])),
            ):
                if 0 < len(channel) < self.bounds.capacity and channel[-1].code is None:
                    yield Move("network", f"doubles `{channel[-1].said}`", doubled, free=True)

    def _wishes(self, node: Node) -> Iterator[Move]:
        if node.stopped:
            return
        stop = self.client.definition.stop
        for wish in self.client.definition.hears:
            if wish != stop and not (node.client.row.status == "idle" and node.client.phase == "none"):
                continue
            for turn in self.client.wish(node.client, wish):
                draft = Draft(self.parties, node._replace(stopped=wish == stop))
                draft.act("client", turn)
                yield draft.move("user", f"wishes `{wish}`", turn, free=True)
        stop = self.server.definition.stop
        if node.server.phase == "open" and node.closes < self.bounds.closes:
            for turn in self.server.wish(node.server, stop):
                if turn.after is node.server:
                    continue
                draft = Draft(self.parties, node._replace(closes=node.closes + 1))
                draft.act("server", turn)
                yield draft.move("server", f"wishes `{stop}`", turn, free=True)
