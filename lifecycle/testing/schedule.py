"""Schedules of faults: what a network does to a connection, and when; written as YAML or in Python.

Law: data, and the same for the proxy's real sockets and for simulations. What is hit by a share is
decided by the seed. All problems of a file are told at once, each with its place.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as File
from typing import Any, Final, Literal, get_args

import attrs

from lifecycle.definition import units
from lifecycle.definition.problem import Problem, Spot, did_you_mean
from lifecycle.definition.read import scalars, yaml12
from lifecycle.definition.read.misfit import Misfit, shown
from lifecycle.errors import PageError

Kind = Literal[
    "refuse",
    "delay",
    "drop",
    "corrupt",
    "duplicate",
    "reorder",
    "half-open",
    "throttle",
    "reset",
    "close",
    "status",
]
Way = Literal["both", "up", "down"]

VERSION: Final = 1
ONCE: Final = frozenset(("reset", "close"))
"""Kinds that happen in a moment; every other one lasts."""
COUNTED: Final = frozenset(("refuse", "status"))
"""Kinds that may last for a number of dials instead of a time."""
FRAMED: Final = frozenset(("drop", "corrupt", "duplicate", "reorder"))
"""Kinds that happen to whole messages."""

_LEAST_CLOSE, _MOST_CLOSE = 1000, 4999
_LEAST_STATUS, _MOST_STATUS = 200, 599
_LONGEST_REASON = 123  # RFC 6455 5.5: a control frame has 125 bytes, and the code takes two
_KEYS: Mapping[str, frozenset[str]] = {
    "refuse": frozenset(("lasts", "times")),
    "delay": frozenset(("lasts", "by", "way")),
    **{kind: frozenset(("lasts", "share", "way")) for kind in FRAMED},
    "half-open": frozenset(("lasts", "way")),
    "throttle": frozenset(("lasts", "rate", "way")),
    "reset": frozenset(),
    "close": frozenset(("code", "reason")),
    "status": frozenset(("lasts", "times", "status", "retry_after")),
}


@attrs.frozen(kw_only=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens.
        at: when, in seconds since the beginning, or since it was injected.
        lasts: for how many seconds; `math.inf` for until it is healed; 0 for what happens once, or has `times`.
        by: of delay: how late everything comes, in seconds.
        rate: of throttle: bytes a second.
        share: of drop, corrupt, duplicate and reorder: the part of all messages that is hit, 0 to 1.
        way: which direction; `up` is from the client.
        code: of close: the close code.
        reason: of close: its reason.
        status: of status: the HTTP status that answers handshakes.
        retry_after: of status: the pause that is asked for, in seconds.
        times: of refuse and status: so many dials, instead of a time.

    Raises:
        ValueError: these values make no fault.
    """

    kind: Kind
    at: float = 0.0
    lasts: float = 0.0
    by: float = 0.0
    rate: float = 0.0
    share: float = 1.0
    way: Way = "both"
    code: int = 1012
    reason: str = ""
    status: int = 503
    retry_after: float | None = None
    times: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no fault."""
        fields = attrs.fields_dict(Fault)
        given = {name: value for name, value in attrs.asdict(self).items() if value != fields[name].default}
        wrong = [f"{name}: {what}" for name, what in _wrong(given)]
        if wrong:
            raise ValueError(f"this is no fault: {'; '.join(wrong)}")

    def goes(self, way: Literal["up", "down"]) -> bool:
        """Whether it is in a direction."""
        return self.way in ("both", way)


@attrs.frozen
class Schedule:
    """Faults, and the seed that decides which messages they hit."""

    faults: tuple[Fault, ...] = ()
    seed: int = 1


def read_schedule(path: str | os.PathLike[str]) -> Schedule:
    """Read a schedule.

    Args:
        path: a file of YAML, with `faults: 1` (the version of this form), `schedule` (a list of faults) and
            perhaps `seed`.

    Returns:
        The schedule, its faults in the order of time.

    Raises:
        PageError: with every problem of the file.
    """
    try:
        value, source = yaml12.read_file(File(path))
    except yaml12.Unreadable as error:
        raise PageError(sorted(map(_of_schedules, error.problems))) from None
    reader = _Reader()
    schedule = reader.schedule(value, Spot(source))
    if reader.problems:
        raise PageError(sorted(reader.problems))
    return schedule


def _of_schedules(problem: Problem) -> Problem:
    """The remedies that the reader of YAML knows are those of pages."""
    if problem.what == "the file is empty":
        return attrs.evolve(problem, remedy=f"begin with `faults: {VERSION}`")
    if problem.what.startswith("cannot be read"):
        return attrs.evolve(problem, remedy="check the path")
    return problem


def _wrong(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a fault: the attribute, and in words.

    Args:
        given: attributes by name, without those that have their defaults.
    """
    kind = given["kind"]
    if kind not in _KEYS:
        yield "kind", f"{kind!r} is not one of {', '.join(get_args(Kind))}"
        return
    for name in sorted(set(given) - _KEYS[kind] - {"kind", "at"}):
        yield name, f"{kind} has none"
    lasts, times = given.get("lasts", 0.0), given.get("times")
    if kind in COUNTED and (lasts > 0) == (times is not None):
        yield "lasts", f"{kind} lasts for a time or for a number of dials, one of the two"
    elif kind not in ONCE | COUNTED and not lasts > 0:
        yield "lasts", f"{kind} lasts for a time above 0"
    for name, low, high in _RANGES:
        value = given.get(name)
        if value is None and name in _NEEDED.get(kind, ()):
            yield name, f"{kind} needs it"
        elif value is not None and not low <= value <= high:
            yield name, f"{value:g} lies outside {low:g} to {high:g}"
    if given.get("way", "both") not in get_args(Way):
        yield "way", f"{given['way']!r} is not one of {', '.join(get_args(Way))}"
    if len(given.get("reason", "").encode()) > _LONGEST_REASON:
        yield "reason", f"it is longer than {_LONGEST_REASON} bytes"


