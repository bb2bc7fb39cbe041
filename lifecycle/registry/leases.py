"""The place where leases are kept, for one process, one machine or many.

Law: every method is one step: nobody sees half of it, and of those who ask at the same moment no more are granted a
slot than there are. Time is the place's own; what a caller's clock says counts nowhere. A lease that has run out is
nobody's: it is not counted, not listed, and cannot be renewed.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from .lease import Lease, Status, Terms


class Leases(ABC):
    """Use it as `async with MemoryLeases() as leases`. Every method may raise LeasesUnavailable."""

    place: str
    """Where it is, in words and without credentials: `memory`, `sqlite:sessions.db`, `redis://host:6379/0`."""

    async def __aenter__(self) -> Self:
        """Open it. Raises LeasesUnavailable."""
        return self

    async def __aexit__(  # noqa: B027 -- some have nothing to close
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it. Leases that are held stay held until they run out."""

    @abstractmethod
    async def reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        """Take a slot.

        Args:
            id: for what.
            ticket: made up by the owner, never used before. Asked for again with the same ticket while the lease
                holds, it is the same lease; with a ticket that was released it is LeaseLost.
            owner: in words.
            terms: see there. Of capacity and of one's own place among `allowed`, the latter is judged first, and
                cooling down before both.

        Returns:
            The lease, `pending`.

        Raises:
            CoolingDown, AlreadyHeld, NoCapacity: nothing was taken.
            LeaseLost: the ticket was released already, perhaps before this arrived.
        """

    @abstractmethod
    async def renew(
        self, id: str, ticket: str, length: float, *, status: Status | None = None, touched: bool = False
    ) -> Lease:
        """Hold a lease for `length` seconds from now, and say how its session is.

        Raises:
            LeaseLost: it is not held any more. It is not taken again.
        """

    @abstractmethod
    async def release(self, id: str, ticket: str, *, cooldown: float = 0.0) -> bool:
        """Give a slot back; again, and for a ticket that nobody knows, is no harm.

        A ticket that is released here can never be granted afterwards, though its `reserve` be still on its way.

        Args:
            id: for what it was held.
            ticket: of the lease.
            cooldown: seconds during which the id is refused to everybody; only if the lease was still held.

        Returns:
            Whether the lease was still held.
        """

    @abstractmethod
    async def revoke(self, id: str, generation: int) -> bool:
        """Take a lease away from its owner, who learns it when he renews. Compares: a newer one stays.

        Returns:
            Whether it was held.
        """

    @abstractmethod
    async def held(self, id: str) -> Sequence[Lease]:
        """The leases of one id, the oldest first."""

    @abstractmethod
    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        """A page of all leases, the oldest first.

        Args:
            after: the generation after which the page begins; 0 is before all.
            limit: the most that are wanted, 1 or more.
        """

    @abstractmethod
    async def count(self) -> int:
        """How many leases are held."""

    @abstractmethod
    async def cooling(self, id: str) -> float:
        """Seconds for which an id is still refused after a failure; 0 if it is not."""
