"""Would our stories notice? The driver is made wrong in one way at a time, and a story that is named must fail."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

import lifecycle
from lifecycle.definition.read import read_text, specs
from lifecycle.errors import DriverFailed, MaybeDelivered, NotReady, RequestTimeout
from lifecycle.trio.connection import Connection
from lifecycle.trio.driver import Driver
from lifecycle.trio.transports.websockets import WebsocketsTransport

from . import stepping, test_driver
from .mutants import MUTANTS, Mutant, run
from .peer import PAGE, URL, Peer, Signer, closing, echo, gateway, serving, silent, speaking, stall, tasks
from .test_cancellation import LIVES, TALKING, check_operation, check_whole_life
from .test_fencing import LIBRARIES, check_fencing

SIGNED = read_text(PAGE)
SEED = 1729
HOUR = 3600.0
Story = Callable[[], object]
Live = Callable[[], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stories that are told again and again are bounded, too."""
    monkeypatch.setattr(stepping, "_run", run)
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    trio._core._run._r.seed(SEED)


def plain(peer: Peer) -> Connection:
    """The bundled page, dialling the peer."""
    return lifecycle.open("websocket", url=URL, transport=peer, seed=1)


def signed(peer: Peer, calls: object = None) -> Connection:
    """The page with a call and requests, dialling the peer."""
    return lifecycle.open(SIGNED, url=URL, calls=calls or Signer(), transport=peer, seed=1)


def answering(message: dict[str, Any]) -> list[Any]:
    """Answer what is asked, after five messages."""
    if message.get("method") != "ask":
        return []
    said = [{"t": "message", "n": number} for number in range(3)]
    return [*said, {"t": "answer", "id": message["id"], "ok": True, "result": "answer"}]


async def echo_in_no_time() -> None:
    """What is there to be read is read at once, not when some clock happens to wake us."""
    async with Peer(echo, library="websockets") as peer, plain(peer) as connection:
        began = trio.current_time()
        await connection.send("hi")
        assert await anext(connection) == "hi"
        assert trio.current_time() == pytest.approx(began)


async def request_given_up() -> None:
    """Who is cancelled waits for no answer any more, and the peer is told."""
    async with (
        Peer(gateway()) as peer,
        lifecycle.open(TALKING, url=URL, calls=Signer(), transport=peer, seed=1) as connection,
    ):
        await connection.ready()
        with trio.move_on_after(1):
            await connection.request("silence")
        assert connection.counters.pending == 0
        await trio.sleep(1)
        assert peer.heard[-1] == {"t": "withdraw", "id": "1"}


async def lost_request() -> None:
    """A request whose connection is lost is told so at once."""
    async with Peer(closing_after_hello(), gateway()) as peer, signed(peer) as connection:
        await connection.ready()
        with trio.fail_after(2), pytest.raises(MaybeDelivered):
            await connection.request("silence")


def closing_after_hello() -> Any:
    """A gateway that closes a second after the hello."""

    async def act(peer: Peer, far: Any) -> None:
        with trio.move_on_after(1):
            await gateway()(peer, far)

    return act


async def asking_while_messages_wait() -> None:
    """Who asks in the body of `async for`, with messages waiting, is answered."""
    async with Peer(gateway(answering)) as peer, signed(peer) as connection:
        await connection.ready()
        connection.ask("ask")
        await trio.sleep(1)
        async for _ in connection:
            assert await connection.request("ask", timeout=1) == "answer"
            break


async def ping_while_messages_wait() -> None:
    """A ping is answered though the inbox is full, for the oldest give way."""
    ponged: list[str] = []

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        for number in range(2000):
            await websocket.send_message(str(number))
        with trio.fail_after(5):
            await websocket.ping(b"there?")
        ponged.append("pong")

    async with Peer(serving(handle), stall, library="websockets") as peer, plain(peer) as connection:
        await connection.ready()
        await trio.sleep(10)
    assert ponged == ["pong"]


