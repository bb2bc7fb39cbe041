"""Every exception that lifecycle raises, as one tree under LifecycleError.

PageError, LawBroken             the page is wrong (every problem at once), or breaks a law
IllegalEvent, WrongParameters    not allowed in this state; do not fit the page
NotReady                         not ready within the time
ConnectionFailed, ConnectionEnded       it will not become ready by itself
NotSent, MaybeDelivered                 what became of a message
NoRequests, RequestFailed, RequestUnsupported, RequestTimeout     what became of a request
CallFailed                       raised by the embedder's own calls
AllFailed                        no provider of several could serve
CannotListen                     a server's port is not to be had
DriverFailed                     a fault of ours
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .definition.problem import Problem

Side = Literal["page", "caller", "peer", "network", "us"]


class LifecycleError(Exception):
    """Whatever goes wrong here.

    Attributes:
        side: whose fault it is: the page's, the caller's, the peer's, the network's, or ours.
    """

    side: Side = "us"


class PageError(LifecycleError):
    """A page that cannot be loaded.

    Attributes:
        problems: all of them, in the order of the file; each has file, line, column, what, remedy.
    """

    side = "page"

    def __init__(self, problems: "Iterable[Problem]") -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class LawBroken(LifecycleError):
    """A page that breaks a law.

    Attributes:
        page: the page's name.
        law: the law's.
        how: what breaks it, in words.
    """

    side = "page"

    def __init__(self, page: str, law: str, how: str) -> None:
        super().__init__(page, law, how)
        self.page, self.law, self.how = page, law, how

    def __str__(self) -> str:
        return f"{self.page}: law `{self.law}` is broken: {self.how}"


class IllegalEvent(LifecycleError):
    """An event that is not allowed now. The machine is as it was.

    Attributes:
        page: the page's name.
        event: the event's name.
        states: the active leaf states.
        allowed: the events that are allowed there.
        reason: why, where it is not the state that forbids it.
    """

    side = "caller"

    def __init__(
        self, page: str, event: str, states: tuple[str, ...], allowed: tuple[str, ...], reason: str = ""
    ) -> None:
        super().__init__(page, event, states, allowed, reason)
        self.page, self.event, self.states, self.allowed, self.reason = page, event, states, allowed, reason

    def __str__(self) -> str:
        where = " + ".join(self.states) or "its end"
        if self.reason:
            return f"{self.page}: `{self.event}` is not allowed in {where}: {self.reason}"
        return (
            f"{self.page}: `{self.event}` is not allowed in {where} (allowed: {', '.join(self.allowed) or 'nothing'})"
        )


class WrongParameters(LifecycleError):
    """Parameters or calls that do not fit the page; all wrong ones at once.

    Attributes:
        page: the page's name.
        problems: one sentence each.
    """

    side = "caller"

    def __init__(self, page: str, problems: Iterable[str]) -> None:
        self.page, self.problems = page, tuple(problems)
        super().__init__(page, self.problems)

    def __str__(self) -> str:
        return "\n".join(f"{self.page}: {problem}" for problem in self.problems)


class _AboutConnection(LifecycleError):
    """Something about a connection.

    Attributes:
        cause: why, in words; empty if there is no more to say.
    """

    side: Side = "network"

    def __init__(self, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.cause}" if self.cause else str(self.args[0])


class NotReady(_AboutConnection):
    """The connection was not ready within the time that was given; `cause` says what went wrong meanwhile."""


class ConnectionFailed(_AboutConnection):
    """The connection has failed, and makes no more attempts by itself; `cause` says why."""


class ConnectionEnded(_AboutConnection):
    """The connection was closed, or was to be run a second time; `cause` says why, if there is more to say."""

    side = "caller"


class NotSent(_AboutConnection):
    """No byte of the message or the request has left, and none will; `cause` says why."""


class MaybeDelivered(_AboutConnection):
    """Nobody knows whether it has arrived; `cause` says why.

    Some of the message has left, or the whole request and no answer came; then the connection was lost, or
    the reply was cancelled.
    """


class CannotListen(LifecycleError):
    """A server found no place to listen.

    Attributes:
        host, port: where it wanted to.
        why: what the system says, or what is wrong with the place.
    """

    side = "caller"

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(host, port, why)
        self.host, self.port, self.why = host, port, why

    def __str__(self) -> str:
        return f"cannot listen on {self.host} port {self.port}: {self.why}"


class NoRequests(LifecycleError):
    """The page says nothing about requests.

    Attributes:
        page: the page's name.
    """

    side = "caller"

    def __init__(self, page: str) -> None:
        super().__init__(page)
        self.page = page

    def __str__(self) -> str:
        return f"{self.page} has no `requests`: add them to the page, or use `send` and read the answers yourself"


class RequestFailed(LifecycleError):
    """The peer refused a request.

    Attributes:
        method: what was asked for.
        error: what the peer said, as it said it.
    """

    side = "peer"

    def __init__(self, method: str, error: Any) -> None:
        super().__init__(method, error)
        self.method, self.error = method, error

    def __str__(self) -> str:
        return f"{self.method} was refused: {self.error}"


class RequestUnsupported(RequestFailed):
    """The peer does not know what was asked for, by the page's `unsupported`; attributes as above."""

    def __str__(self) -> str:
        return f"{self.method} is not supported by the peer: {self.error}"


class RequestTimeout(LifecycleError):
    """No answer came in time.

    Attributes:
        method: what was asked for.
        seconds: how long was waited.
    """

    side = "peer"

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(method, seconds)
        self.method, self.seconds = method, seconds

    def __str__(self) -> str:
        return f"{self.method} was not answered within {self.seconds:g} s"


class CallFailed(LifecycleError):
    """Raise it in a call to choose the fields of the page's `failed`.

    Attributes:
        code: for the page's guards.
        message: for people.
        status: of HTTP, if it was a server that refused.
        retry_after: the pause that the server asks for, in seconds.
    """

    side = "caller"

    def __init__(
        self, code: str, message: str = "", *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status, self.retry_after = code, message, status, retry_after


class AllFailed(LifecycleError):
    """No provider of several could serve a request. The error of the one that was asked last is `__cause__`.

    Attributes:
        failures: by the name of each that was asked, what it has raised; in the order in which they were asked.
        skipped: the names of those that were not asked, because they are unavailable.
        seconds: how long it took.
    """

    side = "peer"

    def __init__(self, failures: Mapping[str, Exception], skipped: Iterable[str], seconds: float) -> None:
        self.failures, self.skipped, self.seconds = dict(failures), tuple(skipped), seconds
        super().__init__(self.failures, self.skipped, seconds)

    def __str__(self) -> str:
        asked = [f"{name}: {type(error).__name__}" for name, error in self.failures.items()]
        told = [*asked, *(f"{name}: unavailable, and not asked" for name in self.skipped)]
        return f"no provider could serve, after {self.seconds:.1f} s ({', '.join(told)})"


class DriverFailed(LifecycleError):
    """Something that must not happen has happened: a fault of ours, or a value that the page has no room for.

    The error behind it is `__cause__`.
    """
