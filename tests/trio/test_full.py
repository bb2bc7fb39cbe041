"""A queue is full: requests among unread messages, a flood that nobody takes, and leaving a peer that does not read."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio_websocket

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import MaybeDelivered
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.memory import ROOM
from lifecycle.trio.pipes.pipe import READ_LEAST
from lifecycle.wire.inbox import Discontinuity

from .desk import inbox, outbox, page
from .peer import PAGE, URL, Act, Peer, Signer, gateway, serving, silent, tasks

MEGABYTE = 1_000_000
MANY = 10_000
CERTIFICATE = Path(__file__).parents[2] / "specs" / "certificates" / "websocket.md"
WAYS = {
    "tap": {"library": "trio-websocket"},
    "no tap": {"library": "trio-websocket", "tapped": False},
    "websockets": {"library": "websockets"},
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each library in turn; trio-websocket pushed and pulled."""
    return dict(request.param)


# A request inside `async for`


def asking(policy: str) -> Any:
    """The page with requests and an inbox of four."""
    return read_text(PAGE.replace("inbox: {items: 4,", f"inbox: {{items: 4, {policy},"))


def numbers(first: int, last: int) -> list[dict[str, Any]]:
    """Messages of the page, about three things in turn."""
    return [{"t": "message", "n": {"n": number, "about": number % 3}} for number in range(first, last)]


def flooding(message: dict[str, Any]) -> list[Any]:
    """Send nine messages at once to whoever has come, and nine before each answer."""
    if message["t"] == "hello":
        return numbers(0, 9)
    answer = {"t": "answer", "id": message["id"], "ok": True, "result": message["params"]}
    return [*numbers(message["params"], message["params"] + 9), answer]


def calm(message: dict[str, Any]) -> list[Any]:
    """Answer."""
    return [flooding(message)[-1]] if message["t"] == "request" else []


def shown(message: Any) -> Any:
    """A message by its number, a mark by its kind and its count."""
    return (message.kind, message.missed) if isinstance(message, Discontinuity) else message["n"]


async def ask_among_messages(connection: Connection, rounds: int) -> list[Any]:
    """Ask once for each message that is taken; what was taken."""
    taken = []
    await connection.ready()
    await trio.sleep(1)
    async for message in connection:
        taken.append(shown(message))
        if len(taken) > rounds:
            return taken
        assert await connection.request("more", 100 * len(taken), timeout=5) == 100 * len(taken)
    raise AssertionError


def signed(peer: Peer, definition: Any) -> Connection:
    """A page with requests, dialling the peer."""
    return lifecycle.open(definition, url=URL, calls=Signer(), transport=peer, seed=1)


async def test_a_request_while_the_oldest_go(way: dict[str, Any]) -> None:
    """Each answer comes past the messages that push each other out; what is taken are the last before it."""
    async with Peer(gateway(flooding), **way) as peer, signed(peer, asking("when_full: oldest")) as connection:
        assert await ask_among_messages(connection, 4) == [
            ("overflow", 5),
            ("overflow", 9),
            ("overflow", 9),
            ("overflow", 9),
            ("overflow", 9),
        ]
        assert [shown(await anext(connection)) for _ in range(4)] == [405, 406, 407, 408]
        assert connection.epoch == 1


async def test_a_request_while_the_latest_stay(way: dict[str, Any]) -> None:
    """Each answer comes, and of each thing the last message waits."""
    definition = asking("when_full: latest, key: n.about")
    async with Peer(gateway(flooding), **way) as peer, signed(peer, definition) as connection:
        taken = await ask_among_messages(connection, 6)
        assert taken[0] in (6, 7, 8)
        assert all(number % 100 in (6, 7, 8) for number in taken)
        assert (connection.epoch, connection.counters.waiting) == (1, 2)


async def test_a_request_while_reading_has_stopped(way: dict[str, Any]) -> None:
    """Reading goes on for the answer, though nobody takes what comes before it; nothing is lost, in order."""
    definition = asking("when_full: wait, pause: 30 s")
    async with Peer(gateway(flooding), **way) as peer, signed(peer, definition) as connection:
        taken = await ask_among_messages(connection, 4)
        taken += [shown(await anext(connection)) for _ in range(9 + 4 * 9 - 5)]
        assert taken == [*range(9), *(100 * burst + number for burst in (1, 2, 3, 4) for number in range(9))]
        assert (connection.epoch, connection.counters.dropped) == (1, 0)


