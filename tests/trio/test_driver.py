"""Whole connections on the virtual clock: the bundled page, a scripted peer, and what becomes of it."""

import contextvars
import logging
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.errors import ConnectionFailed, DriverFailed, IllegalEvent, NotSent
from lifecycle.machine.events import Event
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.transports.transport import Transport
from lifecycle.wire.ending import ErrorEnding
from lifecycle.wire.inbox import Discontinuity

from .peer import (
    PAGE,
    REFUSED,
    URL,
    Peer,
    Signer,
    closing,
    echo,
    gateway,
    http,
    serving,
    silent,
    speaking,
    stall,
    tasks,
)


def connect(peer: Peer, **parameters: object) -> Connection:
    """The bundled page, dialling the peer."""
    return lifecycle.open("websocket", url=URL, transport=peer, **parameters)


def signed(peer: Peer, calls: object) -> Connection:
    """The page with a call and requests, dialling the peer."""
    return lifecycle.open(read_text(PAGE), url=URL, calls=calls, transport=peer, seed=1)


async def test_ready_and_echo() -> None:
    """The first dial opens, a message goes there and back, and no time passes."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        assert (connection.status, connection.epoch, connection.why, connection.next_try) == ("ready", 1, "", None)
        ticket = await connection.send("hi")
        assert (ticket.fate, ticket.epoch) == ("sent", 1)
        assert await anext(connection) == "hi"
        assert trio.current_time() == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
async def test_refused_dials_are_repeated(seed: int) -> None:
    """Each wait lies within the bounds of the page's backoff, and then it is ready."""
    async with Peer(*[REFUSED] * 6, echo) as peer, connect(peer, seed=seed) as connection:
        await connection.ready()
        waits = [later - sooner for sooner, later in zip(peer.dials, peer.dials[1:], strict=False)]
        assert len(waits) == 6
        for wait, longest in zip(waits, (1, 2, 4, 8, 16, 32), strict=True):
            assert 0.25 <= wait <= longest
        assert connection.epoch == 7
        assert connection.why == ""


async def test_a_seed_decides_the_waits() -> None:
    """The same seed waits the same, another one does not."""
    dials = []
    for seed in (1, 1, 2):
        async with Peer(*[REFUSED] * 4, echo) as peer, connect(peer, seed=seed) as connection:
            began = trio.current_time()
            await connection.ready()
            dials.append([round(when - began, 6) for when in peer.dials])
    assert dials[0] == dials[1] != dials[2]


async def test_retry_after_is_waited_for_exactly() -> None:
    """A server that says 7 s is dialled 7 s later."""
    async with Peer(http(503, retry_after="7"), echo) as peer, connect(peer) as connection:
        await trio.sleep(3)
        assert connection.next_try == pytest.approx(4)
        assert connection.why == "the peer answered with HTTP status 503. next try in 4.0 s"
        await connection.ready()
        assert peer.dials == pytest.approx([0, 7])


async def test_a_queued_message_is_no_next_try() -> None:
    """What waits in the outbox has a time of its own, which is not that of the next dial."""
    async with Peer(http(503, retry_after="60"), echo) as peer, connect(peer) as connection:
        await trio.sleep(1)
        connection.post("hi")
        assert connection.next_try == pytest.approx(59)


async def test_a_connection_that_never_lives_long_is_not_healthy() -> None:
    """A server that accepts and closes before `proven_after` does not reset the count, so it is given up."""
    async with Peer(closing(1012, after=4)) as peer, connect(peer, max_attempts=5) as connection:
        with trio.fail_after(600):
            while connection.status != "failed":  # noqa: ASYNC110
                await trio.sleep(1)
        assert len(peer.dials) == 6
        assert connection.variables["waiting.attempts"] == 6


async def test_a_connection_that_lives_long_is_healthy() -> None:
    """After `proven_after` the count begins again, so it goes on for ever."""
    async with Peer(closing(1012, after=6)) as peer, connect(peer, max_attempts=2) as connection:
        await trio.sleep(600)
        assert connection.status != "failed"
        assert len(peer.dials) > 50


async def test_a_half_open_connection_is_found_and_healed() -> None:
    """Nothing is heard for `heartbeat_after`, nor in `heartbeat_wait` after our ping; the next dial heals it."""
    async with Peer(silent, echo) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(39)
        assert (connection.status, connection.epoch) == ("ready", 1)
        await trio.sleep(1.1)
        assert connection.status == "waiting"
        assert "has run out in online.up.heartbeat.asking" in connection.why
        await connection.ready()
        assert connection.epoch == 2
        await trio.sleep(300)
        assert (connection.status, connection.epoch) == ("ready", 2)


