"""What an exception of the embedder's client means to the page `attempt`.

Law: a status that the server gave says more than the class of the exception. What the exception says in words stays
with it: it is raised at the embedder, and told nobody else.
"""

from collections.abc import Callable

import trio

from lifecycle.errors import CallFailed, LifecycleError, NotReady, RequestTimeout

Translate = Callable[[Exception], CallFailed]

_LATE = (TimeoutError, trio.TooSlowError, RequestTimeout, NotReady)
_LOST = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


def failure_of(error: Exception) -> CallFailed:
    """Say what has failed, by what most clients tell.

    Args:
        error: what a call has raised.

    Returns:
        The error itself, if it is a CallFailed. Else one with the status of `status_code`, `status` or
        `response.status_code`; without one, with the code `timeout` (TimeoutError, trio.TooSlowError), `connection`
        (OSError, trio.BrokenResourceError), or the class's name.
    """
    if isinstance(error, CallFailed):
        return error
    status, code = _status(error), type(error).__name__
    if status is None:
        if isinstance(error, _LATE):
            code = "timeout"
        elif isinstance(error, _LOST) or (isinstance(error, LifecycleError) and error.side == "network"):
            code = "connection"
    return CallFailed(code, status=status)


def _status(error: Exception) -> int | None:
    found = (
        getattr(error, "status_code", None),
        getattr(error, "status", None),
        getattr(getattr(error, "response", None), "status_code", None),
    )
    return next((int(each) for each in found if isinstance(each, int) and not isinstance(each, bool)), None)
