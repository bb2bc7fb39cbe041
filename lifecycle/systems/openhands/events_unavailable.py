"""A store of events that does not answer, or answers wrongly.

Law: its words are for people who run the server; clients are told none of them.
"""

from typing import final

from lifecycle.errors import LifecycleError, Side


@final
class EventsUnavailable(LifecycleError):
    """Nobody knows whether what was asked was done.

    Attributes:
        place: which store, without credentials.
        how: what went wrong, in words, and what to do.
    """

    side: Side = "network"

    def __init__(self, place: str, how: str) -> None:
        super().__init__(place, how)
        self.place, self.how = place, how

    def __str__(self) -> str:
        return f"the events in {self.place} are not available: {self.how}"
