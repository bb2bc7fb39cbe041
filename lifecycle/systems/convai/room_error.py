"""What goes wrong below a session, in LiveKit's numbers: one class a number.

Law: total. A number that is new is a plain RoomError; words and reasons of another shape count as none.
"""

from collections.abc import Mapping
from enum import IntEnum, unique
from typing import Any, ClassVar, Final

from lifecycle.errors import LifecycleError, Side

LONGEST: Final = 500
"""Characters of a peer's words that are shown."""


@unique
class ConnectionReason(IntEnum):
    """Why a room could not be connected."""

    NOT_ALLOWED = 0
    SERVER_UNREACHABLE = 1
    INTERNAL_ERROR = 2
    CANCELLED = 3
    LEAVE_REQUEST = 4
    TIMEOUT = 5
    WEB_SOCKET = 6
    SERVICE_NOT_FOUND = 7


class RoomError(LifecycleError):
    """Something of a room or its media has gone wrong.

    Args:
        message: in words.
        code: LiveKit's number; that of the class, if it is not said.

    Attributes:
        code: as above; None if there is none.
        message: as above.
    """

    side: Side = "network"
    number: ClassVar[int | None] = None

    def __init__(self, message: str = "", *, code: int | None = None) -> None:
        self.code = self.number if code is None else code
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        return self.message or (f"error {self.code}" if self.code is not None else "an error without words")


class RoomConnectionFailed(RoomError):
    """The room could not be connected (1).

    Attributes:
        reason: why; None if that is not said.
    """

    number = 1

    def __init__(self, message: str = "", *, reason: ConnectionReason | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class NotAllowed(RoomConnectionFailed):
    """Somebody has not given the permission: a browser, an operating system, a server (1, reason 0)."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, reason=ConnectionReason.NOT_ALLOWED)


class RoomRefused(RoomError):
    """There is no room: the request for it was refused, or got no answer.

    Attributes:
        kind: `http_401` and the like, `unreachable`, `timeout`, `wrong_answer`; or the class of what was raised.
        status: of HTTP, if a server has answered.
        retry_after: the pause that the server asks for, in seconds.
    """

    def __init__(
        self, message: str = "", *, kind: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.status, self.retry_after = kind, status, retry_after


class UnsupportedServer(RoomError):
    """The server is too old for what is asked of it (10)."""

    number = 10


class UnexpectedConnectionState(RoomError):
    """The connection was not in the state for it (12)."""

    number = 12


class NegotiationFailed(RoomError):
    """The two sides could not agree on their media (13)."""

    number = 13


class DataNotPublished(RoomError):
    """Data could not be sent (14)."""

    number = 14


class InvalidTrack(RoomError):
    """A track of sound or picture cannot be used (20)."""

    number = 20


class DeviceUnsupported(RoomError):
    """A microphone or camera is not there, or cannot be used (21)."""

    number = 21


KINDS: Final[Mapping[int | None, type[RoomError]]] = {
    kind.number: kind
    for kind in (
        UnsupportedServer,
        UnexpectedConnectionState,
        NegotiationFailed,
        DataNotPublished,
        InvalidTrack,
        DeviceUnsupported,
    )
}
"""Errors that have nothing but a number and words."""


def room_error(data: Any) -> RoomError:
    """The error that a message tells: `{code, message?, reason?}`."""
    found = data if isinstance(data, Mapping) else {}
    code, words = found.get("code"), found.get("message", found.get("error"))
    number = code if isinstance(code, int) and not isinstance(code, bool) else None
    message = words[:LONGEST] if isinstance(words, str) else ""
    if number == RoomConnectionFailed.number:
        return _not_connected(message, found.get("reason"))
    return KINDS[number](message) if number in KINDS else RoomError(message, code=number)


def _not_connected(message: str, told: Any) -> RoomConnectionFailed:
    reason = next((each for each in ConnectionReason if each == told and not isinstance(told, bool)), None)
    if reason is ConnectionReason.NOT_ALLOWED:
        return NotAllowed(message)
    return RoomConnectionFailed(message, reason=reason)
