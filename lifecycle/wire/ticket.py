"""The fate of one message that was given to the connection.

Law: a ticket is settled once. `sent` means that its last byte was given to the system, not that
the peer has it; what is sent and lost with its connection is for the user's protocol to find out.
"""

from collections.abc import Callable
from typing import Literal, final

import attrs

from .codec import Written, length

Fate = Literal["queued", "taken", "sent", "withdrawn", "not_sent", "maybe"]
SETTLED = frozenset({"sent", "withdrawn", "not_sent", "maybe"})


@final
@attrs.define(eq=False, weakref_slot=False)
class Ticket:
    """One message and what becomes of it.

    Attributes:
        message: as the codec wrote it; empty when it is settled.
        fate: queued; taken (some of it may have left); sent (all of it was given to the system);
            withdrawn (taken back in time: its sender was cancelled, or its request timed out);
            not_sent (no byte has left, and none will); maybe (lost with some of it gone).
        cause: why it was not sent, in words.
        epoch: the dial in which it was taken; 0 before.
        size: how many bytes it counts for in a queue.
        patience: how many seconds it waits while the connection is not ready.
        start, end: its place in the stream of bytes, once it was taken.
        event: the id that it has as an event of the application, if it has one.
        told: called once, when it is settled.
    """

    message: Written = attrs.field(repr=False)
    fate: Fate = "queued"
    cause: str = ""
    epoch: int = 0
    size: int = attrs.field(init=False, repr=False)
    patience: float = attrs.field(default=0.0, repr=False)
    start: int = attrs.field(default=0, repr=False)
    end: int = attrs.field(default=0, repr=False)
    event: int | str | None = attrs.field(default=None, repr=False)
    told: Callable[["Ticket"], object] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        self.size = length(self.message)

    def settle(self, fate: Fate, cause: str = "") -> None:
        """Fix the fate, once; later ones are ignored."""
        if self.fate in SETTLED:
            return
        self.fate, self.cause = fate, cause
        self.message = b""
        if self.told is not None:
            told, self.told = self.told, None
            told(self)
