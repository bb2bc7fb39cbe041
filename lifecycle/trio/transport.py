"""What every WebSocket library looks like from here: messages in batches, an ending, and no exceptions of its own.

Law: a transport lives for one connection and is never used again. Its first ending stays. `receive` is its only wait
for the peer and may be cancelled at any time; what it has returned is not lost, what it has not is still there.
It does not know states, codecs, or what a message means.
"""

import abc

from lifecycle.wire.ending import Ending

Batch = tuple[str | bytes, ...]


class TransportFailed(Exception):
    """There was no connection to be had.

    Attributes:
        ending: why.
    """

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending = ending

    def __str__(self) -> str:
        return str(self.ending)


class Transport(abc.ABC):
    """An open WebSocket connection."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def ended(self) -> Ending | None:
        """Why there is no connection any more; None while there is one."""

    @abc.abstractmethod
    async def receive(self) -> Batch:
        """Wait for messages. Empty only with `ended`, and then for ever."""

    @abc.abstractmethod
    def send(self, data: str | bytes) -> None:
        """Send one message, whole, without waiting: the pipe keeps what the system does not take.

        Raises:
            trio.BrokenResourceError: the connection has ended, or goodbye was said.
        """

    @abc.abstractmethod
    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life, if the connection still stands.

        Args:
            payload: at most 125 bytes.

        Raises:
            ValueError: the payload is too long.
        """

    @abc.abstractmethod
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if the connection still stands; it goes on until the peer has answered.

        Args:
            code: from 1000 to 4999.
            reason: cut after 123 bytes.

        Raises:
            ValueError: there is no such code.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Drop the connection without a word. Again is no harm."""
