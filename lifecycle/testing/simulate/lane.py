"""One direction of a link: latency, order, throttling, and being mute.

Law: what is given goes on its way as fast as the network takes it, and arrives in order, but for what is to overtake.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from .network import Way

if TYPE_CHECKING:
    from .link import Link


@final
class Lane:
    """One direction of a link: what is given goes on its way as fast as the network takes it, and arrives in order.

    Args:
        link: whose.
        way: which direction.
        latency: seconds that everything takes.
        moved: told each time when something that had to wait is on its way.

    Attributes:
        left: how many bytes are on their way, or have arrived.
    """

    __slots__ = ("_free_at", "_last", "_latency", "_link", "_moved", "_waiting", "_way", "left")

    def __init__(self, link: "Link", way: Way, latency: float, moved: Callable[[], None]) -> None:
        self._link, self._latency, self._moved = link, latency, moved
        self._way: Way = way
        self._waiting: deque[tuple[int, Callable[[], None], bool]] = deque()
        self._free_at = self._last = 0.0
        self.left = 0

    def give(self, size: int, arrive: Callable[[], None], *, overtakes: bool = False) -> None:
        """Send something."""
        self._waiting.append((size, arrive, overtakes))
        self._leave()

    def heal(self) -> None:
        """Nothing has to wait any more."""
        if self._free_at > self._link.world.now:
            self._free_at = 0.0
            self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._leave()
            self._moved()

    def _leave(self) -> None:
        link, world = self._link, self._link.world
        now = world.now
        link.mute = link.mute or world.network.mute(now, self._way)
        while self._waiting and not link.mute and self._free_at <= now and link.aborted is None:
            size, arrive, overtakes = self._waiting.popleft()
            self.left += size
            rate = world.network.rate(now, self._way)
            if rate is not None and size:
                self._free_at = now + size / rate
                world.later(self._free_at - now, self._go_on)
            arrival = now + self._latency + world.network.delay(now, self._way)
            if not overtakes:
                arrival = self._last = max(self._last, arrival)
            world.later(arrival - now, arrive)
