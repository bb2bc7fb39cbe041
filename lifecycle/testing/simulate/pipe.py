"""What the driver believes to be a socket, and a client that asks a server's page to let it in.

Law: counts bytes and hands everything else on to the link.
"""

from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.transport import Asking, Transport

if TYPE_CHECKING:
    from .link import Link


@final
class SimPipe(Pipe):
    """What the driver believes to be a socket: counts bytes."""

    def __init__(self, link: "Link") -> None:
        super().__init__()
        self._link = link
        self.total = self.taken = 0

    @property
    def given(self) -> int:
        """Bytes that were written."""
        return self.total

    @property
    def sent(self) -> int:
        """Bytes that the system has taken."""
        return self.taken

    @property
    def broken(self) -> OSError | None:
        """It never breaks by itself: the reader is told the ending."""
        return None

    @property
    def closed(self) -> bool:
        """Whether it was aborted."""
        return self._link.aborted is not None

    def write(self, data: bytes) -> None:
        """Not used: the transport writes messages."""
        del data
        raise trio.BrokenResourceError("messages only")

    def read(self, size: int | None = None) -> bytes | None:
        """Not used: the transport reads messages."""
        del size
        return b""

    async def ready(self) -> None:
        """Not used."""
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Drop the link."""
        self._link.abort()

    def write_eof(self) -> None:
        """Not used."""


@final
class SimAsking(Asking):
    """A client that asks a server's page to let it in."""

    def __init__(self, link: "Link", upgrade: Any) -> None:
        super().__init__(upgrade)
        self.link = link
        self.refused = 0

    def admit(self, subprotocol: str | None = None) -> Transport:
        """Let it in."""
        del subprotocol
        if self.link.gone:
            raise trio.BrokenResourceError
        self.link.asking = False
        self.link.open()
        return self.link

    def refuse(self, status: int, headers: Any, body: bytes = b"") -> None:
        """Send it away."""
        del headers, body
        self.refused = status
        self.link.turn_away()
