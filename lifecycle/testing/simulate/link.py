"""One connection between the driver and the peer, in memory: latency, a bounded buffer, faults, an ending.

Law: keeps the contracts of Pipe and Transport: writing never waits, messages come whole, the first ending stays. After
`abort` nothing is told, unless it is to be tried whether the driver minds. It knows what really went over it, and
tells the account; what the driver believes, it does not know.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, final

import trio

from lifecycle.trio.transports.transport import Batch, Sink, Transport, check_ping
from lifecycle.wire.codec import length
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .lane import Lane
from .pipe import SimPipe
from .words import Said

if TYPE_CHECKING:
    from .fates import Record
    from .world import World

KERNEL: Final = 16 * 1024
"""Bytes that the system takes although the network does not."""
_FRAME = 6
_PONG: Final = object()
_TOO_LATE: Final = 0.01
_TOO_MUCH: Final = 1008
_PUSHING, _TALKATIVE = 0.6, 0.2
"""How many links push what they read, and how many tell something when they were dropped."""


def _nothing() -> None:
    """Where nobody listens."""


@final
class Link(Transport):
    """One connection, from the driver's side a transport.

    Args:
        world: where it is.

    Attributes:
        number: which one it is in this run.
        opened: when it was opened; None before.
        asking: whether its client still waits to be let in, and so says nothing.
        aborted: when the driver dropped it.
        goodbye: whether the driver has said goodbye.
        heard_at: when bytes came to the driver.
        gone: whether the peer has ended it.
        carried: the messages of the user that it was given.
        unread_since: when the first of what is to be read came.
    """

    def __init__(self, world: "World") -> None:
        self.world, self.number = world, world.made
        world.made, world.newest = world.made + 1, self
        self.dice = random.Random(f"{world.seed} link {self.number}")
        self.pipe = SimPipe(self)
        self.opened: float | None = None
        self.asking = False
        self.aborted: float | None = None
        self.goodbye = self.mute = self.gone = False
        self.handshake = self.dice.uniform(0.002, 0.4)
        self.pushes, self.late_words = self.dice.random() < _PUSHING, self.dice.random() < _TALKATIVE
        self.heard_at = world.now
        self.carried: list[Record] = []
        self.unread_since = 0.0
        self._ended: Ending | None = None
        self._sink: Sink | None = None
        self._queue: deque[Said] = deque()
        self._handing: Said | None = None  # what the driver has just been given, and looks at
        self._noise = False
        self._reader = trio.lowlevel.ParkingLot()
        latency = self.dice.choice((0.001, 0.02, 0.02, 0.15))
        self._up = Lane(self, "up", latency, self._drained)
        self._down = Lane(self, "down", latency, _nothing)

    def open(self) -> None:
        """It is open from now on."""
        if self.opened is None:
            self.world.standing.append(self)
        self.opened = self.world.now

    # -- the driver's side

    @property
    def ended(self) -> Ending | None:
        """Why there is no connection any more."""
        return self._ended

    def attach(self, sink: Sink) -> bool:
        """Push, if this link does."""
        if not self.pushes:
            return False
        self._sink = sink
        while self._queue:
            self._push(self._queue.popleft())
        if self._ended is not None:
            sink.over()
        return True

    async def receive(self) -> Batch:
        """Wait for messages."""
        self._handing = None
        while True:
            if self._noise:
                self._noise = False
                self._hear()
            if self.aborted is None and self._queue:
                # several at once, but nothing behind what may end the connection
                batch = [self._queue.popleft()]
                while self.world.scene.batches and self._queue and batch[-1].kind == self._queue[0].kind == "deliver":
                    batch.append(self._queue.popleft())
                for said in batch:
                    self.world.account.read(said)
                self._handing = batch[-1]
                return tuple(message for said in batch for message in said.messages)
            if self._ended is not None:
                return ()
            await self._reader.park()

    def send(self, data: str | bytes) -> None:
        """Send a message."""
        if self.goodbye or self._ended is not None or self.aborted is not None:
            raise trio.BrokenResourceError
        size = length(data) + _FRAME
        self.world.account.handed(self, data, self.pipe.total, self.pipe.total + size)
        hit = self.world.network.hits(self.world.now, "up", self.dice)
        times = 0 if "drop" in hit else 2 if "duplicate" in hit else 1

        def arrive() -> None:
            for _ in range(times):
                self.world.peer.heard(self, data)

        self._give(size, arrive)

    def ping(self, payload: bytes = b"") -> None:
        """Ask for a sign of life."""
        check_ping(payload)
        if not self.goodbye and self._ended is None and self.aborted is None:
            self._give(_FRAME + len(payload), lambda: self._answer(_PONG))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye."""
        if self._ended is None and self.aborted is None and not self.goodbye:
            self.goodbye = True
            if code == _TOO_MUCH and self._handing is not None and self._handing.delivers:
                self.world.account.stream.refused(self._handing)
            self._give(_FRAME + len(reason), lambda: self.end(CloseEnding(code, reason, "local"), polite=True))

    def abort(self) -> None:
        """Drop it."""
        if self.aborted is not None:
            return
        self._leave()
        self._ended = self._ended or ErrorEnding("eof", "dropped on this side")
        self.world.account.dropped(self, self.pipe.taken)
        self._reader.unpark_all()
        if self.late_words and self._sink is not None and self.opened is not None:
            self.world.later(_TOO_LATE, self._speak_too_late)

    def turn_away(self) -> None:
        """The client is refused, and goes."""
        self.gone = True
        self._leave()

    def _leave(self) -> None:
        self.aborted = self.world.now
        if self in self.world.standing:
            self.world.standing.remove(self)

    def _speak_too_late(self) -> None:
        # a library may tell what it has read although nobody listens: the driver's fence is there for that
        sink, said = self._sink, self.world.peer.anything()
        if sink is not None:
            if said is not None:
                sink.put(said.messages)
            sink.over()

    # -- on the way

    def _give(self, size: int, arrive: Callable[[], None]) -> None:
        self.pipe.total += size
        self._up.give(size, arrive)
        self.pipe.taken = max(self.pipe.taken, min(self.pipe.total, self._up.left + KERNEL))

    def _drained(self) -> None:
        """The network takes more: tell the driver, as a pipe's flusher does."""
        before, self.pipe.taken = self.pipe.taken, min(self.pipe.total, self._up.left + KERNEL)
        if self.pipe.taken > before and self.pipe.drained is not None and self.aborted is None:
            self._tell(self.pipe.drained)

    def heal(self) -> None:
        """The network is well: what waits goes on its way, unless this link is dead."""
        self._up.heal()
        self._down.heal()

    def say(self, said: Said) -> None:
        """The peer says something."""
        hit = self.world.network.hits(self.world.now, "down", self.dice)
        if "drop" in hit:
            return
        if "corrupt" in hit:
            said = self.world.peer.garbage(said)
        for _ in range(2 if "duplicate" in hit else 1):
            self._answer(said, overtakes="reorder" in hit)

    def end(self, ending: Ending, *, polite: bool = False) -> None:
        """The peer, or the network, ends it; politely, as the answer to a goodbye."""
        if not (polite and self.dice.random() < self.world.peer.rudeness):
            self.gone = True
            self._answer(ending)

    def _answer(self, what: Any, *, overtakes: bool = False) -> None:
        if self.opened is not None:
            size = length(what.data) if isinstance(what, Said) else 0
            self._down.give(size, lambda: self._arrive(what), overtakes=overtakes)

    def _arrive(self, what: Any) -> None:
        if self.aborted is not None or self._ended is not None:
            return
        if self._sink is None:
            self._noise = True
            self._reader.unpark_all()
        else:
            self._hear()
        if isinstance(what, Said) and self.aborted is None:
            if self._sink is not None:
                self._push(what)
            else:
                if not self._queue:
                    self.unread_since = self.world.now
                self._queue.append(what)
        elif isinstance(what, CloseEnding | ErrorEnding) and self.aborted is None:
            self._ended = what
            if self._sink is not None:
                self._tell(self._sink.over)

    @property
    def unread(self) -> bool:
        """Whether something has come that the driver has not read."""
        return bool(self._queue)

    def _tell(self, hear: Callable[..., None], *what: Any) -> None:
        """Tell the driver something; it does not raise."""
        try:
            hear(*what)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, it is a fault of the driver
            self.world.broken("no fault of ours", f"what it was told has raised {type(fault).__name__}: {fault}")

    def _push(self, said: Said) -> None:
        if self._sink is not None and self.aborted is None:
            self.world.account.read(said)
            self._handing = said
            self._tell(self._sink.put, said.messages)
            self._handing = None

    def _hear(self) -> None:
        self.heard_at = self.world.now
        if self.pipe.heard is not None:
            self._tell(self.pipe.heard)
