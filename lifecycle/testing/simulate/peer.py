"""The peer: answers as a good one does, and says and does whatever the page lets it, when the schedule says so.

Law: derived from the page. While all is well it does what `good` promises, within the page's `latency`; else it may be
silent, late or rude. It knows what went over the link, and what state the page is in; it does not know the driver.
"""

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lifecycle.definition.sources import covers

from .words import Said

if TYPE_CHECKING:
    from .link import Link
    from .world import World

_SILENT, _LATE = 0.12, 0.12
_LATEST = 12.0
_WELL = 0.9
"""Of the page's latency: a good peer is a little better than it promises."""


class Peer:
    """The other end of one run.

    Args:
        world: where it is.
    """

    def __init__(self, world: "World") -> None:
        self.world, self.words = world, world.scene.words
        self._dice = random.Random(f"{world.seed} peer")
        self._serial = 0
        self._meant: dict[tuple[int, int], float] = {}  # what is about to be said: on which link, by which route; when
        self._wanted = _wanted(world)
        self._ids = ["0"]  # of requests that it has heard in this life; an answer to another one would be a guess

    @property
    def rudeness(self) -> float:
        """How often it does not answer a goodbye."""
        return 0.0 if self.world.calm else 0.1

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def meet(self) -> None:
        """Somebody new connects."""
        self._ids = ["0"]

    # -- what a good peer does

    def watch(self, leaves: Iterable[str]) -> None:
        """The page is in these states now: let good things happen that they wait for."""
        link = self.world.link
        if link is None or link.asking or link.goodbye or link.ended is not None:
            return
        for leaf in leaves:
            for row, again in self._wanted.get(leaf, ()):
                meant = self._meant.get((link.number, row))
                if meant is not None and not (again and self._too_late(meant, leaf)):
                    continue
                delay = self._when(leaf, again=again)
                at = self._meant[link.number, row] = self.world.now + delay
                self.world.later(delay, lambda link=link, row=row, at=at: self._mean(link, row, at))  # type: ignore[misc]  # bound early

    def _too_late(self, meant: float, leaf: str) -> bool:
        """What was meant while another state had more patience comes when the clocks of this one have run out."""
        return meant > self.world.now + self.world.judge.patience(leaf, _SELDOM) * _PATIENT[1]

    def _when(self, leaf: str, *, again: bool) -> float:
        if again:
            return self.world.judge.patience(leaf, _SELDOM) * self._dice.uniform(*_PATIENT)
        late = not self.world.calm and self._dice.random() < _LATE
        return self._dice.uniform(0.0, _LATEST if late else _WELL * self.world.scene.page.latency)

    def _mean(self, link: "Link", row: int, at: float) -> None:
        if self._meant.get((link.number, row)) != at:
            return
        del self._meant[link.number, row]
        if link is self.world.link and (self.world.calm or self._dice.random() >= _SILENT):
            said = self.words.say(row, self._next(), self._dice)
            if said is not None:
                link.say(said)

    # -- what it hears

    def heard(self, link: "Link", data: str | bytes) -> None:
        """A message has arrived."""
        record = self.world.account.arrived(data)
        if record is None or not self.words.answering or not isinstance(data, str) or link.gone:
            return
        asked = self.words.request(data)
        if asked is None:
            return
        self._ids = [*self._ids[-_KNOWN:], asked]
        roll = 1.0 if self.world.calm else self._dice.random()
        delay = self._dice.uniform(0.0, _LATEST if roll < _LATE else _WELL)
        if roll > _LATE + _SILENT:
            self.world.later(delay, lambda: self._reply(link, asked, record.serial))
            if roll > 1 - _LATE / 2 and not self.world.calm:
                self.world.later(delay + 1, lambda: self._reply(link, asked, record.serial))
        elif roll < _LATE:
            self.world.later(delay, lambda: self._reply(link, asked, record.serial))

    def _reply(self, link: "Link", id_: str, serial: int) -> None:
        if link is not self.world.link or link.gone:
            return
        good, row = self._dice.random() < _GOOD, self._dice.choice(self.words.answering)
        value: Any = {"to": serial, "said": self._next()}
        if not good and self._dice.random() < _UNSUPPORTED:
            value = _unknown(self.world)
        said = self.words.say(row, self._next(), self._dice, id=id_, good=good, value=value)
        if said is not None:
            link.say(said)

    # -- what the schedule lets it do

    def anything(self, pick: float | None = None) -> Said | None:
        """Something that it may say now."""
        rows = self.words.sayable
        if not rows:
            return None
        pick = self._dice.random() if pick is None else pick
        if self.words.delivering and pick < _FOR_USER:
            rows, pick = self.words.delivering, pick / _FOR_USER
        row = rows[int(pick * len(rows))]
        return self.words.say(row, self._next(), self._dice, id=self._dice.choice(self._ids))

    def say(self, pick: float) -> None:
        """Say something."""
        link = self.world.link
        if link is None or link.opened is None or link.asking or link.gone:
            return
        for _ in range(1 if pick < _MUCH else int(pick * 20)):
            said = self.anything(self._dice.random())
            if said is not None:
                link.say(said)

    def garbage(self, said: Said) -> Said:
        """A message that was damaged on its way."""
        return self.words.garbage(said, self._next())

    def end(self, pick: float) -> None:
        """End the connection."""
        link = self.world.link
        if link is not None and link.opened is not None:
            link.end(self.words.open_ending(pick))


def _unknown(world: "World") -> Any:
    """An error that means: no such method; as the page knows it."""
    requests = world.scene.page.requests
    if requests is None or not requests.unsupported:
        return None
    made: dict[str, Any] = {"message": "unknown method"}
    return made | {path: values[0] for path, values in requests.unsupported[0].match.items() if "." not in path}


def _wanted(world: "World") -> dict[str, tuple[tuple[int, bool], ...]]:
    """Leaf state to the routes that a good peer uses there, and whether that changes no state."""
    page, words = world.scene.page, world.scene.words
    good = page.good.get("open", ())
    rows = [row for row in words.sayable if any(covers(family, words.event(row)) for family in good)]
    found: dict[str, tuple[tuple[int, bool], ...]] = {}
    for leaf in page.states:
        wants: dict[int, bool] = {}
        for path in page.around(leaf):
            for row in rows:
                for clause in page.states[path].clauses:
                    if row not in wants and any(covers(family, words.event(row)) for family in clause.on):
                        wants[row] = clause.to in (None, path)
        found[leaf] = tuple(wants.items())
    return found


_KNOWN = 20
_PATIENT = (0.4, 0.8)
"""The parts of a state's patience in which a good peer speaks."""
_MUCH = 0.85
_GOOD, _UNSUPPORTED, _FOR_USER = 0.8, 0.3, 0.5
_SELDOM = 30.0
"""Seconds between two good things that change nothing but a clock."""
