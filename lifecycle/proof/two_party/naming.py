"""What a page calls the end of a connection, or a refusal, by its causes.

Law: the first row that fits decides. Nothing is known of texts, so rows that search one are left out.
"""

from typing import Any

from lifecycle.definition.page import Cause, Codes
from lifecycle.definition.sources import UNNAMED

from .frames import matches


def ending(causes: tuple[Cause, ...], how: int | str) -> str:
    """The event that an end is, which has a close code or a word of errors."""
    for row in causes:
        if row.otherwise or (_within(row.close, how) if isinstance(how, int) else how in row.error):
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
