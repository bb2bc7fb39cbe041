"""Looking at a place of leases, and clearing it, from outside of any registry: for operators.

Law: nothing is cleared but what was chosen, generation by generation: a session that took the place of a chosen one
stays. One that cannot be cleared does not keep the others from it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeVar

import trio

from .lease import Lease
from .leases import Leases
from .place import place_of
from .refusal import LeasesUnavailable
from .report import Cleared

T = TypeVar("T")
Named = tuple[str, int]
"""A lease, by its id and generation."""
_PAGE: Final = 500


async def every(leases: Leases) -> list[Lease]:
    """All leases of a place, the oldest first. Raises LeasesUnavailable."""
    found: list[Lease] = []
    while page := await leases.list(found[-1].generation if found else 0, _PAGE):
        found += page
    return found


async def revoke(leases: Leases, chosen: Iterable[Named]) -> Cleared:
    """Take leases away from their owners, who stop their sessions when they hear of it.

    Args:
        leases: where they are.
        chosen: which, by id and generation.

    Returns:
        How many were chosen, and of which nobody knows whether they were taken away.
    """
    before, failed = 0, {}
    for id, generation in chosen:
        before += 1
        try:
            await leases.revoke(id, generation)
        except LeasesUnavailable as error:
            failed[id] = str(error)
    return Cleared(before, failed)


def list_place(place: str) -> Sequence[Lease]:
    """All leases of a place, by its name; for programs without trio.

    Raises:
        ValueError: no place is called so.
        LeasesUnavailable: it does not answer.
    """
    return _at(place, every)


def revoke_at(place: str, chosen: Iterable[Named]) -> Cleared:
    """As `revoke`, by the place's name; for programs without trio.

    Raises:
        ValueError: no place is called so.
        LeasesUnavailable: it cannot be opened.
    """
    return _at(place, partial(_revoke, chosen))


async def _revoke(chosen: Iterable[Named], leases: Leases) -> Cleared:
    return await revoke(leases, chosen)


def _at(place: str, do: Callable[[Leases], Awaitable[T]]) -> T:
    async def run() -> T:
        async with place_of(place) as leases:
            return await do(leases)

    return trio.run(run)