async def test_a_request_whose_answer_is_too_far_behind(way: dict[str, Any]) -> None:
    """Reading on has an end: at twice the page's bytes the connection is given up, instead of running out of memory."""

    def heavy(message: dict[str, Any]) -> list[Any]:
        if message["t"] == "hello":
            return []
        return [{"t": "message", "n": {"n": number, "pad": "x" * 400_000}} for number in range(8)] + calm(message)

    definition = asking("when_full: wait, pause: 30 s")
    async with Peer(gateway(heavy), gateway(calm), **way) as peer, signed(peer, definition) as connection:
        with pytest.raises(MaybeDelivered, match="inbox_full: 5 messages wait, and nobody takes them"):
            await connection.request("more", 1)
        # the next connection is not read while the inbox is full, but for an answer
        assert await connection.request("more", 2) == 2
        got = [shown(await anext(connection)) for _ in range(7)]
        assert got == [0, 1, 2, 3, 4, ("overflow", 1), ("lost", 0)]


async def test_a_request_after_a_full_inbox_closed(way: dict[str, Any]) -> None:
    """The next connection answers; what was received before is still there, and what was not is told at its place."""
    definition = asking("when_full: close")
    async with Peer(gateway(flooding), gateway(calm), **way) as peer, signed(peer, definition) as connection:
        taken = await ask_among_messages(connection, 5)
        assert taken == [0, 1, 2, 3, ("overflow", 1), ("lost", 0)]
        assert (connection.epoch, peer.codes[0]) == (2, 1008)


async def test_a_request_whose_answer_finds_the_inbox_full(way: dict[str, Any]) -> None:
    """The connection is given up before the answer is read, so nobody knows what became of the request."""

    def late(message: dict[str, Any]) -> list[Any]:
        return flooding(message) if message["t"] == "request" else []

    async with (
        Peer(gateway(late), gateway(calm), **way) as peer,
        signed(peer, asking("when_full: close")) as connection,
    ):
        with pytest.raises(MaybeDelivered, match="inbox_full: 4 messages wait, and nobody takes them"):
            await connection.request("more", 0)
        assert await connection.request("more", 7) == 7
        assert [shown(await anext(connection)) for _ in range(4)] == [0, 1, 2, 3]


# Ten thousand messages, then a ping


