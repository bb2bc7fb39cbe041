"""The laws of the house, in the order in which they are judged, and the page's own.

Law: what comes first is what others rest on; a page that breaks one is not judged further.
"""

from lifecycle.definition.definition import Definition
from lifecycle.proof.law import Law

from . import (
    bounded,
    decided,
    fenced,
    handled,
    health_before_reset,
    no_hot_loop,
    no_silent_wait,
    one_transport,
    reachable,
    recovers,
    settled,
    stop_always,
    transport_fits,
)
from .promises import promises

HOUSE: tuple[Law, ...] = (
    bounded.LAW,
    handled.LAW,
    decided.LAW,
    one_transport.LAW,
    transport_fits.LAW,
    fenced.LAW,
    health_before_reset.LAW,
    settled.LAW,
    no_silent_wait.LAW,
    no_hot_loop.LAW,
    stop_always.LAW,
    recovers.LAW,
    reachable.LAW,
)


def laws(definition: Definition) -> tuple[Law, ...]:
    """The laws that speak of a page: all of them, or, of a fragment, those that need no host."""
    house = HOUSE if definition.role else tuple(law for law in HOUSE if law.fragments)
    return (*house, *promises(definition))
