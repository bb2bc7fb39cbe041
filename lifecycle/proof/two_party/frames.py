"""Frames of one page as the other page sees them: what is known in them, and which route takes them.

Law: `=x` stands for any value, and matches whatever a route asks for. Two things are known: the
numbers of cursors, and the number of the message that `=item` stands for.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import Route


@attrs.frozen
class Unknown:
    """Any value."""


UNKNOWN: Final = Unknown()
_EVERYTHING = (Route(deliver=True),)


@attrs.frozen
class Item:
    """The message of this number, or any part of it."""

    number: int


@attrs.frozen(eq=False)
class Frame:
    """A frame on its way, one object for each content; or the end of the connection, behind all frames.

    Attributes:
        said: its name, and what is known in it.
        content: mappings, lists and constants; in them `UNKNOWN` and `Item`.
        item: the number of the message that it is.
        code: with an end: the close code.
    """

    said: str
    content: Any = None
    item: int | None = None
    code: int | None = None


class Frames:
    """What one page can send.

    Args:
        definition: the page.
        cursors: its variables whose numbers are known.
    """

    def __init__(self, definition: Definition, cursors: Collection[str]) -> None:
        self.templates, self.cursors = definition.messages.frames, cursors
        self._made: dict[tuple[str, str], Frame] = {}
        self._ends: dict[int, Frame] = {}

    def make(self, name: str, value: Any = None, item: int | None = None) -> Frame:
        """A frame of a template.

        Args:
            name: the frame's.
            value: the template with its expressions evaluated; only cursors are taken from it.
            item: the number that `=item` stands for.
        """
        numbers: list[str] = []
        content = self._content(self.templates[name], value, item, numbers)
        key = (name, repr(content))
        if key not in self._made:
            of = [f"{item}"] if item is not None else numbers
            self._made[key] = Frame(" ".join((name, *of)), content, item)
        return self._made[key]

    def end(self, code: int) -> Frame:
        """The end of the connection, said by us."""
        return self._ends.setdefault(code, Frame(f"end {code}", code=code))

    def _content(self, template: Any, value: Any, item: int | None, numbers: list[str]) -> Any:
        if isinstance(template, Expression):
            if template.text == "item" and item is not None:
                return Item(item)
            if template.names <= set(self.cursors):
                numbers.append("none" if value is None else str(value))
                return value
            return UNKNOWN
        if isinstance(template, Mapping):
            inner = value if isinstance(value, Mapping) else {}
            return {name: self._content(part, inner.get(name), item, numbers) for name, part in template.items()}
        if isinstance(template, list | tuple):
            parts = value if isinstance(value, list | tuple) else [None] * len(template)
            return [self._content(part, one, item, numbers) for part, one in zip(template, parts, strict=True)]
        return template


def find(content: Any, path: str) -> Any:
    """The value at a path; in what is any value, any value; none where there is nothing."""
    for step in path.split("."):
        if isinstance(content, Unknown | Item):
            return content
        if isinstance(content, Mapping):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def matches(content: Any, conditions: Mapping[str, tuple[Any, ...]]) -> bool:
    """Whether each path leads to one of its values, or may."""
    return all(any(_may_be(find(content, path), value) for value in values) for path, values in conditions.items())


def route(definition: Definition, frame: Frame) -> Route | None:
    """The first route of a page that a frame matches; a page without routes delivers everything.

    A message of the log has a number. Where its content is not known, it takes the first route that asks for one.
    """
    rows = [row for row in definition.messages.routes or _EVERYTHING if matches(frame.content, row.match)]
    if frame.item is not None:
        rows = [row for row in rows if row.keep or row.sequence or row.dedupe] or rows
    return rows[0] if rows else None


def number(value: Any) -> int | None:
    """The number that a value stands for, if it is known."""
    if isinstance(value, Item):
        return value.number
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _may_be(found: Any, wanted: Any) -> bool:
    if isinstance(found, Unknown | Item):
        return True
    # True == 1 in Python, but not on the wire
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)
