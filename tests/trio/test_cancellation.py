"""Cancel a connection, or only its user, at every task step: nothing leaks or is torn, only Cancelled leaves."""

import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import RequestTimeout
from lifecycle.trio.connection import Connection
from lifecycle.wire.ticket import SETTLED

from .peer import PAGE, REFUSED, URL, Peer, Signer, closing, echo, gateway, silent, speaking, tasks
from .stepping import Counter, Made, cancelled, noticing, undisturbed

SIGNED = read_text(PAGE)
TALKING = read_text(
    PAGE.replace("inbox: {items: 4,", "inbox: {items: 99,")
    .replace("outbox: {items: 4, size: 1 MiB", "outbox: {items: 99, size: 9 MiB")
    .replace("send: request, timeout", "send: request, cancel: withdraw, timeout")
    .replace("request: {t: request", "withdraw: {t: withdraw, id: =id}\n    request: {t: request")
)
"""The same page with room, and with a frame that takes a request back."""

LIBRARIES = {
    "tap": {"library": "trio-websocket"},
    "no tap": {"library": "trio-websocket", "tapped": False},
    "websockets": {"library": "websockets"},
}
BIG = 8 * 1024 * 1024
Dialling = dict[str, Any]
"""How a peer is dialled: by which library, with how much room."""
Story = Callable[[Peer], Awaitable[object]]


@pytest.fixture(params=LIBRARIES.values(), ids=LIBRARIES)
def dialling(request: pytest.FixtureRequest) -> Dialling:
    """Each library in turn."""
    return request.param


# Everything is cancelled


async def whole_life(peer: Peer) -> None:
    """Dial, send, receive, close."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1) as connection:
        connection.post("early")
        await connection.ready()
        await connection.send("hi")
        assert [await anext(connection) for _ in range(2)] == ["early", "hi"]


async def refused_first(peer: Peer) -> None:
    """A dial that is refused, one that is lost, and one that works."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1) as connection:
        async for message in connection:
            if message == "last":
                break


async def one_that_does_not_read(peer: Peer) -> None:
    """Messages wait, and the goodbye waits behind them."""
    async with lifecycle.open("websocket", url=URL, transport=peer, seed=1, close_timeout=1) as connection:
        await connection.ready()
        for _ in range(4):
            connection.post(bytes(100_000))
        with trio.move_on_after(1):
            await connection.send("behind")


async def calls_and_requests(peer: Peer) -> None:
    """A call, an answer, and a request that nobody answers."""
    async with lifecycle.open(SIGNED, url=URL, calls=Signer(), transport=peer, seed=1) as connection:
        assert await connection.request("ask") == "answer"
        with pytest.raises(RequestTimeout):
            await connection.request("silence", timeout=1)


def _rule(message: dict[str, Any]) -> list[Any]:
    asked = message.get("method") == "ask"
    return [{"t": "answer", "id": message["id"], "ok": True, "result": "answer"}] if asked else []


LIVES: dict[str, tuple[Story, list[Any]]] = {
    "whole life": (whole_life, [echo]),
    "refused first": (refused_first, [REFUSED, closing(1012, messages=3), speaking("last")]),
    "does not read": (one_that_does_not_read, [silent]),
    "calls and requests": (calls_and_requests, [gateway(_rule)]),
}


def check_whole_life(story: Story, script: list[Any], dialling: Dialling, at_most: int) -> None:
    """Cancel the scope around a whole life after its first step, after its second, …, until it lives to its end."""

    async def live(counter: Counter) -> None:
        before = tasks()
        async with Peer(*script, **dialling) as peer:
            with trio.fail_after(3600), counter.scope():
                await story(peer)
            ended = trio.current_time()
        assert tasks() == before
        assert trio.current_time() == ended

    with noticing() as made:
        _, steps = undisturbed(live)
        assert steps > 10
        _check_all_over(made)
        made.forget()
        for _ in cancelled(live, steps, at_most):
            _check_all_over(made)
            made.forget()


def _check_all_over(made: Made) -> None:
    for connection in made.connections:
        driver = connection._driver
        assert driver.finished
        assert driver.mail.requests.pending == {}
        assert (driver.mail.outbox.bytes, len(driver.timers)) == (0, 0)
    assert {ticket.fate for ticket, _ in made.tickets} <= SETTLED


