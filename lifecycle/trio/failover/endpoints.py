"""What `urls=` takes beside a plain list: several addresses of one connection, and how they are used.

Law: it is of one connection, and shows no query, for that may hold secrets.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, final

from .switch import Connected, Switch


@final
class Endpoints:
    """The addresses of one connection: `lifecycle.open(page, urls=Endpoints(["wss://…", "wss://…"], returns=True))`.

    Args:
        urls: ws:// or wss://. The first is the primary: it is dialled whenever it is available.
        shuffled: there is no primary; the connection's dice (`seed`) put them in an order.
        returns: when one that stands before the current one is available again, the page is told `reconnect`.
            Otherwise the next dial goes there.
        redirects: the peer may send us to any host, which then gets what the page sends there: headers and query.
            Otherwise only to hosts of `urls`. Never from wss:// to ws://.
        probe_every: the pause between two handshakes with one that is unavailable: seconds, a text with a unit, or a
            timedelta; each connection takes 80 to 120 % of it.
        connected: `async def connected() -> bool`: is there a network at all? It is asked before an endpoint is given
            up; if there is none, none is. OSError, or more than 5 s, is no.

    What is wrong with them is told by the connection that they are given to.
    """

    __slots__ = ("connected", "given", "probe_every", "redirects", "returns", "shuffled", "switch")

    def __init__(
        self,
        urls: Iterable[str],
        *,
        shuffled: bool = False,
        returns: bool = False,
        redirects: bool = False,
        probe_every: str | float | timedelta = "30 s",
        connected: Connected | None = None,
    ) -> None:
        # what can be read once is read here
        self.given: Any = tuple(urls) if isinstance(urls, Iterable) and not isinstance(urls, str) else urls
        self.shuffled, self.returns, self.redirects = shuffled, returns, redirects
        self.probe_every, self.connected = probe_every, connected
        self.switch: Switch | None = None

    @property
    def current(self) -> str | None:
        """Where the last dial went, without its query; None before the first."""
        address = self.switch.current if self.switch is not None else None
        return None if address is None else address.shown

    @property
    def available(self) -> tuple[str, ...]:
        """Those that can be dialled, the first choice first, without their queries; none before the connection is."""
        return tuple(address.shown for address in self.switch.available) if self.switch is not None else ()