async def test_a_peer_that_pongs_is_heard() -> None:
    """A peer that says nothing but answers pings keeps its connection for a day."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await trio.sleep(86_400)
        assert (connection.status, connection.epoch) == ("ready", 1)


async def test_a_server_that_restarts() -> None:
    """Its close 1012 is `lost.restarting`; the messages before it are received, then the mark, then the new ones."""
    async with Peer(closing(1012, "restart", messages=200), speaking("new")) as peer, connect(peer) as connection:
        got = [await anext(connection) for _ in range(202)]
        mark = Discontinuity("lost", why="the peer closed with code 1012: restart")
        assert got == [*map(str, range(200)), mark, "new"]
        assert [step.event for step in connection.history if step.cause] == ["lost.restarting"]


async def test_no_mark_before_the_first_delivery() -> None:
    """Reconnects before anything was received are no gap."""
    async with Peer(closing(1012), closing(1012), speaking("first")) as peer, connect(peer) as connection:
        assert await anext(connection) == "first"
        assert connection.epoch == 3


async def test_a_dial_that_is_never_answered() -> None:
    """After `connect_timeout` it is dialled again."""
    async with Peer(stall, echo) as peer, connect(peer) as connection:
        await connection.ready()
        assert 10.25 <= peer.dials[1] <= 11
        assert peer.near[0].closed


async def test_giving_up() -> None:
    """After `max_attempts` it has failed: for those who wait, ask, send and receive; `reconnect` begins anew."""
    async with Peer(*[REFUSED] * 4, echo) as peer, connect(peer, max_attempts=3) as connection:
        told: dict[str, BaseException] = {}

        async def waits(name: str, what: Any) -> None:
            try:
                await what
            except lifecycle.LifecycleError as error:
                told[name] = error

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits, "ready", connection.ready())
            nursery.start_soon(waits, "receive", anext(connection))
            nursery.start_soon(waits, "send", connection.send("x"))
        assert {name: type(error).__name__ for name, error in told.items()} == {
            "ready": "ConnectionFailed",
            "receive": "ConnectionFailed",
            "send": "NotSent",
        }
        assert connection.status == "failed"
        assert "no more attempts are made" in str(told["ready"])
        with pytest.raises(ConnectionFailed):
            await connection.ready()
        with pytest.raises(ConnectionFailed):
            async for _ in connection:
                pass
        with pytest.raises(NotSent):
            connection.post("x")
        connection.tell("reconnect")
        await connection.send("again")
        assert await anext(connection) == "again"


@pytest.mark.parametrize(
    ("act", "say"),
    [
        (http(401), "The server does not accept the credentials."),
        (http(302), "The address answers, but not with a WebSocket."),
        (closing(1008), "The server refuses this client."),
        (closing(1002), "Client and server do not speak the same protocol."),
    ],
)
async def test_a_refusal_is_final(act: Any, say: str) -> None:
    """It is not dialled again, and `why` says the page's sentence."""
    async with Peer(act) as peer, connect(peer) as connection:
        with pytest.raises(ConnectionFailed, match=say):
            await anext(connection)
        await trio.sleep(1000)
        assert len(peer.dials) == 1
        assert connection.why.startswith(say)


async def test_a_url_that_cannot_be_dialled() -> None:
    """What is wrong with a request is told as a failed dial."""
    async with Peer(echo) as peer, connect(peer, token="two\nlines", max_attempts=1) as connection:
        with pytest.raises(ConnectionFailed, match="Authorization"):
            await connection.ready()
        assert peer.dials == []


async def test_credentials_go_into_the_header() -> None:
    """The token is the whole value of Authorization; none leaves it out."""
    for token, headers in (("Bearer x", (("Authorization", "Bearer x"),)), (None, ())):
        async with Peer(echo) as peer, connect(peer, token=token) as connection:
            await connection.ready()
            assert peer.requests[0].headers == headers


# Events of a dead epoch


