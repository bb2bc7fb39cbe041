"""What users hold: tickets, requests, messages, changes, and what a connection says of itself."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import (
    IllegalEvent,
    MaybeDelivered,
    NoRequests,
    NotReady,
    NotSent,
    PageError,
    RequestFailed,
    RequestTimeout,
    WrongParameters,
)
from lifecycle.trio.account import HISTORY
from lifecycle.trio.changes import MOST
from lifecycle.trio.connection import Connection
from lifecycle.wire.inbox import Discontinuity

from .peer import PAGE, REFUSED, URL, Peer, Signer, closing, echo, gateway, http, silent, speaking

SIGNED = read_text(PAGE)
ROOM = 256


def connect(peer: Peer, **parameters: object) -> Connection:
    """The bundled page, dialling the peer."""
    return lifecycle.open("websocket", url=URL, transport=peer, seed=1, **parameters)


def signed(peer: Peer, page: Any = SIGNED, **parameters: object) -> Connection:
    """The page with requests, dialling the peer."""
    return lifecycle.open(page, url=URL, calls=Signer(), transport=peer, seed=1, **parameters)


def answers(wait: float = 0, **answer: Any) -> Callable[[dict[str, Any]], list[Any]]:
    """Answer every request after some seconds."""

    def rule(message: dict[str, Any]) -> list[Any]:
        return [wait, {"t": "answer", "id": message["id"], **answer}] if "id" in message else []

    return rule


# What can be opened


def test_everything_wrong_at_once() -> None:
    """Unknown, missing and wrong parameters and missing calls are one error, with what there is."""
    with pytest.raises(WrongParameters) as caught:
        lifecycle.open(SIGNED, patience="soon", max_atempts=3, heartbeat_wait=-1)
    text = str(caught.value)
    for part in (
        "`sign` is missing",
        "async def sign(*, challenge)",
        "`url` is required",
        "`patience`",
        "did you mean `max_attempts`",
        "`heartbeat_wait`",
    ):
        assert part in text
    assert text.count("its parameters are") == 1


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("openhands-conversation-server", "its role is server: serve it by `lifecycle.serve`"),
        ("heartbeat", "it is a fragment, to be used by other pages"),
    ],
)
def test_pages_that_cannot_be_run(page: str, sentence: str) -> None:
    """They are refused at the door, with a sentence."""
    with pytest.raises(WrongParameters, match=sentence):
        lifecycle.open(page)


def test_a_codec_that_is_not_run() -> None:
    """What this version leaves out is told instead of being left out in silence."""
    with pytest.raises(WrongParameters, match="codec object has no transport"):
        lifecycle.open(read_text(PAGE.replace("codec: json", "codec: object")), url=URL, calls=Signer())


def test_an_unknown_transport() -> None:
    """It is told beside the other mistakes, with the names that there are."""
    with pytest.raises(WrongParameters) as told:
        lifecycle.open("websocket", transport="websokets", color="red")
    for part in ("no transport 'websokets': use 'trio-websocket' or 'websockets'", "color", "url"):
        assert part in str(told.value)


def test_a_page_that_does_not_exist() -> None:
    """It is a PageError that suggests another."""
    with pytest.raises(PageError, match="websocket"):
        lifecycle.open("websockt")


# Waiting for ready


async def test_ready_within_a_time() -> None:
    """Without a connection in time it is NotReady, with what has happened so far."""
    async with Peer(REFUSED) as peer, connect(peer) as connection:
        with pytest.raises(NotReady, match="not ready within 2 s: refused: Connection refused"):
            await connection.ready(2)
        assert trio.current_time() == pytest.approx(2)


async def test_why_and_history() -> None:
    """`why` tells what went wrong since the last ready; `history` keeps the last steps."""
    async with Peer(REFUSED, http(503, retry_after="50"), echo) as peer, connect(peer) as connection:
        await trio.sleep(10)
        assert connection.why.startswith(
            "refused: Connection refused; then the peer answered with HTTP status 503. next try in "
        )
        await connection.ready()
        assert connection.why == ""
        steps = connection.history
        assert [step.status for step in steps] == [
            "connecting",
            "waiting",
            "connecting",
            "waiting",
            "connecting",
            "ready",
        ]
        assert [step.epoch for step in steps] == [1, 1, 2, 2, 3, 3]
        assert steps[1].cause == "refused: Connection refused"
        assert steps[0].event == "connect"
        for _ in range(HISTORY):
            connection.tell("reconnect")
        assert len(connection.history) == HISTORY
        assert set(connection.variables) >= {"waiting.attempts", "waiting.told"}


# The fate of a message


async def test_queued_until_ready() -> None:
    """A message waits for the connection and is sent by the dial that opens."""
    async with Peer(REFUSED, echo) as peer, connect(peer) as connection:
        ticket = connection.post("hi")
        assert ticket.fate == "queued"
        assert await anext(connection) == "hi"
        assert (ticket.fate, ticket.epoch) == ("sent", 2)


async def test_not_ready_in_time() -> None:
    """It is NotSent after the page's time, whoever waits."""
    async with Peer(REFUSED) as peer, connect(peer) as connection:
        ticket = connection.post("a")
        with pytest.raises(NotSent, match="not ready in time"):
            await connection.send("b")
        assert trio.current_time() == pytest.approx(15)
        assert ticket.fate == "not_sent"
        assert connection._driver.mail.outbox.bytes == 0