async def call_whose_state_is_left() -> None:
    """It is cancelled at once."""
    ends: list[float] = []

    class Slow(Signer):
        async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
            try:
                await trio.sleep(5)
            finally:
                ends.append(trio.current_time())
            return {}

    async with Peer(gateway(), stall) as peer, signed(peer, Slow()) as connection:
        began = trio.current_time()
        await trio.sleep(1)
        connection.tell("reconnect")
        await trio.sleep(1)
    assert ends == pytest.approx([began + 1])


async def call_that_comes_late() -> None:
    """What a call that minds no cancellation returns, when its state was left and entered again, is not counted."""

    class Stubborn(Signer):
        async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            return await super().sign(challenge=challenge)

    async with Peer(gateway()) as peer, signed(peer, Stubborn()) as connection:
        await trio.sleep(2)
        connection.tell("reconnect")
        await connection.ready(3.5)
        assert [step.event for step in connection.history].count("done.online.up.signing") == 1


async def nothing_is_left() -> None:
    """When a goodbye has returned no task is left, though the body goes on: not even of calls that outlive their states."""

    class Slow(Signer):
        async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
            await trio.sleep(1000)
            return {}

    page = read_text(
        PAGE.replace("token: secret}, timeout: 10 s", "token: secret}, scope: connection, timeout: 10 min")
    )
    async with Peer(gateway()) as peer:
        before = tasks()
        async with lifecycle.open(page, url=URL, calls=Slow(), transport=peer, seed=1) as connection:
            for _ in range(2):
                await trio.sleep(1)
                connection.tell("reconnect")
            await connection.aclose()
            await trio.sleep(1)
            assert tasks() == before


async def error_of_a_library() -> None:
    """So does one of a library that is none of those it is known for."""
    async with Peer(echo, library="websockets") as peer:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(DriverFailed, match="ours"):  # noqa: PT012 -- it leaves at the door
            async with plain(peer) as connection:
                patch.setattr(WebsocketsTransport, "_cut", _raise)
                await connection.send("x")
                await trio.sleep(60)


async def error_of_ours() -> None:
    """A fault of the driver, in a task of its own, ends the connection and leaves at its door."""
    async with Peer(closing(1012, after=2)) as peer:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(DriverFailed, match="ours"):  # noqa: PT012 -- it leaves at the door
            async with plain(peer) as connection:
                await connection.ready()
                patch.setattr(Driver, "_said", _raise)
                await trio.sleep(60)


def _raise(*_: object) -> str:
    raise ZeroDivisionError("ours")


async def request_in_time() -> None:
    """A request is given up when its time is over, though everybody else has more of it."""
    async with Peer(gateway()) as peer, signed(peer) as connection:
        await connection.ready()
        await trio.sleep(6)
        began = trio.current_time()
        with pytest.raises(RequestTimeout):
            await connection.request("silence", timeout=1)
        assert trio.current_time() == pytest.approx(began + 1)


async def refused_while_it_is_asked() -> None:
    """An event that comes up while another one is carried out is taken after it, not in its middle."""
    async with (
        Peer(echo) as peer,
        lifecycle.open("websocket", url="ws://h/", transport=peer, token="a\nb") as connection,
    ):
        await trio.sleep(5)
        whole = [step.before for step in connection.history][1:]
        assert whole == [step.after for step in connection.history][:-1]


async def what_is_dropped() -> None:
    """A transport that the page has given up is closed."""
    async with Peer(echo, library="websockets") as peer, plain(peer) as connection:
        await connection.ready()
        connection.tell("reconnect")
        assert peer.near[0].closed


async def goodbye_that_is_cancelled() -> None:
    """Whoever has no patience for a goodbye that is not answered ends the connection at once."""
    async with Peer(silent) as peer, plain(peer) as connection:
        await connection.ready()
        with trio.move_on_after(1):
            await connection.aclose()
        assert connection._driver.finished


async def peer_that_answers_pings() -> None:
    """A peer that says nothing but pong keeps its connection."""
    async with Peer(echo) as peer, plain(peer) as connection:
        await trio.sleep(HOUR)
        assert (connection.status, connection.epoch) == ("ready", 1)