async def test_a_late_dial_aborts_itself() -> None:
    """A dialer that opens after the page gave up on it is not heard, and its transport is dropped."""
    late: list[Any] = []

    async with Peer(echo) as peer:

        async def dial(request: Any, spawn: Any, opened: Any) -> None:
            if late:
                await peer(request, spawn, opened)
                return
            late.append(opened)
            with trio.CancelScope(shield=True):
                await trio.sleep(10.1)
                transport = _Fake()
                opened(transport, None)
                late.append(transport)

        async with lifecycle.open("websocket", url=URL, transport=dial) as connection:
            await connection.ready()
            assert connection.epoch == 2
            assert late[1].aborted
            late[0](fake := _Fake(), None)
            assert fake.aborted
            assert connection.status == "ready"


class _Fake(Transport):
    """A transport that only notices its end."""

    aborted = False
    ended = None

    async def receive(self) -> tuple[()]:
        raise AssertionError

    def send(self, data: str | bytes) -> None:
        raise AssertionError

    def ping(self, payload: bytes = b"") -> None:
        raise AssertionError

    def close(self, code: int = 1000, reason: str = "") -> None:
        raise AssertionError

    def abort(self) -> None:
        self.aborted = True


async def test_stale_events_change_nothing() -> None:
    """Whatever a dead dial, clock or call says, at any time, the steps are the same."""
    traces = []
    for stale in (False, True):
        async with Peer(closing(1012, after=1), REFUSED, http(503), closing(1012, after=7)) as peer:
            began = trio.current_time()
            async with connect(peer, seed=3) as connection:
                for _ in range(1000):
                    await trio.sleep(0.05)
                    if stale:
                        _inject(connection)
                traces.append([(round(step.time - began, 6), step.event, step.after) for step in connection.history])
    assert traces[0] == traces[1]
    assert len(traces[0]) > 10


def _inject(connection: Connection) -> None:
    driver = connection._driver
    for token in range(1, driver.machine.transport):
        for name, cause in (("opened", "opened"), ("closed", "closed"), ("lost.network", "end"), ("heard", "heard")):
            driver.dispatch(Event(name, cause=cause, token=token))  # type: ignore[arg-type]
    for clock in connection.definition.clocks:
        driver.dispatch(Event(clock.name, cause="timer", token=1))


async def test_the_fence_after_a_drop() -> None:
    """Messages that are still in the batch of a dropped connection are not delivered."""
    async with Peer(speaking("one", "two"), stall) as peer, connect(peer) as connection:
        assert await anext(connection) == "one"
        connection.tell("reconnect")
        with trio.move_on_after(1) as scope:
            assert isinstance(await anext(connection), str)
        assert scope.cancelled_caught or connection.status == "connecting"


class _Ended(_Fake):
    """A transport that knows its end already, while messages are still to be received."""

    ended = ErrorEnding("eof")  # type: ignore[assignment]

    def __init__(self) -> None:
        self.messages = ["one", "two"]

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.abort()

    async def receive(self) -> tuple[str, ...]:  # type: ignore[override]
        await trio.lowlevel.checkpoint()
        return (self.messages.pop(0),) if self.messages else ()


async def test_messages_before_a_known_end() -> None:
    """They are received first, then the end is told, once."""

    async def dial(request: Any, spawn: Any, opened: Any) -> None:
        opened(_Ended(), memory_pair(spawn)[0])
        await trio.sleep_forever()

    async with lifecycle.open("websocket", url=URL, transport=dial) as connection:
        assert [await anext(connection) for _ in range(2)] == ["one", "two"]
        assert (await anext(connection)).why == "eof"
        assert connection.epoch == 2


# Wishes and faults


