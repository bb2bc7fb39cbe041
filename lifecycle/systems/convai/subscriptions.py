"""Who wants to hear of which events.

Law: a handler is called for each event of its class, in order, until it is let go, also in the middle of an event. What
it raises is logged and costs nobody else anything. It is the embedder's, so Ctrl-C may break into it.
"""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, final

from trio.lowlevel import disable_ki_protection

log = logging.getLogger("lifecycle.convai")
E = TypeVar("E")


@final
class Subscription:
    """One handler; call it to hear no more. Again is no harm; `with` lets go at its end."""

    def __init__(self, leave: Callable[["Subscription"], None]) -> None:
        self._leave = leave

    def __call__(self) -> None:
        """Hear no more."""
        self._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self()


@final
class Subscriptions:
    """The handlers of one session."""

    def __init__(self) -> None:
        self._handlers: dict[Subscription, tuple[type[Any], Callable[[Any], object]]] = {}

    def add(self, event: type[E], handler: Callable[[E], object]) -> Subscription:
        """Call a handler for each event of a class."""
        subscription = Subscription(self._leave)
        self._handlers[subscription] = (event, handler)
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        self._handlers.pop(subscription, None)

    def tell(self, event: object) -> None:
        """Tell an event to all who want it."""
        for subscription, (kind, handler) in list(self._handlers.items()):
            if isinstance(event, kind) and subscription in self._handlers:
                try:
                    _call(handler, event)
                except Exception:
                    log.exception("a handler of %s has failed", kind.__name__)


@disable_ki_protection
def _call(handler: Callable[[Any], object], event: object) -> None:
    handler(event)
