"""What a connection, and the events that its messages carry, are called: in traces, logs and spans.

Law: it only names, and nothing that happens depends on it. What strangers call things is short, can be printed, and
holds no secret of this connection.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import value
from lifecycle.definition.literal import Secret
from lifecycle.observe.plain import hushed
from lifecycle.wire.pick import find

Id = int | str
_LONGEST: Final = 200
_MOST: Final = 2**63
_numbers = itertools.count(1)


@final
class Ids:
    """The names of one connection; the page says where they are found, under `trace`.

    Args:
        definition: the page.
        names: what parameters and variables stand for now.

    Attributes:
        number: which connection of this process it is, counted from 1; 0 before it begins.
        session: what it is called; its number, where the page does not say.
        epoch: which dial it is in.
        path: where a message has its id as an event of the application, if the page says.
        came, went: the ids of the first and the last event of this dial.
        event: the id of the last event, of whatever dial, whichever way it went.
    """

    __slots__ = ("_definition", "_names", "came", "epoch", "event", "number", "path", "session", "went")

    def __init__(self, definition: Definition, names: Callable[[], Mapping[str, Any]]) -> None:
        self._definition, self._names, self.path = definition, names, definition.trace.event
        self.number = self.epoch = 0
        self.session = ""
        self.event: Id | None = None
        self.came: tuple[Id, Id] | None = None
        self.went: tuple[Id, Id] | None = None

    def begin(self, first: Mapping[str, Any]) -> None:
        """It begins.

        Args:
            first: first values of variables, which they do not have yet.
        """
        self.number = next(_numbers)
        said = self._id(value(self._definition.trace.session, lambda: {**self._names(), **first}))
        self.session = str(self.number if said is None else said)

    def dial(self, epoch: int) -> None:
        """Another dial begins, and nothing has come or gone in it."""
        self.epoch = epoch
        self.came = self.went = None

    def of(self, message: Any) -> Id | None:
        """The id of a message, if it has one."""
        return self._id(find(message, self.path)) if self.path is not None else None

    def come(self, message: Any) -> None:
        """A message has come."""
        event = self.of(message)
        if event is not None:
            self.came = (self.came[0] if self.came is not None else event, event)
            self.event = event

    def go(self, event: Id | None) -> None:
        """A message has gone, with this id if it has one."""
        if event is not None:
            self.went = (self.went[0] if self.went is not None else event, event)
            self.event = event

    def about(self) -> dict[str, Any]:
        """What a record of the log says beside its words: `extra=` of its call."""
        return {"page": self._definition.name, "session": self.session, "epoch": self.epoch, "event_id": self.event}

    def _id(self, given: Any) -> Id | None:
        """A value as an id: a whole number, or a text that is not long; none if it is neither."""
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        if isinstance(given, int) and not isinstance(given, bool):
            return given if abs(given) < _MOST else None
        if isinstance(given, str) and not isinstance(given, Secret) and len(given) <= _LONGEST:
            secrets = (each for each in self._names().values() if isinstance(each, Secret) and each)
            shown = hushed(given, secrets)
            return "".join(each if each.isprintable() else "?" for each in shown) or None
        return None
