"""Why a session was not started, or is not ours any more.

Law: every refusal has the code that a client of the service is told, and is raised before anything was dialled.
"""

import math

from lifecycle.errors import LifecycleError, Side


class StartRefused(LifecycleError):
    """A session that was not started.

    Attributes:
        id: the session's.
        code: what a client is told: 4002 (full), 4004 (in use), or 429 (try again later).
        retry_after: seconds after which it is worth asking again; None if nobody knows.
    """

    side: Side = "caller"
    code: int = 500

    def __init__(self, id: str, retry_after: float | None = None) -> None:
        super().__init__(id, retry_after)
        self.id, self.retry_after = id, retry_after

    def _why(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        later = "" if self.retry_after is None else f"; wait {math.ceil(self.retry_after)} seconds"
        return f"session {self.id!r} was not started: {self._why()}{later}"


class NoCapacity(StartRefused):
    """All slots are taken.

    Attributes:
        capacity: how many there are.
    """

    code = 4002

    def __init__(self, id: str, capacity: int) -> None:
        super().__init__(id)
        self.args = (id, capacity)
        self.capacity = capacity

    def _why(self) -> str:
        return f"concurrency over limit ({self.capacity} at once)"


class AlreadyHeld(StartRefused):
    """The id has as many sessions as it may have.

    Attributes:
        owner: who holds it.
        pending: whether that one is still starting: then the code is 429.
    """

    code = 4004

    def __init__(self, id: str, owner: str, *, pending: bool = False) -> None:
        super().__init__(id)
        self.args = (id, owner)
        self.owner, self.pending = owner, pending
        if pending:
            self.code = 429

    def _why(self) -> str:
        return f"it is being started by {self.owner}" if self.pending else f"it is held by {self.owner}"


class CoolingDown(StartRefused):
    """The id failed a short while ago; `retry_after` says for how long it still has to wait."""

    code = 429

    def __init__(self, id: str, retry_after: float) -> None:
        super().__init__(id, retry_after)

    def _why(self) -> str:
        return "it failed a short while ago"


class LeaseLost(LifecycleError):
    """A lease is not ours any more: it ran out, was revoked, or another one took its place.

    Attributes:
        id: the session's.
        generation: of the lease that is lost.
    """

    side: Side = "caller"

    def __init__(self, id: str, generation: int) -> None:
        super().__init__(id, generation)
        self.id, self.generation = id, generation

    def __str__(self) -> str:
        return f"the lease of session {self.id!r} (generation {self.generation}) is not held any more"


class LeasesUnavailable(LifecycleError):
    """The place where leases are kept does not answer, or answers wrongly. Nothing is known of what was asked.

    Attributes:
        place: which one, without credentials.
        how: what went wrong, in words.
    """

    side: Side = "network"

    def __init__(self, place: str, how: str) -> None:
        super().__init__(place, how)
        self.place, self.how = place, how

    def __str__(self) -> str:
        return f"{self.place} is not available: {self.how}"
