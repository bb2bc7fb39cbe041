"""From what ended or refused a connection to a named event: the page's table of causes.

Law: the first row that fits decides. Rows look at codes, statuses, words and texts of the peer,
never at the text of a library's exception.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from lifecycle.definition.literal import Secret
from lifecycle.definition.page import REDIRECTS, Cause, Codes, Pick
from lifecycle.definition.sources import UNNAMED

from .ending import CloseEnding, Ending, ErrorEnding, HttpEnding
from .pick import find, matches, take

_MOST_DIGITS = 10


@attrs.frozen
class Refusal:
    """The peer refuses by a message: the object that a route found in it."""

    value: Any = attrs.field(repr=False)

    def __str__(self) -> str:
        return f"the peer refuses: {_message(self.value) or _code(self.value) or 'it gives no reason'}"


@attrs.frozen
class Verdict:
    """What an ending is.

    Attributes:
        event: the page's name of it.
        fields: code, status, text, retry_after (seconds) and say; none where there is none. And endpoint, where the
            row says one: `next`, or what the peer wrote, which is a secret if it has a query or a user.
        words: the ending in words.
    """

    event: str
    fields: Mapping[str, Any] = attrs.field(repr=False)
    words: str


def classify(causes: tuple[Cause, ...], ending: Ending | Refusal) -> Verdict:
    """Name an ending by a page's causes."""
    for row in causes:
        if _fits(row, ending):
            fields = {**_facts(ending), "retry_after": _pause(row, ending), "say": row.say}
            if row.endpoint is not None:
                fields["endpoint"] = _endpoint(row, ending)
            return Verdict(row.is_ or UNNAMED, fields, str(ending))
    return Verdict(UNNAMED, {**_facts(ending), "retry_after": None, "say": None}, str(ending))


def _fits(row: Cause, ending: Ending | Refusal) -> bool:
    if row.otherwise:
        return True
    asked = False
    for given, answer in (
        (row.close, isinstance(ending, CloseEnding) and _within(row.close, ending.code)),
        (row.http, isinstance(ending, HttpEnding) and _within(row.http, ending.status)),
        (row.error, isinstance(ending, ErrorEnding) and ending.word in row.error),
        (row.refusal, isinstance(ending, Refusal)),
        (row.match, isinstance(ending, Refusal) and matches(ending.value, row.match)),
        (row.text, row.text is not None and re.search(row.text, _text(ending) or "") is not None),
    ):
        if given:
            asked = True
            if not answer:
                return False
    return asked and (row.endpoint is None or _endpoint(row, ending) is not None)


def _within(codes: Codes | None, code: int) -> bool:
    return codes == "any" or any(low <= code <= high for low, high in codes or () if not isinstance(low, str))


def _text(ending: Ending | Refusal) -> str | None:
    match ending:
        case Refusal(value):
            return _message(value)
        case CloseEnding(reason=reason):
            return reason
    return None


def _message(value: Any) -> str | None:
    found = value if isinstance(value, str) else find(value, "message")
    return found if isinstance(found, str) else None


def _code(value: Any) -> Any:
    code = find(value, "code")
    return code if isinstance(code, str | int) else None


def _facts(ending: Ending | Refusal) -> dict[str, Any]:
    code: Any = None
    match ending:
        case CloseEnding():
            code = ending.code
        case ErrorEnding():
            code = ending.word
        case Refusal():
            code = _code(ending.value)
    status = ending.status if isinstance(ending, HttpEnding) else None
    return {"code": code, "status": status, "text": _text(ending)}


def _pause(row: Cause, ending: Ending | Refusal) -> float | None:
    match row.retry_after:
        case "header":
            return retry_after(ending.headers) if isinstance(ending, HttpEnding) else None
        case Pick() as pick:
            found = take(ending.value, pick) if isinstance(ending, Refusal) else pick.else_
            return found if isinstance(found, int | float) else None
        case str():
            return None
    return row.retry_after


def _endpoint(row: Cause, ending: Ending | Refusal) -> str | None:
    found: Any = None
    match row.endpoint, ending:
        case "next", _:
            return "next"
        case "header", HttpEnding(status=status, headers=headers) if status in REDIRECTS:
            found = headers.get("location")
        case str() as path, Refusal(value) if path != "header":
            found = find(value, path)
    if not isinstance(found, str) or not found.strip():
        return None
    found = found.strip()
    if found == "next":
        return "./next"  # a relative reference, which is not our word
    return Secret(found) if set("?@") & set(found) else found


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause of a Retry-After header in seconds (RFC 9110, 10.2.3).

    A date is taken against the Date header of the same response, for the clocks may differ; where
    there is none, nothing is said.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS:
        return float(text)
    try:
        pause = (parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, pause)
