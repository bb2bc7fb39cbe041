"""A lease: the right to one of a limited number of slots, for a while.

Law: plain data. Whoever holds a lease knows its `ticket`; everybody may know the rest.
"""

from typing import Any, Literal

import attrs

Status = Literal["pending", "active", "idle", "leaving"]


@attrs.frozen
class Lease:
    """One slot that is held.

    Attributes:
        id: what it is held for, such as a live_id.
        generation: the fencing token: larger than that of every lease that was granted before it, in this place; it
            stays below 10¹⁵, as every number of a page.
        ticket: what its owner made up before asking; whoever shows it may release and renew.
        owner: who holds it, in words, such as `host:pid`.
        status: how far its session is, as its owner said last.
        created_at: when it was granted, in seconds since 1970. Nothing depends on it.
        touched_at: when it was used last, likewise.
        left: seconds after which it ends by itself unless it is renewed, by the clock of the place.
    """

    id: str
    generation: int
    ticket: str = attrs.field(repr=False)
    owner: str
    status: Status
    created_at: float
    touched_at: float
    left: float

    @property
    def shown(self) -> dict[str, Any]:
        """As everybody may see it, ready for JSON: without its ticket."""
        return {
            "live_id": self.id,
            "status": self.status,
            "created_at": self.created_at,
            "last_activity": self.touched_at,
            "generation": self.generation,
            "owner": self.owner,
            "seconds_left": round(self.left, 3),
        }


@attrs.frozen
class Terms:
    """On what terms a slot is asked for.

    Attributes:
        capacity: how many leases there may be at once in the place, 1 or more.
        length: seconds that a lease holds without being renewed, above 0.
        allowed: how many leases one id may have at once, 1 or more.
        replace: when an id has that many, the oldest goes; else the new one is refused.
    """

    capacity: int
    length: float
    allowed: int = 1
    replace: bool = False
