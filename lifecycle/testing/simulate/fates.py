"""One message or request of the user, and whether what he was told of it is true.

Law: pure. A fate is held against what really went over the link.
"""

from typing import TYPE_CHECKING, Any, Final

import attrs

from lifecycle.errors import (
    ConnectionEnded,
    ConnectionFailed,
    MaybeDelivered,
    NotSent,
    RequestFailed,
    RequestTimeout,
    RequestUnsupported,
)
from lifecycle.wire.ticket import SETTLED, Ticket

from .words import Said

if TYPE_CHECKING:
    from .link import Link

A_MOMENT: Final = 1e-6
"""Seconds that are none."""
OPEN: Final = object()
"""The outcome of what is not settled."""


@attrs.define(eq=False)
class Record:
    """One message or request of the user.

    Attributes:
        serial: tells it from others, and in which order they were made.
        at: when it was made.
        asks: whether it is a request.
        within: seconds within which it must be settled; 0 if nobody knows.
        ticket: its ticket, where the user has it.
        outcome: what the user was told: a fate's word, a value, or an error.
        place: on which link, from which byte to which.
        arrived: how often it came to the peer.
        answer: what the driver has read as an answer to it, and when.
        lost: when its link was dropped, and what its fate must be then.
        cancelled: whether the user does not wait any more.
    """

    serial: int
    at: float
    asks: bool
    within: float = 0.0
    ticket: Ticket | None = None
    outcome: Any = OPEN
    place: "tuple[Link, int, int] | None" = None
    arrived: int = 0
    answer: tuple[float, Said] | None = None
    lost: tuple[float, str] | None = None
    cancelled: bool = False


def wrong_fate(record: Record, outcome: Any) -> str:
    """What is wrong with what was told of a message, in words; empty if it is true."""
    told = word(outcome)
    if told == "sent":
        if record.place is None:
            return "it is sent, and no link has it"
        link, _, end = record.place
        if end > link.pipe.taken:
            return "it is sent, and some of it has not left"
    if told == "maybe" and (record.lost is None or record.lost[1] != "maybe"):
        return "it may have arrived, it is said, and its link was not lost in the middle of it"
    if told == "not_sent" and record.place is not None and (record.lost is None or record.lost[1] != "not_sent"):
        return "it is not sent, it is said, and some of it has left"
    return ""


def wrong_answer(record: Record, outcome: Any, now: float, *, resends: bool) -> str:
    """What is wrong with what was told of a request, in words; empty if it is true."""
    answer = record.answer[1] if record.answer is not None else None
    match outcome:
        case RequestUnsupported() if record.place is None:
            return ""
        case RequestFailed():
            return "" if answer is not None and not answer.good else "it failed, and the peer has not said so"
        case RequestTimeout():
            late = abs(now - record.at - record.within) > A_MOMENT
            return "it timed out at the wrong time" if late else ""
        case NotSent():
            left = record.place is not None and (record.lost is None or record.lost[1] != "not_sent")
            return "it is not sent, it is said, and some of it has left" if left and not resends else ""
        case MaybeDelivered():
            return "" if record.place is not None else "it may have arrived, it is said, and no link has it"
        case ConnectionEnded() | ConnectionFailed():
            return ""
    if answer is None or not answer.good or answer.value != outcome:
        return f"its result is {outcome!r}, and the peer has not said so"
    return ""


def word(outcome: Any) -> str:
    """An outcome in a word: the fate of a message, or what became of a request."""
    match outcome:
        case NotSent():
            return "not_sent"
        case MaybeDelivered():
            return "maybe"
        case RequestFailed():
            return "refused"
        case RequestTimeout():
            return "timed out"
        case ConnectionEnded() | ConnectionFailed():
            return "not_sent"
    return outcome if isinstance(outcome, str) and outcome in SETTLED else "answered"
