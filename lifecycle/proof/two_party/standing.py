"""Where one of two parties stands, and one step of it.

Law: data. There is one object for each place where a party can stand, so two are compared as objects.
"""

from typing import Any, NamedTuple

import attrs

from lifecycle.machine.path import Row
from lifecycle.machine.phase import Phase


class Deed(NamedTuple):
    """What a step does to the outside: send, open, close, drop, refuse, mark, or log (a call begins to send)."""

    word: str
    what: Any = None


@attrs.frozen(eq=False)
class Standing:
    """Where a party stands; one object for each.

    Attributes:
        clocks: the armed clocks that lead elsewhere.
        calls: the states whose calls are pending.
    """

    row: Row
    variables: tuple[Any, ...]
    phase: Phase
    clocks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether it has a transport that its peer has, too."""
        return self.phase in ("open", "closing")

    @property
    def ready(self) -> bool:
        """Whether messages flow."""
        return self.row.status == "ready" and self.phase == "open"

    def __str__(self) -> str:
        where = " + ".join(self.row.leaves) or "not there"
        return f"{where} ({self.row.status}, transport {self.phase})" if self.row.leaves else where


@attrs.frozen(eq=False)
class Turn:
    """One step of a party, and what it does to the outside."""

    after: Standing
    deeds: tuple[Deed, ...] = ()
    clauses: tuple[str, ...] = ()
