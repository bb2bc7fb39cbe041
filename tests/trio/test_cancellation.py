"""Cancel a connection, or only its user, at every task step: nothing leaks or is torn, only Cancelled leaves."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import RequestTimeout
from lifecycle.trio.connection import Connection
from lifecycle.wire.outbox import Outbox
from lifecycle.wire.ticket import SETTLED, Ticket

from .peer import PAGE, REFUSED, URL, Peer, Signer, closing, echo, gateway, silent, speaking, tasks

SIGNED = read_text(PAGE)
MOST_STEPS = 2000


class Counter(trio.abc.Instrument):
    """Counts task steps from `start` on, and cancels a scope after one of them."""

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, 0
        self.scope: trio.CancelScope | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        if self.scope is not None:
            self.seen += 1
            if self.seen == self.step:
                self.scope.cancel()


Story = Callable[[Peer], Awaitable[Connection]]


async def whole_life(peer: Peer) -> Connection:
    """Dial, send, receive, close."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1) as connection:
        connection.post("early")
        await connection.ready()
        await connection.send("hi")
        assert [await anext(connection) for _ in range(2)] == ["early", "hi"]
    return connection


async def refused_first(peer: Peer) -> Connection:
    """A dial that is refused, one that is lost, and one that works."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1) as connection:
        async for message in connection:
            if message == "last":
                break
    return connection


async def one_that_does_not_read(peer: Peer) -> Connection:
    """Messages wait, and the goodbye waits behind them."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1, close_timeout=1) as connection:
        await connection.ready()
        for _ in range(4):
            connection.post(bytes(100_000))
        with trio.move_on_after(1):
            await connection.send("behind")
    return connection


async def calls_and_requests(peer: Peer) -> Connection:
    """A call, an answer, and a request that nobody answers."""
    async with lifecycle.open(SIGNED, url=URL, calls=Signer(), transport=peer, seed=1) as connection:
        assert await connection.request("ask") == "answer"
        with pytest.raises(RequestTimeout):
            await connection.request("silence", timeout=1)
    return connection


def _rule(message: dict[str, Any]) -> list[Any]:
    asked = message.get("method") == "ask"
    return [{"t": "answer", "id": message["id"], "ok": True, "result": "answer"}] if asked else []


@pytest.mark.parametrize(
    ("story", "script"),
    [
        (whole_life, [echo]),
        (refused_first, [REFUSED, closing(1012, messages=3), speaking("last")]),
        (one_that_does_not_read, [silent]),
        (calls_and_requests, [gateway(_rule)]),
    ],
)
def test_cancelled_at_every_step(story: Story, script: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel the scope around a whole life after its first step, after its second, …, until it lives to its end."""
    tickets: list[Ticket] = []
    put = Outbox.put
    monkeypatch.setattr(Outbox, "put", lambda box, ticket: (tickets.append(ticket), put(box, ticket))[1])
    connections: list[Connection] = []
    init = Connection.__init__

    def remember(self: Connection, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        connections.append(self)

    monkeypatch.setattr(Connection, "__init__", remember)

    async def live(counter: Counter) -> bool:
        before = tasks()
        async with Peer(*script) as peer:
            with trio.fail_after(3600), trio.CancelScope() as scope:
                counter.scope = scope
                await story(peer)
            counter.scope = None
            ended = trio.current_time()
        assert tasks() == before
        assert trio.current_time() == ended
        return scope.cancelled_caught

    for step in range(1, MOST_STEPS):
        counter = Counter(step)
        cancelled = trio.run(live, counter, clock=trio.testing.MockClock(autojump_threshold=0), instruments=[counter])
        for connection in connections:
            assert connection._driver.finished
            assert connection._driver.mail.requests.pending == {}
            assert connection._driver.mail.outbox.bytes == 0
            assert len(connection._driver.timers) == 0
        assert {ticket.fate for ticket in tickets} <= SETTLED
        tickets.clear()
        connections.clear()
        if counter.seen < step:
            assert not cancelled
            break
    assert 20 < step < MOST_STEPS - 1


def test_a_user_cancelled_at_every_step() -> None:
    """Only the user is cancelled and goes on: what was sent arrives once and in order, what came is received once."""

    async def live(counter: Counter) -> bool:
        sent: list[Ticket] = []
        got: list[Any] = []

        async def use(connection: Connection, numbers: range) -> None:
            for number in numbers:
                sent.append(connection.post(f"post {number}"))
                await connection.send(f"send {number}" + "x" * 3000)
                got.append(await anext(connection))

        async with Peer(echo, room=1024) as peer:
            async with lifecycle.open("websocket", url=URL, transport=peer, seed=1) as connection:
                await connection.ready()
                with trio.CancelScope() as scope:
                    counter.scope = scope
                    await use(connection, range(4))
                counter.scope = None
                await use(connection, range(10, 12))
                await trio.sleep(1)
                got += [await anext(connection) for _ in range(len(connection._driver.mail.inbox))]
            assert got == peer.heard
            assert [text for text in peer.heard if text.startswith("post")] == [  # type: ignore[arg-type]
                f"post {number}" for number in (*range(len(sent) - 2), 10, 11)
            ]
            assert len(set(peer.heard)) == len(peer.heard)
            assert connection.epoch == 1
        return scope.cancelled_caught

    for step in range(1, MOST_STEPS):
        counter = Counter(step)
        cancelled = trio.run(live, counter, clock=trio.testing.MockClock(autojump_threshold=0), instruments=[counter])
        if counter.seen < step:
            assert not cancelled
            break
    assert 20 < step < MOST_STEPS - 1
