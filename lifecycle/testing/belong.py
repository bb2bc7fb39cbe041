"""Which session of a server belongs to which dial of a client: by names, by ids of events, and by what can have been.

Law: clocks of two machines prove nothing about each other, but each goes on evenly. So what was received after it was
sent says between which bounds the difference of two clocks lies, and no pair is believed for which there is none.
"""

import bisect
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import attrs

from .trace_lines import Line

_SKEW = 2.0
"""Seconds that the clocks of two machines may differ where nothing but time says what belongs together."""
_DRIFT = 2e-4
"""How much faster one clock may go than another: ordinary quartzes, on a hot day."""
_BLUR = 0.1
"""Seconds by which a line may be late."""
Bounds = tuple[float, float]
Ends = tuple[int | str, ...]
Pair = tuple["Stretch", "Stretch"]


@attrs.frozen(eq=False)
class Dated:
    """A line of a trace.

    Attributes:
        line: as it stands there.
        wall: when, in seconds since 1970 by the clock of its machine.
        place: how many lines stand before it in its trace.
    """

    line: Line
    wall: float
    place: int


@attrs.define(eq=False, slots=False)
class Stretch:
    """One transport's life, as one side tells it.

    Attributes:
        session: whose it is, as lines say it.
        epoch: which dial.
        name: what its page calls the session; empty if it does not.
        lines: what is told of it, in order.
    """

    session: str
    epoch: int
    name: str
    lines: list[Dated] = attrs.field(factory=list)

    @property
    def began(self) -> float:
        """When its first line was written."""
        return self.lines[0].wall

    @property
    def ended(self) -> float:
        """When its last line was written."""
        return self.lines[-1].wall

    @property
    def closed(self) -> bool:
        """Whether nothing has come or gone after its last line."""
        last = self.lines[-1].line
        return "out" in last.row and (last.kind == "end" or last.row.get("phase") == "none")

    @cached_property
    def opened(self) -> list[Dated]:
        """Where it opened, as a client tells it; nothing if it did not."""
        return [each for each in self.lines if each.line.row.get("cause") == "opened"]

    @cached_property
    def outs(self) -> list[int]:
        """How many messages had gone, line by line."""
        outs: list[int] = []
        for each in self.lines:
            outs.append(each.line.row.get("out", outs[-1] if outs else 0))
        return outs

    @cached_property
    def received(self) -> int:
        """How many messages have come."""
        received: int = max(each.line.row.get("in", 0) for each in self.lines)
        return received

    @cached_property
    def came(self) -> Ends:
        """The ids of the first and the last event that came; nothing if that is not known."""
        return self._ends("came")

    @cached_property
    def went(self) -> Ends:
        """The ids of the first and the last event that went; nothing if that is not known."""
        return self._ends("went")

    def _ends(self, key: str) -> Ends:
        return next((tuple(each.line.row[key]) for each in self.lines[::-1] if key in each.line.row), ())

    def surely_before(self, number: int) -> Dated | None:
        """The last line that was written before a message had gone, or as it went."""
        place = bisect.bisect_left(self.outs, number)
        if place < len(self.lines):
            own = self.lines[place].line.row.get("effects", []).count("send")
            place += number > self.outs[place] - own
        return self.lines[place - 1] if place else None


def dials(trace: Sequence[Dated]) -> tuple[Stretch, ...]:
    """The dials of a client, by the order in which they began."""
    return _stretches(trace, server=False)


def visits(trace: Sequence[Dated]) -> tuple[Stretch, ...]:
    """The sessions of a server, by the order in which they began."""
    return _stretches(trace, server=True)


def _stretches(trace: Sequence[Dated], *, server: bool) -> tuple[Stretch, ...]:
    found: dict[tuple[str, int], Stretch] = {}
    for each in trace:
        # version 1 says the epoch on steps only; a server's session has one
        epoch = 1 if server else each.line.epoch
        if epoch:
            key = each.line.session, epoch
            found.setdefault(key, Stretch(*key, each.line.name)).lines.append(each)
    return tuple(found.values())


def causes(dial: Stretch, visit: Stretch) -> Iterator[tuple[Dated, Dated]]:
    """Lines of the two sides of which one must come before the other, if they belong together: it, and the other."""
    dialled, asked = dial.lines[0], visit.lines[0]
    if "from" not in asked.line.row:
        if "open" in dialled.line.row.get("effects", ()):
            yield dialled, asked
        started = next((each for each in visit.lines if each.line.row.get("cause") == "start"), asked)
        yield from ((started, each) for each in dial.opened)
    for sender, receiver in ((dial, visit), (visit, dial)):
        seen = 0
        for each in receiver.lines:
            got = each.line.row.get("in", 0)
            if got > seen and (before := sender.surely_before(got)) is not None:
                yield before, each
            seen = max(seen, got)


def bounds(dial: Stretch, visit: Stretch) -> Bounds:
    """Between which two numbers of seconds lies what is to be added to the server's clock to have the client's."""
    mine = {id(each) for each in dial.lines}
    low, high = -math.inf, math.inf
    for before, after in causes(dial, visit):
        if id(before) in mine:
            low = max(low, before.wall - after.wall)
        else:
            high = min(high, after.wall - before.wall)
    return low, high


