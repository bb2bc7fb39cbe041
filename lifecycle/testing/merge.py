"""Two traces as one story: what a client and its server have lived through, in an order that could have been.

Law: each side keeps its own order. A message is received after it was sent, and a server's session begins before its
client's dial opens: that decides, whatever the clocks of two machines say; what it leaves open, the clocks decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from .trace_lines import Line

_SKEW = 2.0
"""Seconds that the clocks of two machines may differ where sessions are matched by time."""


@attrs.frozen
class Told:
    """One line of a story.

    Attributes:
        side: 0 for what stands in the first trace, 1 for the second.
        line: as it stands there.
        wall: when, in seconds since 1970 by the clock of its machine.
        peer: the other side's session, if it is known which.
    """

    side: int
    line: Line
    wall: float
    peer: str = ""


def told(lines: Sequence[Line]) -> tuple[Told, ...]:
    """One trace as a story."""
    return tuple(Told(0, line, wall) for line, wall in _dated(lines))


def merged(client: Sequence[Line], server: Sequence[Line]) -> tuple[Told, ...]:
    """Two traces as one story.

    Args:
        client: of one that dials; its sessions are matched dial by dial.
        server: with one session for each connection.

    A server's session belongs to a dial if it has the client's session for a name; else the first that begins
    while the dial lasts.
    """
    sides = (_Side(client), _Side(server))
    matched = dict(_matched(*sides))
    back = {session: dial for dial, session in matched.items()}
    story: list[Told] = []
    while any(side.left for side in sides):
        first = _next(sides, matched, back)
        side = sides[first]
        line, wall = side.take()
        key = _dial(line)
        peer = matched.get(key, "") if first == 0 else back[line.session][0] if line.session in back else ""
        story.append(Told(first, line, wall, peer))
    return tuple(story)


_Dial = tuple[str, int]
"""A client's session and its epoch."""


class _Side:
    """One trace, and how far it was told."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = _dated(lines)
        self._place = 0
        self.begun: set[str] = set()  # sessions whose start was told
        self.sends: dict[tuple[_Dial, int], int] = {}  # which line sends which message
        for place, (line, _) in enumerate(self._lines):
            went = line.row.get("out", 0)
            for number in range(went - line.row.get("effects", []).count("send") + 1, went + 1):
                self.sends[_dial(line), number] = place

    @property
    def left(self) -> bool:
        return self._place < len(self._lines)

    @property
    def head(self) -> tuple[Line, float]:
        return self._lines[self._place]

    def take(self) -> tuple[Line, float]:
        line, wall = self.head
        self._place += 1
        if line.row.get("cause") == "start" or "from" in line.row:
            self.begun.add(line.session)
        return line, wall

    def told(self, place: int) -> bool:
        return place < self._place

    def walk(self) -> Iterator[tuple[Line, float]]:
        return iter(self._lines)


def _dial(line: Line) -> _Dial:
    return line.session, int(line.row.get("epoch", 0))


def _dated(lines: Sequence[Line]) -> list[tuple[Line, float]]:
    moved: dict[str, float] = {}
    dated = []
    for line in lines:
        if line.kind == "header":
            date = line.row.get("date")
            moved[line.session] = datetime.fromisoformat(date).timestamp() - line.at if date else 0.0
        dated.append((line, line.at + moved.get(line.session, 0.0)))
    return dated


def _matched(client: _Side, server: _Side) -> Iterator[tuple[_Dial, str]]:
    """Which session of the server belongs to which dial."""
    begins = [(line, wall) for line, wall in server.walk() if line.kind == "header" and "from" not in line.row]
    names = {line.session: line.row.get("session") for line, _ in client.walk()}
    dials: dict[_Dial, tuple[float, float]] = {}
    for line, wall in client.walk():
        epoch = line.row.get("epoch", 0)
        if epoch:
            began, _ = dials.get((line.session, epoch), (wall, wall))
            dials[line.session, epoch] = (began, wall)
    for dial, (began, ended) in dials.items():
        # numbers are given by each side for itself
        name = names[dial[0]] or ""
        same = [each for each in begins if each[0].row.get("session") == name and not name.isdigit()]
        near = [each for each in begins if began - _SKEW <= each[1] <= ended + _SKEW]
        for found in (same or near)[:1]:
            begins.remove(found)
            yield dial, found[0].session


def _next(sides: tuple[_Side, _Side], matched: Mapping[_Dial, str], back: Mapping[str, _Dial]) -> int:
    """Which side is told next: the earlier one, unless the other must come first."""
    ready = [number for number in (0, 1) if sides[number].left]
    free = [number for number in ready if not _waits(number, sides, matched, back)]
    # where both wait for each other the traces do not belong together, and the clocks decide
    return min(free or ready, key=lambda number: sides[number].head[1])


def _waits(number: int, sides: tuple[_Side, _Side], matched: Mapping[_Dial, str], back: Mapping[str, _Dial]) -> bool:
    line, _ = sides[number].head
    other = sides[1 - number]
    peer = _peer(number, line, matched, back)
    if peer is None:
        return False
    if number == 0 and line.row.get("cause") == "opened":
        return peer[0] not in other.begun
    if number == 1 and line.kind == "header":
        return False
    sender = other.sends.get((peer, int(line.row.get("in", 0)))) if line.row.get("cause") == "message" else None
    return sender is not None and not other.told(sender)


def _peer(number: int, line: Line, matched: Mapping[_Dial, str], back: Mapping[str, _Dial]) -> _Dial | None:
    """The other side's session and epoch."""
    if number == 0:
        session = matched.get(_dial(line))
        return None if session is None else (session, 1)
    return back.get(line.session)
