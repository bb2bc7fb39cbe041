"""What sending, asking and receiving see of the mail that they are parts of.

Law: no more than this. So each can be read without the others.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from lifecycle.definition.definition import Definition
from lifecycle.errors import LifecycleError
from lifecycle.wire.ending import ErrorWord

from .timers import Timers

MakeError = Callable[[], LifecycleError]
"""Makes an error, each time another one, for a traceback belongs to one raise."""


class Desk(Protocol):
    """The mail of one connection."""

    definition: Definition
    timers: Timers
    ended: MakeError | None
    at_rest: Callable[[], MakeError | None]
    overfull: Callable[[ErrorWord, str], None]
    resume: Callable[[], None]

    def names(self) -> Mapping[str, Any]:
        """What the names of the page's expressions stand for now."""
        ...

    def value(self, given: Any) -> Any:
        """A value of the page, as it is now."""
        ...

    def alarm(self, key: Hashable, seconds: float, what: Callable[[Any], None]) -> None:
        """Call something with the key after some seconds."""
