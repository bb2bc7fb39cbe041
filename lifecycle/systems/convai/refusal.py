"""What an HTTP answer that is no success says, in one sentence.

Law: pure and total: a body may be anything. The sentence is the body's `message`, else its `error`, else its `detail`,
else the status; a list of what is wrong, as validators write it, names each field.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from .room_error import LONGEST

MOST_FIELDS: Final = 8
"""Wrong fields that are named."""


def sentence(status: int, text: str, body: bytes) -> str:
    """Say what is wrong.

    Args:
        status: of HTTP.
        text: the reason phrase that came with it.
        body: JSON, or anything else.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, Mapping):
        for name in ("message", "error", "detail"):
            if words := _words(found.get(name)):
                return words[:LONGEST]
    return f"HTTP error! status: {status}" + (f": {text[:LONGEST]}" if text else "")


def _words(value: Any) -> str:
    match value:
        case str():
            return value.strip()
        case Mapping():
            return _words(value.get("message")) or _words(value.get("msg"))
        case list():
            told = [words for each in value if (words := _wrong(each))]
            more = [f"and {len(told) - MOST_FIELDS} more"] if len(told) > MOST_FIELDS else []
            return "; ".join(told[:MOST_FIELDS] + more)
    return ""


def _wrong(value: Any) -> str:
    """One wrong field: `{loc: [body, character_id], msg: …}`, as FastAPI writes it."""
    if not isinstance(value, Mapping):
        return _words(value) if isinstance(value, str) else ""
    place = value.get("loc")
    steps = [str(step) for step in place if isinstance(step, str | int)] if isinstance(place, list) else []
    where = ".".join(steps[1:] if steps[:1] == ["body"] else steps)
    return ": ".join(part for part in (where, _words(value)) if part)
