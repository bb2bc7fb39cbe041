"""What an epoch, a call and the carrying out of effects see of the driver that they work for.

Law: no more than this. So they can be read, and tested, without the driver.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from lifecycle.definition.definition import Definition
from lifecycle.machine.events import Event
from lifecycle.machine.machine import Machine

from .mail import Mail
from .timers import Timers

if TYPE_CHECKING:
    from .calls import Calls
    from .dialer import Dialer
    from .epoch import Epoch


class Host(Protocol):
    """Who is told. Its attributes are those of the driver."""

    machine: Machine
    definition: Definition
    mail: Mail
    timers: Timers
    calls: "Calls"
    dialer: "Dialer"
    dice: random.Random
    current: "Epoch | None"
    epoch: int
    unrouted: int
    waits: dict[str, float]
    emitted: dict[str, Any]
    continuous: bool
    gap: str
    now: str

    def dispatch(self, event: Event) -> None:
        """Take an event, and all that it causes."""

    def spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task of the connection."""

    def wake(self) -> None:
        """There is something to receive."""

    def armed(self) -> None:
        """A timer was set."""
