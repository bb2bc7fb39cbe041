"""The shortest part of a schedule that still fails: delta debugging (Zeller and Hildebrandt, 2002).

Law: a part counts only if the same invariant is broken again. Bounded in time: what was found by then is told.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from .entries import Entry, kept
from .life import run_seed
from .result import Result, Violation
from .scene import Scene

PATIENCE = 30.0
"""Seconds of real time that shrinking may take."""


def shortest(
    scene: Scene, failed: Result, entries: Sequence[Entry], hours: float, patience: float = PATIENCE
) -> tuple[tuple[int, ...], Violation]:
    """Shrink a schedule that fails.

    Args:
        scene: the page.
        failed: what came of the whole schedule.
        entries: the whole schedule.
        hours: of the run.
        patience: seconds of real time.

    Returns:
        The numbers of the entries that are left, counted from 0, and what they break.

    Raises:
        ValueError: nothing had failed.
    """
    violation = failed.violation
    if violation is None:
        raise ValueError(f"seed {failed.seed} breaks nothing, so there is nothing to shrink")
    until, last = time.monotonic() + patience, [violation]

    def fails(numbers: Iterable[int]) -> bool:
        found = run_seed(scene, failed.seed, tuple(kept(entries, numbers)), hours).violation
        if found is None or found.invariant != violation.invariant:
            return False
        last[0] = found
        return True

    # what comes after the end has no part in it, but in how it ends
    whole = [number for number, entry in enumerate(entries) if entry.at <= violation.at]
    if len(whole) < len(entries) and not fails(whole):
        whole = list(range(len(entries)))
    numbers = _minimal(whole, fails, lambda: time.monotonic() < until)
    return tuple(numbers), last[0]


def _minimal(whole: list[int], fails: Callable[[list[int]], bool], patient: Callable[[], bool]) -> list[int]:
    """Leave out halves, quarters, and so on, down to single ones, as long as it still fails."""
    left, parts = whole, 2
    while left and patient():
        size = max(1, len(left) // parts)
        for start in range(0, len(left), size):
            rest = left[:start] + left[start + size :]
            if not patient():
                return left
            if fails(rest):
                left, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                return left
            parts = min(len(left), parts * 2)
    return left
