"""What a driver tells of a step, and what it remembers of it.

Law: reads the driver; all that it changes is the list of causes.
"""

from typing import TYPE_CHECKING

import trio

from lifecycle.machine.events import Event
from lifecycle.machine.path import Row
from lifecycle.machine.step import Step
from lifecycle.observe.plain import hushed, secrets_of

if TYPE_CHECKING:
    from .driver import Driver

_TRYING = ("connecting", "authenticating", "ready")
_CAUSES = 8


def told(driver: "Driver", event: Event, before: Row) -> Step:
    """The step that was just taken.

    Args:
        driver: who took it.
        event: what it took.
        before: where it stood.
    """
    path, clauses = driver.machine.trace[-1], driver.definition.clauses
    say = next((said for clause in path.clauses if (said := clauses[clause].say)), "")
    if not say and (brought := event.fields.get("say")):
        say = hushed(str(brought), secrets_of(driver.machine))
    return Step(
        time=trio.current_time(),
        epoch=driver.epoch,
        event=event.name,
        clauses=path.clauses,
        before=before.leaves,
        after=path.after.leaves,
        status_before=before.status,
        status=path.after.status,
        emitted=driver.emitted,
        cause=event.words,
        say=say,
    )


def remember(driver: "Driver", event: Event, step: Step) -> None:
    """Keep what `why` tells: everything that went wrong since the last ready."""
    before, now = step.status_before, step.status
    if now == "ready" and before != "ready":
        driver.causes.clear()
    elif event.words or step.say or (event.cause == "timer" and before in _TRYING and now not in _TRYING):
        driver.causes.append(" — ".join(filter(None, (step.say, driver.now))))
        del driver.causes[:-_CAUSES]
