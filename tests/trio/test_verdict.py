"""Whose fault a silence is: the peer's, our own loop's, a machine's that slept, or nobody's, for we did not read."""

import math
from typing import Any

import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.read import read, read_text, specs
from lifecycle.trio.connection import Connection
from lifecycle.trio.verdict import STALL, Silence, asks_for_life

from .peer import URL, Act, Peer, echo, silent, speaking, stall

LIBRARIES = {
    "tap": {"library": "trio-websocket"},
    "no tap": {"library": "trio-websocket", "tapped": False},
    "websockets": {"library": "websockets"},
}
PLAIN = (specs() / "websocket.yaml").read_text("utf-8")
WAITING = read_text(
    PLAIN.replace("codec: text\n", "codec: text\n  inbox: {items: 4, size: 1 MiB, when_full: wait, pause: 2 min}\n")
)
"""The bundled page with an inbox that stops the reading, for two minutes at most."""
UNJUST = read_text(PLAIN.replace("codec: text\n", "codec: text\n  inbox: {items: 4, size: 1 MiB, when_full: close}\n"))
"""The same with one that gives the connection up."""
ASKING = "`after heartbeat_wait` has run out in online.up.heartbeat.asking"


@pytest.fixture(params=LIBRARIES.values(), ids=LIBRARIES)
def dialling(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each library in turn."""
    return request.param


def connect(peer: Peer, page: Any = "websocket", **parameters: object) -> Connection:
    """A page, dialling the peer."""
    return lifecycle.open(page, url=URL, transport=peer, seed=1, **parameters)


def block(seconds: float) -> None:
    """Let time pass without a turn for anybody, as code does that computes and never awaits."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)
    clock.jump(seconds)


@pytest.mark.parametrize(
    ("silence", "words"),
    [
        (Silence(40), "the peer was silent for 40 s"),
        (Silence(40.04), "the peer was silent for 40 s"),
        (Silence(0.25), "the peer was silent for 200 ms"),
        (Silence(40, late=STALL), "the peer was silent for 40 s"),
        (Silence(40, late=STALL + 0.1), "our own loop was stalled for 600 ms"),
        (Silence(40, late=12.34), "our own loop was stalled for 12.3 s"),
        (Silence(40, slept=3600), "this machine slept for 1 h"),
        (Silence(40, late=3600, slept=7200), "this machine slept for 2 h"),
    ],
)
def test_words(silence: Silence, words: str) -> None:
    """Who slept is not blamed for a late clock, nor is a peer where our own loop was late."""
    assert str(silence) == words


def test_which_clocks_wait_for_a_sign_of_life() -> None:
    """Those that notice silence, and those whose state takes `heard`; no other one."""
    for name in ("websocket", "resume", "websocket-server", "openclaw-gateway"):
        definition = read(name)
        asking = {clock.name.removeprefix("timer.") for clock in definition.clocks if asks_for_life(definition, clock)}
        assert {name.rpartition(".")[2] for name in asking} == {"silent_heartbeat_after", "heartbeat_wait"}


# The peer


async def test_a_peer_that_is_silent(dialling: dict[str, Any]) -> None:
    """It is named, with how long nothing was heard of it, from the last byte on."""
    async with Peer(silent, stall, **dialling) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(40.01)
        assert connection.status == "waiting"
        assert connection.why.startswith(f"{ASKING}: the peer was silent for 40 s. next try in ")


async def test_a_peer_that_falls_silent_later(dialling: dict[str, Any]) -> None:
    """What it has said before counts from then, not from when it was ready."""
    async with Peer(_saying("hello", at=15), stall, **dialling) as peer, connect(peer, heartbeat_wait=5) as connection:
        await connection.ready()
        await trio.sleep(15 + 24.9)
        assert connection.status == "ready"
        await trio.sleep(0.2)
        assert f"{ASKING}: the peer was silent for 25 s" in connection.why


def _saying(*words: str, at: float) -> Act:
    """A peer that opens, says some words after some seconds, and then nothing; it answers no ping."""

    async def act(peer: Peer, far: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(silent, peer, far)
            await trio.sleep(at)
            for word in words:
                far.write(bytes((0x81, len(word))) + word.encode())
            await trio.sleep_forever()

    return act


# Our own loop


async def test_a_loop_that_was_stalled(dialling: dict[str, Any]) -> None:
    """The clock of the heartbeat was late by more than a moment: the loop is named, not the peer."""
    async with Peer(silent, stall, **dialling) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(30)
        block(60)
        await trio.sleep(0.1)
        assert connection.status == "waiting"
        assert f"{ASKING}: our own loop was stalled for 50 s" in connection.why
        assert "the peer" not in connection.why


async def test_a_stall_that_was_over_in_time(dialling: dict[str, Any]) -> None:
    """One that made no clock late is no excuse for the peer."""
    async with Peer(silent, stall, **dialling) as peer, connect(peer) as connection:
        await connection.ready()
        await trio.sleep(25)
        block(14.8)
        await trio.sleep(0.3)
        assert f"{ASKING}: the peer was silent for 40 s" in connection.why


@pytest.mark.parametrize("seconds", [10.1, 11, 60, 3600])
async def test_a_peer_that_spoke_during_a_stall(seconds: float, dialling: dict[str, Any]) -> None:
    """What came while nobody could read it is read before the peer is judged, whoever has his turn first."""
    for _ in range(8):
        async with Peer(silent, **dialling) as peer, connect(peer) as connection:
            await connection.ready()
            await trio.sleep(30)
            peer.far[0].write(b"\x81\x02hi")
            block(seconds)
            await trio.sleep(1)
            assert (connection.status, connection.epoch, connection.why) == ("ready", 1, "")
            assert await anext(connection) == "hi"


async def test_a_peer_that_answers_after_a_stall(dialling: dict[str, Any]) -> None:
    """One that is well is asked, answers, and keeps its connection, however often our loop is stalled."""
    async with Peer(echo, **dialling) as peer, connect(peer) as connection:
        await connection.ready()
        for seconds in (1, 15, 60, 3600):
            block(seconds)
            await trio.sleep(19.9)
        await connection.send("still here")
        assert await anext(connection) == "still here"
        assert (connection.epoch, connection.why) == (1, "")


# We do not read


def flood(count: int = 10, *, then: float = math.inf) -> Act:
    """Say so many messages at once; then answer pings, until it goes."""
    return speaking(*map(str, range(count)), until=then)


async def test_an_inbox_that_is_full_suspends_the_verdict(dialling: dict[str, Any]) -> None:
    """While nobody takes messages nothing is read, so silence says nothing; once taken, all is as before."""
    async with Peer(flood(), **dialling) as peer, connect(peer, WAITING) as connection:
        await connection.ready()
        await trio.sleep(110)
        assert connection._driver.mail.paused_since is not None
        assert (connection.status, connection.epoch, connection.why) == ("ready", 1, "")
        assert [await anext(connection) for _ in range(10)] == [*map(str, range(10))]
        await trio.sleep(600)
        assert (connection.status, connection.epoch, connection.why) == ("ready", 1, "")


async def test_the_verdict_after_a_pause(dialling: dict[str, Any]) -> None:
    """Once it is read again, a peer that has sent nothing meanwhile is asked, waited for in full, and named."""
    numbers = [*map(str, range(10))]
    async with Peer(_saying(*numbers, at=1), stall, **dialling) as peer, connect(peer, WAITING) as connection:
        await connection.ready()
        await trio.sleep(110)
        assert [await anext(connection) for _ in numbers] == numbers
        await trio.sleep(29.9)
        assert connection.status == "ready"
        await trio.sleep(0.2)
        assert f"{ASKING}: the peer was silent for 139 s" in connection.why
        assert "inbox" not in connection.why


async def test_a_pause_that_is_too_long(dialling: dict[str, Any]) -> None:
    """The bound of the pause gives the connection up, and says who did not take messages; the peer is not blamed."""
    async with Peer(flood(), stall, **dialling) as peer, connect(peer, WAITING) as connection:
        await connection.ready()
        await trio.sleep(119.9)
        assert connection.status == "ready"
        await trio.sleep(0.2)
        assert connection.status == "waiting"
        assert "inbox_full: nobody takes messages, and reading has stopped for 2 min" in connection.why
        assert "silent" not in connection.why
        assert [step.event for step in connection.history][-1] == "lost.network"
        await trio.testing.wait_all_tasks_blocked()
        assert peer.near[0].closed


async def test_a_full_inbox_that_gives_up(dialling: dict[str, Any]) -> None:
    """With the policy `close` the connection goes at once, and the inbox is named."""
    async with Peer(flood(), stall, **dialling) as peer, connect(peer, UNJUST) as connection:
        await connection.ready()
        await trio.testing.wait_all_tasks_blocked()
        assert connection.status == "waiting"
        assert "inbox_full: 4 messages wait, and nobody takes them" in connection.why
        assert [await anext(connection) for _ in range(4)] == ["0", "1", "2", "3"]
