"""What waits for an answer: an entry in a dict and a ticket, no task each.

Law: a request settles exactly once: answered, refused, timed out, not sent, maybe delivered.
A late answer is counted and dropped.
"""

from collections.abc import Callable
from typing import Any, final

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.errors import LifecycleError, MaybeDelivered, NotSent, RequestFailed

from .ticket import Ticket


@final
@attrs.define(eq=False)
class Pending:
    """One request: `settle` is told the result or the error, once."""

    id: str
    method: str
    ticket: Ticket
    settle: Callable[[Any, LifecycleError | None], None]


@final
class Requests:
    """The requests of one connection."""

    __slots__ = ("_serial", "late", "pending")

    def __init__(self) -> None:
        self.pending: dict[str, Pending] = {}
        self.late = 0
        self._serial = 0

    def next_id(self) -> str:
        """An id that this connection has not used."""
        self._serial += 1
        return str(self._serial)

    def answered(self, id_: Any, value: Any, *, good: bool) -> None:
        """The peer has answered."""
        pending = self.pending.pop(str(id_), None)
        if pending is None:
            self.late += 1
        elif good:
            pending.settle(value, None)
        else:
            pending.settle(None, RequestFailed(pending.method, value))

    def fail(self, id_: str, error: LifecycleError) -> None:
        """Give one up."""
        pending = self.pending.pop(id_, None)
        if pending is not None:
            pending.settle(None, error)

    def unsent(self, cause: str) -> None:
        """Give up those whose message will not be sent."""
        for id_, pending in list(self.pending.items()):
            if pending.ticket.fate == "not_sent":
                self.fail(id_, NotSent(f"the request `{pending.method}` was not sent", cause=cause))

    def lost(self, cause: str) -> None:
        """The epoch has ended, after its tickets were settled: what was sent gets no answer any more."""
        self.unsent(cause)
        for id_, pending in list(self.pending.items()):
            if pending.ticket.fate != "queued":
                self.fail(id_, MaybeDelivered(f"the request `{pending.method}` got no answer", cause=cause))


def frame(definition: Definition, name: str, names: dict[str, Any]) -> Any:
    """A declared frame with its expressions replaced by the values of names."""
    return _filled(definition.messages.frames[name], names)


def _filled(template: Any, names: dict[str, Any]) -> Any:
    if isinstance(template, Expression):
        return template.function()(names)
    if isinstance(template, dict):
        return {key: _filled(part, names) for key, part in template.items()}
    if isinstance(template, list):
        return [_filled(part, names) for part in template]
    return template
