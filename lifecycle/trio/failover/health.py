"""Whether one of several can be used: the page `provider`, run.

Law: told at once and never waits. Who listens is told at the edge, once each time; one probe is in flight at most, and
what it raises says only that it has failed.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, final

import trio

from lifecycle.errors import CallFailed
from lifecycle.machine.effects import Effect
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed
from lifecycle.trio.connection import Connection
from lifecycle.trio.interrupts import ki_protected, unprotected

from .pages import page

log = logging.getLogger("lifecycle.failover")
Probe = Callable[[], Awaitable[object]]
Told = Callable[[str, bool], object]


@final
@ki_protected
class Health:
    """Whether one provider, or one endpoint, can be used; run it with `await nursery.start(health.run)`.

    Args:
        name: what it is called, in logs and for whoever is told.
        probe: an async method that returns if the provider is well and raises if not; it has `probe_timeout`.
        told: called with the name, and whether it is available, at each edge; must neither wait nor raise.
        instruments: told of each thing that happens, as those of a connection.
        parameters: of the page `provider`: `probe_on_request`, `probe_every`, `probe_timeout`, `served_heals`.

    Attributes:
        name: as above.

    Raises:
        WrongParameters: parameters do not fit the page.
    """

    def __init__(
        self,
        name: str,
        probe: Probe,
        *,
        told: Told | None = None,
        instruments: Iterable[Instrument] = (),
        **parameters: Any,
    ) -> None:
        self.name = name
        self._over = False
        self._probe, self._told = probe, told
        self._connection = Connection(
            page("provider"), calls=_Calls(self._probed), instruments=(_Edges(self._edge), *instruments), **parameters
        )

    @property
    def available(self) -> bool:
        """Whether it can be used; until the first failure it can."""
        return "watched.health.unavailable" not in self._connection.state

    @property
    def probing(self) -> bool:
        """Whether a probe is in flight."""
        return "watched.probe.probing" in self._connection.state

    def served(self) -> None:
        """It has served a request; where `served_heals` says so, it is available again.

        After its end this does nothing, and the others neither.

        Raises:
            IllegalEvent: it has not begun; so do the others.
        """
        self._tell("success")

    def failed(self) -> None:
        """A request to it has failed: it is unavailable."""
        self._tell("failure")

    def missed(self) -> None:
        """A request has passed it by, or was left by it: it is probed, where `probe_on_request` says so."""
        self._tell("missed")

    async def run(self, *, task_status: trio.TaskStatus["Health"] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until it is cancelled, with the probes; to be started in a nursery, once.

        Raises:
            ConnectionEnded: it was run before.
        """
        try:
            await self._connection.run(task_status=_Started(self, task_status))
        finally:
            self._over = True

    def _tell(self, wish: str) -> None:
        if not self._over:
            self._connection.tell(wish)

    def _edge(self, available: bool) -> None:  # noqa: FBT001 -- it is all there is to tell
        log.info("%s is %s", self.name, "available" if available else "unavailable")
        if self._told is not None:
            self._told(self.name, available)

    async def _probed(self) -> None:
        try:
            await unprotected(self._probe())
        except CallFailed:
            raise
        except Exception as error:
            # why is a matter of the provider's; its words may hold secrets that nobody here knows
            raise CallFailed(type(error).__name__) from error


@final
class _Calls:
    """What the page calls."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe


@final
class _Edges(Instrument):
    """Hears what the page emits."""

    def __init__(self, told: Callable[[bool], None]) -> None:
        self._told = told

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:  # noqa: ARG002
        """Tell the edge, if it is one."""
        if "availability" in step.emitted:
            self._told(step.emitted["availability"]["available"])


@final
class _Started(trio.TaskStatus[Any]):
    """Says that the health has begun, where its connection has."""

    def __init__(self, health: Health, task_status: trio.TaskStatus[Health]) -> None:
        self._health, self._task_status = health, task_status

    def started(self, value: object = None) -> None:  # noqa: ARG002
        """It has begun."""
        self._task_status.started(self._health)
