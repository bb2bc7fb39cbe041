"""What an epoch and a call see of the driver that they work for.

Law: no more than this. So they can be read, and tested, without the driver.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from lifecycle.definition.definition import Definition
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine

from .mail import Mail


class Host(Protocol):
    """Who is told.

    Attributes:
        unrouted: how many messages no route took.
    """

    unrouted: int

    @property
    def machine(self) -> Machine:
        """The connection's machine."""
        ...

    @property
    def definition(self) -> Definition:
        """Its page."""
        ...

    @property
    def mail(self) -> Mail:
        """Its mail."""
        ...

    @property
    def current(self) -> object:
        """The epoch that is heard."""
        ...

    def dispatch(self, event: Event) -> None:
        """Take an event, and all that it causes."""

    def spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task of the connection."""

    def wake(self) -> None:
        """There is something to receive."""
