"""asyncio with a clock that jumps: when everybody waits, the next deadline is now.

Law: of the standard library alone, for processes of others run it. Who waits for a thread or a socket waits for nothing,
so nobody may.
"""

import asyncio
import selectors
from typing import Any


class Selector(selectors.DefaultSelector):
    """Waits for nobody: the time that would be waited is over."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Look once, and let the time pass."""
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, by that clock."""

    def __init__(self) -> None:
        self._jumping = Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Now."""
        return self._jumping.now