@attrs.define
class Flood:
    """What a peer sees that sends many messages and then a ping.

    Args:
        blocks: whether it waits, as others do, while the pipe takes no more.

    Attributes:
        sent: how many messages it could send.
        ponged: when its ping was answered.
    """

    blocks: bool = False
    sent: int = 0
    ponged: float | None = None

    @property
    def act(self) -> Act:
        """Its act."""
        return serving(self._send)

    async def _send(self, peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        (pipe,) = peer.far
        for number in range(MANY):
            await websocket.send_message(f"{number:064}")
            while self.blocks and pipe.given > pipe.sent:
                room = trio.Event()
                pipe.drained = room.set
                await room.wait()
            self.sent += 1
        await websocket.ping()
        self.ponged = trio.current_time()
        await websocket.get_message()


def flooded(peer: Peer, bounds: Any, **parameters: Any) -> Connection:
    """The bundled page with other bounds for what is unread, and a heartbeat that is quick to judge."""
    definition = page("websocket", inbox=bounds)
    settings = {"heartbeat_after": 1, "heartbeat_wait": 1, "seed": 1} | parameters
    return lifecycle.open(definition, url=URL, transport=peer, **settings)


@pytest.mark.parametrize(("policy", "waiting"), [("oldest", 1024), ("latest", 1)])
async def test_a_flood_that_gives_way(policy: str, waiting: int, way: dict[str, Any]) -> None:
    """Everything is read, so the ping is answered at once; what gave way is counted."""
    flood = Flood()
    bounds = inbox(policy, items=1024, size=1_000_000)
    async with Peer(flood.act, **way) as peer, flooded(peer, bounds) as connection:
        await trio.sleep(20)
        assert (flood.sent, flood.ponged, connection.epoch) == (MANY, 0, 1)
        counters = connection.counters
        assert (counters.delivered, counters.dropped) == (MANY, MANY - waiting)
        first = await anext(connection)
        if policy == "oldest":
            assert first == Discontinuity("overflow", MANY - waiting)
            first = await anext(connection)
        assert int(first) == MANY - waiting


async def test_a_flood_that_closes(way: dict[str, Any]) -> None:
    """The ping is never answered: the peer is told 1008, and it is dialled again; what fitted waits still."""
    flood = Flood()
    async with (
        Peer(flood.act, silent, **way) as peer,
        flooded(peer, inbox("close", items=1024, size=1_000_000), heartbeat_after=100) as connection,
    ):
        await trio.sleep(20)
        assert (flood.ponged, peer.codes, connection.epoch) == (None, [1008], 2)
        assert [int(await anext(connection)) for _ in range(1024)] == [*range(1024)]
        assert await anext(connection) == Discontinuity("overflow", 1)
        (lost,) = [step for step in connection.history if step.event == "lost.network"]
        assert lost.cause == "inbox_full: 1024 messages wait, and nobody takes them"


async def test_a_flood_that_waits(way: dict[str, Any]) -> None:
    """Reading stops, so the peer blocks and has no pong, and no heartbeat blames it; who reads gets all, and it a pong."""
    flood = Flood(blocks=True)
    bounds = inbox("wait", items=1024, size=1_000_000, pause=300.0)
    async with Peer(flood.act, **way) as peer, flooded(peer, bounds) as connection:
        await trio.sleep(200)
        # beside what waits with us there is what the pipe has room for, and one read; a frame has two bytes more
        assert connection.counters.waiting == 1024
        assert 1024 < flood.sent <= 1024 + (ROOM + READ_LEAST) // 66
        assert (flood.ponged, connection.epoch, connection.status) == (None, 1, "ready")
        assert [int(await anext(connection)) for _ in range(MANY)] == [*range(MANY)]
        await trio.sleep(1)
        assert (flood.ponged, connection.epoch, connection.counters.dropped) == (200, 1, 0)


async def test_a_flood_that_waits_too_long(way: dict[str, Any]) -> None:
    """After the page's pause the connection is given up, as what it is and not as a peer that was silent."""
    flood = Flood(blocks=True)
    bounds = inbox("wait", items=1024, size=1_000_000, pause=30.0)
    async with Peer(flood.act, silent, **way) as peer, flooded(peer, bounds, heartbeat_after=100) as connection:
        await trio.sleep(29.9)
        assert connection.epoch == 1
        await trio.sleep(20)
        assert (flood.ponged, connection.epoch) == (None, 2)
        (lost,) = [step for step in connection.history if step.event == "lost.network"]
        assert lost.cause == "inbox_full: nobody takes messages, and reading has stopped for 30 s"
        assert lost.time == pytest.approx(30)


# Leaving a peer that does not read


def promised() -> float:
    """Seconds from the wish to end to rest, as the certificate of the bundled page has them."""
    (found,) = re.findall(r"at most (\d+) s from `disconnect` to rest", CERTIFICATE.read_text("utf-8"))
    return float(found)


async def by_aclose(connection: Connection) -> None:
    """Say goodbye in the body."""
    await connection.aclose()


async def by_its_end(_: Connection) -> None:
    """Let the body end."""


async def by_an_error(_: Connection) -> None:
    """Let the body fail."""
    raise LookupError


async def by_cancellation(_: Connection) -> None:
    """Let the body be cancelled."""
    trio.lowlevel.current_task().parent_nursery.cancel_scope.cancel()  # type: ignore[union-attr]  # we are in one
    await trio.sleep_forever()


Leave = Callable[[Connection], Awaitable[None]]


@pytest.mark.parametrize(
    ("leave", "bounded"), [(by_aclose, True), (by_its_end, True), (by_an_error, True), (by_cancellation, False)]
)
async def test_leaving_under_back_pressure(leave: Leave, *, bounded: bool, way: dict[str, Any]) -> None:
    """Forty megabytes wait: the goodbye takes as long as the page has promised, cancelled no time; nothing is unsettled."""
    definition = page("websocket", outbox=outbox(items=40, size=40 * MEGABYTE))
    before, tickets = tasks(), []

    async def live(peer: Peer) -> None:
        async with lifecycle.open(definition, url=URL, transport=peer, seed=1) as connection:
            await connection.ready()
            await trio.sleep(1)
            tickets.extend(connection.post(bytes(MEGABYTE)) for _ in range(40))
            await trio.sleep(1)
            assert [ticket.fate for ticket in tickets] == ["taken", *["queued"] * 39]
            await leave(connection)

    async with Peer(silent, **way) as peer:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(live, peer)
        except* LookupError:
            assert leave is by_an_error
        assert trio.current_time() - 2 == pytest.approx(promised() if bounded else 0)
        assert [ticket.fate for ticket in tickets] == ["maybe", *["not_sent"] * 39]
    assert tasks() == before


async def test_cancelling_a_goodbye_under_back_pressure(way: dict[str, Any]) -> None:
    """Whoever has no patience for the goodbye need not wait: it ends when he says so."""
    definition = page("websocket", outbox=outbox(items=40, size=40 * MEGABYTE))
    async with Peer(silent, **way) as peer:
        with trio.move_on_after(2) as scope:
            async with lifecycle.open(definition, url=URL, transport=peer, seed=1) as connection:
                await connection.ready()
                ticket = connection.post(bytes(MEGABYTE))
        assert scope.cancelled_caught
        assert (trio.current_time(), ticket.fate) == (2, "maybe")
