"""What must hold at every step: an instrument that follows the connection, with what the world really did.

Law: judges, and never asks the driver whether it is right. What it knows comes from the page's steps, from the effects
that its machine gave out, from the links, and from the page's certificate.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import attrs
import trio

from lifecycle.machine import effects as do
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed
from lifecycle.trio.verdict import asks_for_life

if TYPE_CHECKING:
    from .world import World

_A_MOMENT: Final = 1e-6
_MINUTE: Final = 60.0
_AT_REST = ("idle", "closed", "failed")


@attrs.frozen
class _Armed:
    """A clock that runs: since when, its token, and the least and the most seconds."""

    at: float
    token: int
    least: float
    most: float
    effect: do.StartClock


class Judge(Instrument):
    """Follows one run, one connection after the other.

    Args:
        world: what really happens, and who is told what is wrong.

    Attributes:
        status: of the page, as its last step said it.
        leaves: its innermost states.
        steps: how many there were.
        changed: is unparked by each step.
        digest: the same for two runs that went alike.
    """

    def __init__(self, world: "World") -> None:
        self.world, self.page = world, world.scene.page
        self.status, self.steps = "idle", 0
        self.leaves: tuple[str, ...] = ()
        self.changed = trio.lowlevel.ParkingLot()
        self.digest = 0
        self._clocks: dict[str, _Armed] = {}
        self._calls: dict[str, str] = {}
        self._dials: deque[float] = deque()
        self._waits: dict[str, float] = {}
        self._epochs = 0
        self.listens = self.page.role != "server"
        self._continuous, self._linked, self._went = True, False, False
        self._counted: dict[str, Any] = {}
        self._counts = {clock.by for clock in self.page.clocks if clock.by} if world.scene.dials else set[str]()
        self._forgiving = {clause.id for clause in self.page.clauses.values() if clause.proof}
        self._lively = {clock.name for clock in self.page.clocks if asks_for_life(self.page, clock)}
        self._patient = self.page.messages.inbox is not None and self.page.messages.inbox.when_full == "wait"

    # -- as an instrument

    def began(self, connection: Observed, at: float, wall: float) -> None:
        """A connection begins: nothing of the one before is left."""
        del connection, at, wall
        self._clocks.clear()
        self._calls.clear()
        self._counted.clear()
        self._waits.clear()
        self._epochs, self._continuous = (1 if self.page.role == "server" else 0), True
        self.listens = self.page.role != "server"

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[do.Effect, ...]) -> None:
        """A step was taken."""
        del connection
        try:
            self._followed(step, event, effects)
        except Exception as fault:  # noqa: BLE001 -- the driver would log it and tell no more
            self.world.crashed(fault)

    def _followed(self, step: Step, event: Event, effects: tuple[do.Effect, ...]) -> None:
        self.settle()
        self.steps += 1
        self.status, self.leaves = step.status, step.after
        self.digest = crc32(f"{step.time:.6f} {step.event} {step.after} {len(effects)}".encode(), self.digest)
        if event.cause == "timer":
            self._rang(event, step.time)
        elif event.cause == "call":
            self._calls.pop(event.name.partition(".")[2], None)
        elif event.cause == "wish":
            self._dials.clear()
        for effect in effects:
            self._carried(effect, step.time)
        if self._counts:
            self._forgave(step, event)
        self.world.stepped_at = step.time
        self.listens = self.listens or self.status == "ready"
        self._linked = self.world.link is not None
        # now, for the mark stands before what may be sent from now on
        self._went = self.status == "ready" and not self._continuous and self.world.account.went
        self.world.peer.watch(step.after)
        self.changed.unpark_all()

    def refused(self, connection: Observed, event: Event, at: float) -> None:
        """A fact that the page does not allow; its proof says that there is none."""
        del connection, at
        if event.cause != "wish":
            self.world.broken("handled", f"`{event.name}` was not allowed in {' + '.join(self.leaves)}")

    def stale(self, connection: Observed, event: Event, at: float) -> None:
        """An event whose cause was gone; of timers there is none, for they are cancelled with their states."""
        del connection, at
        if event.cause == "timer":
            what = f"`{event.name}` ran out, and it was stopped before; the page is in {' + '.join(self.leaves)}"
            self.world.broken("timers of the dead", what)

    def ended(self, connection: Observed, at: float, failure: BaseException | None) -> None:
        """The connection has ended."""
        del connection, at
        self._clocks.clear()
        self._calls.clear()
        self.status = "failed" if failure is not None else "closed"
        if failure is not None:
            self.world.broken("no fault of ours", f"the driver has failed: {type(failure).__name__}: {failure}")
        self.changed.unpark_all()

    # -- steps

    def _carried(self, effect: do.Effect, now: float) -> None:
        match effect:
            case do.StartClock():
                name = effect.clock.name
                least = most = effect.seconds or 0.0
                if effect.backoff is not None:
                    least, most = effect.backoff.bounds(effect.attempt, self._waits.get(name))
                self._clocks[name] = _Armed(now, effect.token, least, most, effect)
            case do.StopClock():
                self._clocks.pop(effect.clock.name, None)
            case do.StartCall():
                self._calls[effect.state] = effect.name
            case do.StopCall():
                self._calls.pop(effect.state, None)
            case do.Open():
                self._epochs += 1
                self._continuous = self._epochs == 1
                self.world.account.stream.dialled(sent=self.world.account.went)
            case do.Mark():
                self._continuous = True
                self.world.account.stream.mark(effect.kind, sent=self.world.account.went)

    def _rang(self, event: Event, now: float) -> None:
        """A clock has run out: it must be one that runs, and in time."""
        armed = self._clocks.pop(event.name, None)
        if armed is None or armed.token != event.token:
            self.world.broken("timers of the dead", f"`{event.name}` ran out, and its state was left before")
            return
        begun = self._since(armed)
        if armed.effect.backoff is not None:
            self._waits[event.name] = now - armed.at
        if now < begun + armed.least - _A_MOMENT:
            what = f"`{event.name}` ran out after {now - begun:.3f} s, and {armed.least:.3f} s are the least"
            self.world.broken("clocks", what)

    def _since(self, armed: _Armed) -> float:
        link = self.world.link
        heard = link.heard_at if armed.effect.clock.kind == "silent" and link is not None else 0.0
        return max(armed.at, heard)

    def _forgave(self, step: Step, event: Event) -> None:
        """The count of a backoff goes down by a wish, or by a proof of health, and by nothing else."""
        if self.world.connection is None:
            return
        variables = self.world.connection.variables
        for name in self._counts:
            before, now = self._counted.get(name, 0), variables[name]
            self._counted[name] = now
            good = event.cause in ("wish", "start") or not self._forgiving.isdisjoint(step.clauses)
            if isinstance(now, int) and now < before and not good:
                what = f"`{name}` went from {before} to {now} by `{event.name}`, and nothing has proven health"
                self.world.broken("backoff", what)

    # -- told by the world

    def settle(self) -> None:
        """Before anything else happens: where it is ready again, and has not said what became of the stream."""
        if self.status == "ready" and not self._continuous and self._linked:
            self._continuous = True
            self.world.account.stream.mark("lost", sent=self._went)

    def dialled(self, now: float) -> None:
        """The driver dials."""
        most = self.world.scene.certified.dials
        if most is not None:
            self._dials.append(now)
            while self._dials[0] <= now - _MINUTE:
                self._dials.popleft()
            if len(self._dials) > most:
                self.world.broken("dial rate", f"{len(self._dials)} dials within a minute, and {most:g} are certified")
        if self.world.standing:
            number = self.world.standing[0].number
            self.world.broken("one live epoch", f"a dial begins, and link {number} was not dropped")

    def called(self, name: str) -> None:
        """The body of a call begins."""
        if name not in self._calls.values():
            self.world.broken("calls", f"`{name}` runs, and no state that calls it lasts: {' + '.join(self.leaves)}")

    def look(self, now: float) -> None:
        """What must hold at any time."""
        world, silent = self.world, self.world.scene.certified.half_open
        for name, armed in self._clocks.items():
            due = self._since(armed) + armed.most
            if now > due + _A_MOMENT and not (self._patient and name in self._lively):
                world.broken("clocks", f"`{name}` has not run out, and was to {now - due:.3f} s ago")
        link = world.link
        # who ends it himself has its goodbye to wait for, and that has a bound of its own
        excused = self._patient or self.status == "closing"
        if silent is not None and not excused and link is not None and link.opened is not None:
            quiet = now - max(link.heard_at, link.opened)
            if quiet > silent + _A_MOMENT and link.ended is None and not link.goodbye:
                world.broken("silence", f"the peer is silent for {quiet:.3f} s, and {silent:g} s are certified")
        if world.embedder.running:
            for name, count in world.embedder.running.items():
                lasting = sum(each == name for each in self._calls.values())
                if count > lasting and self.page.calls[name].scope == "state" and now > world.stepped_at + _A_MOMENT:
                    world.broken("calls", f"`{name}` runs {count} times, and {lasting} states call it")
        if link is not None and link.unread and not self._patient and now > link.unread_since + _A_MOMENT:
            world.broken("nothing waits in vain", "a message has come, and the driver does not read it")
        world.account.look(now)
        if self.status == "ready" and now > world.stepped_at + _A_MOMENT and world.account.open:
            idle = world.account.idle(now)
            if idle is not None:
                world.broken("nothing waits in vain", f"message {idle.serial} waits, and nothing is in its way")

    def patience(self, leaf: str, most: float) -> float:
        """How soon the next clock of a state, or around it, runs out; in seconds, and at most so many."""
        around, now = set(self.page.around(leaf)), self.world.now
        clocks = (one for one in self._clocks.values() if one.effect.clock.state in around)
        return max(0.0, min([most, *(self._since(one) + one.least - now for one in clocks)]))

    @property
    def resting(self) -> bool:
        """Whether the page will not become ready by itself."""
        return self.status in _AT_REST
