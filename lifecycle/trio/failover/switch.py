"""The dialer of a connection that may be dialled at several addresses, or is sent to another one by its peer.

Law: the page decides when to dial, this is only where. An endpoint has failed when a dial of it ended before the page
was ready, unless that was our doing or our network's, or about our credentials; it is passed by until a handshake with
it goes well. Nothing is sent to a host that is none of the connection's, and no peer can send us round and round.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from lifecycle.definition.page import REDIRECTS
from lifecycle.errors import IllegalEvent
from lifecycle.machine import effects as do
from lifecycle.machine.effects import Effect
from lifecycle.machine.events import Event
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed
from lifecycle.observe.plain import hushed, secrets_of
from lifecycle.trio.interrupts import ki_protected, unprotected
from lifecycle.trio.parking import Parking
from lifecycle.trio.pipes.pipe import Spawn
from lifecycle.trio.transports.dialer import Dialer, Opened
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.causes import classify
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending, HttpEnding

from .address import Address, hosts_of, led
from .handshake import shake_hands
from .pool import Pool, TooSoonError

if TYPE_CHECKING:
    from lifecycle.trio.driver import Driver

log = logging.getLogger("lifecycle.endpoints")
Connected = Callable[[], Awaitable[bool]]
MOST_REDIRECTS: Final = 5
"""How often we are sent on, one after the other, before we do not go any more."""
CONNECTED_WITHIN: Final = 5.0
"""Seconds in which `connected` has to answer; one that takes longer has found no network."""
_AT_REST: Final = ("idle", "closed", "failed")
_ENDS: Final = (do.Close, do.Drop, do.Open)
_NEVER: Final = do.Open(0)
_CREDENTIALS: Final = (401, 403, 407, 3000, 3003)
"""Statuses of HTTP, and close codes of IANA's registry, that speak of our credentials."""
_APART: Final = (0.8, 1.2)
"""Parts of `probe_every`, so that not all clients of a server that comes back find that at once."""


@final
@attrs.frozen
class Target:
    """Where a dial goes.

    Attributes:
        address: what is dialled.
        index: the endpoint that it speaks for.
        via: the endpoint that was asked first; another one where that has sent us to a third.
    """

    address: Address
    index: int = 0
    via: int = 0


