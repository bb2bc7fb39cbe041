"""Leases in a Redis or Valkey server, for processes on many machines.

Law: that of every place, also over restarts of the server, as `scripts` says. What is left to chance: a process that
is the first to come after a restart, to a server that keeps nothing: those that were there come within seconds; say
`forgetful=True` if they may all be gone. And a server whose clock is set forward ends leases before their owners know.
"""

import math
import ssl
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self, final

import trio

from lifecycle.errors import LifecycleError
from lifecycle.registry.lease import Lease, Status, Terms
from lifecycle.registry.leases import Leases
from lifecycle.registry.refusal import AlreadyHeld, CoolingDown, LeaseLost, LeasesUnavailable, NoCapacity

from . import scripts
from .address import address
from .server import Script, Server, Word

SECOND: Final = 1_000_000
"""Microseconds."""
AGAIN: Final = 0.05
LONGEST: Final = 2.0
"""Seconds between two looks whether a server that was lost is there again, at first and at most."""
FORGOTTEN: Final = (
    "it was started or emptied a short while ago, and may have forgotten who holds a slot: wait {} seconds"
)
_STATUSES: Final[dict[str, Status]] = {"pending": "pending", "active": "active", "idle": "idle", "leaving": "leaving"}


@final
class RedisLeases(Leases):
    """Use it as `async with RedisLeases("redis://127.0.0.1/0") as leases`. Needs the extra `redis`.

    One connection is made, and made again when it is lost; a request that fails is not repeated.

    Args:
        url: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS.
        name: of the place; its keys begin with `lifecycle:{name}:`, so a cluster has them on one server.
        timeout: seconds for each request, above 0.
        tls: for `rediss`; by default the system's certificates are trusted.
        forgetful: the server keeps nothing over its restart, and those who were there may all be gone: no slot is taken
            before the server has run for the length of a lease.

    Attributes:
        place: the URL without credentials.

    Raises:
        ValueError: the URL, the name or the time is none; on entering, ModuleNotFoundError without the extra.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "sessions",
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        forgetful: bool = False,
    ) -> None:
        if not name or not name.isprintable() or set(name) & set("{}"):
            raise ValueError("`name` must be a text with letters, and without `{` and `}`")
        self._server = Server(address(url), timeout=timeout, fail=LeasesUnavailable, tls=tls, asked=True)
        self.place = self._server.place
        self._keys = tuple(f"lifecycle:{{{name}}}:{key}" for key in scripts.KEYS)
        self._name, self._forgetful = name, forgetful
        self._epoch, self._span = "", 0

    def __repr__(self) -> str:
        return f"RedisLeases({self.place!r}, name={self._name!r})"

    async def __aenter__(self) -> Self:
        """Connect, and learn what is known of the place. Raises LeasesUnavailable."""
        await self._server.__aenter__()
        try:
            await self.count()
        except BaseException as error:
            await self._server.__aexit__(type(error), error, error.__traceback__)
            raise
        self._server.start_soon(self._mind)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection. Leases that are held stay held until they run out."""
        await self._server.__aexit__(kind, error, traceback)

    async def reserve(self, id: str, ticket: str, owner: str, terms: Terms) -> Lease:
        """Take a slot; see `Leases.reserve`."""
        length = _micros(terms.length)
        self._span = max(self._span, length)
        said, *more = await self._run(
            scripts.RESERVE, id, ticket, owner, terms.capacity, length, terms.allowed, int(terms.replace)
        )
        if said == b"held":
            return _lease(more[0], ticket)
        raise self._refusal(id, said, more, terms)

    async def renew(
        self, id: str, ticket: str, length: float, *, status: Status | None = None, touched: bool = False
    ) -> Lease:
        """Hold a lease for `length` seconds from now; see `Leases.renew`."""
        said, *more = await self._run(scripts.RENEW, id, ticket, _micros(length), status or "", int(touched))
        if said == b"lost":
            raise LeaseLost(id, 0)
        return _lease(more[0], ticket)

    async def release(self, id: str, ticket: str, *, cooldown: float = 0.0) -> bool:
        """Give a slot back; see `Leases.release`. A ticket is remembered for ten minutes."""
        (done,) = await self._run(scripts.RELEASE, id, ticket, _micros(cooldown))
        return bool(done)

    async def revoke(self, id: str, generation: int) -> bool:
        """Take a lease away from its owner; see `Leases.revoke`."""
        (done,) = await self._run(scripts.REVOKE, id, generation)
        return bool(done)

    async def held(self, id: str) -> Sequence[Lease]:
        """The leases of one id, the oldest first."""
        (found,) = await self._run(scripts.HELD, id)
        return [_lease(each) for each in found]

    async def list(self, after: int = 0, limit: int = 100) -> Sequence[Lease]:
        """A page of all leases, the oldest first; see `Leases.list`."""
        (found,) = await self._run(scripts.LIST, after, limit)
        return [_lease(each) for each in found]

    async def count(self) -> int:
        """How many leases are held."""
        (found,) = await self._run(scripts.COUNT)
        return int(found)

    async def cooling(self, id: str) -> float:
        """Seconds for which an id is still refused after a failure; 0 if it is not."""
        (left,) = await self._run(scripts.COOLING, id)
        return int(left) / SECOND

    async def _mind(self) -> None:
        """Come back to a server that was lost: it may have forgotten, and nobody new shall be the first there."""
        while True:
            await self._server.lost()
            pause, back = AGAIN, False
            while not back:
                try:
                    await self.count()
                    back = True
                except LeasesUnavailable:
                    await trio.sleep(pause)
                    pause = min(pause * 2, LONGEST)

    async def _run(self, script: Script, *words: Word) -> Any:
        known = (self._epoch, self._span, uuid.uuid4().hex, int(self._forgetful))
        epoch, span, *rest = await self._server.run(script, self._keys, *known, *words)
        self._epoch, self._span = epoch.decode(), max(self._span, span)
        return rest

    def _refusal(self, id: str, said: bytes, more: Sequence[Any], terms: Terms) -> LifecycleError:
        match said:
            case b"lost":
                return LeaseLost(id, 0)
            case b"cools":
                return CoolingDown(id, more[0] / SECOND)
            case b"taken":
                return AlreadyHeld(id, _text(more[0]), pending=more[1] == b"pending")
            case b"full":
                return NoCapacity(id, terms.capacity)
        return LeasesUnavailable(self.place, FORGOTTEN.format(math.ceil(more[0] / SECOND)))


def _micros(seconds: float) -> int:
    return math.ceil(seconds * SECOND)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def _lease(found: Sequence[Any], ticket: str = "") -> Lease:
    generation, id, owner, status, created, touched, left = found
    return Lease(
        id=_text(id), generation=generation, ticket=ticket, owner=_text(owner), status=_STATUSES[status.decode()],
        created_at=created / SECOND, touched_at=touched / SECOND, left=left / SECOND,
    )  # fmt: skip