async def inbox_that_nobody_empties() -> None:
    """While reading has stopped, the peer is not judged."""
    text = (specs() / "websocket.yaml").read_text("utf-8")
    page = read_text(text.replace("codec: text\n", "codec: text\n  inbox: {items: 2, when_full: wait, pause: 5 min}\n"))
    async with (
        Peer(speaking("1", "2", "3", "4")) as peer,
        lifecycle.open(page, url=URL, transport=peer, seed=1) as connection,
    ):
        await trio.sleep(290)
        assert (connection.status, connection.epoch) == ("ready", 1)


async def stalled() -> None:
    """What came while our loop stood still is read before the peer is judged, whoever has his turn first."""
    for _ in range(8):
        async with Peer(silent) as peer, plain(peer) as connection:
            await connection.ready()
            await trio.sleep(30)
            peer.far[0].write(b"\x81\x02hi")
            trio.lowlevel.current_clock().jump(60)  # type: ignore[attr-defined]  # the clock of this run
            await trio.sleep(1)
            assert (connection.status, connection.epoch) == ("ready", 1)


def operation(name: str, lane: str = "tap", at_most: int = 8) -> Story:
    """What only a user does is cancelled at some of its steps."""
    return lambda: check_operation(name, {**LIBRARIES[lane], "room": 100}, at_most)


def life(name: str, lane: str = "tap", at_most: int = 8) -> Story:
    """A whole life is cancelled at some of its steps."""
    return lambda: check_whole_life(*LIVES[name], LIBRARIES[lane], at_most)


STORIES: dict[str, Story] = {
    "fencing": lambda: check_fencing(LIBRARIES["tap"]),
    "send": operation("send"),
    "send, websockets": operation("send", "websockets", 20),
    "post": operation("post"),
    "take": operation("take", at_most=30),
    "receive": operation("receive"),
    "a request given up": lambda: run(request_given_up),
    "does not read": life("does not read"),
    "an echo in no time": lambda: run(echo_in_no_time),
    "a lost request": lambda: run(lost_request),
    "asking while messages wait": lambda: run(asking_while_messages_wait),
    "a ping while messages wait": lambda: run(ping_while_messages_wait),
    "a call whose state is left": lambda: run(call_whose_state_is_left),
    "a call that comes late": lambda: run(call_that_comes_late),
    "nothing is left": lambda: run(nothing_is_left),
    "an error of a library": lambda: run(error_of_a_library),
    "an error of ours": lambda: run(error_of_ours),
    "whose context": lambda: run(test_driver.test_no_contextvars_of_the_user_in_a_call),
    "a request in time": lambda: run(request_in_time),
    "refused while it is asked": lambda: run(refused_while_it_is_asked),
    "what is dropped": lambda: run(what_is_dropped),
    "a goodbye that is cancelled": lambda: run(goodbye_that_is_cancelled),
    "a peer that answers pings": lambda: run(peer_that_answers_pings),
    "an inbox that nobody empties": lambda: run(inbox_that_nobody_empties),
    "a stall": lambda: run(stalled),
}
NOTICED = (AssertionError, pytest.fail.Exception, trio.TooSlowError, MaybeDelivered, NotReady, RequestTimeout)
"""How a story fails. Another error would be one of the mutant's own making, and prove nothing."""


@functools.cache
def is_true(story: str) -> bool:
    """Tell a story of the driver as it is; it does not fail."""
    STORIES[story]()
    return True


def leaves(error: BaseException) -> Iterator[BaseException]:
    """An error, or those of a group."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story that is named for a mistake holds without it, and fails with it."""
    assert is_true(mutant.story)
    noticed: list[BaseException] = []
    with monkeypatch.context() as patch:
        mutant.make(patch)
        try:
            STORIES[mutant.story]()
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is looked at
            noticed = [*leaves(error)]
    assert noticed
    assert all(isinstance(error, NOTICED) for error in noticed), noticed