def _agreed(dial: Stretch, visit: Stretch) -> int | None:
    """In how many directions the ids of events agree; none if they cannot belong together."""
    agreed = 0
    for sender, receiver in ((dial, visit), (visit, dial)):
        if sender.closed and receiver.received > sender.outs[-1]:
            return None
        if sender.went and receiver.came:
            # where as many have gone as have come, the last one is the same, too
            ends = (0, -1) if sender.outs[-1] == receiver.received else (0,)
            if any(sender.went[end] != receiver.came[end] for end in ends):
                return None
            agreed += 1
    return agreed


def belonging(mine: Sequence[Stretch], theirs: Sequence[Stretch]) -> Mapping[Stretch, Stretch]:
    """To each dial of the client the session of the server, where one is found.

    Who is called alike belongs together; which dial it is, is known by the first and the last id of the events that
    came and went; then by clocks, with the difference that those which are known have. Where no ids are known, the
    order of dials is that of sessions. Who has no name is matched by time alone.
    """
    found: dict[Stretch, Stretch] = {}
    for name in dict.fromkeys(dial.name for dial in mine):
        ours = [dial for dial in mine if dial.name == name]
        same = [visit for visit in theirs if name and visit.name == name]
        taken = set(found.values())
        pairs = [(dial, visit) for dial in ours for visit in same or theirs if visit not in taken]
        if same:
            likely = _Pairs(pairs)
            found |= likely.by_ids() or likely.in_order()
            found |= likely.by_clock(found, theirs)
        else:
            found |= _Pairs(pair for pair in pairs if _near(*pair)).as_agreed()
    return found


def _near(dial: Stretch, visit: Stretch) -> bool:
    """Whether a session began while a dial lasted, by clocks that are about right."""
    return dial.began - _SKEW <= visit.began <= dial.ended + _SKEW


class _Pairs:
    """Dials and sessions that may belong together, dial by dial."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._agreed: dict[Pair, int] = {}
        self._bounds: dict[Pair, Bounds] = {}
        for pair in pairs:
            number = _agreed(*pair)
            low, high = bounds(*pair) if number is not None else (math.inf, -math.inf)
            if number is not None and low <= high + _BLUR + _DRIFT * (pair[0].ended - pair[0].began):
                self._agreed[pair], self._bounds[pair] = number, (low, high)
        self._taken: set[Stretch] = set()

    def by_ids(self) -> dict[Stretch, Stretch]:
        """Those of which each agrees with nobody else as well as with the other."""
        best: dict[Stretch, int] = {}
        for pair, number in self._agreed.items():
            best |= {each: max(number, best.get(each, 1)) for each in pair}
        alike = [pair for pair, number in self._agreed.items() if number == best[pair[0]] == best[pair[1]]]
        return self._take(_alone(alike))

    def by_clock(self, known: Mapping[Stretch, Stretch], theirs: Sequence[Stretch]) -> dict[Stretch, Stretch]:
        """Those for which the difference of the clocks is that of a session beside it in its trace."""
        places = {visit: place for place, visit in enumerate(theirs)}
        found: dict[Stretch, Stretch] = {}
        while True:
            beside = _Beside(theirs, {**known, **found})
            left = [pair for pair in self._agreed if not {*pair} & self._taken]
            near = {pair: apart for pair in left if (apart := beside.apart(pair, self._bounds[pair])) <= _BLUR}
            sure = _alone(near)
            if not sure:
                break
            found |= self._take(sure)
        ranked = sorted(near, key=lambda pair: (not pair[0].opened, near[pair], pair[0].began, places[pair[1]]))
        return found | self._take(ranked)

    def in_order(self) -> dict[Stretch, Stretch]:
        """One after the other, of the dials that came through."""
        return self._take(pair for pair in self._agreed if pair[0].opened)

    def as_agreed(self) -> dict[Stretch, Stretch]:
        """Those that agree best before the others, and these one after the other."""
        return self._take(sorted(self._agreed, key=lambda pair: -self._agreed[pair]))

    def _take(self, pairs: Iterable[Pair]) -> dict[Stretch, Stretch]:
        taken: dict[Stretch, Stretch] = {}
        for dial, visit in pairs:
            if not {dial, visit} & self._taken:
                self._taken |= {dial, visit}
                taken[dial] = visit
        return taken


def _alone(pairs: Collection[Pair]) -> list[Pair]:
    """Those of which neither part is in another one."""
    count = Counter(each for pair in pairs for each in pair)
    return [pair for pair in pairs if count[pair[0]] == count[pair[1]] == 1]


class _Beside:
    """What is known of the clocks of those that stand beside a session in its trace, so on its machine."""

    def __init__(self, theirs: Sequence[Stretch], known: Mapping[Stretch, Stretch]) -> None:
        back = {visit: bounds(dial, visit) for dial, visit in known.items()}
        self._before, self._after = _carried(theirs, back), _carried(theirs[::-1], back)

    def apart(self, pair: Pair, between: Bounds) -> float:
        """By how much a pair says another difference of clocks; 0 if nothing is known."""
        low, high = between
        high = min(high, pair[0].ended - pair[1].began)  # who asked after the dial was given up was another one
        known = (found for side in (self._before, self._after) if (found := side[pair[1]]) is not None)
        return min((max(0.0, low - most, least - high) for least, most in known), default=0.0)


def _carried(theirs: Iterable[Stretch], back: Mapping[Stretch, Bounds]) -> dict[Stretch, Bounds | None]:
    last: Bounds | None = None
    found = {}
    for visit in theirs:
        found[visit] = last = back.get(visit, last)
    return found