_NEEDED: Mapping[str, tuple[str, ...]] = {"delay": ("by",), "throttle": ("rate",)}
_LEAST = 1e-9
_MOST = 1e15
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("at", 0, _MOST),
    ("lasts", 0, math.inf),
    ("by", _LEAST, _MOST),
    ("rate", _LEAST, _MOST),
    ("share", 0, 1),
    ("code", _LEAST_CLOSE, _MOST_CLOSE),
    ("status", _LEAST_STATUS, _MOST_STATUS),
    ("retry_after", 0, _MOST),
    ("times", 1, _MOST),
)


def _share(value: Any, _: Any) -> float:
    try:
        return units.fraction(value)
    except ValueError as error:
        raise Misfit(str(error)) from None


def _rate(value: Any, kind: Any) -> float:
    if not isinstance(value, str) or not value.rstrip().endswith("/s"):
        raise Misfit(f"expected bytes a second, found {shown(value)}", "write e.g. `10 KiB/s`")
    return scalars.size(value.rstrip().removesuffix("/s").rstrip(), kind)


_READERS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "at": ("at", scalars.seconds),
    "for": ("lasts", scalars.seconds),
    "by": ("by", scalars.seconds),
    "rate": ("rate", _rate),
    "share": ("share", _share),
    "way": ("way", scalars.text),
    "code": ("code", scalars.whole_number),
    "reason": ("reason", scalars.text),
    "http": ("status", scalars.whole_number),
    "retry_after": ("retry_after", scalars.seconds),
    "times": ("times", scalars.whole_number),
}
"""Key of a row to the attribute it becomes, and how it is written."""
_KEY_OF = {name: key for key, (name, _) in _READERS.items()} | {"kind": "fault"}


@attrs.define
class _Reader:
    """One reading of one file."""

    problems: list[Problem] = attrs.field(factory=list)

    def schedule(self, value: Any, spot: Spot) -> Schedule:
        """The whole file; what is wrong with it is told, and left out."""
        if not isinstance(value, dict):
            self.tell(spot, f"expected keys and values, found {shown(value)}", f"begin with `faults: {VERSION}`")
            return Schedule()
        self.keys(value, spot, ("faults", "seed", "schedule"), ("faults", "schedule"))
        version = value.get("faults", VERSION)
        if version != VERSION or isinstance(version, bool):
            self.tell(spot / "faults", f"version {shown(version)} is not known", f"write `faults: {VERSION}`")
        seed = self.scalar(scalars.whole_number, value.get("seed", 1), spot / "seed")
        rows = value.get("schedule", [])
        if not isinstance(rows, list):
            what = f"expected a list of faults, found {shown(rows)}"
            self.tell(spot / "schedule", what, "begin each row with `- `")
            rows = []
        faults = [self.fault(row, spot / "schedule" / index) for index, row in enumerate(rows)]
        ordered = sorted((fault for fault in faults if fault is not None), key=lambda fault: fault.at)
        return Schedule(tuple(ordered), seed if seed is not None else 1)

    def fault(self, row: Any, spot: Spot) -> Fault | None:
        """One row; none if it is wrong, which is told."""
        if not isinstance(row, dict):
            self.tell(spot, f"expected a fault, found {shown(row)}", "write e.g. `{at: 5 s, fault: reset}`")
            return None
        before, kind = len(self.problems), row.get("fault")
        allowed: tuple[str, ...] = ("at", "fault", *_READERS)
        if isinstance(kind, str) and kind in _KEYS:
            allowed = ("at", "fault", *(key for key, (name, _) in _READERS.items() if name in _KEYS[kind]))
        elif "fault" in row:
            remedy = did_you_mean(kind, _KEYS, "write one of them")
            self.tell(spot / "fault", f"{shown(kind)} is not one of {', '.join(get_args(Kind))}", remedy)
        self.keys(row, spot, allowed, ("at", "fault"))
        given: dict[str, Any] = {"kind": kind}
        for key in (key for key in row if key in allowed and key in _READERS):
            name, read = _READERS[key]
            given[name] = self.scalar(read, row[key], spot / key)
        if len(self.problems) > before:
            return None
        for name, what in _wrong(given):
            at = spot / _KEY_OF[name] if _KEY_OF[name] in row else spot
            self.tell(at, f"`{_KEY_OF[name]}`: {what}", "")
        return Fault(**given) if len(self.problems) == before else None

    def keys(self, value: Mapping[str, Any], spot: Spot, known: tuple[str, ...], needed: tuple[str, ...]) -> None:
        for key in (key for key in value if key not in known):
            self.problems.append((spot / key).problem(f"unknown key `{key}`", did_you_mean(key, known), key=True))
        for key in (key for key in needed if key not in value):
            self.tell(spot, f"the key `{key}` is missing", "it is required here")

    def scalar(self, read: Callable[[Any, Any], Any], value: Any, spot: Spot) -> Any:
        try:
            return read(value, None)
        except Misfit as error:
            self.tell(spot, error.what, error.remedy)
            return None

    def tell(self, spot: Spot, what: str, remedy: str) -> None:
        self.problems.append(spot.problem(what, remedy))
