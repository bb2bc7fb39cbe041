"""Interleaved rounds, and what is told about them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Cases = dict[str, dict[str, Any]]


def race(runners: Mapping[str, Callable[[int], None]], sizes: Mapping[str, int], rounds: int) -> dict[str, list[float]]:
    """Let each run in turn, many times, so that a slow moment hits all; seconds for one of its events."""
    found: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, runner in runners.items():
            began = time.perf_counter()
            runner(sizes[name])
            if number:  # the first round warms up
                found[name].append((time.perf_counter() - began) / sizes[name])
    return found


def told(found: Mapping[str, list[float]], unit: str, scale: float, against: str = "") -> Cases:
    """Medians and least values in a unit, and ratios of medians against one of the cases."""
    base = statistics.median(found[against]) if against else 0.0
    made: Cases = {}
    for name, values in found.items():
        median = statistics.median(values)
        made[name] = {
            "median": round(median * scale, 4),
            "min": round(min(values) * scale, 4),
            "max": round(max(values) * scale, 4),
            "unit": unit,
        }
        if against:
            made[name]["ratio"] = {against: round(median / base, 3)}
    return made
