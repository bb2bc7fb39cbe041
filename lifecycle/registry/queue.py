"""Who waits for a slot, in the order in which they came.

Law: only the first one looks, when a slot may be free and from time to time; whoever goes away lets the next one look.
"""

from types import TracebackType
from typing import Self, final

import trio


@final
class Queue:
    """A queue; `with queue.place() as place` is one's place in it."""

    def __init__(self) -> None:
        self._places: dict[Place, None] = {}  # the first that came is the first

    def place(self) -> "Place":
        """The last place; it is taken when it is entered."""
        return Place(self._places)

    def look(self) -> None:
        """A slot may be free: the first one looks."""
        for place in self._places:
            place.look()
            return


@final
class Place:
    """A place in a queue."""

    def __init__(self, places: "dict[Place, None]") -> None:
        self._places = places
        self._turn = trio.Event()

    def look(self) -> None:
        """Wake who has it."""
        self._turn.set()

    async def wait(self, until: float, pause: float) -> None:
        """Wait until it is worth looking, or a time has come.

        Args:
            until: when, by trio's clock.
            pause: seconds after which the first one looks without being told.
        """
        while not self._turn.is_set() and trio.current_time() < until:
            first = next(iter(self._places)) is self
            with trio.move_on_at(min(until, trio.current_time() + pause)):
                await self._turn.wait()
            if first:
                break
        self._turn = trio.Event()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> Self:
        self._places[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del self._places[self]
        for place in self._places:
            place.look()
            return
