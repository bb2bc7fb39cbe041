"""Real sessions of LiveKit Agents, and the page that watches them: is each step accepted, and each lie noticed.

Law: a script agrees if the page has nothing to say against any report, neither afterwards nor while it was played. A lie
is found if the first finding is at the report that it makes untrue, and no sooner or later.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import trio

import lifecycle
from lifecycle.definition.definition import Definition
from lifecycle.wire.finding import Finding
from peers.case import Case, Row, Seen
from peers.path import times
from peers.say import say
from peers.system import Rows

from .app import run_real
from .session_lies import LIES, Reports
from .session_scripts import BY_HAND, SEEDS, Script, made_up

PEER: Final = "AgentSession"
_REAL: Final = Path(__file__).with_name("session_real.py")
_SLACK: Final = 0.001
_TOOLS: Final = 1000
_SHOWN: Final = 3
_EACH: Final = 2
"""So many lies of a kind about a script, if there are so many."""

Result = Mapping[str, Any]


async def _nothing(_: object) -> None:
    """It is not played by itself."""


_HAND: Final = tuple(
    Case(f"session-{each.name}", each.about, each.ends, times(len(each.acts)), _nothing) for each in BY_HAND
)
_MADE_UP: Final = Case("session-scripts", f"{len(SEEDS)} scripts made up", "accepted", times(len(SEEDS)), _nothing)
_LIES: Final = Case("session-lies", "Reports with one thing changed", "rejected", times(len(LIES)), _nothing)
CASES: Final = (*_HAND, _MADE_UP, _LIES)
ABOUT: Final[Mapping[str, str]] = {case.name: case.about for case in CASES}


async def play_sessions(python: Path, folder: Path, only: Collection[str], rows: Rows) -> None:
    """Play the cases among those that are asked for.

    Args:
        python: of an environment that has `livekit-agents`.
        folder: for what is written on the way.
        only: the names of those that are asked for.
        rows: takes what was seen; in the column of dials stands how many acts, scripts, or kinds of lies there are.

    Raises:
        CannotRun: the real sessions have not come to an end.
    """
    cases = [case for case in CASES if case.name in only]
    for case in cases:
        rows[case.name, PEER] = Row(case, PEER, Seen("nothing", (), 0.0, ("it was not played",)))
    if not cases:
        return
    scripts = [*BY_HAND, *map(made_up, SEEDS)]
    say(f"playing {len(scripts)} scripts with real sessions")
    results = await run_real(python, folder, _REAL, [each._asdict() for each in scripts])
    played = list(zip(scripts, results, strict=True))
    for case, (script, result) in zip(_HAND, played, strict=False):
        if case in cases:
            seen = Seen(_ends(result), (len(script.acts),), result["seconds"], tuple(_wrong(script, result)))
            rows[case.name, PEER] = Row(case, PEER, seen)
    for case, judge in ((_MADE_UP, _accepted), (_LIES, _rejected)):
        if case in cases:
            began = trio.current_time()
            seen = await trio.to_thread.run_sync(judge, played)
            rows[case.name, PEER] = Row(case, PEER, attrs.evolve(seen, seconds=trio.current_time() - began))


def findings(script: Script, reports: Reports) -> tuple[Finding, ...]:
    """What the page has to say against a session's reports."""
    watch = lifecycle.monitor(_page(), _SLACK, away_timeout=script.away, tolerance=script.tolerance, most_tools=_TOOLS)
    for number, each in enumerate(reports):
        watch.report({key: value for key, value in each.items() if key != "at"}, at=each["at"], line=number)
    return watch.findings


@cache
def _page() -> Definition:
    return lifecycle.read("livekit-agent-session")


def _wrong(script: Script, result: Result) -> Iterator[str]:
    """What differs, in sentences."""
    yield from map(str, findings(script, result["reports"])[:_SHOWN])
    yield from (f"while it lived: {found}" for found in result["found"][:_SHOWN])
    if script.ends not in (None, _ends(result)):
        yield f"it has ended with {_ends(result)}"


def _ends(result: Result) -> str:
    """The reasons with which it has closed, in a word."""
    return " ".join(each["reason"] for each in result["reports"] if each.get("type") == "close") or "nothing"


def _accepted(played: Sequence[tuple[Script, Result]]) -> Seen:
    """All scripts, those by hand too, so that the numbers are of all."""
    wrong = {script.name: list(_wrong(script, result)) for script, result in played}
    differ = sum(map(bool, wrong.values()))
    steps = sum(len(result["reports"]) for _, result in played)
    ends = Counter(_ends(result) for _, result in played)
    notes = (
        f"{len(played)} scripts, {steps} steps: {len(played) - differ} scripts are accepted whole, {differ} differ, {differ} of these unexplained",
        "they end with " + ", ".join(f"{end} ({often})" for end, often in sorted(ends.items())),
    )
    told = tuple(f"{name}: {what}" for name, found in wrong.items() for what in found)
    return Seen("differ" if differ else "accepted", (len(SEEDS),), 0.0, told[:_SHOWN], notes)


def _rejected(played: Sequence[tuple[Script, Result]]) -> Seen:
    """Every lie about every script."""
    notes, wrong = list[str](), list[str]()
    for lie in LIES:
        told = found = 0
        for script, result in played:
            dice = random.Random(script.name)
            lies = list(enumerate(lie(result["reports"], dice)))
            for number, (reports, at) in dice.sample(lies, min(_EACH, len(lies))):
                first = next((finding.line for finding in findings(script, reports)), None)
                told, found = told + 1, found + (first == at)
                if first != at:
                    wrong.append(f"{lie.__name__} {number} about {script.name}: noticed at {first} and not at {at}")
        notes.append(f"{(lie.__doc__ or '').strip().rstrip('.')}: {told} told, {found} noticed at that step")
        if not told:
            wrong.append(f"{lie.__name__} was never told")
    return Seen("accepted" if wrong else "rejected", (len(LIES),), 0.0, tuple(wrong[:_SHOWN]), tuple(notes))
