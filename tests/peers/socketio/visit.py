"""One case with npm's client at our server page while it is played.

Law: what becomes of the client is what the client says.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, final

import attrs

import lifecycle
from peers.case import Case, Life, Playing
from peers.children import Child, free_port
from peers.install import node

from .app import HERE, INTERVAL, TIMEOUT, folder, node_environment
from .play import bundled

CLIENT: Final = "socket.io-client"
_QUICK: Final[Mapping[str, Any]] = {"ping_interval": INTERVAL, "ping_timeout": TIMEOUT, "connect_timeout": 4.0}


@attrs.frozen(eq=False)
class Guest:
    """One connection of our server's.

    Attributes:
        connection: as the handler was given it.
        packets: what it has said.
    """

    connection: lifecycle.Connection
    packets: list[Mapping[str, Any]] = attrs.field(factory=list)


@final
class Visit(Playing):
    """One case while it is played; as the calls of the page, it lets everybody in, but who has the wrong token.

    Args:
        case: which.
        page: of the server.

    Attributes:
        guests: the clients whom the handler was given, in their order.
        asked: what `authorize` was given, each time.
    """

    def __init__(self, case: Case, page: str = "socketio-server") -> None:
        self._port, self._told = free_port(), list[dict[str, Any]]()
        self._child: Child | None = None
        super().__init__(case, bundled(page))
        self.guests: list[Guest] = []
        self.asked: list[dict[str, Any]] = []

    async def authorize(self, *, namespace: str, auth: Mapping[str, Any] | None, sid: str) -> None:
        """Let a client in, or not: a call of the page."""
        self.asked.append({"namespace": namespace, "auth": auth, "sid": sid})
        if namespace == "/nope":
            raise lifecycle.CallFailed("no_namespace", "Invalid namespace")
        if auth == {"token": "wrong"}:
            raise lifecycle.CallFailed("wrong_token", "not welcome")

    async def _host(self, connection: lifecycle.Connection) -> None:
        guest = Guest(connection)
        self.guests.append(guest)
        async for packet in connection:
            if not isinstance(packet, lifecycle.Discontinuity):
                guest.packets.append(packet)
                self.delivered.append(packet.get("event", packet["packet"]))

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Our server; where it listens, which is the same each time."""
        async with lifecycle.serve(self.page, self._host, port=self._port, calls=self, **_QUICK):
            yield f"ws://127.0.0.1:{self._port}"

    @contextlib.asynccontextmanager
    async def client(self, url: str, **options: Any) -> AsyncIterator[None]:
        """The real client; options are those of `io`, and `namespace`."""
        with folder() as own:
            command = [node(), str(HERE / "client.cjs"), url, json.dumps({"namespace": "/", **options})]
            with Child(command, own, node_environment(own / "home"), own / "said.log") as child:
                self._child = child
                try:
                    yield
                finally:
                    self._told = self.told()
                    self._child = None

    @contextlib.asynccontextmanager
    async def both(self, **options: Any) -> AsyncIterator[None]:
        """Our server and a client at it."""
        async with self.serving() as url, self.client(url, **options):
            yield

    def told(self, what: str = "") -> list[dict[str, Any]]:
        """What the client has said until now; of one kind only."""
        if self._child is not None:
            # of what may be half a line now, and not at U+2028, which JSON may hold
            *whole, _ = self._child.said().split("\n")
            self._told = [json.loads(line) for line in whole]
        return [line for line in self._told if what in ("", line["what"])]

    async def guest(self, number: int = 0) -> Guest:
        """The client that came as the so-many-th, and has been let in.

        Raises:
            Late: it has not come.
        """
        await self.until("a client", lambda: len(self.guests) > number)
        await self.until("connected", lambda: len(self.told("connect")) > number)
        return self.guests[number]

    async def heard(self, *names: str) -> None:
        """Wait until the client has said these events, in this order, and nothing else.

        Raises:
            Late: it has not.
        """
        await self.until(f"heard {' '.join(names)}", lambda: len(self.delivered) >= len(names))
        self.check(self.delivered == list(names), f"heard {self.delivered}, expected {list(names)}")

    def lives(self) -> list[Life]:
        """What became of the client, as it says."""
        path = [word for line in self._told if (word := _word(line))]
        words = [line["message"] for line in self._told if "message" in line]
        return [Life(tuple(path), len(self.told("open")), tuple(words))]


def _word(line: Mapping[str, Any]) -> str:
    match line["what"]:
        case "disconnect" | "close" as what:
            return f"{what}.{line['reason'].replace(' ', '_')}"
        case "connect" | "connect_error" as what:
            return what
        case _:
            return ""
