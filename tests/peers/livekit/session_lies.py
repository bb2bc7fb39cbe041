"""Lies about a session: its own reports, with one thing changed, and the first report at which that must be noticed.

Law: pure. A lie that could be the truth is none: what is changed is chosen so that no session could have told that.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Reports = Sequence[Mapping[str, Any]]
_LEAST: Final = 0.1
"""Seconds by which a lie about time is off, at least."""
_MANY: Final = 10
_LONG: Final = 50.0


class Lie(NamedTuple):
    """Attributes: what is told; the number of the report at which it is noticed, from 0."""

    reports: Reports
    at: int


def swapped(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """Two changes of the agent, or of the user, change their places."""
    for kind in ("agent_state_changed", "user_state_changed"):
        found = _which(reports, type=kind)
        for one, other in itertools.pairwise(found):
            told = list(reports)
            told[one] = {**reports[other], "at": reports[one]["at"]}
            told[other] = {**reports[one], "at": reports[other]["at"]}
            yield Lie(told, one)


def left_out(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """A change of the agent is not told."""
    found = _which(reports, type="agent_state_changed")
    for one, other in itertools.pairwise(found):
        if reports[one]["old_state"] != "listening":  # while it listens a clock runs, and would tell sooner
            away = [
                number for number in _which(reports, new_state="away") if one < number and not _late(reports, number)
            ]
            yield Lie(_without(reports, one), min([other, *away]) - 1)


def repeated(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """A change is told twice."""
    for one in (*_which(reports, type="agent_state_changed"), *_which(reports, type="user_state_changed")):
        yield Lie(_with(reports, one + 1, reports[one]), one + 1)


def impossible(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """The agent is idle, or as it was before it began."""
    for one in _which(reports, type="agent_state_changed"):
        state = dice.choice(("idle", "initializing", "away"))
        yield Lie(_with(_without(reports, one), one, {**reports[one], "new_state": state}), one)


def unstarted(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """It was never started."""
    for one in _which(reports, event="started")[:1]:
        changes = [number for number in _which(reports, type="agent_state_changed") if number > one]
        yield Lie(_without(reports, one), changes[0] - 1)


def closed_twice(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """`close` is told again."""
    for one in _which(reports, type="close"):
        yield Lie(_with(reports, one + 1, reports[one]), one + 1)


def another_reason(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """It says that it has closed for another reason."""
    for one in _which(reports, type="close"):
        reasons = {"error", "job_shutdown", "participant_disconnected", "user_initiated", "task_completed"}
        reason = dice.choice(sorted(reasons - {reports[one]["reason"]}))
        yield Lie(_with(_without(reports, one), one, {**reports[one], "reason": reason}), one)


def uncaused(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """It closes, and nothing was done to it."""
    for close in _which(reports, type="close"):
        # what comes between might be noticed sooner
        if reports[close - 1].get("event") in ("aclose", "shutdown", "job_shutdown"):
            yield Lie(_without(reports, close - 1), close - 1)


def borne(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """The error for which it closes was never told."""
    for close in _which(reports, type="close"):
        errors = [number for number in _errors(reports) if number < close]
        same = [number for number in errors if reports[number]["error"] == reports[close]["error"]]
        # it closes for the last one, and at once: else there would be another one, or the user's clock would tell sooner
        if same and same == errors[-1:] and reports[close]["at"] < reports[same[0]]["at"] + _LEAST:
            yield Lie(_without(reports, same[0]), close - 1)


def fifth(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """An error after the one for which it has closed, when it has closed."""
    for close in _which(reports, type="close"):
        if reports[close]["reason"] == "error":
            error = {**reports[_errors(reports)[-1]], "at": reports[close]["at"]}
            yield Lie(_with(reports, close + 1, error), close + 1)


def unbearable(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """More errors than are borne, and it goes on; that is known when it does what one that closes does not."""
    started = _which(reports, new_state="listening")[:1]
    closes = [number for number in _which(reports, type="close") if reports[number]["reason"] != "error"]
    for one, close in zip(started, closes, strict=False):
        error = {
            "at": reports[one]["at"],
            "type": "error",
            "error": {"type": "stt_error", "recoverable": False},
            "source": {},
        }
        told = [*reports[: one + 1], *[error] * _MANY, *reports[one + 1 :]]
        away = [number for number in _which(reports, new_state="away") if not _late(reports, number)]
        noticed = min([close, *away])
        if reports[noticed]["at"] < error["at"] + _LONG:  # else it is noticed that it takes so long to close
            yield Lie(told, noticed + _MANY)


def too_early(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """The user is away before the time."""
    for one in _which(reports, new_state="away"):
        before, at = reports[one - 1]["at"], reports[one]["at"]
        if at - before > 2 * _LEAST and not _late(reports, one):
            yield Lie(_with(_without(reports, one), one, {**reports[one], "at": (before + at) / 2}), one)


def never_away(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """The user is not away in time."""
    for one in _which(reports, new_state="away"):
        if not _late(reports, one) and one + 1 < len(reports) and reports[one + 1]["at"] > reports[one]["at"] + _LEAST:
            yield Lie(_without(reports, one), one)


def away_from_a_speaker(reports: Reports, dice: random.Random) -> Iterator[Lie]:
    """The user is away while the agent speaks."""
    for one in _which(reports, type="agent_state_changed", new_state="speaking"):
        away = {"at": reports[one]["at"], "type": "user_state_changed", "old_state": "listening", "new_state": "away"}
        yield Lie(_with(reports, one + 1, away), one + 1)


LIES: Final[tuple[Callable[[Reports, random.Random], Iterator[Lie]], ...]] = (
    swapped,
    left_out,
    repeated,
    impossible,
    unstarted,
    closed_twice,
    another_reason,
    uncaused,
    borne,
    fifth,
    unbearable,
    too_early,
    never_away,
    away_from_a_speaker,
)


def _which(reports: Reports, **wanted: Any) -> list[int]:
    return [
        number for number, each in enumerate(reports) if all(each.get(key) == value for key, value in wanted.items())
    ]


def _errors(reports: Reports) -> list[int]:
    return [number for number in _which(reports, type="error") if not reports[number]["error"]["recoverable"]]


def _late(reports: Reports, number: int) -> bool:
    """Whether it was told while the session closed; then nobody waits for the user's clock."""
    return bool(reports[number].get("closing"))


def _without(reports: Reports, number: int) -> list[Mapping[str, Any]]:
    return [*reports[:number], *reports[number + 1 :]]


def _with(reports: Reports, number: int, report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*reports[:number], report, *reports[number:]]
