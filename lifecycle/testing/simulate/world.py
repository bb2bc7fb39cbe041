"""Everything around one page's driver: what happens and when, the peer, the user, the embedder, and who judges.

Law: all of it happens in one task, by a heap of times, so that the seed decides it. The first thing that does not hold
is kept, and ends the run.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import trio

from lifecycle.testing.schedule import ONCE, Fault
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .account import Account
from .calls import Embedder
from .clock import JumpingClock
from .entries import Entry
from .invariants import Judge
from .link import Link
from .network import Network
from .peer import Peer
from .result import Violation
from .scene import Scene

if TYPE_CHECKING:
    from lifecycle.trio.connection import Connection

    from .user import User

_MOST_TASKS: Final = 12
_REMEMBERED: Final = 12
_LOOK_EVERY: Final = 8
_ADVERSE: Final = ("fault", "end", "calls")
_ASKS: Final = ("reconnect", "connect", "start", "started")


def _nobody(_: float) -> None:
    """Nobody is refused."""


class World:
    """Everything around one page's driver.

    Args:
        clock: by which all of it happens.
        scene: the page.
        seed: decides everything.
        entries: what happens from outside.
        end: when it is over, in seconds.

    Attributes:
        calm: whether nothing bad happens.
        refuse: how a dial is refused at a time, besides by faults.
        link: the link of now, if there is one that is open and not dropped.
        lives: how many connections there were, one after the other.
        made: how many links there were.
        newest: the last of them.
        standing: those that are open, and that the driver has not dropped.
    """

    def __init__(self, clock: JumpingClock, scene: Scene, seed: int, entries: Sequence[Entry], end: float) -> None:
        self.clock, self.scene, self.seed, self.end = clock, scene, seed, end
        self.violation: Violation | None = None
        self.fault: Exception | None = None
        self.counts: Counter[str] = Counter()
        self.made = 0
        self.newest: Link | None = None
        self.standing: list[Link] = []
        self.serial = self.lives = 0
        self.calm, self.stepped_at = False, 0.0
        self.refuse: Callable[[float], Ending | None] = _nobody
        self.network = Network()
        self.peer = Peer(self)
        self.embedder = Embedder(self)
        self.judge = Judge(self)
        self.account = Account(self)
        self.connection: Connection | None = None
        self.user: User | None = None
        self._entries = iter(entries)
        self.dice = random.Random(f"{seed} world")
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._nap = clock.nap()
        self.whole = trio.CancelScope()

    # -- what others ask

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return trio.current_time()

    @property
    def link(self) -> Link | None:
        """The link of now, if there is one that is open and not dropped."""
        link = self.newest
        return link if link is not None and link.opened is not None and link.aborted is None else None

    @property
    def well(self) -> bool:
        """Whether it is ready, by a link that stands; one that died before all was well is still to be found dead."""
        link = self.link
        return self.judge.status == "ready" and link is not None and not (link.mute or link.gone)

    def broken(self, invariant: str, what: str) -> None:
        """Something does not hold: the first such thing ends the run."""
        if self.violation is None:
            steps = self.connection.history[-_REMEMBERED:] if self.connection is not None else ()
            said = tuple(f"{step.time:12.3f}  {step.event}: {' + '.join(step.after) or 'the end'}" for step in steps)
            self.violation = Violation(invariant, round(self.now, 6), what, said)
            self.whole.cancel()

    def crashed(self, fault: Exception) -> None:
        """The simulation itself is wrong."""
        self.fault = self.fault or fault
        self.whole.cancel()

    def leave(self) -> None:
        """End the run at once."""
        self.whole.cancel()

    def count(self, what: str) -> None:
        """Count something."""
        self.counts[what] += 1

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        when = trio.current_time() + seconds
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, call))
        self._nap.no_later(when)

    def user_cancelled(self) -> None:
        """A message is on its way to the user."""
        if self.user is not None:
            self.user.cancelled()

    # -- what happens

    async def clockwork(self) -> None:
        """Let things happen at their times; until cancelled."""
        self._next_entry()
        while True:
            now = trio.current_time()
            if self._heap and self._heap[0][0] <= now:
                self.judge.look(now)
                while self._heap and self._heap[0][0] <= now:
                    heapq.heappop(self._heap)[2]()
                self.account.sweep()
            await self._nap.sleep_until(self._heap[0][0] if self._heap else float("inf"))

    def _next_entry(self) -> None:
        entry = next(self._entries, None)
        if entry is not None:
            self.later(max(0.0, entry.at - self.now), lambda: self._happen(entry))

    def _happen(self, entry: Entry) -> None:
        self.count("entries")
        self._next_entry()
        if entry.what in _ADVERSE:
            self.calm = False
        match entry.what:
            case "fault" if entry.fault is not None:
                self._fault(entry.fault)
            case "say":
                self.peer.say(entry.pick)
            case "end":
                self.peer.end(entry.pick)
            case "calls":
                self.embedder.failing = self.now + entry.lasts
            case "heal":
                self.heal()
            case _ if self.user is not None:
                self.user.do(entry)
        if self.counts["entries"] % _LOOK_EVERY == 0:
            self._watch_growth()

    def _fault(self, fault: Fault) -> None:
        if fault.kind not in ONCE:
            self.network.begin(fault, self.now)
        elif self.link is not None:
            close = fault.kind == "close"
            self.link.end(CloseEnding(fault.code, fault.reason) if close else ErrorEnding("reset", "made up"))

    def heal(self) -> None:
        """All is well again, and a page that rests is asked to go on."""
        self.calm = True
        self.network.heal()
        if self.link is not None:
            self.link.heal()
        self.embedder.heal()
        self.peer.watch(self.judge.leaves)
        if self.user is not None and self.judge.resting:
            for name in _ASKS:
                if name in self.scene.page.hears and self.user.wish(name):
                    break

    def _watch_growth(self) -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        busy = sum(self.embedder.running.values()) + (self.user.tasks if self.user is not None else 0)
        grown = "" if self.user is None else self.user.grown()
        if tasks > busy + _MOST_TASKS:
            grown = f"there are {tasks} tasks, and {busy} of users and calls"
        if grown:
            self.broken("no growth", grown)
