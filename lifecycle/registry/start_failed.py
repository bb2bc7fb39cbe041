"""A session that was begun and did not become active; and which error tells why one was not started.

Law: whatever keeps a session from starting has one error, and a code.
"""

from typing import TYPE_CHECKING, Final

from lifecycle.errors import CallFailed, LifecycleError, Side

from .refusal import LeasesUnavailable, StartRefused

if TYPE_CHECKING:
    from .session import Session


class StartFailed(LifecycleError):
    """A session that did not start: its slot is given back, and its id cools down. What was raised is `__cause__`.

    Attributes:
        id: the session's.
        code: of the `CallFailed` that `begin` has raised, or the name of another error's class; `timeout` if it took
            too long, `lost` if the lease went away meanwhile, `left` if somebody has left it.
        message: in words.
        retry_after: seconds after which it is worth trying again; None if nobody knows.
    """

    side: Side = "peer"

    def __init__(self, id: str, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(id, code, message, retry_after)
        self.id, self.code, self.message, self.retry_after = id, code, message, retry_after

    def __str__(self) -> str:
        return f"session {self.id!r} did not start: {self.message} (code: {self.code})"


_CODES: Final = {
    "lease_lost": "lost",
    "replaced": "lost",
    "failed": "timeout",
    "crashed": "DriverFailed",
}


def why_not(session: "Session", place: str, cooldown: float) -> LifecycleError:
    """The error of a session that has not started.

    Args:
        session: which.
        place: of its lease, in words.
        cooldown: seconds that its id has to wait after a failure.
    """
    trouble = session.trouble
    if isinstance(trouble, StartRefused):
        return trouble if session.refused else StartFailed(session.id, "left", session.why)
    if session.ending == "unavailable":
        return trouble if isinstance(trouble, LeasesUnavailable) else LeasesUnavailable(place, session.why)
    if session.ending != "failed" or trouble is None:
        pause = cooldown if session.ending == "failed" else None
        return StartFailed(session.id, _CODES.get(session.ending, "left"), session.why, pause)
    if isinstance(trouble, CallFailed):
        pause = max(cooldown, trouble.retry_after or 0.0)
        error = StartFailed(session.id, trouble.code, trouble.message or trouble.code, pause)
    else:
        error = StartFailed(session.id, type(trouble).__name__, str(trouble), cooldown)
    error.__cause__ = trouble
    return error
