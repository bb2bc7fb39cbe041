"""What becomes of a message: the page's routes; the first that matches decides.

Law: pure, and total: a message cannot make it raise. What no route takes is told as such.
"""

from collections.abc import Mapping
from typing import Any, Literal, final

import attrs

from lifecycle.definition.page import Pick, Route

from .pick import find, matches, take

Kind = Literal["deliver", "answer", "raise", "refusal", "clause", "discard", "unrouted"]
_NONE: Mapping[str, Any] = {}


# not frozen, for one is made of every message, and freezing makes that three times as dear
@final
@attrs.define(weakref_slot=False)
class Outcome:
    """What becomes of one message.

    Attributes:
        kind: what is done with it.
        value: what is delivered, or the result or error of an answer.
        delivers: whether it is for the user, besides what else is done with it.
        refused: with refusal: the refusal's object.
        id: with answer: of which request.
        good: with answer: whether it went well.
        event: with raise: the event's name, and its fields. With clause: the id of the clock's clause that a
            watched client reports; a driver does nothing with it.
        keep: variables that take a value before; the pick says how.
        row: which route took it, counted from 0.
        message: all of it.
    """

    kind: Kind
    value: Any = attrs.field(default=None, repr=False)
    delivers: bool = False
    refused: Any = attrs.field(default=None, repr=False)
    id: Any = None
    good: bool = True
    event: str = ""
    fields: Mapping[str, Any] = attrs.field(default=_NONE, repr=False)
    keep: tuple[tuple[str, Pick, Any], ...] = attrs.field(default=(), repr=False)
    row: int = 0
    message: Any = attrs.field(default=None, repr=False, eq=False)


def route(routes: tuple[Route, ...], message: Any) -> Outcome:
    """Decide on a message; a page without routes delivers everything."""
    if not routes:
        return Outcome("deliver", message, delivers=True, message=message)
    for place, row in enumerate(routes):
        if not row.match or matches(message, row.match):
            keep = tuple((name, pick, take(message, pick)) for name, pick in row.keep.items()) if row.keep else ()
            return _outcome(row, place, message, keep)
    return Outcome("unrouted")


def _outcome(row: Route, place: int, message: Any, keep: tuple[tuple[str, Pick, Any], ...]) -> Outcome:
    delivers, value = bool(row.deliver), None
    if row.deliver:
        value = message if row.deliver is True else find(message, row.deliver)
    if row.answer:
        good = row.ok is None or find(message, row.ok) is True
        part = row.result if good else row.error
        value = find(message, part) if part else None
        return Outcome("answer", value, id=find(message, row.answer), good=good, keep=keep, row=place)
    if row.raise_:
        fields = {name: find(message, path) for name, path in row.fields.items()}
        event = row.raise_
        return Outcome("raise", value, delivers, event=event, fields=fields, keep=keep, row=place, message=message)
    if row.refusal:
        refused = find(message, row.refusal)
        return Outcome("refusal", value, delivers, refused, keep=keep, row=place, message=message)
    if delivers:
        return Outcome("deliver", value, delivers, keep=keep, row=place, message=message)
    if row.clause:
        return Outcome("clause", event=row.clause, keep=keep, row=place)
    return Outcome("discard", keep=keep, row=place)
