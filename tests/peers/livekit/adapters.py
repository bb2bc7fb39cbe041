"""The real FallbackAdapters of LiveKit Agents and our failover, given the same scripts: what differs.

Law: a script agrees if every try of every provider begins at the same time, availability changes at the same times, and
each request ends with the same text or error at the same time. Controls that are wrong on purpose must be found.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

import trio

from lifecycle.errors import CallFailed
from lifecycle.trio.failover.health import Health
from peers.case import Case, Row, Seen
from peers.path import times
from peers.say import say
from peers.system import Rows

from .adapter_ours import played
from .adapter_scripts import SEEDS, edges, script
from .app import run_real

PEER: Final = "FallbackAdapter"
_REAL: Final = Path(__file__).with_name("adapter_real.py")
_SAME: Final = 0.001
"""Seconds; the two add up their times in another order."""
_SHOWN: Final = 3

Script = Mapping[str, Any]
Result = Mapping[str, Any]


def _unlike(wrong: Callable[[Script], Mapping[str, Any]]) -> Callable[[Script], Result]:
    return lambda given: played(dict(given), **wrong(given))


def _passes_nobody_by(given: Script) -> Result:
    with mock.patch.object(Health, "available", new=True):
        return played(dict(given))


CONTROLS: Final[Mapping[str, Callable[[Script], Result]]] = {
    "passes nobody by": _passes_nobody_by,
    "sticks where it must not": _unlike(lambda given: {"sticky": not given["sticky"]}),
    "tries once more": _unlike(lambda given: {"max_retry": given["max_retry"] + 1}),
    "retries whatever has failed": _unlike(lambda _: {"translate": lambda _: CallFailed("timeout")}),
    "never probes": _unlike(lambda _: {"probe_on_request": False}),
    "believes whoever serves": _unlike(lambda given: {"served_heals": not given["sticky"]}),
    "goes on after output": _unlike(
        lambda given: {"after_output": "fail" if given["retry_on_chunk_sent"] else "retry"}
    ),
    "probes after output": _unlike(lambda _: {"probe_after_output": True}),
    "takes 499 otherwise": _unlike(lambda given: {"hangs_up": given["hears"]}),
    "enforces the time": _unlike(lambda _: {"attempt_timeout": "400 ms"}),
}
"""Ours, with one mistake each."""
EACH: Final = 4
"""Of so many scripts one is enough for a control."""


async def _nothing(_: object) -> None:
    """It is not played by itself."""


CASES: Final = (
    Case(
        "adapter", f"{len(SEEDS)} scripts of what language models and ears do", "the same", times(len(SEEDS)), _nothing
    ),
    Case("adapter-controls", "Ours with a mistake: each is found", "found", times(len(CONTROLS)), _nothing),
)
ABOUT: Final[Mapping[str, str]] = {case.name: case.about for case in CASES}


async def play_adapters(python: Path, folder: Path, only: Collection[str], rows: Rows) -> None:
    """Play the cases among those that are asked for.

    Args:
        python: of an environment that has `livekit-agents`.
        folder: for what is written on the way.
        only: the names of those that are asked for.
        rows: takes what was seen; in the column of dials stands the number of scripts, or of controls.

    Raises:
        CannotRun: the real one has not come to an end.
    """
    cases = [case for case in CASES if case.name in only]
    for case in cases:
        rows[case.name, PEER] = Row(case, PEER, Seen("nothing", (), 0.0, ("it was not played",)))
    if not cases:
        return
    began = trio.current_time()
    scripts = [script(seed) for seed in SEEDS]
    say(f"playing {len(scripts)} scripts with the real FallbackAdapter")
    real = await run_real(python, folder, _REAL, scripts)
    for case, judge in zip(CASES, (_compared, _controlled), strict=True):
        if case in cases:
            path, count, wrong, notes = await trio.to_thread.run_sync(judge, scripts, real)
            seen = Seen(path, (count,), trio.current_time() - began, tuple(wrong), tuple(notes))
            rows[case.name, PEER] = Row(case, PEER, seen)


Judgement = tuple[str, int, list[str], list[str]]
"""In a word, how many, what is wrong, what was measured."""


def _compared(scripts: Sequence[Script], real: Sequence[Result]) -> Judgement:
    told = [(each["seed"], differences(each, it, played(dict(each)))) for each, it in zip(scripts, real, strict=True)]
    wrong = [f"seed {seed}: {what}" for seed, found in told for what in found]
    differ = sum(bool(found) for _, found in told)
    tries = sum(len(it["tries"]) for it in real)
    hears = sum(each["hears"] for each in scripts)
    changes = sum(len(edges(it["told"], len(it["available"]))) for it in real)
    again = sum(len(it["told"]) for it in real) - changes
    requests = [result["how"] for it in real for result in it["results"]]
    ends = ", ".join(f"{requests.count(how)} {how}" for how in sorted(set(requests)))
    notes = [
        f"{len(scripts)} scripts, {hears} of these of ears: {len(scripts) - differ} agree, {differ} differ without an explanation",
        f"{len(requests)} requests ({ends}), {tries} tries, {changes} changes of availability",
        f"explained: {again} times the real one told of a provider that it is available, which was known",
    ]
    return "another" if differ else "the same", len(scripts), wrong[:_SHOWN], notes


def _controlled(scripts: Sequence[Script], real: Sequence[Result]) -> Judgement:
    some = list(zip(scripts, real, strict=True))[::EACH]
    found = {
        name: sum(bool(differences(each, it, wrong(each))) for each, it in some) for name, wrong in CONTROLS.items()
    }
    missed = [f"`{name}` is not found" for name, count in found.items() if not count]
    notes = [f"`{name}`: {count} of {len(some)} scripts differ" for name, count in found.items()]
    return "missed" if missed else "found", len(CONTROLS), missed, notes


def differences(given: Script, real: Result, ours: Result) -> list[str]:
    """What differs between two results of one script, in sentences."""
    count, found = len(given["providers"]), list[str]()
    for what in ("tries", "told"):
        for provider in range(count):
            one, other = (_of(result, what, provider, count) for result in (real, ours))
            if not _alike(one, other):
                found.append(f"{what} of {provider}: {one}, and ours {other}")
    for number, (one, other) in enumerate(zip(real["results"], ours["results"], strict=True)):
        if not _alike([one[key] for key in sorted(one)], [other[key] for key in sorted(other)]):
            found.append(f"request {number}: {one}, and ours {other}")
    if real["available"] != ours["available"]:
        found.append(f"in the end {real['available']}, and ours {ours['available']}")
    return found


def _of(result: Result, what: str, provider: int, count: int) -> list[Any]:
    """One provider's part of a result."""
    rows = edges(result["told"], count) if what == "told" else result[what]
    return [[row[0], *row[2:]] for row in rows if row[1] == provider]


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < _SAME
    return bool(one == other)
