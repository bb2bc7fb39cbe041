"""A client that has joined a conversation: what it is told, until something ends that.

Law: a send that fails marks the client as gone, once, and later ones return False; nothing raises. The goodbye that was
said first counts, also if it was said before anybody listened.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.errors import LifecycleError
from lifecycle.trio.interrupts import ki_protected

from .event import Event
from .reader import NOTICES, Reader

if TYPE_CHECKING:
    from .conversation import Conversation

log = logging.getLogger("lifecycle.openhands")
Send = Callable[[Event], Awaitable[object]]
Goodbye = tuple[str, Mapping[str, Any]]
"""A wish of the page, and its fields."""


@final
@ki_protected
class Client:
    """One joined connection, without the connection.

    Args:
        session: its id.
        conversation: what it has joined.

    Attributes:
        session, conversation: as above.
        alive: whether what it is told still arrives.
    """

    def __init__(self, session: str, conversation: "Conversation") -> None:
        self.session, self.conversation = session, conversation
        self.alive = True
        self._reader: Reader | None = None
        self._early: deque[Event] = deque(maxlen=NOTICES)
        self._scope = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # it misreads trio's attrs
        self._goodbye: Goodbye | None = None

    def notice(self, event: Event) -> None:
        """Tell an event that is not in the log."""
        if self._reader is None:
            self._early.append(event)
        else:
            self._reader.notice(event)

    def dismiss(self, wish: str, *, within: float = 0.0, **fields: Any) -> None:
        """End what it is told.

        Args:
            wish: what its page is told then.
            within: seconds in which it is still told what is there.
            fields: of the wish.
        """
        if self._goodbye is None:
            self._goodbye = (wish, fields)
            self._scope.deadline = trio.current_time() + within
            if self._reader is not None:
                self._reader.close()

    async def follow(self, reader: Reader, send: Send) -> Goodbye | None:
        """Send it what its reader finds, one after the other; called once.

        Args:
            reader: its own.
            send: returns when the event was given to the system, and raises a LifecycleError if it was not.

        Returns:
            The goodbye to be said to its page; None if it has gone.
        """
        self._reader = reader
        for event in self._early:
            reader.notice(event)
        if self._goodbye is not None:
            reader.close()
        with self._scope:
            async for event in reader:
                if not await self.send(event, send):
                    return None
        return self._goodbye

    async def send(self, event: Event, send: Send) -> bool:
        """Send one event; False if it did not leave, or an earlier one did not."""
        if self.alive:
            try:
                await send(event)
            except LifecycleError as error:
                self.alive = False
                log.info("%s: a client has gone: %s", self.conversation.name, error)
        return self.alive
