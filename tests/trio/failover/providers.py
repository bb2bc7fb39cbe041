"""Providers that do what they are told, one thing a try."""

from collections.abc import AsyncIterator
from typing import Any, final

import trio


class Refused(Exception):
    """A server that answers with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status


@final
class Provider:
    """Does one thing a try: raises an exception, takes so many seconds, gives the pieces of a list, or answers.

    Args:
        name: what it answers with.
        does: in order; after the last it answers.

    Attributes:
        asked: when it was asked.
        ended: how many of the tries have come to an end, cancelled ones included.
    """

    def __init__(self, name: str, *does: Any) -> None:
        self.name, self.does, self.asked, self.ended = name, list(does), list[float](), 0

    async def ask(self) -> str:
        """Answer."""
        return "".join([piece async for piece in self.pour()])

    async def pour(self) -> AsyncIterator[str]:
        """Answer in pieces."""
        self.asked.append(trio.current_time())
        does = self.does.pop(0) if self.does else [self.name]
        try:
            for each in does if isinstance(does, list) else [does]:
                match each:
                    case BaseException() as error:
                        await trio.sleep(0.001)
                        raise error
                    case float(seconds):
                        await trio.sleep(seconds)
                    case piece:
                        yield piece
        finally:
            self.ended += 1
