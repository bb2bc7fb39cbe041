"""The instruments of one connection.

Law: what an instrument raises reaches nobody. It is logged once, and the instrument is left out from then on.
"""

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, final

import trio

from lifecycle.machine.effects import Effect, StartClock
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument

if TYPE_CHECKING:
    from lifecycle.machine.machine import Machine

    from .account import Account, Counters
    from .driver import Driver
    from .ids import Ids

log = logging.getLogger("lifecycle.instruments")


@final
class Subject:
    """What instruments may look at; one a connection."""

    __slots__ = ("_account", "_driver")

    def __init__(self, driver: "Driver", account: "Account") -> None:
        self._driver, self._account = driver, account

    @property
    def machine(self) -> "Machine":
        """Its page, and where it stands."""
        return self._driver.machine

    @property
    def ids(self) -> "Ids":
        """What it and its events are called."""
        return self._driver.mail.ids

    @property
    def status(self) -> str:
        """One of the nine statuses."""
        return self._account.status

    @property
    def epoch(self) -> int:
        """Which dial it is, counted from 1; 0 before the first."""
        return self._driver.epoch

    @property
    def why(self) -> str:
        """What went wrong since the last ready, in words."""
        return self._account.why

    @property
    def counters(self) -> "Counters":
        """What was counted since it began."""
        return self._account.counters

    @property
    def traffic(self) -> tuple[int, int]:
        """How many messages of this epoch came, and how many went; handshakes and pings left out."""
        epoch = self._driver.current
        return self._driver.traffic if epoch is None else (epoch.received, epoch.sent)

    def length(self, started: StartClock) -> float:
        """How many seconds a clock runs that was just started; of a backoff, those that the dice gave."""
        return self._driver.waits[started.clock.name] if started.seconds is None else started.seconds


@final
class Instruments:
    """Those of one connection.

    Args:
        subject: what they are shown.
        told: the instruments.
    """

    __slots__ = ("_subject", "_told")

    def __init__(self, subject: Subject, told: tuple[Instrument, ...]) -> None:
        self._subject, self._told = subject, told

    def began(self) -> None:
        """It begins."""
        self._tell("began", trio.current_time(), time.time())

    def stepped(self, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """A step was taken."""
        self._tell("stepped", step, event, effects)

    def refused(self, event: Event) -> None:
        """An event was not allowed."""
        self._tell("refused", event, trio.current_time())

    def stale(self, event: Event) -> None:
        """An event came too late."""
        self._tell("stale", event, trio.current_time())

    def kept(self, variable: str) -> None:
        """A message moved a variable."""
        self._tell("kept", variable, trio.current_time())

    def slept(self, seconds: float) -> None:
        """The machine has slept."""
        self._tell("slept", seconds)

    def ended(self, failure: BaseException | None) -> None:
        """It has ended."""
        self._tell("ended", trio.current_time(), failure)

    def _tell(self, what: str, *more: Any) -> None:
        for instrument in self._told:
            try:
                getattr(instrument, what)(self._subject, *more)
            except Exception:
                name = self._subject.machine.definition.name
                said = "%s: the instrument %s has failed; it is told no more"
                log.exception(said, name, type(instrument).__name__, extra=self._subject.ids.about())
                self._told = tuple(each for each in self._told if each is not instrument)
                # whatever it has kept of this connection goes with it
                with contextlib.suppress(Exception):
                    instrument.ended(self._subject, trio.current_time(), None)
