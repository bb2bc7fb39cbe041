"""A proxy on a real socket that does to connections what networks do, when it is told or by a schedule.

Law: every fault is real: a port that refuses is closed, a reset is a reset of TCP. Where no fault is
active, bytes pass untouched. Nothing outlives the `async with`.
"""

import heapq
import itertools
import logging
import math
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Self, final
from urllib.parse import urlsplit

import attrs
import trio
from trio.lowlevel import ParkingLot

from lifecycle.errors import CannotListen
from lifecycle.testing.schedule import Fault, Schedule
from lifecycle.trio.groups import alone
from lifecycle.trio.pipes.listener import accept_clients, listen

from .link import Link
from .weather import Active, Counts, Told, Weather, said

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("lifecycle.proxy")

_PORTS = {"ws": 80, "wss": 443}


@attrs.frozen(kw_only=True)
class Target:
    """Where the proxy leads.

    Attributes:
        host, port: of TCP.
        scheme: ws or wss.
        resource: path and query that the proxy's own URL has, too.
    """

    host: str
    port: int
    scheme: str = "ws"
    resource: str = "/"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ws://host:port/path`, `wss://…` or `host:port`.

        Raises:
            ValueError: it is none of them; the message says what to write.
        """
        scheme, colon, _ = text.partition("://")
        try:
            parts = urlsplit(text if colon else f"ws://{text}")
            port = parts.port if parts.port is not None or not colon else _PORTS.get(scheme)
        except ValueError:
            parts, port = urlsplit(""), None
        plain = colon or parts.path == parts.query == ""
        if parts.scheme not in _PORTS or not parts.hostname or not port or "@" in parts.netloc or not plain:
            raise ValueError("a target is `ws://host:port/path`, `wss://…` or `host:port`")
        resource = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        return cls(host=parts.hostname, port=port, scheme=parts.scheme, resource=resource)


@final
class Proxy:
    """A proxy that can be used as `async with Proxy(target, schedule=…) as proxy`.

    Frames of WebSocket are known after the handshake; `drop`, `corrupt`, `duplicate` and `reorder` hit whole messages
    with data. Whatever else is spoken passes, and so does wss://: there the faults of frames, `close` and `status` do
    nothing, and a line of the log says so.

    Args:
        target: `ws://host:port/path`, `wss://…` or `host:port`.
        schedule: faults, counted from the moment in which it listens.
        host: the address to listen on.
        port: of TCP; 0 is a free one.
        tell: called with each thing that happens, beside the log `lifecycle.proxy`.

    Attributes:
        port: where it listens.
        url: for clients; path and query are the target's.
        counts: what it has done.
        connections: how many there are now.

    Raises:
        ValueError: the target is none.
        CannotListen: on entry: the port is taken, or not ours to take.
    """

    def __init__(
        self,
        target: str,
        *,
        schedule: Schedule | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tell: "Callable[[Told], None] | None" = None,
    ) -> None:
        self._target = Target.parse(target)
        self._schedule = schedule or Schedule()
        self._host, self.port = host, port
        self._hear = tell
        self.counts = Counts()
        self._weather = Weather()
        self._links: set[Link] = set()
        self._listeners: list[socket.socket] = []
        self._places: list[tuple[int, tuple[object, ...]]] = []
        self._shut_now = False
        self._listening = trio.CancelScope()
        self._agenda: list[tuple[float, int, Active, bool]] = []
        self._order = itertools.count()
        self._lot = ParkingLot()
        self._began = 0.0

    @property
    def url(self) -> str:
        """Where clients connect to instead of the target."""
        return f"{self._place}{self._target.resource}"

    @property
    def _place(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._target.scheme}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listeners = await listen(self._host, self.port)
        self._places = [(listener.family, listener.getsockname()) for listener in self._listeners]
        self.port = self._listeners[0].getsockname()[1]
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        self._began = trio.current_time()
        try:
            # without path and query, which may hold a secret
            self._tell("listening", 0, f"{self._place} leads to {self._target.host} port {self._target.port}")
            self._accept()
            for fault in self._schedule.faults:
                self.inject(fault)
            self._nursery.start_soon(self._keep_time)
        except BaseException as error:  # whoever is told may raise, and the nursery is open
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every socket; what the body raises leaves as it is."""
        self._nursery.cancel_scope.cancel()
        self._stop_listening()
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            raise alone(group) from None

    # -- faults

    def inject(self, fault: Fault) -> None:
        """Let a fault happen: at once, or in `fault.at` seconds. With `lasts=math.inf` it stays until `heal`."""
        active, now = Active(fault, fault.times), trio.current_time()
        if fault.at > 0:
            self._note(now + fault.at, active, begins=True)
        else:
            self._begin(active, now)

    def heal(self) -> None:
        """End all faults that are there, and forget those that are still to come."""
        self._agenda.clear()
        for active in self._weather.all():
            self._end(active)

    def _note(self, when: float, active: Active, *, begins: bool) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), active, begins))
        self._lot.unpark_all()

    async def _keep_time(self) -> None:
        while True:
            while self._agenda and self._agenda[0][0] <= trio.current_time():
                when, _, active, begins = heapq.heappop(self._agenda)
                if begins:
                    self._begin(active, when)
                else:
                    self._end(active)
            with trio.move_on_at(self._agenda[0][0] if self._agenda else math.inf):
                await self._lot.park()

    def _begin(self, active: Active, when: float) -> None:
        fault = active.fault
        self._tell("fault", 0, said(fault))
        if fault.kind == "reset":
            for link in tuple(self._links):
                link.reset()
            return
        if fault.kind == "close":
            for link in tuple(self._links):
                self._nursery.start_soon(link.close, fault)
            return
        self._weather.begin(active)
        if _shuts(fault):
            self._shut()
        if fault.times is None and math.isfinite(fault.lasts):
            # from when it was to begin: so the order is the schedule's, however late we are
            self._note(when + fault.lasts, active, begins=False)

    def _end(self, active: Active) -> None:
        if self._weather.end(active):
            self._tell("over", 0, active.fault.kind)
            self._open()

    def _used(self, active: Active) -> None:
        if active.left is not None:
            active.left -= 1
            if active.left <= 0:
                self._end(active)

    # -- the port

    def _accept(self) -> None:
        self._listening = trio.CancelScope()
        self._nursery.start_soon(self._accepting, tuple(self._listeners), self._listening)

    async def _accepting(self, listeners: tuple[socket.socket, ...], listening: trio.CancelScope) -> None:
        with listening:
            async with trio.open_nursery() as nursery:
                for listener in listeners:
                    nursery.start_soon(accept_clients, listener, self._come)

    def _shut(self) -> None:
        if not self._shut_now:
            self._shut_now = True
            self.counts.shut += 1
            self._stop_listening()
            self._listeners = [self._held(*place) for place in self._places]

    def _open(self) -> None:
        if self._shut_now and not any(_shuts(active.fault) for active in self._weather.all()):
            self._shut_now = False
            for listener in self._listeners:
                listener.listen()
            self._accept()

    def _stop_listening(self) -> None:
        self._listening.cancel()
        for listener in self._listeners:
            trio.lowlevel.notify_closing(listener)
            listener.close()

    def _held(self, family: int, address: tuple[object, ...]) -> socket.socket:
        """Bind and do not listen: whoever dials is refused, and nobody else can have the port meanwhile."""
        holder = socket.socket(family, socket.SOCK_STREAM)
        try:
            holder.settimeout(0)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            holder.bind(address)
        except OSError as error:
            holder.close()
            raise CannotListen(self._host, self.port, (error.strerror or "it is lost").lower()) from error
        return holder

    # -- connections

    def _come(self, sock: socket.socket, peer: str) -> None:
        self.counts.dials += 1
        link = Link(
            self.counts.dials,
            sock,
            (self._target.host, self._target.port),
            weather=self._weather,
            counts=self.counts,
            seed=self._schedule.seed,
            tell=self._tell,
            used=self._used,
        )
        self._tell("dial", link.number, f"from {peer}")
        self._links.add(link)
        self._nursery.start_soon(self._serve, link)

    async def _serve(self, link: Link) -> None:
        try:
            await link.run()
        finally:
            self._links.discard(link)

    def _tell(self, what: str, connection: int, text: str) -> None:
        told = Told(at=round(trio.current_time() - self._began, 6), what=what, connection=connection, text=text)
        log.log(logging.WARNING if what == "nothing" else logging.INFO, "%s", told)
        if self._hear is not None:
            self._hear(told)


def _shuts(fault: Fault) -> bool:
    return fault.kind == "refuse" and fault.times is None


def run_proxy(proxy: Proxy) -> None:
    """Run a proxy until Ctrl-C.

    Raises:
        CannotListen: the port is taken, or not ours to take.
    """

    async def run() -> None:
        async with proxy:
            await trio.sleep_forever()

    try:
        trio.run(run)
    except* KeyboardInterrupt:
        pass
