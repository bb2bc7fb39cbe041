"""Sessions that are counted: leases of a limited number of slots, and the registry that holds them.

Law: at no instant are there more leases than slots, whoever asks, crashes or is paused. What is public is named here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .lease import Lease, Status, Terms
from .leases import Leases
from .refusal import AlreadyHeld, CoolingDown, LeaseLost, LeasesUnavailable, NoCapacity, StartRefused
from .report import Cleared, Health
from .start_failed import StartFailed

if TYPE_CHECKING:
    from .memory_leases import MemoryLeases
    from .place import place_of
    from .redis import RedisLeases
    from .registry import Registry, Takeover
    from .session import Session
    from .sqlite_leases import SqliteLeases

_LATER = {
    "MemoryLeases": "memory_leases",
    "RedisLeases": "redis",
    "Registry": "registry",
    "Session": "session",
    "SqliteLeases": "sqlite_leases",
    "Takeover": "registry",
    "place_of": "place",
}
"""Imported when first asked for: they bring trio, the page's machine, or a library that not everybody has."""

__all__ = [
    "AlreadyHeld",
    "Cleared",
    "CoolingDown",
    "Health",
    "Lease",
    "LeaseLost",
    "Leases",
    "LeasesUnavailable",
    "MemoryLeases",
    "NoCapacity",
    "RedisLeases",
    "Registry",
    "Session",
    "SqliteLeases",
    "StartFailed",
    "StartRefused",
    "Status",
    "Takeover",
    "Terms",
    "place_of",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
