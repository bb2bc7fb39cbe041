"""Which clocks cannot win a race: one that started no earlier than another, and is surely longer.

Law: sound. Only the order of starts is remembered, and only between pairs whose lengths decide; so
a clock that starts late, when another has almost run out, is never thought to be older than it is.
"""

from collections.abc import Iterable

from .graph import Armed, Pending

Races = frozenset[tuple[str, str]]
"""Pairs of marks: the first cannot run out while the second still runs."""
NO_RACES: Races = frozenset()


def raced(
    races: Races, gone: Iterable[str], started: Iterable[Armed | Pending], running: Iterable[Armed | Pending]
) -> Races:
    """The races after a step.

    Args:
        races: before it.
        gone: marks of what fired, ended, stopped, or starts anew.
        started: what starts.
        running: all that runs after the step.
    """
    left = set(gone)
    kept = {pair for pair in races if not left.intersection(pair)} if left else set(races)
    others = tuple(running)
    for one in started:
        kept.update((one.mark, other.mark) for other in others if one.length.least > oldest(other))
    return frozenset(kept) if kept else NO_RACES


def lost(races: Races, fired: Armed | Pending) -> bool:
    """Whether this cannot run out now, because another must have done so before."""
    return any(first == fired.mark for first, _ in races)


def oldest(one: Armed | Pending) -> float:
    """How long it can run, in seconds; one that waits for silence has no end, for bytes may come."""
    return float("inf") if isinstance(one, Armed) and one.kind == "silent" else one.length.most