async def test_patience_begins_when_ready_ends() -> None:
    """What waited behind a slow peer waits no longer than the page says once the connection is lost."""
    async with (
        Peer(silent, REFUSED, room=ROOM) as peer,
        connect(peer, heartbeat_after=1, heartbeat_wait=1) as connection,
    ):
        await connection.ready()
        first, second = connection.post(bytes(100_000)), connection.post("behind")
        await trio.sleep(2.1)
        assert (first.fate, second.fate) == ("maybe", "queued")
        await trio.sleep(14.8)
        assert second.fate == "queued"
        await trio.sleep(0.2)
        assert (second.fate, second.cause) == ("not_sent", "the connection was not ready in time")


async def test_a_slow_peer_is_no_impatience() -> None:
    """While it is ready, a message that was posted before waits as long as the peer takes."""
    async with Peer(REFUSED, silent, room=ROOM) as peer, connect(peer, heartbeat_after=100) as connection:
        connection.post(bytes(100_000))
        ticket = connection.post("behind")
        await connection.ready()
        await trio.sleep(60)
        assert ticket.fate == "queued"


async def test_a_cancelled_sender_tears_nothing() -> None:
    """One that waits is withdrawn, one that is taken leaves whole; the caller gets `Cancelled` only."""
    async with Peer(silent, room=ROOM) as peer, connect(peer) as connection:
        await connection.ready()
        tickets: list[Any] = []
        for size in (100_000, 10):
            with trio.move_on_after(1) as scope:
                await connection.send(bytes(size))
            assert scope.cancelled_caught
            mail = connection._driver.mail
            tickets.append([ticket.fate for ticket in (*mail.outbox.taken, *mail.outbox.waiting)])
        assert tickets == [["taken"], ["taken"]]
        with trio.move_on_after(1) as scope:
            scope.cancel()
            await connection.send("never")
        assert scope.cancelled_caught


async def test_until_ready_of_no_time() -> None:
    """A page that lets nothing wait refuses while it is not ready."""
    async with Peer(REFUSED, gateway()) as peer, signed(peer, patience="0 s") as connection:
        with pytest.raises(NotSent, match="the page lets nothing wait"):
            connection.post({"a": 1})
        with pytest.raises(NotSent, match="the page lets nothing wait"):
            await connection.request("x")
        await connection.ready()
        assert (await connection.send({"a": 1})).fate == "sent"
        assert connection._driver.mail.requests.pending == {}


async def test_a_full_outbox() -> None:
    """By number or by bytes it is NotSent at once, and the others are untouched."""
    async with Peer(REFUSED) as peer, signed(peer) as connection:
        tickets = [connection.post(number) for number in range(4)]
        with pytest.raises(NotSent, match="the outbox is full: 4 messages wait already"):
            await connection.send(4)
        assert {ticket.fate for ticket in tickets} == {"queued"}


async def test_what_was_taken_and_lost() -> None:
    """Some of it has left, so nobody knows; what is behind it goes out by the next dial."""
    async with Peer(silent, echo, room=ROOM) as peer, connect(peer, heartbeat_after=1, heartbeat_wait=1) as connection:
        await connection.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_maybe, connection)
            await trio.testing.wait_all_tasks_blocked()
            ticket = connection.post("behind")
        assert await anext(connection) == "behind"
        assert (ticket.fate, ticket.epoch) == ("sent", 2)


