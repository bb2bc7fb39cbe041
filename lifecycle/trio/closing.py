"""End a connection as its page says, and wait for that, within the page's own bounds.

Law: whatever the page does, this returns: its clocks and the deadlines of its calls bound each state on the way out,
and a state that is none does not move the bound.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import trio

from lifecycle.errors import IllegalEvent
from lifecycle.machine.events import Event

if TYPE_CHECKING:
    from .driver import Driver

_BELT = 1.0
_KEY = "belt"
_AT_REST = ("closed", "failed", "idle")


async def close(driver: "Driver", wish: str, fields: Mapping[str, Any]) -> None:
    """Tell a wish to end, wait until the page has ended, and end the driver; cancelled, end it at once.

    Args:
        driver: of the connection.
        wish: which one; if the page does not take it, or does not end by it, it is told its own wish to end.
        fields: of the wish.
    """
    try:
        for told in dict.fromkeys((wish, driver.definition.stop)):
            if tell(driver, told, fields if told == wish else {}) and await _ended(driver):
                break
        else:
            await trio.lowlevel.checkpoint()
    finally:
        driver.finish()


def tell(driver: "Driver", wish: str, fields: Mapping[str, Any]) -> bool:
    """Tell a wish to end; false if the page does not take it now, or the fields do not fit."""
    if driver.begun and not driver.finished and wish in driver.definition.hears:
        try:
            driver.dispatch(Event(wish, fields))
        except IllegalEvent:
            return False
    return True


async def _ended(driver: "Driver") -> bool:
    until, seen = 0.0, set[tuple[str, ...]]()
    while not (driver.finished or driver.machine.status in _AT_REST):
        if until and trio.current_time() >= until:
            return False
        states = driver.machine.states
        # states that lead to each other do not move it for ever
        if not until or (driver.machine.status == "closing" and states not in seen):
            seen.add(states)
            until = max([trio.current_time(), *driver.clocks(), *driver.calls.deadlines()]) + _BELT
            driver.timers.set(_KEY, until, driver.changed.wake)
            driver.armed()
        await driver.changed.wait()
    if not until:
        await trio.lowlevel.checkpoint()
    return True
