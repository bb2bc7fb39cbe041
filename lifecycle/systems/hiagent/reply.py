"""What the backend has answered, read from whatever it wrote.

Law: pure and total: a body may be anything. A number of the vendor's counts before the status of HTTP, for a refusal
may come with 200; it stands in a field, or in the words. Only words that speak of waiting are a pause.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from lifecycle.wire.causes import retry_after

LONGEST: Final = 500
"""Characters of the backend's words that are kept."""
MARGIN: Final = 1.0
"""Seconds more than a pause in words, which are rounded: who comes too early begins that pause anew."""
VENDOR: Final = range(4000, 6000)
"""Numbers that are the vendor's, and no statuses of HTTP."""

_GOOD: Final = range(200, 300)
_WORDS: Final = ("message", "msg", "error", "detail", "reason")
_DEEP: Final = 4
_CODE: Final = re.compile(r"\bcode\W{0,3}(\d{4})\b", re.IGNORECASE)
_SECONDS: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(?:s\b|secs?\b|seconds?\b|秒)", re.IGNORECASE)
_LATER: Final = re.compile(
    r"\b(?:wait|retry|again|later|left|remain|cool)|等|后再|後再|后重试|後重試|重试|重試|稍[后後]|冷却|冷卻|剩",
    re.IGNORECASE,
)


@attrs.frozen
class Reply:
    """An answer.

    Attributes:
        status: of HTTP.
        number: the vendor's, such as 4002; None if none was said.
        good: whether what was asked for was done.
        message: what the backend says; else the status.
        retry_after: the pause that it asks for, in seconds, with a margin where it was told in words.
        body: the whole object; empty if it was none.
    """

    status: int
    number: int | None
    good: bool
    message: str
    retry_after: float | None
    body: Mapping[str, Any] = attrs.field(repr=False)


def read_reply(status: int, phrase: str, headers: Mapping[str, str], content: bytes) -> Reply:
    """Read an answer.

    Args:
        status: of HTTP.
        phrase: the reason phrase that came with it.
        headers: by names in small letters.
        content: JSON, or anything else.
    """
    found = _parsed(content)
    body = found if isinstance(found, Mapping) else {}
    words = _words(body).strip()[:LONGEST]
    number = _number(body) or _number_in(words)
    good = status in _GOOD and number is None and body.get("success") is not False
    told = None if good else _pause(headers, words)
    return Reply(status, number, good, words or f"HTTP {status}{phrase and f' {phrase[:LONGEST]}'}", told, body)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _number(value: Any, deep: int = 0) -> int | None:
    """The vendor's number in a field `code`, on top or in what is wrapped."""
    if not isinstance(value, Mapping) or deep > _DEEP:
        return None
    told = value.get("code")
    if isinstance(told, str) and told.isascii() and told.isdecimal() and len(told) <= len("4000"):
        told = int(told)
    if isinstance(told, int) and told in VENDOR:
        return told
    return next((found for name in (*_WORDS, "data", "result") if (found := _number(value.get(name), deep + 1))), None)


def _number_in(words: str) -> int | None:
    return next((int(each) for each in _CODE.findall(words) if int(each) in VENDOR), None)


def _words(value: Any, deep: int = 0) -> str:
    match value:
        case str():
            return value
        case Mapping() if deep <= _DEEP:
            return next((words for name in _WORDS if (words := _words(value.get(name), deep + 1))), "")
        case list() if deep <= _DEEP:  # FastAPI lists what is wrong with a body
            return "; ".join(words for each in value[:8] if (words := _words(each, deep + 1)))
    return ""


def _pause(headers: Mapping[str, str], words: str) -> float | None:
    told = retry_after(headers)
    if told is not None:
        return told
    found = _SECONDS.search(words) if _LATER.search(words) else None
    seconds = float(found[1]) if found else math.inf
    return seconds + MARGIN if math.isfinite(seconds) else None