async def _maybe(connection: Connection) -> None:
    with pytest.raises(MaybeDelivered, match="may not have arrived"):
        await connection.send(bytes(100_000))


async def test_a_message_that_cannot_be_written() -> None:
    """It is refused at its caller, and the connection lives on."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        with pytest.raises(ValueError, match="half a character"):
            await connection.send("\ud800")
        with pytest.raises(TypeError, match="not dict"):
            await connection.send({})
        await connection.send("fine")
        assert await anext(connection) == "fine"


async def test_a_goodbye_that_the_page_does_not_know() -> None:
    """A wish that is no wish of the page's is refused, and nothing has changed."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        with pytest.raises(IllegalEvent, match="the page hears connect, disconnect, reconnect"):
            await connection.aclose("disconect")
        await connection.send("fine")
        assert await anext(connection) == "fine"


async def test_what_a_cancelled_body_leaves() -> None:
    """Some of a message has left: its ticket says that it was this side that ended."""
    async with Peer(silent, room=ROOM) as peer:
        with trio.move_on_after(5):
            async with connect(peer) as connection:
                await connection.ready()
                ticket = connection.post(bytes(100_000))
                await trio.sleep_forever()
    assert (ticket.fate, ticket.cause) == ("maybe", "it was ended on this side")


async def test_a_message_after_the_peers_goodbye() -> None:
    """It is not sent, and says so."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        transport = connection._driver.mail.transport
        assert transport is not None
        transport.close(1000)
        with pytest.raises(NotSent, match="the connection was ending"):
            await connection.send("x")


# Messages


async def test_an_overflow_is_told() -> None:
    """The oldest go; how many is told before the oldest that is left."""
    numbers = [{"t": "message", "n": number} for number in range(10)]
    async with Peer(gateway(lambda _: numbers)) as peer, signed(peer) as connection:
        await connection.ready()
        await trio.sleep(1)
        got = [await anext(connection) for _ in range(5)]
        assert got == [Discontinuity("overflow", 6), 6, 7, 8, 9]


async def test_several_readers_share() -> None:
    """Each message goes to one of them, in the order of those who came; a cancelled reader loses none."""
    messages = [str(number) for number in range(300)]
    got: list[Any] = []

    async def reader(connection: Connection, patience: float) -> None:
        while len(got) < len(messages):
            with trio.move_on_after(patience):
                got.append(await anext(connection))

    async with Peer(speaking(*messages)) as peer, connect(peer) as connection:
        async with trio.open_nursery() as nursery:
            for patience in (0, 0, 0.5, math.inf):
                nursery.start_soon(reader, connection, patience)
            while len(got) < len(messages):  # noqa: ASYNC110
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert sorted(got, key=int) == messages


async def test_reading_stops_when_it_is_closed() -> None:
    """What was received is there first."""
    async with Peer(speaking("a", "b")) as peer:
        async with connect(peer) as connection:
            await connection.ready()
            await trio.sleep(1)
            connection.tell("disconnect")
            await trio.sleep(1)
            assert [message async for message in connection] == ["a", "b"]
        assert [message async for message in connection] == []


# Changes


async def test_changes_are_told_until_the_end() -> None:
    """Every watcher sees every step from now on, and stops with the connection."""
    async with Peer(closing(1012, after=1), echo) as peer, connect(peer) as connection:
        seen: list[list[str]] = [[], []]

        async def watch(place: int) -> None:
            async for step in connection.changes():
                seen[place].append(step.status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, 0)
            nursery.start_soon(watch, 1)
            await trio.sleep(4)
            connection.tell("disconnect")
        assert seen[0] == seen[1] == ["ready", "waiting", "connecting", "ready", "closing", "closed"]
        assert [step async for step in connection.changes()] == []


async def test_changes_are_bounded() -> None:
    """Nobody takes them: the oldest go, and how many is counted."""
    async with Peer(silent) as peer, connect(peer) as connection:
        changes = connection.changes()
        for _ in range(MOST + 10):
            connection.tell("reconnect")
        assert changes.missed == 10
        assert (await anext(changes)).event == "reconnect"


# Requests


async def test_an_answer() -> None:
    """The request has an id, method and params; its answer settles it, also while the inbox is full."""

    def rule(message: dict[str, Any]) -> list[Any]:
        if message["t"] == "hello":
            return [{"t": "message", "n": number} for number in range(9)]
        return [{"t": "answer", "id": message["id"], "ok": True, "result": message["params"]}]

    async with Peer(gateway(rule)) as peer, signed(peer) as connection:
        await connection.ready()
        await trio.sleep(1)
        async for message in connection:
            assert await connection.request("echo", [message == 5]) == [message == 5]
            if message == 8:
                break
        assert peer.heard[1] == {"t": "request", "id": "1", "method": "echo", "params": [False]}


async def test_a_request_that_is_refused() -> None:
    """The peer's words are in the error."""
    rule = answers(ok=False, error={"code": 7})
    async with Peer(gateway(rule)) as peer, signed(peer) as connection:
        with pytest.raises(RequestFailed) as caught:
            await connection.request("echo")
        assert caught.value.error == {"code": 7}


