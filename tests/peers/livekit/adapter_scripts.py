"""Scripts of what providers do, made up from seeds: the same for the real adapters and for ours.

Law: pure, and of the standard library alone, for the process of the real adapters reads it too. A seed is a script.
"""

import random
from collections.abc import Sequence
from typing import Any, Final

SEEDS: Final = range(1, 301)
HEARING: Final = 200
"""Seeds above this one are of speech that is recognized, in one piece; the others of language models."""
STATUSES: Final = (400, 401, 404, 408, 422, 429, 499, 500, 502, 503)
TIMEOUT: Final = 5.0
"""Seconds that a provider is handed for an attempt; one that hangs keeps to it."""
_MOODS: Final = {
    "well": {"ok": 8, "connection": 1, "status": 1},
    "shaky": {"ok": 4, "connection": 2, "timeout": 1, "status": 3, "value": 1, "hang": 1},
    "down": {"ok": 1, "connection": 4, "timeout": 2, "status": 4, "value": 2, "hang": 2},
}
_LONG: Final = 64


def script(seed: int) -> dict[str, Any]:
    """One script.

    Returns:
        `providers`: for each a row of what it does, one entry a try. `hears`: whether they recognize speech. `requests`: when each begins, and after how long
        its user gives up, in seconds; the other keys are settings.
    """
    dice, hears = random.Random(seed), seed > HEARING
    at, requests = 0.0, []
    for _ in range(dice.randint(1, 6)):
        at += dice.choice((0.003, 0.3, 3.0, 8.0, 30.0)) * dice.uniform(0.5, 1.5)
        requests.append({"at": at, "patience": dice.uniform(0.05, 6.0) if dice.random() < 0.15 else None})
    return {
        "seed": seed,
        "hears": hears,
        "providers": [_provider(dice, 1 if hears else None) for _ in range(dice.randint(1, 4))],
        "requests": requests,
        "max_retry": dice.choice((0, 0, 1, 2, 3)),
        "retry_interval": dice.uniform(0.2, 1.5),
        "retry_on_chunk_sent": dice.random() < 0.35 and not hears,
        "sticky": dice.random() < 0.4 and not hears,
    }


def _provider(dice: random.Random, most: int | None) -> list[dict[str, Any]]:
    weights = _MOODS[dice.choice(tuple(_MOODS))]
    return [_try(dice, weights, most) for _ in range(_LONG)]


def _try(dice: random.Random, weights: dict[str, int], most: int | None) -> dict[str, Any]:
    does = dice.choices(tuple(weights), weights=tuple(weights.values()))[0]
    pieces = dice.randint(1, 4) if does == "ok" else dice.choice((0, 0, 0, 1, 2))
    return {
        "does": does,
        "status": dice.choice(STATUSES) if does == "status" else None,
        "waits": [dice.uniform(0.002, 0.9) for _ in range(pieces + 1)][:most],
    }


def text(provider: int, number: int, piece: int) -> str:
    """What is said, so that nobody else says the same."""
    return f"{provider}.{number}.{piece} "


def edges(told: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    """What was told of availability, without what was known already; all are available at first."""
    known, kept = [True] * count, []
    for at, provider, available in told:
        if known[provider] != available:
            known[provider] = available
            kept.append([at, provider, available])
    return kept
