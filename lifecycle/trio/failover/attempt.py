"""One request at one provider: the page `attempt`, run.

Law: what is given counts only while its try lives. An attempt that is cancelled leaves nothing behind, and says nothing
about the provider.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, final

import trio

from lifecycle.errors import CallFailed
from lifecycle.trio.connection import Connection
from lifecycle.trio.groups import alone
from lifecycle.trio.interrupts import ki_protected, unprotected

from .failure import Translate
from .pages import page

log = logging.getLogger("lifecycle.failover")
Give = Callable[[Any], Awaitable[None]]
Ask = Callable[[Give], Awaitable[Any]]

SERVED: Final = ("answered", "hung_up")
"""How an attempt ends that says nothing against the provider."""


@final
@ki_protected
class Attempt:
    """One request at one provider; it runs once.

    Args:
        name: the provider's, for the log.
        ask: asks the provider; it is given a method for each piece of its output, and may return a result.
        give: takes a piece, when there is room for it.
        translate: what an exception means.
        parameters: of the page `attempt`.

    Attributes:
        result: what the provider has returned; None unless it was answered.
        error: what the last try has raised, or that it was too slow; None if it has served.
    """

    def __init__(self, name: str, ask: Ask, *, give: Give, translate: Translate, parameters: Mapping[str, Any]) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self._name, self._work, self._give, self._translate = name, ask, give, translate
        self._connection = Connection(page("attempt"), calls=self, **parameters)
        self._try = 0

    async def run(self) -> str:
        """Ask, and ask again, as the page says.

        Returns:
            The page's last state: `answered`, `hung_up`, `cut_short`, `broken` or `given_up`.
        """
        try:
            await self._connection.run()
        except BaseExceptionGroup as group:
            raise alone(group) from None
        (state,) = self._connection.state
        if state in SERVED:
            self.error = None
        elif self.error is None:
            self.error = TimeoutError(f"{self._name} was too slow")
        return state

    async def ask(self) -> None:
        """One try; called by the page."""
        self._try += 1
        mine, self.error = self._try, None

        async def give(piece: Any) -> None:
            if not self._lives(mine):  # it shields itself from the end of its try
                await trio.lowlevel.checkpoint()
                return
            self._connection.tell("gave")
            await self._give(piece)
            self._connection.tell("taken")  # the page does not leave a try while something is being taken

        try:
            result = await unprotected(self._work(give))
        except Exception as error:
            raise self._failed(error, mine) from error
        if self._lives(mine):
            self.result = result

    def _lives(self, mine: int) -> bool:
        return mine == self._try and any(state.startswith("trying") for state in self._connection.state)

    def _failed(self, raised: Exception, mine: int) -> CallFailed:
        found = alone(raised)
        error = found if isinstance(found, Exception) else raised
        if not self._lives(mine):
            return CallFailed("late")
        self.error = error
        failure = self._translate(error)
        known = failure.status is not None or failure.code in ("timeout", "connection")
        log.warning("%s has failed: %s", self._name, type(error).__name__, exc_info=None if known else error)
        return failure
