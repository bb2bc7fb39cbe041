"""The nursery of one `async with`, and the scope of its body.

Law: a nursery wraps what leaves it in a group, so the body's exception is kept outside of it and
leaves as it is. The body is cancelled only if the driver has failed. A class and not a generator:
a generator must not hold a nursery.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, final

import trio

from lifecycle.errors import DriverFailed, LifecycleError

from .groups import alone

if TYPE_CHECKING:
    from .driver import Driver
    from .server import Server


@final
class Door:
    """One `async with`.

    Args:
        driver: whose failure cancels the body.
        begin: starts the connection in a nursery.
        close: ends it gently, within bounds.
    """

    def __init__(
        self, driver: "Driver | Server", begin: Callable[[trio.Nursery], None], close: Callable[[], Awaitable[None]]
    ) -> None:
        self._driver, self._begin, self._close = driver, begin, close
        self._manager = trio.open_nursery()
        self._nursery: trio.Nursery | None = None

    async def enter(self) -> None:
        """Open the nursery and begin."""
        self._nursery = await self._manager.__aenter__()
        self._driver.failed = self._nursery.cancel_scope.cancel  # the body is in it too
        self._begin(self._nursery)

    async def leave(self, error: BaseException | None) -> bool:
        """Close, and let the right exception out.

        Returns:
            Whether the body's exception is settled.
        """
        own = error if self._driver.failure is None else _not_cancelled(error)
        trouble = await self._closed(own)
        if self._driver.failure is not None and (own is None or isinstance(own, LifecycleError)):
            raise_failure(self._driver)
        if trouble is not None and (own is None or (_cancelled(own) and not _cancelled(trouble))):
            # a body that was cancelled because a task of ours died is no cancellation of anybody else's
            raise alone(trouble)
        if own is not None and own is not error:
            raise own
        return own is None

    async def _closed(self, own: BaseException | None) -> BaseException | None:
        """Close and leave the nursery; what goes wrong on the way is returned."""
        trouble: BaseException | None = None
        try:
            if self._driver.failure is not None:
                pass  # it has ended, and this task is cancelled
            elif own is None or isinstance(own, Exception):
                await self._close()
            else:  # cancelled: one try to say goodbye, no wait
                self._driver.goodbye()
        except BaseException as raised:  # noqa: BLE001 -- told by `leave`, after the nursery
            trouble = raised
        self._driver.finish()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseException as raised:  # noqa: BLE001 -- a cancellation from outside; the body's own comes first
            trouble = trouble or raised
        return trouble


def raise_failure(driver: "Driver | Server") -> None:
    """Raise what ended the driver, if it was a fault of ours.

    Raises:
        DriverFailed: with the fault as its cause.
    """
    failure = driver.failure
    if failure is not None:
        raise DriverFailed(f"{driver.definition.name}: {type(failure).__name__}: {failure}") from failure


def _not_cancelled(error: BaseException | None) -> BaseException | None:
    """What an error is besides a cancellation, if anything."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1]
    return None if isinstance(error, trio.Cancelled) else error


def _cancelled(error: BaseException) -> bool:
    return _not_cancelled(error) is None
