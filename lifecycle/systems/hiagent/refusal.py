"""Why the backend has not done what was asked: one class a number, and one for each way of not answering.

Law: each can be raised by a call as it is: its `code` is what the page's clauses ask for. Total: a number that is new
is a plain Refused.
"""

from typing import ClassVar, Final

from lifecycle.errors import CallFailed

from .reply import Reply

BUSY: Final = 429
_UNAUTHORIZED: Final = (401, 403)
_MAY_PASS: Final = (408, 409, 425)
_CALLERS: Final = range(400, 500)


class Refused(CallFailed):
    """The backend refuses, or has failed.

    Attributes:
        number: the vendor's, such as 4002; None if the backend has said none.
        code: the same as a text; without one, what the status of HTTP is taken for: `4001`, `429`, `4000`, or `failed`.
        message: in the backend's words.
        status: of HTTP; a refusal may come with 200.
        retry_after: the pause that it asks for, in seconds.
    """

    meant: ClassVar[int | None] = None

    def __init__(self, reply: Reply) -> None:
        number = reply.number
        super().__init__(_code(reply), reply.message, status=reply.status, retry_after=reply.retry_after)
        self.args = (reply,)
        self.number = number

    def __str__(self) -> str:
        told = f" (code: {self.number})" if self.number is not None and str(self.number) not in self.message else ""
        return f"{self.message}{told}"


class BadRequest(Refused):
    """What is asked for cannot be (4000)."""

    meant = 4000


class Unauthorized(Refused):
    """The credentials are not accepted (4001, or HTTP 401 and 403)."""

    meant = 4001


class OverLimit(Refused):
    """All sessions are taken (4002)."""

    meant = 4002


class TwoControllers(Refused):
    """More than one connection controls the live (4003)."""

    meant = 4003


class LiveIdInUse(Refused):
    """The live_id is in use (4004)."""

    meant = 4004


class AddressInUse(Refused):
    """The address that the picture is to be sent to is in use (4005)."""

    meant = 4005


class NoSuchLive(Refused):
    """The live does not exist (4006)."""

    meant = 4006


class NotInterruptible(Refused):
    """In this mode nobody can be interrupted (4007)."""

    meant = 4007


class NoFreeInstance(Refused):
    """The service has no free instance (5002)."""

    meant = 5002


class TooEarly(Refused):
    """The live_id is being started, or cools down after a failure (HTTP 429); `retry_after` says for how long."""


class NoAnswer(CallFailed):
    """The backend was not to be reached, or its answer is none.

    Attributes:
        code: `unreachable` or `wrong_answer`.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(code, message, status=status)
        self.args = (code, message)

    def __str__(self) -> str:
        return self.message


NUMBERS: Final[dict[int | None, type[Refused]]] = {
    kind.meant: kind
    for kind in (
        BadRequest,
        Unauthorized,
        OverLimit,
        TwoControllers,
        LiveIdInUse,
        AddressInUse,
        NoSuchLive,
        NotInterruptible,
        NoFreeInstance,
    )
}
"""The class of each number that has one."""


def refusal(reply: Reply) -> Refused:
    """The error that an answer is."""
    if reply.number is not None:
        return NUMBERS.get(reply.number, Refused)(reply)
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reply)
    return TooEarly(reply) if reply.status == BUSY else Refused(reply)


def _code(reply: Reply) -> str:
    """What the page's clauses ask for."""
    if reply.number is not None:
        return str(reply.number)
    if reply.status in _UNAUTHORIZED:
        return str(Unauthorized.meant)
    if reply.status == BUSY:
        return str(BUSY)
    final = reply.status in _CALLERS and reply.status not in _MAY_PASS
    return str(BadRequest.meant) if final else "failed"
