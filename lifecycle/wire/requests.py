"""What waits for an answer: an entry in a dict and a ticket, no task each.

Law: a request settles exactly once: answered, refused, timed out, not sent, maybe delivered. An id
is never used again, so an answer that comes late finds nobody; it is counted and dropped. What the
peer has said not to know is remembered while its epoch lasts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, final

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import Unsupported
from lifecycle.errors import LifecycleError, RequestFailed, RequestUnsupported

from .pick import find, matches
from .ticket import Ticket

MOST_REMEMBERED = 1024
"""Methods that a peer does not know; of more it is asked again."""


class Asked(Protocol):
    """One request."""

    @property
    def method(self) -> str:
        """What was asked for."""
        ...

    @property
    def ticket(self) -> Ticket:
        """The fate of its message."""
        ...

    def settle(self, value: Any, error: LifecycleError | None) -> None:
        """The result, or why there is none."""


A = TypeVar("A", bound=Asked)


@final
class Requests(Generic[A]):
    """The requests of one connection.

    Args:
        unknown: the page's rows of errors that mean: no such method.

    Attributes:
        pending: those that wait, by their ids, in the order in which they were asked.
        late: how many answers came for which nobody waited.
        unsupported: what this epoch's peer does not know, and its words.
    """

    __slots__ = ("_serial", "_unknown", "late", "pending", "unsupported")

    def __init__(self, unknown: tuple[Unsupported, ...] = ()) -> None:
        self.pending: dict[str, A] = {}
        self.late = 0
        self.unsupported: dict[str, Any] = {}
        self._unknown = unknown
        self._serial = 0

    def next_id(self) -> str:
        """An id that this connection has not used."""
        self._serial += 1
        return str(self._serial)

    def answered(self, id_: Any, value: Any, *, good: bool) -> None:
        """The peer has answered."""
        # a peer may send the number that it reads in our text; anything else was no id of ours
        known = isinstance(id_, str | int) and not isinstance(id_, bool)
        asked = self.pending.pop(str(id_), None) if known else None
        if asked is None:
            self.late += 1
        elif good:
            asked.settle(value, None)
        else:
            asked.settle(None, self._refused(asked.method, value))

    def sent(self) -> list[A]:
        """Those whose message does not wait any more, in the order in which they were asked."""
        return [asked for asked in self.pending.values() if asked.ticket.fate != "queued"]

    def _refused(self, method: str, error: Any) -> RequestFailed:
        if not any(_fits(row, error) for row in self._unknown):
            return RequestFailed(method, error)
        if len(self.unsupported) < MOST_REMEMBERED:
            self.unsupported[method] = error
        return RequestUnsupported(method, error)


def _fits(row: Unsupported, error: Any) -> bool:
    if row.match and not matches(error, row.match):
        return False
    if row.text is None:
        return bool(row.match)
    words = error if isinstance(error, str) else find(error, "message")
    return isinstance(words, str) and re.search(row.text, words) is not None


def frame(definition: Definition, name: str, names: Mapping[str, Any]) -> Any:
    """A declared frame with its expressions replaced by the values of names."""
    return _filled(definition.messages.frames[name], names)


def frame_names(definition: Definition, name: str) -> frozenset[str]:
    """The names that a declared frame asks for."""
    return frozenset(found for each in _expressions(definition.messages.frames[name]) for found in each.names)


def _filled(template: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(template, Expression):
        return template.function(names)
    if isinstance(template, dict):
        return {key: _filled(part, names) for key, part in template.items()}
    if isinstance(template, list):
        return [_filled(part, names) for part in template]
    return template


def _expressions(template: Any) -> Iterator[Expression]:
    if isinstance(template, Expression):
        yield template
    elif isinstance(template, dict | list):
        for part in template.values() if isinstance(template, dict) else template:
            yield from _expressions(part)