@final
@ki_protected
class Switch(Instrument):
    """Where one connection dials.

    Args:
        addresses: the best first; none: what the page dials.
        shuffled: whether the connection's dice put them in an order.
        returns: whether the page is told `reconnect` when one before the current one is available again.
        redirects: whether the peer may send us to any host.
        every: seconds between two probes of one that is unavailable.
        connected: asked whether there is a network, before one is given up.

    Attributes:
        joined: whether it has its connection.
    """

    __slots__ = (
        "_connected",
        "_dialer",
        "_driver",
        "_every",
        "_home",
        "_hops",
        "_judged",
        "_next",
        "_open",
        "_pool",
        "_redirects",
        "_request",
        "_returns",
        "_shuffled",
        "_target",
        "_trying",
        "joined",
    )
    _driver: "Driver"
    _dialer: Dialer

    def __init__(
        self,
        addresses: tuple[Address, ...] = (),
        *,
        shuffled: bool = False,
        returns: bool = False,
        redirects: bool = False,
        every: float = 0.0,
        connected: Connected | None = None,
    ) -> None:
        self._home, self._every, self._connected = addresses, every, connected
        self._shuffled, self._returns, self._redirects = shuffled, returns, redirects
        self._pool: Pool | None = None
        self._open = _NEVER
        self._request: DialRequest | None = None
        self._target: Target | None = None
        self._next: Target | None = None
        self._trying = self.joined = False
        self._hops = 0
        self._judged: Parking | None = None  # who waits until it is known whether there is a network

    @property
    def current(self) -> Address | None:
        """Where the last dial went; None before the first."""
        return None if self._request is None else self._here.address

    @property
    def available(self) -> tuple[Address, ...]:
        """Those that are not passed by, the first choice first."""
        pool = self._pool
        return tuple(each for index, each in enumerate(self._home) if pool is None or pool.available(index))

    def join(self, driver: "Driver") -> None:
        """Dial for a connection from now on; it has not begun."""
        self._driver, self._dialer, self.joined = driver, driver.dialer, True
        driver.dialer = self
        if self._shuffled:
            self._home = tuple(driver.dice.sample(self._home, len(self._home)))
        if len(self._home) > 1:
            every = max(1.0, self._every * driver.dice.uniform(*_APART))
            self._pool = Pool(self._home, every, self._probe, self._edge)

    # -- dialling

    async def __call__(self, request: DialRequest, spawn: Spawn, opened: Opened) -> None:
        """Dial the endpoint that is to be dialled now; the connection's dialer."""
        opening = self._open
        if self._pool is not None:
            await self._pool.begin(spawn)
        while self._judged is not None:
            await self._judged.wait()
        if self._open is not opening:
            return  # it was given up meanwhile, and there is another one
        self._target, self._next = self._next or self._chosen(), None
        self._trying, self._request = True, request
        try:
            await self._dialer(self._made(self._target, request), spawn, opened)
        except TransportFailed as failed:
            raise TransportFailed(self._allowed(failed.ending)) from failed

    def _chosen(self) -> Target | None:
        """Where a dial goes that nobody has sent elsewhere; None: where the page says."""
        self._hops = 0
        if self._pool is None:
            return Target(self._home[0]) if self._home else None
        index = self._pool.choose(None if self._target is None else self._target.index)
        return Target(self._home[index], index, index)

    def _made(self, target: Target | None, request: DialRequest) -> DialRequest:
        """The page's request, at another address."""
        if target is None:
            return request
        made = DialRequest.parse(target.address.url, self._open.query)
        return attrs.evolve(request, host=made.host, port=made.port, secure=made.secure, resource=made.resource)

    def _allowed(self, ending: Ending) -> Ending:
        """How a dial has ended; a redirect that is not followed leads nowhere."""
        sent = ending.headers.get("location") if isinstance(ending, HttpEnding) and ending.status in REDIRECTS else None
        if not isinstance(ending, HttpEnding) or sent is None:
            return ending
        try:
            self._led(sent, self._here, self._hops)
        except ValueError as error:
            self._note(str(error))
            return attrs.evolve(ending, headers={k: v for k, v in ending.headers.items() if k != "location"})
        return ending

    @property
    def _here(self) -> Target:
        """Where the last dial went."""
        return self._target or Target(self._asked)

    @property
    def _asked(self) -> Address:
        """What the page dials by itself."""
        assert self._request is not None  # noqa: S101 -- it was dialled
        return Address.asked(self._request)

    def _led(self, sent: str, here: Target, hops: int) -> Target:
        """Where we are sent from somewhere; raises ValueError if we do not go there."""
        if hops >= MOST_REDIRECTS:
            raise ValueError(f"we were sent on {hops} times in a row, and do not go any further")
        hosts = None if self._redirects else hosts_of(self._home or (self._asked,))
        address = led(sent, here.address, hosts)
        index = next((index for index, home in enumerate(self._home) if home == address), here.index)
        return Target(address, index, here.via)

    # -- what it is told

    def stepped(self, connection: Observed, step: Step, event: Event, effects: tuple[Effect, ...]) -> None:
        """See what has become of a dial, and where the peer sends us."""
        del connection
        sent = self._sent(event)
        went = sent is not None and self._send_on(sent)
        if self._trying and step.status == "ready":
            self._trying, self._hops = False, 0
            self._served()
        elif self._trying and (event.cause == "end" or any(type(effect) in _ENDS for effect in effects)):
            self._trying = False
            if not (went or event.cause in ("wish", "call") or _of_credentials(event)):
                self._give_up()
        if step.status in _AT_REST:
            self._next = None
        for effect in effects:
            if isinstance(effect, do.Open):
                self._open = effect

    def _sent(self, event: Event) -> str | None:
        """Where the page's table of causes says that we are sent; a route may have a field of that name."""
        if event.cause not in ("end", "message") or self._request is None:
            return None
        routed = event.cause == "message" and any(
            route.raise_ == event.name and "endpoint" in route.fields
            for route in self._driver.definition.messages.routes
        )
        return None if routed else event.fields.get("endpoint")

    def _send_on(self, sent: str) -> bool:
        if sent == "next":
            known = self._here.address in self._home  # else whoever has sent us there knows another one
            if known and self._pool is not None:
                self._pool.drained(self._here.index)
            return known
        try:
            self._next = self._led(sent, self._here, self._hops)
        except ValueError as error:
            self._note(str(error))
            return False
        self._hops += 1
        return True

    def _served(self) -> None:
        if self._pool is not None:
            self._pool.served(self._here.index)
            self._come_back()

    def _note(self, words: str) -> None:
        words = hushed(words, secrets_of(self._driver.machine))
        self._driver.causes.append(words)
        log.info("%s: %s", self._driver.definition.name, words, extra=self._driver.mail.ids.about())

    # -- who is given up

    def _give_up(self) -> None:
        if self._pool is None:
            return
        index = self._here.index
        if self._connected is None:
            self._pool.failed(index)
            return
        self._judged = Parking()
        self._driver.spawn(partial(self._judge, self._pool, self._connected, index, self._judged))

    async def _judge(self, pool: Pool, connected: Connected, index: int, judged: Parking) -> None:
        if await self._online(connected):
            pool.failed(index)
        else:
            self._note("there is no network on this side, so no endpoint is given up")
        self._judged = None
        judged.wake()

    async def _online(self, connected: Connected) -> bool:
        with trio.move_on_after(CONNECTED_WITHIN):
            try:
                return bool(await unprotected(connected()))
            except OSError:
                return False
            except Exception:
                name = self._driver.definition.name
                log.exception("%s: `connected` has failed", name, extra=self._driver.mail.ids.about())
                return True
        return False

    # -- who is well again

    async def _probe(self, index: int) -> None:
        """Shake hands with an endpoint, as the last dial would have."""
        driver, request = self._driver, self._request
        if request is None or driver.machine.status in _AT_REST:
            raise TooSoonError
        target = Target(self._home[index], index, index)
        hops = 0
        while True:
            try:
                await shake_hands(self._dialer, self._made(target, request))
                return
            except TransportFailed as failed:
                sent = classify(driver.definition.causes, failed.ending).fields.get("endpoint")
                if sent is None or sent == "next":
                    raise
                target, hops = self._led(sent, target, hops), hops + 1

    def _edge(self, index: int, available: bool) -> None:  # noqa: FBT001 -- as it is told
        del index
        if available:
            self._come_back()

    def _come_back(self) -> None:
        if self._returns:
            self._driver.spawn(self._return)  # in a task of its own, for a wish that is refused would raise in a step

    def _may_return(self) -> bool:
        pool, target = self._pool, self._target
        if pool is None or target is None or self._driver.machine.status != "ready":
            return False
        return any(pool.available(index) for index in range(target.via))

    async def _return(self) -> None:
        await trio.lowlevel.checkpoint()
        if self._may_return():
            try:
                self._driver.dispatch(Event("reconnect"))
            except IllegalEvent as error:
                log.info("%s", error, extra=self._driver.mail.ids.about())


def _of_credentials(event: Event) -> bool:
    """Whether the peer's verdict is about who we are: another endpoint would say the same."""
    return event.fields.get("status") in _CREDENTIALS or event.fields.get("code") in _CREDENTIALS
