"""What happens in a run from outside, and when: faults, what the peer says, what the user does.

Law: plain data, made by a seed alone. Any part of a schedule is one, too: so a failing one can be made shorter.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.units import say_seconds
from lifecycle.testing.schedule import Fault

What = Literal[
    "fault",
    "say",
    "end",
    "post",
    "send",
    "request",
    "burst",
    "pause",
    "cancel",
    "wish",
    "wishes",
    "calls",
    "heal",
]
HOUR: Final = 3600.0
_STORM: Final = (60.0, 300.0)
"""Seconds."""
_CALMS: Final = ((10.0, 200.0), (200.0, 1500.0))
"""Seconds: short ones, and those in which the longest clocks of a page run out undisturbed."""
_MOST_PICK: Final = 0.999_999
"""Rounded up, a number below 1 would be 1, which is behind the last of what there is."""
_PATIENT: Final = 0.5
_SAID: Final[dict[str, str]] = {
    "say": "the peer says something",
    "end": "the peer ends the connection",
    "post": "the user posts a message",
    "send": "the user sends a message",
    "request": "the user asks",
    "burst": "the user posts and asks many times at once",
    "pause": "the user reads nothing",
    "cancel": "the user is cancelled just as a message comes",
    "wish": "the user tells a wish",
    "wishes": "the user tells two wishes at once",
    "calls": "the embedder's calls fail or hang",
    "heal": "all is well again",
}


@attrs.frozen(kw_only=True)
class Entry:
    """One thing that happens.

    Attributes:
        at: when, in seconds since the beginning.
        what: which thing.
        pick: decides between its kinds, 0 to 1.
        lasts: for how many seconds; of what the user waits for, his patience; 0 is for ever.
        fault: the fault, if it is one.
    """

    at: float
    what: What
    pick: float = 0.0
    lasts: float = 0.0
    fault: Fault | None = None

    def __str__(self) -> str:
        """As a person reads it."""
        if self.fault is not None:
            fields = attrs.asdict(self.fault, filter=lambda field, value: field.name != "at" and value != field.default)
            said = " ".join(f"{name} {value}" for name, value in fields.items() if name != "kind")
            return f"{_clock(self.at)}  fault {self.fault.kind}{f' ({said})' if said else ''}"
        lasts = f" ({say_seconds(round(self.lasts, 3))})" if self.lasts else ""
        return f"{_clock(self.at)}  {_SAID[self.what]}{lasts}"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):4}:{seconds % 60:06.3f}"


def generate(page: Definition, seed: int, hours: float, faults: Iterable[Fault] = ()) -> tuple[Entry, ...]:
    """The schedule of a seed: storms, and some calm between them.

    Args:
        page: decides what can happen at all.
        seed: decides the rest.
        hours: how long it is.
        faults: happen besides.
    """
    dice = random.Random(f"{page.name} {seed}")
    kinds, end = _kinds(page), hours * HOUR
    made = [Entry(at=fault.at, what="fault", fault=fault) for fault in faults]
    names, rates = zip(*kinds.items(), strict=True)
    each, storm, until = sum(rates) / 60.0, True, 0.0
    at = 0.0
    while at < end:
        until = min(end, at + dice.uniform(*(_STORM if storm else dice.choice(_CALMS))))
        rate = each if storm else each / 20
        while (at := at + dice.expovariate(rate)) < until:
            what = dice.choices(names, rates)[0]
            made.append(_MAKE.get(what, _plain)(dice, round(at, 3), what))
        at = until
        if storm:
            made.append(Entry(at=round(at, 3), what="heal"))
        storm = not storm
    return tuple(sorted((entry for entry in made if entry.at < end), key=lambda entry: entry.at))


def _kinds(page: Definition) -> dict[What, float]:
    """What can happen with a page, and how often in a minute."""
    calls: dict[What, float] = {"calls": 0.7} if page.calls else {}
    if page.role == "session":
        return {"wish": 12.0, "wishes": 2.0, **calls}
    stops = 0.5 if page.role == "client" else 0.3
    kinds: dict[What, float] = {"fault": 2.0, "say": 4.0, "end": 0.8, "post": 2.0, "send": 1.5, "burst": 0.12}
    kinds |= {"pause": 0.7, "cancel": 1.5, "wish": stops, "wishes": stops / 3, **calls}
    if page.requests is not None:
        kinds["request"] = 3.0
    return kinds


def _pick(dice: random.Random) -> float:
    return min(round(dice.random(), 6), _MOST_PICK)


def _plain(dice: random.Random, at: float, what: What) -> Entry:
    return Entry(at=at, what=what, pick=_pick(dice))


def _impatient(dice: random.Random, at: float, what: What) -> Entry:
    patience = 0.0 if dice.random() < _PATIENT else round(dice.expovariate(0.3), 3)
    return Entry(at=at, what=what, pick=_pick(dice), lasts=patience)


def _lasting(dice: random.Random, at: float, what: What) -> Entry:
    return Entry(at=at, what=what, pick=_pick(dice), lasts=round(dice.uniform(1, 40), 3))


def _fault(dice: random.Random, at: float, what: What) -> Entry:
    kind = dice.choice(list(_FAULTS))
    return Entry(at=at, what=what, pick=_pick(dice), fault=_FAULTS[kind](dice, at))


def _lasts(dice: random.Random, most: float) -> float:
    return round(dice.uniform(0.5, most), 3)


def _way(dice: random.Random) -> Literal["both", "up", "down"]:
    ways: tuple[Literal["both", "up", "down"], ...] = ("both", "up", "down")
    return dice.choice(ways)


def _framed(kind: Literal["drop", "corrupt", "duplicate", "reorder"]) -> "Callable[[random.Random, float], Fault]":
    return lambda dice, at: Fault(
        kind=kind, at=at, lasts=_lasts(dice, 20), share=round(dice.uniform(0.05, 1), 2), way=_way(dice)
    )


def _close(dice: random.Random, at: float) -> Fault:
    return Fault(kind="close", at=at, code=dice.choice((1000, 1001, 1008, 1011, 1012, 1013, 3000, 4001, 4999)))


def _status(dice: random.Random, at: float) -> Fault:
    pause = dice.choice((None, 0.0, round(dice.uniform(0, 30)), 86_400.0))
    status = dice.choice((401, 403, 404, 429, 500, 503))
    return Fault(kind="status", at=at, status=status, retry_after=pause, times=dice.randint(1, 4))


_FAULTS: "dict[str, Callable[[random.Random, float], Fault]]" = {
    "refuse": lambda dice, at: Fault(kind="refuse", at=at, lasts=_lasts(dice, 60)),
    "refused": lambda dice, at: Fault(kind="refuse", at=at, times=dice.randint(1, 20)),
    "delay": lambda dice, at: Fault(
        kind="delay", at=at, by=round(dice.uniform(0.05, 4), 3), lasts=_lasts(dice, 30), way=_way(dice)
    ),
    "drop": _framed("drop"),
    "corrupt": _framed("corrupt"),
    "duplicate": _framed("duplicate"),
    "reorder": _framed("reorder"),
    "half-open": lambda dice, at: Fault(kind="half-open", at=at, lasts=_lasts(dice, 90), way=_way(dice)),
    "throttle": lambda dice, at: Fault(
        kind="throttle", at=at, rate=round(dice.uniform(100, 20_000)), lasts=_lasts(dice, 40), way=_way(dice)
    ),
    "reset": lambda _, at: Fault(kind="reset", at=at),
    "close": _close,
    "status": _status,
}
_MAKE: "dict[str, Callable[[random.Random, float, What], Entry]]" = {
    "fault": _fault,
    "send": _impatient,
    "request": _impatient,
    "pause": _lasting,
    "calls": _lasting,
}


def kept(entries: Iterable[Entry], only: Iterable[int] | None) -> Iterator[Entry]:
    """The entries of a schedule with these numbers, counted from 0; all of them, if none are said."""
    chosen = None if only is None else set(only)
    return (entry for number, entry in enumerate(entries) if chosen is None or number in chosen)
