"""What a registry says of itself and of what it did."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class Cleared:
    """What `clear` has done.

    Attributes:
        before: how many sessions there were when it began.
        failed: by id, what went wrong with those that could not be ended in order; in words.
    """

    before: int
    failed: Mapping[str, str]


@attrs.frozen
class Health:
    """How a registry is.

    Attributes:
        up: whether the place of the leases answers.
        place: which one, without credentials.
        active: how many leases are held there, of all owners; None if it does not answer.
        capacity: how many there may be.
        ours: how many sessions this registry has.
        why: what is wrong, in words; empty if nothing is.
    """

    up: bool
    place: str
    active: int | None
    capacity: int
    ours: int
    why: str = ""
