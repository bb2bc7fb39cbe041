"""Where a connection may be dialled, and where a peer may send it.

Law: pure. Never from TLS to plain text, and only to a host that is allowed. Whatever is said of an address is said
without its path and query, which may hold secrets.
"""

from collections.abc import Collection
from typing import Self, final
from urllib.parse import urldefrag, urljoin

import attrs

from lifecycle.observe.plain import without_query
from lifecycle.wire.dial_request import DialRequest

_AS_WEBSOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@final
@attrs.frozen
class Address:
    """A URL of a WebSocket, taken apart.

    Attributes:
        url: as it was written.
        request: what it asks for by itself, without what a page adds.
    """

    url: str = attrs.field(repr=False, eq=False)
    request: DialRequest

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            ValueError: it cannot be dialled; the sentence says why, and shows no query.
        """
        return cls(url, DialRequest.parse(url))

    @classmethod
    def asked(cls, request: DialRequest) -> Self:
        """The address of a request, with the query that it has."""
        return cls.of(f"{'wss' if request.secure else 'ws'}://{request.authority}{request.resource}")

    @property
    def host(self) -> str:
        """The name or number of its host, in small letters."""
        return self.request.host.lower()

    @property
    def shown(self) -> str:
        """The URL without its query."""
        return without_query(self.url)


def led(said: str, base: Address, hosts: Collection[str] | None) -> Address:
    """Where a peer sends us (RFC 9110 10.2.2).

    Args:
        said: what it wrote: a URL of WebSocket or HTTP, or a relative reference.
        base: the address at which it wrote that.
        hosts: those that are allowed; None: all.

    Raises:
        ValueError: there we do not go; the sentence says why.
    """
    try:
        url = urldefrag(urljoin(base.url, said)).url
        scheme, _, rest = url.partition(":")
        address = Address.of(f"{_AS_WEBSOCKET.get(scheme, scheme)}:{rest}")
    except ValueError as error:
        raise ValueError(f"the peer sends us on, but not to a WebSocket: {error}") from None
    place = f"{'wss' if address.request.secure else 'ws'}://{address.request.authority}"
    if base.request.secure and not address.request.secure:
        raise ValueError(f"the peer sends us to {place}, which is not encrypted, and it is not followed")
    if hosts is not None and address.host not in hosts:
        raise ValueError(f"the peer sends us to {place}, which is no host of this connection, and it is not followed")
    return address


def hosts_of(addresses: Collection[Address]) -> frozenset[str]:
    """The hosts of some addresses."""
    return frozenset(address.host for address in addresses)
