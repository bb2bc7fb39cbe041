"""What every WebSocket library looks like from here: messages in batches, an ending, and no exceptions of its own.

Law: a transport lives for one connection and is never used again. Its first ending stays. `receive` is its only wait
for the peer and may be cancelled at any time; what it has returned is not lost, what it has not is still there.
It does not know states, codecs, or what a message means.
"""

import abc
from collections.abc import Mapping
from typing import Final, Protocol

from lifecycle.wire.codec import Written, parts
from lifecycle.wire.ending import Ending
from lifecycle.wire.upgrade import Upgrade

Batch = tuple[str | bytes, ...]

MOST_PAYLOAD: Final = 125
"""Bytes in a control frame (RFC 6455 5.5)."""
_LEAST_REFUSAL: Final = 400
_MOST_REFUSAL: Final = 599


class Sink(Protocol):
    """Who takes messages as soon as they are read, where a library can push them."""

    def put(self, batch: Batch) -> None:
        """Take messages. Does not wait and does not raise."""

    async def room(self) -> None:
        """Wait until more may be read; returns at once if it may."""

    def over(self) -> None:
        """The transport has ended; its `ended` says why. Told once, after the last message."""


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

    def attach(self, sink: Sink) -> bool:
        """Push messages into a sink from now on, those that wait first; nobody calls `receive` any more.

        Returns:
            Whether it can; if not, nothing has changed.
        """
        del sink
        return False

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


class Asking(abc.ABC):
    """A client that has asked to connect and waits for our answer. One of the two answers is given, once.

    Attributes:
        upgrade: what it asks for.
    """

    __slots__ = ("upgrade",)

    def __init__(self, upgrade: Upgrade) -> None:
        self.upgrade = upgrade

    @abc.abstractmethod
    def admit(self, subprotocol: str | None = None) -> Transport:
        """Answer with 101, without waiting. The transport is open when it returns.

        Args:
            subprotocol: one of those that were asked for.

        Raises:
            trio.BrokenResourceError: the client has gone.
        """

    @abc.abstractmethod
    def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer with another status, without waiting; nothing more is sent after it.

        Args:
            status: from 400 to 599.
            headers: to add to those of the length.
            body: what people may read.
        """


def transmit(transport: Transport, message: Written) -> None:
    """Send a value as its codec wrote it: its messages one behind the other, with none of ours between them.

    Raises:
        trio.BrokenResourceError: the connection has ended, maybe in the middle, or goodbye was said.
    """
    for part in parts(message):
        transport.send(part)


def check_ping(payload: bytes) -> None:
    """Refuse what no ping can hold; every transport does so in these words.

    Raises:
        ValueError: the payload is too long.
    """
    if len(payload) > MOST_PAYLOAD:
        raise ValueError(f"the payload of a ping has at most {MOST_PAYLOAD} bytes, not {len(payload)}")


def check_subprotocol(upgrade: Upgrade, subprotocol: str | None) -> None:
    """Refuse to admit a client with what it has not asked for.

    Raises:
        ValueError: the subprotocol was not asked for.
    """
    if subprotocol is not None and subprotocol not in upgrade.subprotocols:
        raise ValueError(f"the client did not ask for the subprotocol {subprotocol!r}")


def check_refusal(status: int) -> None:
    """Refuse a status that refuses nothing.

    Raises:
        ValueError: the status is not from 400 to 599.
    """
    if not _LEAST_REFUSAL <= status <= _MOST_REFUSAL:
        raise ValueError(f"a refusal has a status from {_LEAST_REFUSAL} to {_MOST_REFUSAL}, not {status}")
