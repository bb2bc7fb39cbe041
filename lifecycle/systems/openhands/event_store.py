"""Where the events of conversations are kept.

Law: the ids of a conversation are 0, 1, 2, … without a gap, in the order in which `append` was served. What `append`
has returned, `after` tells, to everybody and for ever.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import trio

from .event import Event


class EventStore(ABC):
    """The events of all conversations; a database may stand behind it. Use it as `async with store`.

    What is raised by a store is logged, and told to no client. A conversation that is not there is a FileNotFoundError;
    a store that is out of reach raises EventsUnavailable.
    """

    async def __aenter__(self) -> Self:
        """Open it; by default there is nothing to open."""
        return self

    async def __aexit__(  # noqa: B027 -- nothing to close, by default
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""

    @abstractmethod
    async def create(self, conversation: str) -> None:
        """Make a conversation without events; again is no harm."""

    @abstractmethod
    async def append(self, conversation: str, event: Event) -> Event:
        """Add an event, in one step with the choice of its id.

        Returns:
            The event with its `id`, in place of one that it may have had.

        Raises:
            FileNotFoundError: there is no such conversation.
        """

    @abstractmethod
    async def after(self, conversation: str, id: int, limit: int) -> Sequence[Event]:
        """The events that come after an id, in their order.

        Args:
            conversation: which one.
            id: -1 is before all.
            limit: the most that are wanted, 1 or more.

        Raises:
            FileNotFoundError: there is no such conversation.
        """

    @abstractmethod
    async def last(self, conversation: str) -> int:
        """The id of the last event; -1 if there is none.

        Raises:
            FileNotFoundError: there is no such conversation.
        """

    @abstractmethod
    async def state(self, conversation: str) -> Event | None:
        """The last event that tells the agent's state; None if there is none.

        Raises:
            FileNotFoundError: there is no such conversation.
        """

    async def wait(self, conversation: str, id: int) -> None:  # noqa: ARG002 -- a store that is shared needs both
        """Return when there may be an event after an id that another process has written.

        By default nobody else writes, and it never returns. It may be cancelled at any time, and called anew.

        Args:
            conversation: which one.
            id: the last that is known; -1 is before all.
        """
        await trio.sleep_forever()
