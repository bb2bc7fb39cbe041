"""What a client is told: the body, and the status of HTTP, of each thing that can happen.

Law: every answer says `success`, `code` and `message`; the code is the vendor's where the vendor has one. Of HTTP, 429
means "later", as clients of the first such service take it, whether the id is busy or everything is full.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import trio

from lifecycle.errors import LifecycleError
from lifecycle.registry.refusal import AlreadyHeld, LeasesUnavailable, NoCapacity, StartRefused
from lifecycle.registry.start_failed import StartFailed

GOOD: Final = 1000
FULL: Final = 4002
_NO_INSTANCE: Final = 5002
_CAUSES: Final = {"timeout": 408, "left": 409, "lost": 503}
"""By the code of a start that has failed, the status of HTTP."""


@attrs.frozen
class Answer:
    """What is said.

    Attributes:
        status: of HTTP.
        body: of JSON.
        headers: besides.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = attrs.field(factory=dict)


def good(message: str, **more: Any) -> Answer:
    """It was done."""
    return Answer(200, {"success": True, "code": GOOD, "message": message, **more})


def bad(status: int, message: str, *, code: int | None = None, retry_after: float | None = None, **more: Any) -> Answer:
    """It was not done; `code` is the status where nobody has a better one."""
    told = {"success": False, "code": status if code is None else code, "message": message, "error": message, **more}
    if retry_after is None:
        return Answer(status, told)
    seconds = math.ceil(retry_after)
    return Answer(status, {**told, "retry_after": seconds}, {"Retry-After": str(seconds)})


def wrong(status: int, problems: Iterable[str]) -> Answer:
    """It cannot be asked for so."""
    found = list(problems)
    return bad(status, "; ".join(found), problems=found)


def not_started(error: LifecycleError, live_id: str) -> Answer:
    """Why a start was refused, or has failed."""
    if isinstance(error, LeasesUnavailable):
        return unavailable(error)
    status, code, later = 500, None, None
    why = str(error)
    more: dict[str, Any] = {"live_id": live_id}
    if isinstance(error, StartRefused):
        status, code, later = _refused(error), error.code, error.retry_after
    elif isinstance(error, StartFailed):
        status, code, later = _failed(error), _number(error.code), error.retry_after
        more["cause"] = error.code
        why = f"{error.message}{'' if later is None else f'; wait {math.ceil(later)} seconds'}"
    message = f"Failed to start live: {why} (code: {status if code is None else code})"
    return bad(status, message, code=code, retry_after=later, **more)


def _number(code: str) -> int | None:
    return int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None  # noqa: PLR2004 -- of any vendor


def _refused(error: StartRefused) -> int:
    if isinstance(error, NoCapacity):
        return 429
    return 409 if isinstance(error, AlreadyHeld) and not error.pending else error.code


def _failed(error: StartFailed) -> int:
    if error.code in _CAUSES:
        return _CAUSES[error.code]
    if error.code == str(FULL):
        return 429
    unreached = isinstance(error.__cause__, OSError | trio.BrokenResourceError | trio.TooSlowError)
    return 503 if unreached or error.code == str(_NO_INSTANCE) else 500


def unavailable(error: LeasesUnavailable) -> Answer:
    """The place does not answer."""
    return bad(503, f"{error}; nothing is known of what was asked: ask again when it is back")
