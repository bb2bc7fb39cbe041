"""Why a session has ended: LiveKit's numbers, and a sentence for each.

Law: what becomes of a session for a reason stands in the page's `causes`, and not here. A number that is none of these
stays a number.
"""

from collections.abc import Mapping
from enum import IntEnum, unique
from types import MappingProxyType
from typing import Final


@unique
class DisconnectReason(IntEnum):
    """LiveKit's DisconnectReason, protocol 2.0.0."""

    UNKNOWN_REASON = 0
    CLIENT_INITIATED = 1
    DUPLICATE_IDENTITY = 2
    SERVER_SHUTDOWN = 3
    PARTICIPANT_REMOVED = 4
    ROOM_DELETED = 5
    STATE_MISMATCH = 6
    JOIN_FAILURE = 7
    MIGRATION = 8
    SIGNAL_CLOSE = 9
    ROOM_CLOSED = 10
    USER_UNAVAILABLE = 11
    USER_REJECTED = 12
    SIP_TRUNK_FAILURE = 13
    CONNECTION_TIMEOUT = 14
    MEDIA_FAILURE = 15


SENTENCES: Final[Mapping[DisconnectReason, str]] = MappingProxyType(
    {
        DisconnectReason.UNKNOWN_REASON: "The network went away.",
        DisconnectReason.CLIENT_INITIATED: "This client has left.",
        DisconnectReason.DUPLICATE_IDENTITY: "The session was opened in another place.",
        DisconnectReason.SERVER_SHUTDOWN: "The server is being restarted.",
        DisconnectReason.PARTICIPANT_REMOVED: "The server has removed this client.",
        DisconnectReason.ROOM_DELETED: "The server has closed the session.",
        DisconnectReason.STATE_MISMATCH: "Client and server no longer agree on the session.",
        DisconnectReason.JOIN_FAILURE: "The session could not be joined.",
        DisconnectReason.MIGRATION: "The session moves to another server.",
        DisconnectReason.SIGNAL_CLOSE: "The server has closed the connection.",
        DisconnectReason.ROOM_CLOSED: "The session is over.",
        DisconnectReason.USER_UNAVAILABLE: "The other side is not to be had.",
        DisconnectReason.USER_REJECTED: "The credentials are not accepted.",
        DisconnectReason.SIP_TRUNK_FAILURE: "The telephone line has failed.",
        DisconnectReason.CONNECTION_TIMEOUT: "The connection took too long.",
        DisconnectReason.MEDIA_FAILURE: "Sound or picture has failed.",
    }
)
"""What to tell a user, by reason."""


def sentence_of(reason: float) -> str:
    """What to tell a user; also of a number that has no name here."""
    known = next((each for each in DisconnectReason if each == reason), None)
    return f"The server has ended the session for reason {reason:g}." if known is None else SENTENCES[known]