async def test_a_wish_that_the_page_does_not_hear() -> None:
    """It is refused with what the page hears, and nothing changes."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        with pytest.raises(IllegalEvent, match="hears connect, disconnect, reconnect"):
            connection.tell("restart")
        assert connection.status == "ready"


async def test_a_wish_that_is_not_allowed_now() -> None:
    """It is refused at its caller, with what is allowed, and the connection goes on."""
    text = PAGE.replace("on: [connect, reconnect]", "on: connect").replace(
        "failed: {status: failed, needs: none, rest: true}",
        "failed: {status: failed, needs: none, rest: true, clauses: {T13: {on: reconnect, to: online}}}",
    )
    async with Peer(gateway()) as peer:
        async with lifecycle.open(read_text(text), url=URL, calls=Signer(), transport=peer) as connection:
            await connection.ready()
            with pytest.raises(
                IllegalEvent, match=r"`reconnect` is not allowed in online.up.ready.*allowed: .*disconnect"
            ):
                connection.tell("reconnect")
            assert connection.status == "ready"
        with pytest.raises(IllegalEvent, match="has ended"):
            connection.tell("reconnect")


async def test_a_fact_that_is_not_allowed_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """It never raises into whoever happens to dispatch it."""
    async with Peer(echo) as peer, connect(peer) as connection:
        await connection.ready()
        driver = connection._driver
        with caplog.at_level(logging.WARNING):
            driver.dispatch(Event("opened", cause="opened", token=driver.machine.transport))
        assert driver.refused == 1
        assert "`opened` is not allowed" in caplog.text
        assert connection.status == "ready"


async def test_a_fact_that_a_variable_cannot_take() -> None:
    """It is a failure of the driver: the proof was skipped."""
    text = PAGE.replace("challenge: {kept: object}", "challenge: {count: 0, max: 3}")
    async with Peer(gateway()) as peer:
        with pytest.raises(DriverFailed, match="challenge") as caught:
            async with lifecycle.open(read_text(text), url=URL, calls=Signer(), transport=peer):
                await trio.sleep_forever()
        assert isinstance(caught.value.__cause__, IllegalEvent)


async def test_an_effect_that_raises_loses_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure in the engine's own task ends the connection, and nothing stays."""
    async with Peer(closing(1012, after=2)) as peer:
        before = tasks()
        with pytest.raises(DriverFailed, match="ours"):  # noqa: PT012
            async with connect(peer) as connection:
                await connection.ready()
                monkeypatch.setattr(type(connection._driver), "_said", _raise)
                await trio.sleep_forever()
        await trio.testing.wait_all_tasks_blocked()
        assert tasks() == before


def _raise(*_: object) -> str:
    raise ZeroDivisionError("ours")


WHO = contextvars.ContextVar("who", default="nobody")


async def test_no_contextvars_of_the_user_in_a_call() -> None:
    """A call that a user's wish starts sees the context of `open`, not the user's."""
    seen: list[str] = []

    class Curious(Signer):
        async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
            seen.append(WHO.get())
            return await super().sign(challenge=challenge)

    WHO.set("opener")
    async with Peer(gateway()) as peer, signed(peer, Curious()) as connection:
        await connection.ready()

        async def user() -> None:
            WHO.set("user")
            connection.tell("reconnect")
            driver = connection._driver
            driver.spawn(_note)

        async def _note() -> None:
            seen.append(WHO.get())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(user)
        await connection.ready()
        await trio.testing.wait_all_tasks_blocked()
    assert seen == ["opener"] * 3


async def test_an_unrouted_message_is_counted() -> None:
    """No route takes it: nothing is delivered, nothing breaks."""

    async def handle(_: Peer, websocket: Any) -> None:
        await websocket.send_message('{"t": "challenge", "body": {"nonce": 1}}')
        await websocket.send_message('{"t": "what"}')
        await trio.sleep_forever()

    async with Peer(serving(handle)) as peer, signed(peer, Signer()) as connection:
        await connection.ready()
        await trio.testing.wait_all_tasks_blocked()
        assert connection._driver.unrouted == 1


async def test_what_is_not_json() -> None:
    """It is `error: protocol`, and the peer is told 1007."""
    async with Peer(gateway(lambda _: ["{"])) as peer, signed(peer, Signer()) as connection:
        with pytest.raises(ConnectionFailed, match=r"Not our protocol. — protocol: not JSON at character 1"):
            await anext(connection)
        await trio.testing.wait_all_tasks_blocked()
        assert peer.codes == [1007]


async def test_a_refusal_by_message() -> None:
    """A message that refuses is classified by causes; its pause is waited for exactly."""
    busy = {"t": "refused", "error": {"code": "busy", "wait": 4000, "message": "later"}}
    no = {"t": "refused", "error": {"code": "no"}}
    async with Peer(gateway(lambda _: [busy]), gateway(lambda _: [no])) as peer, signed(peer, Signer()) as connection:
        with pytest.raises(ConnectionFailed, match=r"The server refuses. — the peer refuses: no"):
            await anext(connection)
        assert peer.dials == pytest.approx([0, 4])


async def test_what_is_kept_of_messages() -> None:
    """The cursor never steps back, is there before the message, and takes nothing but numbers."""
    told = ["x", 3, 7, [9], 5]
    numbers = [{"t": "message", "n": n} for n in told]
    async with Peer(gateway(lambda _: numbers)) as peer, signed(peer, Signer()) as connection:
        assert [await anext(connection) for _ in told] == told
        assert connection.variables["seen"] == 7
        assert peer.heard == [{"t": "hello", "signed": 1}]