async def test_a_request_without_answer() -> None:
    """It has the page's time or the caller's; an answer that comes later is counted."""
    rule = answers(40, ok=True)
    async with Peer(gateway(rule)) as peer, signed(peer) as connection:
        await connection.ready()
        with pytest.raises(RequestTimeout, match="within 30 s"):
            await connection.request("slow")
        assert trio.current_time() == pytest.approx(30)
        with pytest.raises(RequestTimeout, match="within 2 s"):
            await connection.request("slow", timeout=2)
        await trio.sleep(60)
        requests = connection._driver.mail.requests
        assert (requests.late, requests.pending) == (2, {})


async def test_requests_of_a_lost_connection() -> None:
    """What was sent may have arrived; what waits is sent by the next dial, or is not sent at all."""
    rule = answers(ok=True, result="here")
    async with Peer(gateway(), gateway(rule)) as peer, signed(peer) as connection:
        await connection.ready()
        with pytest.raises(MaybeDelivered, match="`ask` got no answer"):
            async with _lost(peer, connection):
                await connection.request("ask")
        assert await connection.request("ask") == "here"
        assert connection.epoch == 2


class _lost:  # noqa: N801
    """The peer drops the connection after a second."""

    def __init__(self, peer: Peer, connection: Connection) -> None:
        self.peer = peer

    async def __aenter__(self) -> None:
        self.peer.nursery.start_soon(self._drop)

    async def __aexit__(self, *_: object) -> None:
        pass

    async def _drop(self) -> None:
        await trio.sleep(1)
        self.peer.far[-1].abort()


async def test_a_request_that_is_never_sent() -> None:
    """Its patience is over, or the page gives up: NotSent, and nothing is left of it."""
    async with Peer(REFUSED) as peer, signed(peer, max_attempts=8) as connection:
        with pytest.raises(NotSent, match="`ask` was not sent: the connection was not ready in time"):
            await connection.request("ask")
        assert trio.current_time() == pytest.approx(10)
        with pytest.raises(NotSent), trio.fail_after(1000):  # noqa: PT012
            while True:
                await connection.request("ask", timeout=1000)
        mail = connection._driver.mail
        assert (mail.requests.pending, mail.outbox.bytes) == ({}, 0)


async def test_a_cancelled_request() -> None:
    """Nothing is left of it; one that was not sent is withdrawn."""
    async with Peer(REFUSED) as peer, signed(peer) as connection:
        with trio.move_on_after(1) as scope:
            await connection.request("ask")
        assert scope.cancelled_caught
        mail = connection._driver.mail
        assert (mail.requests.pending, len(mail.outbox.waiting)) == ({}, 0)


async def test_a_request_at_rest() -> None:
    """It raises at once what `ready` would raise."""
    async with Peer(http(404)) as peer, signed(peer, max_attempts=0) as connection:
        with pytest.raises(lifecycle.ConnectionFailed):
            await connection.ready()
        with pytest.raises(lifecycle.ConnectionFailed):
            await connection.request("ask")


async def test_a_page_without_requests() -> None:
    """It says what to do instead."""
    async with Peer(echo) as peer, connect(peer) as connection:
        with pytest.raises(NoRequests, match="use `send`"):
            await connection.request("x")
