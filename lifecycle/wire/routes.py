"""What becomes of a message: the page's routes; the first that matches decides.

Law: pure, and total: a message cannot make it raise. What no route takes is told as such.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from lifecycle.definition.page import Pick, Route

from .pick import find, matches, take

Kind = Literal["deliver", "answer", "raise", "refusal", "discard", "unrouted"]
_NONE: Mapping[str, Any] = {}


@attrs.frozen
class Outcome:
    """What becomes of one message.

    Attributes:
        kind: what is done with it.
        value: what is delivered, the result or error of an answer, or the refusal's object.
        id: with answer: of which request.
        good: with answer: whether it went well.
        event: with raise: the event's name, and its fields.
        keep: variables that take a value before; the pick says how.
    """

    kind: Kind
    value: Any = attrs.field(default=None, repr=False)
    id: Any = None
    good: bool = True
    event: str = ""
    fields: Mapping[str, Any] = attrs.field(default=_NONE, repr=False)
    keep: tuple[tuple[str, Pick, Any], ...] = attrs.field(default=(), repr=False)


_EVERYTHING = (Route(deliver=True),)


def route(routes: tuple[Route, ...], message: Any) -> Outcome:
    """Decide on a message; a page without routes delivers everything."""
    for row in routes or _EVERYTHING:
        if matches(message, row.match):
            keep = tuple((name, pick, take(message, pick)) for name, pick in row.keep.items())
            return _outcome(row, message, keep)
    return Outcome("unrouted")


def _outcome(row: Route, message: Any, keep: tuple[tuple[str, Pick, Any], ...]) -> Outcome:
    if row.deliver:
        value = message if row.deliver is True else find(message, row.deliver)
        return Outcome("deliver", value, keep=keep)
    if row.answer:
        good = row.ok is None or find(message, row.ok) is True
        part = row.result if good else row.error
        return Outcome(
            "answer", find(message, part) if part else None, id=find(message, row.answer), good=good, keep=keep
        )
    if row.raise_:
        fields = {name: find(message, path) for name, path in row.fields.items()}
        return Outcome("raise", event=row.raise_, fields=fields, keep=keep)
    if row.refusal:
        return Outcome("refusal", find(message, row.refusal), keep=keep)
    return Outcome("discard", keep=keep)