@pytest.mark.parametrize(("story", "script"), LIVES.values(), ids=LIVES)
def test_a_whole_life_is_cancelled(story: Story, script: list[Any], dialling: Dialling) -> None:
    """At any step: no task, no timer, no request is left, every ticket is settled, and only Cancelled leaves."""
    check_whole_life(story, script, dialling, 300)


# Only the user is cancelled


@attrs.define
class Talk:
    """What a user does with a connection, in one operation that may be cancelled and that he takes up again.

    Attributes:
        connection: in which.
        got: what was received.
        replies: what was asked for in two halves.
    """

    connection: Connection
    got: list[Any] = attrs.field(factory=list)
    replies: list[Any] = attrs.field(factory=list)

    async def ready(self) -> None:
        """Wait until it is ready, again and again."""
        for _ in range(2):
            await self.connection.ready()

    async def send(self) -> None:
        """Send, at times more than the pipe holds."""
        for number in range(4):
            await self.connection.send({"t": "say", "n": number, "pad": "x" * 400 * (number % 2)})

    async def send_many(self) -> None:
        """Send so much that others must have a turn."""
        for number in range(66):
            await self.connection.send({"t": "say", "n": number})

    async def post(self) -> None:
        """Post more than the pipe holds, and send in between."""
        for number in range(4):
            self.connection.post({"t": "say", "n": number, "pad": "x" * 400})
            await trio.lowlevel.checkpoint()
            await self.connection.send({"t": "say", "n": 10 + number})

    async def request(self) -> None:
        """Ask and wait for the answer."""
        for number in range(3):
            assert await self.connection.request("ask", number) == number

    async def reply(self) -> None:
        """Ask first, and wait for answers later."""
        self.replies += [self.connection.ask("ask", number) for number in range(len(self.replies), 3)]
        for reply in self.replies:
            await reply.wait()

    async def receive(self) -> None:
        """Receive all that the peer says by itself."""
        while len(self.got) < len(SAID):
            self.got.append(await anext(self.connection))

    async def take(self) -> None:
        """Receive it when it has been waiting for a while."""
        await trio.sleep(5)
        await self.receive()

    async def crowd(self) -> None:
        """Several send, several receive."""

        async def receive() -> None:
            self.got.append(await anext(self.connection))

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(self.connection.send, {"t": "say", "n": number, "pad": "x" * 100 * number})
                nursery.start_soon(receive)


OPERATIONS = ("ready", "send", "send_many", "post", "request", "reply", "receive", "take", "crowd")
ROOMS = {"little": 100, "much": 64 * 1024}
"""How many bytes the peer's pipe holds."""
SAID = tuple(range(1, 73))
WELCOME = [part for number in SAID for part in ({"t": "message", "n": number}, 0.1 * (number % 2) * (number < 9))]
"""What the peer says by itself, with pauses at first."""


def answers(message: dict[str, Any]) -> list[Any]:
    """The peer's part of a talk: it welcomes, and answers what is asked after a while."""
    if message["t"] == "hello":
        return WELCOME
    if message["t"] == "request":
        return [0.1, {"t": "answer", "id": message["id"], "ok": True, "result": message["params"]}]
    return []


async def talk(operation: str, dialling: Dialling, counter: Counter, made: Made) -> list[tuple[Any, ...]]:
    """Cancel an operation, take it up again at another time, and look at what both sides have.

    Returns:
        The steps of the machine.
    """
    made.forget()
    before = tasks()
    async with Peer(gateway(answers), **dialling) as peer:
        began = trio.current_time()
        async with lifecycle.open(TALKING, url=URL, calls=Signer(), transport=peer, seed=1) as connection:
            talking = Talk(connection)
            if operation != "ready":
                await connection.ready()
            with counter.scope():
                await getattr(talking, operation)()
            await trio.sleep_until(began + 10)
            await getattr(talking, operation)()
            await talking.receive()
            assert await connection.request("ask", "after") == "after"
            await connection.send({"t": "say", "n": "last"})
            await trio.sleep_until(began + 20)
            check_talk(operation, talking, peer, made)
        steps = [attrs.astuple(attrs.evolve(step, time=round(step.time - began, 6))) for step in connection.history]
        assert (connection.epoch, peer.codes) == (1, [1000])
    assert tasks() == before
    return steps


