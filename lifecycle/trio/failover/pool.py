"""Which of several addresses is dialled next, and which are passed by.

Law: the first that is available, in their order; if none is, each in its turn. Whether one is, says its `Health` and
nothing else. One whose handshake goes well and that then does not serve is believed less often.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, final

import trio

from lifecycle.trio.pipes.pipe import Spawn

from .address import Address

if TYPE_CHECKING:
    from .health import Health

PROBE_WITHIN = 15.0
"""Seconds that a probe has, goodbye and redirects included."""
LONGEST = 3600.0
"""Seconds for which the handshakes of an address that does not serve are not believed, at most."""


class TooSoonError(Exception):
    """It is not probed now."""


@final
class Pool:
    """Some addresses, and how they are.

    Args:
        addresses: two at least, the best first.
        every: seconds between two probes of one that is unavailable.
        probe: shakes hands with an address, by its index; raises if that does not go well.
        told: called at each edge with the index, and whether it is available; must neither wait nor raise.
    """

    __slots__ = ("_begun", "_every", "_healths", "_passed", "_pauses", "_probe", "_until", "addresses")

    def __init__(
        self,
        addresses: tuple[Address, ...],
        every: float,
        probe: Callable[[int], Awaitable[object]],
        told: Callable[[int, bool], object],
    ) -> None:
        self.addresses = addresses
        self._every, self._probe = every, probe
        self._healths = tuple(self._health(index, address, told) for index, address in enumerate(addresses))
        self._begun: tuple[trio.Event, ...] = ()
        self._passed: set[int] = set()  # whose last probe went well, and that have not served since
        self._pauses = [0.0] * len(addresses)
        self._until = [0.0] * len(addresses)

    def _health(self, index: int, address: Address, told: Callable[[int, bool], object]) -> "Health":
        from .health import Health  # late, for it is itself a connection

        return Health(
            address.shown,
            partial(self._probed, index),
            told=lambda _, available: told(index, available),
            probe_on_request=False,
            probe_every=self._every,
            probe_timeout=PROBE_WITHIN,
            served_heals=True,
        )

    async def begin(self, spawn: Spawn) -> None:
        """Begin to look after them, once; nothing of the others may be called before that.

        Args:
            spawn: starts tasks of the connection.
        """
        if not self._begun:
            self._begun = tuple(trio.Event() for _ in self._healths)
            for health, begun in zip(self._healths, self._begun, strict=True):
                spawn(partial(_live, health, begun))
        for begun in self._begun:
            await begun.wait()

    def available(self, index: int) -> bool:
        """Whether one is not passed by."""
        return self._healths[index].available

    def choose(self, last: int | None) -> int:
        """The one to dial.

        Args:
            last: which was dialled before.
        """
        good = next((index for index in range(len(self._healths)) if self.available(index)), None)
        return good if good is not None else (0 if last is None else last + 1) % len(self._healths)

    def served(self, index: int) -> None:
        """The page was ready on one."""
        self._passed.discard(index)
        self._pauses[index] = 0.0
        self._healths[index].served()

    def failed(self, index: int) -> None:
        """A dial of one has come to nothing: it is passed by."""
        if index in self._passed:
            self._passed.discard(index)
            self._pauses[index] = min(2 * max(self._pauses[index], self._every), LONGEST)
            self._until[index] = trio.current_time() + self._pauses[index]
        self._healths[index].failed()

    def drained(self, index: int) -> None:
        """One sends its clients away: it is passed by."""
        self._healths[index].failed()

    async def _probed(self, index: int) -> None:
        if trio.current_time() < self._until[index]:
            raise TooSoonError
        await self._probe(index)
        self._passed.add(index)


async def _live(health: "Health", begun: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(health.run)
        begun.set()
