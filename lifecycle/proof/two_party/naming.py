"""What a page calls the end of a connection, or a refusal, by its causes.

Law: the first row that fits decides. Nothing is known of texts, so rows that search one are left out.
"""

from typing import Any

from lifecycle.definition.page import Cause, Codes
from lifecycle.definition.sources import UNNAMED

from .frames import matches

_CLOSES = 1000
"""Close codes begin here; below are HTTP's."""


def ending(causes: tuple[Cause, ...], how: int | str) -> str:
    """The event that an end is, which has a close code, an HTTP status or a word of errors."""
    for row in causes:
        codes = row.close if isinstance(how, int) and how >= _CLOSES else row.http
        if row.otherwise or (_within(codes, how) if isinstance(how, int) else how in row.error):
            return row.is_ or UNNAMED
    return UNNAMED


def refusal(causes: tuple[Cause, ...], content: Any) -> str:
    """The event that a refusal by message is."""
    for row in causes:
        if row.otherwise or row.refusal or (row.match and matches(content, row.match)):
            return row.is_ or UNNAMED
    return UNNAMED


def _within(codes: Codes | None, code: int) -> bool:
    return codes == "any" or any(low <= code <= high for low, high in codes or () if not isinstance(low, str))