def check_talk(operation: str, talking: Talk, peer: Peer, made: Made) -> None:
    """What arrived is what the tickets say, whole, in order and once; nothing that came is lost or doubled."""
    mail = talking.connection._driver.mail
    assert talking.got == [*SAID] or operation == "crowd"
    assert sorted(talking.got) == [*SAID]  # of several tasks that wake together, trio decides which runs first
    assert len(mail.inbox) == 0
    heard = [message for message in peer.heard if message["t"] in ("say", "request")]
    assert heard == [json.loads(message) for ticket, message in made.tickets if ticket.fate == "sent"]
    assert {ticket.fate for ticket, _ in made.tickets} <= {"sent", "withdrawn"}
    asked = [message["id"] for message in heard if message["t"] == "request"]
    given_up = [message["id"] for message in peer.heard if message["t"] == "withdraw"]
    assert len({*asked}) == len(asked)
    assert len({*given_up}) == len(given_up)
    assert {*given_up} <= {*asked}
    assert mail.requests.pending == {}
    assert mail.requests.late == len(given_up)
    for number, reply in enumerate(talking.replies):
        assert (reply.done, reply._value) == (True, number)


def check_operation(operation: str, dialling: Dialling, at_most: int) -> None:
    """Cancel only what the user does, at its steps: the machine does not notice."""
    with noticing() as made:
        live = functools.partial(talk, operation, dialling, made=made)
        expected, steps = undisturbed(live)
        for _, trace in cancelled(live, steps, at_most):
            assert trace == expected


@pytest.mark.parametrize(
    ("operation", "room"),
    # with much room a few messages are sent in no step at all: there is nothing to cancel
    [(each, room) for each in OPERATIONS for room in ROOMS if (each, room) != ("send", "much")],
)
def test_a_user_is_cancelled(operation: str, room: str, dialling: Dialling) -> None:
    """At any step of what he does, and goes on later: both sides have what they should, the machine did the same."""
    check_operation(operation, {**dialling, "room": ROOMS[room]}, 120)


def test_a_goodbye_is_cancelled(dialling: Dialling) -> None:
    """At any step: the connection ends at once, what was taken has its fate, and nothing arrives twice or torn."""

    async def live(counter: Counter) -> None:
        before = tasks()
        async with Peer(gateway(answers), room=100, **dialling) as peer:
            async with lifecycle.open(TALKING, url=URL, calls=Signer(), transport=peer, seed=1) as connection:
                await connection.ready()
                for number in range(5):
                    connection.post({"t": "say", "n": number, "pad": "x" * 200})
                with counter.scope():
                    await connection.aclose()
                assert connection._driver.finished
                assert {ticket.fate for ticket, _ in made.tickets} <= {"sent", "maybe", "not_sent"}
            await trio.testing.wait_all_tasks_blocked()
            heard = [message["n"] for message in peer.heard if message["t"] == "say"]
            left = [ticket for ticket, _ in made.tickets if ticket.fate != "not_sent"]
            assert heard == [*range(len(heard))]
            assert len(heard) <= len(left)
        assert tasks() == before

    with noticing() as made:
        _, steps = undisturbed(live)
        for _ in cancelled(live, steps):
            made.forget()


def test_a_long_message_is_cancelled(dialling: Dialling) -> None:
    """In the middle of 8 MiB: they arrive whole, or not at all, and so does what is sent after them."""

    async def live(counter: Counter) -> str:
        async with Peer(gateway(answers), **dialling) as peer:
            async with lifecycle.open(TALKING, url=URL, calls=Signer(), transport=peer, seed=1) as connection:
                await connection.ready()
                with counter.scope():
                    await connection.send({"t": "say", "n": 1, "pad": "x" * BIG})
                await connection.send({"t": "say", "n": 2})
                await trio.sleep(1)
            long, short = (ticket.fate for ticket, message in made.tickets)
            assert short == "sent"
            expected = [{"t": "say", "n": 2}]
            if long == "sent":
                expected.insert(0, {"t": "say", "n": 1, "pad": "x" * BIG})
            assert peer.heard[1:] == expected
            return long

    with noticing() as made:
        whole, steps = undisturbed(live)
        made.forget()
        fates = []
        for _, fate in cancelled(live, steps, 6):
            fates.append(fate)
            made.forget()
    assert (whole, {*fates}) == ("sent", {"sent"})
