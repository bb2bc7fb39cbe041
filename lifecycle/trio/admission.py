"""Who may come in: how many at once, in all and from one address, and what became of each.

Law: a client counts from the moment in which the system has accepted it until it has gone, and has one outcome. A
stranger, who was not admitted (yet), takes no place of those who were, but strangers have places of their own: so
whoever says nothing is bounded too, and is let go when his time is over.
It does not know sockets, TLS or WebSocket.
"""

from collections import Counter
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import inf
from typing import Literal, final

import trio

from .parking import Parking

Outcome = Literal["accepted", "refused", "failed", "dropped"]

BUSY, TOO_MANY = 503, 429  # of HTTP

_LEAST_STRANGERS = 32
_NETWORK = 64  # bits: a provider gives that much to one customer, and often to one machine (RFC 6177)


@final
class Client:
    """Somebody who has connected.

    Args:
        address: where it comes from.

    Attributes:
        address: as above.
        network: what it counts as.
        scope: of all that is done for it; its deadline is the stranger's.
        outcome: what became of it, once that is known.
    """

    __slots__ = ("address", "network", "outcome", "scope")

    def __init__(self, address: str) -> None:
        self.address, self.network = address, network_of(address)
        self.scope = trio.CancelScope()  # pyright: ignore[reportCallIssue]  # it misreads trio's attrs
        self.outcome: Outcome | None = None

    def hurry(self, patience: float) -> None:
        """Let it go if nothing comes of it in so many seconds from now."""
        self.scope.deadline = trio.current_time() + patience


@final
class Admission:
    """The places of one server.

    Args:
        limit: the most who are admitted at once. As many strangers may be there besides, and at least 32.
        per_address: the most who are admitted from one address, and the most strangers from there; None is any number.

    Attributes:
        counts: how many clients had each outcome.
        closed: whether nobody is admitted any more.
    """

    def __init__(self, limit: int, per_address: int | None) -> None:
        self.counts: Counter[str] = Counter()
        self.closed = False
        self._limit, self._per_address = limit, inf if per_address is None else per_address
        self._most_strangers = max(limit, _LEAST_STRANGERS)
        self._strangers: set[Client] = set()
        self._admitted: set[Client] = set()
        self._strangers_of: Counter[str] = Counter()
        self._admitted_of: Counter[str] = Counter()
        self._gone = Parking()

    def come(self, address: str) -> Client | None:
        """Somebody connects.

        Returns:
            None: there are too many strangers, and it is to be dropped without a word.
        """
        client = Client(address)
        if len(self._strangers) >= self._most_strangers or self._strangers_of[client.network] >= self._per_address:
            self.counts["dropped"] += 1
            return None
        self._strangers.add(client)
        self._strangers_of[client.network] += 1
        return client

    def admit(self, client: Client) -> int | None:
        """A stranger has asked to come in.

        Returns:
            None: it is no stranger any more. Else the status to refuse it with; its time goes on.
        """
        late = client.scope.cancel_called  # what was cancelled cannot be kept
        if self.closed or late or len(self._admitted) >= self._limit:
            return self._refused(client, BUSY)
        if self._admitted_of[client.network] >= self._per_address:
            return self._refused(client, TOO_MANY)
        self._settle(client, "accepted")
        self._strangers.discard(client)
        _less(self._strangers_of, client.network)
        self._admitted.add(client)
        self._admitted_of[client.network] += 1
        client.scope.deadline = inf
        return None

    def leave(self, client: Client) -> None:
        """It has gone."""
        if client in self._admitted:
            self._admitted.discard(client)
            _less(self._admitted_of, client.network)
        else:
            self._strangers.discard(client)
            _less(self._strangers_of, client.network)
        if client.outcome is None:
            self._settle(client, "failed")
        self._gone.wake()

    def close(self) -> None:
        """Admit nobody any more, and send the strangers away."""
        self.closed = True
        for client in self._strangers:
            client.scope.cancel()

    async def empty(self) -> None:
        """Wait until everybody has gone."""
        while self._admitted or self._strangers:
            await self._gone.wait()

    def _refused(self, client: Client, status: int) -> int:
        self._settle(client, "refused")
        return status

    def _settle(self, client: Client, outcome: Outcome) -> None:
        client.outcome = outcome
        self.counts[outcome] += 1


def network_of(address: str) -> str:
    """What an address counts as: itself, but of IPv6 its /64, for that is what one client has.

    Args:
        address: of IP; any other name counts as itself.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    # a socket of IPv6 shows clients of IPv4 so
    return str(found.ipv4_mapped or IPv6Network((int(found), _NETWORK), strict=False))


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]  # an address is forgotten when nobody is left
