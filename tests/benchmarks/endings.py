"""Endings and refusals, enough of them to tell any two tables of causes apart; and what a table says of each.

Law: deterministic. For each row there is an ending that fits it and one that just does not; what is
tried stands for all codes, statuses, words and texts.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

from lifecycle.definition.page import ERROR_WORDS, Cause, Pick
from lifecycle.wire.causes import Refusal, classify
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding

Causes = tuple[Cause, ...]
CODES = (*range(1000, 1016), *range(3000, 3011), 3500, *range(4000, 4011))
STATUSES = (200, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504)
PAUSE = 7


def verdicts(causes: Causes, endings: list[Ending | Refusal]) -> list[tuple[Any, ...]]:
    """What a table makes of each ending: the event, the pause, the sentence for the user."""
    found = (classify(causes, ending) for ending in endings)
    return [(verdict.event, verdict.fields["retry_after"], verdict.fields["say"]) for verdict in found]


def endings(causes: Causes) -> list[Ending | Refusal]:
    """Every ending that some row may tell from the others."""
    return list(_endings(causes))


def _endings(causes: Causes) -> Iterator[Ending | Refusal]:
    texts = ["", *dict.fromkeys(example(row.text) for row in causes if row.text)]
    codes = sorted({*CODES, *_near(row.close for row in causes)} - {1006})
    statuses = sorted({*STATUSES, *_near(row.http for row in causes)})
    yield from (CloseEnding(code, text) for code, text in product(codes, texts))
    for status, headers in product(statuses, ({}, {"retry-after": str(PAUSE)})):
        yield HttpEnding(status, headers)
    yield from (ErrorEnding(word) for word in ERROR_WORDS)  # type: ignore[arg-type]  # all of them are
    for text, pause in product(texts, (False, True)):
        yield Refusal(_object({"message": text}, causes, paused=pause))
    for row in causes:
        for values in product(*row.match.values()):
            given = dict(zip(row.match, values, strict=True))
            for text, pause in product(texts, (False, True)):
                yield Refusal(_object({"message": text, **given}, causes, paused=pause))
            # another row may look at another part of the same object
            for other in causes:
                both = {**{path: values[0] for path, values in other.match.items()}, **given}
                yield Refusal(_object(both, causes, paused=True))


def _near(given: Any) -> Iterator[int]:
    for codes in given:
        for pair in codes if isinstance(codes, tuple) else ():
            low, high = pair
            yield from (low, high, (low + high) // 2, high + 1)


def _object(values: dict[str, Any], causes: Causes, *, paused: bool) -> dict[str, Any]:
    """An object with values at paths, and with every pause that some row reads."""
    picks = [row.retry_after for row in causes if isinstance(row.retry_after, Pick)] if paused else []
    made: dict[str, Any] = {}
    for path, value in {**{pick.path: PAUSE for pick in picks}, **values}.items():
        *around, last = path.split(".")
        inner = made
        for step in around:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return made


def example(pattern: str) -> str:
    """A text that fits a regular expression: the first of its alternatives, each part as rarely as it may be."""
    text = re.sub(r"\(\?[a-z]+\)|[$^]", "", pattern)
    while (inner := re.sub(r"\(([^()|]*)\|?[^()]*\)", r"\1", text)) != text:
        text = inner
    text = text.partition("|")[0]
    text = re.sub(r".[?*]", "", text).replace(".", " ").replace("+", "").replace("\\", "")
    if not re.search(pattern, text):
        raise ValueError(f"`{text}` is no example of `{pattern}`: find a better way to make one")
    return text
