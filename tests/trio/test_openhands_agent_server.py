"""A client of an OpenHands agent server: who is let in, what is told again, and what each refusal leads to."""

import contextlib
import json
import logging
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import trio
import trio.testing
import trio_websocket

import lifecycle
from lifecycle.definition.read import read
from lifecycle.errors import CallFailed, ConnectionFailed
from lifecycle.observe.trace import Trace
from lifecycle.testing.peer import Peer as Memory
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.memory import MemoryPipe
from lifecycle.wire.ending import ErrorEnding, HttpEnding
from lifecycle.wire.inbox import Discontinuity

from .peer import Act, Peer, http, serving

PAGE = read("openhands-agent-server")
CONVERSATION = "8f3c0a52-1d7e-4c1b-9a68-0b0f3c5d2e11"
URL = f"ws://agent.example/sockets/events/{CONVERSATION}"
KEY, FRESH = "key-1f0c96d2", "key-7be2a814"
EPOCH = datetime(2026, 9, 1, 12)  # noqa: DTZ001 -- the server says its local time, without a zone
WINDOW = 10.0
"""Seconds that the server waits for a key in the first frame."""


@attrs.define
class AgentServer:
    """An agent server with one conversation, as an act of a peer.

    Attributes:
        keys: those that it accepts; without any it takes everybody.
        log: the events of the conversation, in the order in which they were written.
        known: whether it knows the conversation.
        most: how many clients may follow it.
        slow: seconds between two events that it tells again.
        asked: what the query of each dial said, without its key.
        ways: in which way each client has given its key: query, header, frame, or none at all.
        here: those who follow the conversation now.
    """

    keys: set[str] = attrs.field(factory=lambda: {KEY})
    log: list[dict[str, Any]] = attrs.field(factory=list)
    known: bool = True
    most: int = 50
    slow: float = 0.0
    asked: list[dict[str, str]] = attrs.field(factory=list)
    ways: list[str] = attrs.field(factory=list)
    here: list[trio_websocket.WebSocketConnection] = attrs.field(factory=list)

    async def __call__(self, peer: Peer, far: MemoryPipe) -> None:
        """Refuse the handshake, or accept and go on."""
        request = peer.requests[-1]
        parts = urlsplit(request.resource)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key = query.pop("session_api_key", None)
        self.asked.append(query)
        header = {name.lower(): value for name, value in request.headers}.get("x-session-api-key")
        self.ways.append("query" if key is not None else "header" if header is not None else "")
        given = key if key is not None else header
        wrong = self.keys and given is not None and given not in self.keys
        if wrong or not _is_conversation(parts.path) or query.get("resend_mode", "all") not in ("all", "since"):
            await http(403)(peer, far)
        else:
            await serving(lambda _, websocket: self._accepted(websocket, query, given))(peer, far)

    async def publish(self, *events: dict[str, Any]) -> None:
        """Write events into the log, and tell them to all who follow."""
        self.log += events
        for websocket in self.here:
            with contextlib.suppress(trio_websocket.ConnectionClosed):
                for told in events:
                    await websocket.send_message(json.dumps(told))

    async def _accepted(
        self, websocket: trio_websocket.WebSocketConnection, query: Mapping[str, str], given: str | None
    ) -> None:
        if self.keys and given is None and not await self._first_frame(websocket):
            await websocket.aclose(4001, "Authentication failed")
        elif not self.known:
            await websocket.aclose(4004, "Conversation not found")
        elif len(self.here) >= self.most:
            await websocket.aclose(1013, "Too many connections for this conversation")
        else:
            self.here.append(websocket)
            try:
                await self._follow(websocket, query)
            finally:
                self.here.remove(websocket)

    async def _first_frame(self, websocket: trio_websocket.WebSocketConnection) -> bool:
        with trio.move_on_after(WINDOW):
            said = json.loads(await websocket.get_message())
            self.ways[-1] = "frame"
            return said.get("type") == "auth" and said.get("session_api_key") in self.keys
        return False

    async def _follow(self, websocket: trio_websocket.WebSocketConnection, query: Mapping[str, str]) -> None:
        await websocket.send_message(json.dumps(full_state()))
        since = query.get("after_timestamp", "~" if query.get("resend_mode") == "since" else "")
        for told in [past for past in self.log if past["timestamp"] >= since] if "resend_mode" in query else []:
            await trio.sleep(self.slow)
            await websocket.send_message(json.dumps(told))
        while True:
            said = json.loads(await websocket.get_message())
            if said.get("type") == "auth":
                continue
            if "role" in said:
                await self.publish(event("MessageEvent", source="user", llm_message=said))
            else:
                error = event("ServerErrorEvent", code="ValidationError", detail="1 validation error for Message")
                await websocket.send_message(json.dumps(error))


def _is_conversation(path: str) -> bool:
    return re.fullmatch(r"/sockets/events/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", path) is not None


def event(kind: str, *, at: float | None = None, **fields: Any) -> dict[str, Any]:
    """An event as the server says it: of now, or of another time by trio's clock."""
    moment = EPOCH + timedelta(seconds=trio.current_time() if at is None else at)
    return {"id": str(uuid.uuid4()), "timestamp": moment.isoformat(timespec="microseconds"), "kind": kind, **fields}


def full_state(**fields: Any) -> dict[str, Any]:
    """What a client is told first."""
    return event("ConversationStateUpdateEvent", key="full_state", value={"execution_status": "idle"}) | fields


def spoken(number: int, *, at: float | None = None) -> dict[str, Any]:
    """One event of a conversation."""
    return event("MessageEvent", at=at, source="agent", number=number)


class Calls:
    """Gives a fresh key, or has none; counts."""

    def __init__(self, key: str | None = FRESH) -> None:
        self.key, self.asked = key, 0

    async def fresh_credentials(self) -> dict[str, str]:
        """A fresh key."""
        self.asked += 1
        if self.key is None:
            raise CallFailed("none", "nobody is logged in")
        return {"key": self.key}


def opening(peer: Peer, calls: Calls | None = None, **parameters: Any) -> Any:
    """A client with the right key, unless it is said otherwise."""
    given = {"url": URL, "session_api_key": KEY, "seed": 1, **parameters}
    return lifecycle.open(PAGE, calls=calls or Calls(), transport=peer, **given)


async def taken(connection: Connection, most: int | None = None) -> list[Any]:
    """What comes within a second, or so many: numbers of events, keys or kinds of others, and marks."""
    got = list[Any]()
    with trio.move_on_after(1) if most is None else trio.CancelScope():
        while len(got) != most:
            item = await anext(connection)
            if isinstance(item, Discontinuity):
                got.append(f"<{item.kind}>")
            else:
                got.append(item.get("number", item.get("key", item["kind"])))
    return got


def ending(code: int, reason: str = "", *, until: float = 0) -> Act:
    """Tell the state, and close after some seconds."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(full_state()))
        await trio.sleep(until)
        await websocket.aclose(code, reason)

    return serving(handle)


def refusing(code: int, reason: str) -> Act:
    """Close without a word before."""
    return serving(lambda _, websocket: websocket.aclose(code, reason))


# -- who is let in


@pytest.mark.parametrize("way", ["frame", "header", "query"])
async def test_the_three_ways_of_giving_a_key(way: str) -> None:
    """The key goes one way and no other, and the state is kept and delivered."""
    server = AgentServer()
    async with Peer(server) as peer:
        async with opening(peer, key_in="first_frame" if way == "frame" else way) as connection:
            await connection.ready()
            assert (await anext(connection))["value"] == {"execution_status": "idle"}
            assert connection.variables["state"] == {"execution_status": "idle"}
        assert server.ways == [way]
        assert (KEY in peer.requests[0].resource) == (way == "query")
        assert (("X-Session-API-Key", KEY) in peer.requests[0].headers) == (way == "header")


async def test_a_server_without_keys_takes_everybody() -> None:
    """A key that nobody asks for is ignored, and so is one that is not there."""
    for given in (KEY, None):
        server = AgentServer(keys=set())
        async with Peer(server) as peer, opening(peer, session_api_key=given) as connection:
            await connection.ready()
            await connection.send({"role": "user", "content": []})
            assert await taken(connection) == ["full_state", "MessageEvent"]


@pytest.mark.parametrize("way", ["first_frame", "header", "query"])
async def test_a_fresh_key_is_remembered(way: str) -> None:
    """A key that is not accepted is fetched anew once, and is used for all later dials."""
    server, calls = AgentServer(keys={FRESH}), Calls()
    async with Peer(server) as peer, opening(peer, calls, key_in=way, proven_after="1 s") as connection:
        await connection.ready()
        await trio.sleep(2)
        peer.far[-1].abort()
        await trio.sleep(5)
        await connection.ready()
        assert (calls.asked, len(peer.dials)) == (1, 3)


@pytest.mark.parametrize(("way", "words"), [("first_frame", "does not accept the session API key"), ("header", "UUID")])
async def test_a_key_that_stays_wrong_is_asked_of_the_user(way: str, words: str) -> None:
    """One fresh key, one more dial, and then a sentence; a wish begins anew."""
    server, calls = AgentServer(keys={"another"}), Calls()
    async with Peer(server) as peer, opening(peer, calls, key_in=way) as connection:
        with pytest.raises(ConnectionFailed, match=words):
            await connection.ready()
        assert (connection.status, calls.asked, len(peer.dials)) == ("failed", 1, 2)
        assert peer.dials[1] - peer.dials[0] == pytest.approx(1)
        server.keys = {FRESH}
        connection.tell("reconnect")
        await connection.ready()
        assert calls.asked == 1


async def test_no_fresh_key_is_to_be_had() -> None:
    """Then it is over at once, and the user is told so."""
    server = AgentServer(keys={"another"})
    async with Peer(server) as peer, opening(peer, Calls(None)) as connection:
        with pytest.raises(ConnectionFailed, match="No fresh session API key could be had"):
            await connection.ready()
        assert len(peer.dials) == 1


async def test_a_key_in_no_frame_runs_into_the_servers_window() -> None:
    """A client that has no key to put in its header is closed after ten seconds, and its fresh key goes there."""
    server, calls = AgentServer(keys={FRESH}), Calls()
    async with Peer(server) as peer, opening(peer, calls, key_in="header", session_api_key=None) as connection:
        await connection.ready()
        assert server.ways == ["", "header"]
        assert peer.dials[1] == pytest.approx(WINDOW + 1)


@pytest.mark.parametrize(
    "url", ["ws://agent.example/sockets/events/mine", "ws://agent.example/other", f"{URL}?resend_mode=some"]
)
async def test_an_address_that_is_none(url: str) -> None:
    """The status is the same as that of a wrong key, and the sentence says so."""
    async with Peer(AgentServer()) as peer, opening(peer, url=url, resend="nothing") as connection:
        with pytest.raises(ConnectionFailed, match=r"key may be wrong.*no UUID.*HTTP status 403"):
            await connection.ready()


# -- what ends it


@attrs.frozen
class End:
    """What a server does, and what comes of it.

    Attributes:
        does: with the client.
        event: what that is called.
        then: the status and, where it waits, the seconds until the next try.
        say: whether the user is told a sentence.
    """

    does: Act | ErrorEnding | HttpEnding
    event: str
    then: tuple[str, float | None]
    say: bool = True


WAITS: tuple[str, float | None] = ("waiting", 1.0)
FAILS: tuple[str, float | None] = ("failed", None)
ENDS = {
    "4004": End(refusing(4004, "Conversation not found"), "missing", FAILS),
    "1013 unbound": End(refusing(1013, "credential_binding_activation_required"), "lost.unbound", ("waiting", 10.0)),
    "1013 crowded": End(
        refusing(1013, "Too many connections for this conversation"), "lost.crowded", ("waiting", 30.0)
    ),
    "503": End(http(503), "lost.dormant", WAITS),
    "503 told": End(http(503, retry_after="7"), "lost.dormant", ("waiting", 7.0)),
    "429": End(http(429, retry_after="2"), "lost.limited", ("waiting", 2.0), say=False),
    "502": End(http(502), "lost.server_error", WAITS, say=False),
    "404": End(http(404), "refused.by_http", FAILS),
    "tls": End(ErrorEnding("tls", "self-signed certificate"), "refused.certificate", FAILS),
    "refused": End(ErrorEnding("refused", "Connection refused"), "lost.network", WAITS, say=False),
    "1009": End(ending(1009, "message too big"), "lost.too_big", WAITS),
    "1000": End(ending(1000), "lost.ended", WAITS, say=False),
    "1001": End(ending(1001), "lost.network", WAITS, say=False),
    "1011": End(ending(1011), "lost.network", WAITS, say=False),
    "1012": End(ending(1012), "lost.network", WAITS, say=False),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_each_end(end: End) -> None:
    """A close, a status or a failure leads to what helps, and who can do something about it is told what."""
    async with Peer(end.does) as peer, opening(peer, redial={"first": "1 s", "jitter": "none"}) as connection:
        await trio.sleep(0.001)
        (step,) = [step for step in connection.history if step.event == end.event]
        status, wait = end.then
        assert (connection.status, bool(step.say)) == (status, end.say)
        assert connection.next_try == (wait and pytest.approx(wait, abs=0.01))


async def test_every_cause_is_met_here() -> None:
    """No row of the page's table is left out: three are met in stories of their own."""
    elsewhere = {"unauthorized.key", "unauthorized.handshake", "lost.unread"}
    met = {end.event for end in ENDS.values()} | elsewhere
    assert {cause.is_ for cause in PAGE.causes} == met


async def test_no_state_is_no_connection() -> None:
    """A socket that opens and stays silent, as that of bash events does, is left and tried again a bounded number."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.get_message()

    async with (
        Peer(serving(handle)) as peer,
        opening(peer, session_api_key=None, key_in="header", state_timeout="3 s", max_attempts=2) as connection,
    ):
        with pytest.raises(ConnectionFailed, match="no more attempts"):
            await connection.ready()
        assert len(peer.dials) == 3
        assert connection.history[-1].event.endswith("listening.state_timeout")


async def test_another_state_is_no_proof() -> None:
    """Only the whole state says that the server follows the conversation; a part of it is delivered, no more."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        part = event("ConversationStateUpdateEvent", key="execution_status", value="idle")
        await websocket.send_message(json.dumps(part))
        await trio.sleep_forever()

    async with Peer(serving(handle)) as peer, opening(peer) as connection:
        assert await taken(connection) == ["execution_status"]
        assert connection.status == "authenticating"


# -- what comes after it


@pytest.mark.parametrize(
    ("redial", "gaps"),
    [
        ({"first": "1 s", "factor": 2, "max": "30 s", "jitter": "none"}, [1, 2, 4, 8, 16, 30, 30]),
        ({"first": "3 s", "factor": 1, "max": "3 s", "jitter": "none"}, [3, 3, 3, 3, 3, 3, 3]),
    ],
    ids=["doubling", "fixed"],
)
async def test_the_two_ways_of_waiting(redial: dict[str, Any], gaps: list[float]) -> None:
    """As the server's own library waits, and as the web interface does; a socket that only opens does not reset it."""
    async with Peer(ending(1000, until=0.5)) as peer, opening(peer, redial=redial, max_attempts=7) as connection:
        await trio.sleep(200)
        assert connection.status == "failed"
        waited = [later - earlier - 0.5 for earlier, later in zip(peer.dials, peer.dials[1:], strict=False)]
        assert waited == pytest.approx(gaps)


async def test_the_wait_that_is_not_said_otherwise() -> None:
    """It doubles from a second to thirty, each between its half and half as much again."""
    async with Peer(ErrorEnding("refused", "Connection refused")) as peer, opening(peer):
        await trio.sleep(600)
        waited = [later - earlier for earlier, later in zip(peer.dials, peer.dials[1:], strict=False)]
    assert len(waited) == 20
    for wait, middle in zip(waited, [1, 2, 4, 8, 16] + [30] * 15, strict=True):
        assert middle / 2 <= wait <= middle * 1.5


async def test_health_is_what_forgives() -> None:
    """A connection that has lived for a while counts anew, so one that is lost each ten seconds never fails."""
    async with Peer(ending(1011, until=10)) as peer, opening(peer, redial={"jitter": "none"}, max_attempts=1):
        await trio.sleep(120)
        assert len(peer.dials) == 11


async def test_who_is_one_too_many_comes_later() -> None:
    """A place that is free again is found by itself."""
    server = AgentServer(most=0)
    async with Peer(server) as peer, opening(peer) as connection:
        await trio.sleep(20)
        assert "Too many clients" in connection.why
        server.most = 50
        await connection.ready()
        assert peer.dials[1] - peer.dials[0] == pytest.approx(30)


async def test_a_conversation_that_was_there_is_looked_for_once_more() -> None:
    """The successor of a server that was killed knows it when the lease is over; else it is gone."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        for back in (True, False):
            await connection.ready()
            await trio.sleep(10)
            server.known = False
            peer.far[-1].abort()
            await trio.sleep(20)
            assert connection.status == "waiting"
            server.known = back
            await trio.sleep(40)
        assert connection.status == "failed"
        assert len(peer.dials) == 5
        with pytest.raises(ConnectionFailed, match="does not know this conversation"):
            await connection.ready()


async def test_a_goodbye_is_final() -> None:
    """Nothing is dialled after it, and the end of a connection that was replaced changes nothing."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.ready()
        connection.tell("reconnect")
        await connection.ready()
        await trio.sleep(100)
        assert len(peer.dials) == 2
        connection.tell("disconnect")
        await trio.sleep(100)
        assert (connection.status, len(peer.dials), peer.codes) == ("closed", 2, [1006, 1000])
        connection.tell("connect")
        await connection.ready()


async def test_a_server_that_falls_silent() -> None:
    """It is asked for a sign of life, and left when there is none."""

    async def handle(client: Connection) -> None:
        await client.send(json.dumps(full_state()))
        await trio.sleep_forever()

    async with Memory(handler=handle) as peer:
        opened = lifecycle.open(PAGE, url=peer.url, calls=Calls(), transport=peer.dialer, seed=1)
        async with opened as connection:
            await connection.ready()
            peer.link.fall_silent()
            await trio.sleep(39)
            assert connection.status == "ready"
            await trio.sleep(1.1)
            assert "the peer was silent for 40 s" in connection.why


# -- what is told


async def test_errors_leave_the_connection_usable() -> None:
    """What the server, bash or the conversation complains of is delivered, and the next message is taken."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.send({"nonsense": 1})
        await server.publish(event("ConversationErrorEvent", code="LLMServiceUnavailableError"), event("BashError"))
        await connection.send({"role": "user", "content": []})
        told = ["full_state", "ServerErrorEvent", "ConversationErrorEvent", "BashError", "MessageEvent"]
        assert sorted(await taken(connection)) == sorted(told)
        assert (connection.status, len(peer.dials)) == ("ready", 1)


async def test_a_later_state_is_only_told() -> None:
    """It is kept and delivered like the first, and nothing else happens."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.ready()
        await server.publish(full_state(value={"execution_status": "running"}))
        assert await taken(connection) == ["full_state", "full_state"]
        assert connection.variables["state"] == {"execution_status": "running"}
        assert connection.status == "ready"


Mode = Literal["nothing", "all", "since"]


@pytest.mark.parametrize(
    ("resend", "told"),
    [
        ("nothing", ["full_state", 0, 1, 2, "<lost>", "full_state", 5]),
        ("all", ["full_state", 0, 1, 2, "<replayed>", "full_state", 3, 4, 5]),
        ("since", ["full_state", 0, 1, 2, "<resumed>", "full_state", 3, 4, 5]),
    ],
)
async def test_a_loss_in_mid_stream(resend: Mode, told: list[Any]) -> None:
    """What was missed is told behind a mark that is true, or is missing behind one; nothing comes twice."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer, resend=resend) as connection:
        await connection.ready()
        for number in range(3):
            await server.publish(spoken(number))
            await trio.sleep(1)
        peer.far[-1].abort()
        await server.publish(spoken(3), spoken(4))
        await trio.sleep(5)
        await server.publish(spoken(5))
        assert await taken(connection) == told
        assert connection.counters.duplicates == (0 if resend == "nothing" else 3)


@pytest.mark.parametrize(
    ("resend", "asked"),
    [
        ("nothing", [{}, {}]),
        ("all", [{"resend_mode": "all"}] * 2),
        (
            "since",
            [{"resend_mode": "since"}, {"resend_mode": "since", "after_timestamp": "2026-09-01T12:00:00.000000"}],
        ),
    ],
)
async def test_what_is_asked_for(resend: Mode, asked: list[dict[str, str]]) -> None:
    """A client that knows of nothing asks for nothing old; later it asks for what came after its first state."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer, resend=resend) as connection:
        await connection.ready()
        await trio.sleep(1)
        peer.far[-1].abort()
        await trio.sleep(5)
        assert server.asked == asked


async def test_a_past_that_is_known_in_part() -> None:
    """Who has read the history up to an event is told what came after it, also when the first connection is lost."""
    server = AgentServer(log=[spoken(number, at=number) for number in range(6)], slow=1)
    async with Peer(server) as peer, opening(peer, after_timestamp="2026-09-01T12:00:03.000000") as connection:
        await connection.ready()
        await trio.sleep(1.5)
        peer.far[-1].abort()
        await trio.sleep(10)
        assert await taken(connection) == ["full_state", 3, "<resumed>", "full_state", 4, 5]
        assert {asked["after_timestamp"] for asked in server.asked} == {"2026-09-01T12:00:03.000000"}


async def test_what_is_asked_for_lags_behind_what_came() -> None:
    """By one overlap at least and two at most, once there was so much."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer, overlap="30 s") as connection:
        await connection.ready()
        for number in range(100):
            await server.publish(spoken(number))
            await trio.sleep(1)
        lost = trio.current_time()
        peer.far[-1].abort()
        await trio.sleep(5)
        asked = datetime.fromisoformat(server.asked[-1]["after_timestamp"])
        assert 30 <= lost - (asked - EPOCH).total_seconds() <= 61
        told = await taken(connection)
        assert told == ["full_state", *range(100), "<resumed>", "full_state"]


async def test_an_event_that_is_told_before_an_older_one() -> None:
    """The server tells some events in another order than their times; a loss between the two costs none."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.ready()
        await trio.sleep(1)
        older, newer = spoken(1, at=0.7), spoken(2, at=0.9)
        await server.publish(newer)
        await trio.testing.wait_all_tasks_blocked()
        peer.far[-1].abort()
        server.log.insert(0, older)
        await trio.sleep(3)
        assert await taken(connection) == ["full_state", 2, "<resumed>", "full_state", 1]


async def test_a_loss_while_the_past_is_told() -> None:
    """What is new overtakes what is old; the next connection asks for the old again, and nothing comes twice."""
    server = AgentServer(slow=1)
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.ready()
        await trio.sleep(1)
        peer.far[-1].abort()
        server.log = [spoken(number) for number in range(4)]
        assert await taken(connection, 4) == ["full_state", "<resumed>", "full_state", 0]
        await server.publish(spoken(9))
        assert await taken(connection, 1) == [9]
        peer.far[-1].abort()
        await trio.sleep(20)
        assert await taken(connection) == ["<resumed>", "full_state", 1, 2, 3]


@pytest.mark.parametrize("resend", ["all", "since"])
async def test_a_long_past_and_a_slow_reader(resend: Mode) -> None:
    """More than any inbox holds comes whole; who reads nothing for too long is told it by the next connection."""
    server = AgentServer(log=[spoken(number, at=number) for number in range(1500)])
    first = (EPOCH - timedelta(days=1)).isoformat()
    async with Peer(server) as peer, opening(peer, resend=resend, after_timestamp=first) as connection:
        await connection.ready()
        await trio.sleep(40)
        assert any(step.event == "lost.unread" for step in connection.history)
        told = await taken(connection)
    assert [number for number in told if isinstance(number, int)] == list(range(1500))
    assert set(told) - set(range(1500)) == {"full_state", "<replayed>" if resend == "all" else "<resumed>"}


async def test_pieces_of_a_text_are_no_events() -> None:
    """They take no place among the events that are known again, so however many there are, no event comes twice."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer) as connection:
        await connection.ready()
        piece = event("StreamingDeltaEvent", content="Hel")
        for told in (piece, piece, spoken(1) | {"id": piece["id"]}):
            await server.here[0].send_message(json.dumps(told))
        assert await taken(connection) == ["full_state", "StreamingDeltaEvent", "StreamingDeltaEvent", 1]


async def test_a_state_without_a_time() -> None:
    """There is nothing to ask by, so what is missed is told as lost."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(full_state(timestamp=None)))
        await trio.sleep(1)
        await websocket.aclose(1012)

    async with Peer(serving(handle)) as peer, opening(peer) as connection:
        await trio.sleep(3)
        assert (await taken(connection))[:3] == ["full_state", "<lost>", "full_state"]
        assert "after_timestamp" not in peer.requests[1].resource


@pytest.mark.parametrize("wrong", [{"a": 1}, [1], 7, True], ids=str)
async def test_a_time_that_is_none(wrong: Any) -> None:
    """It is delivered like any other event, and the next dial asks as if it had not come."""
    server = AgentServer()
    async with Peer(server) as peer, opening(peer, overlap="1 s") as connection:
        await connection.ready()
        await server.publish(spoken(1) | {"timestamp": wrong})
        server.log.clear()
        await trio.sleep(5)
        peer.far[-1].abort()
        await trio.sleep(5)
        assert connection.status == "ready"
        assert server.asked[-1]["after_timestamp"] == "2026-09-01T12:00:00.000000"


@pytest.mark.parametrize("wrong", ["7", "[]", '"text"', "null", "{}", '{"kind": 3, "id": [1]}'])
async def test_json_that_is_no_event(wrong: str) -> None:
    """It is delivered as it is; nobody here knows better."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(full_state()))
        await websocket.send_message(wrong)
        await trio.sleep_forever()

    async with Peer(serving(handle)) as peer, opening(peer) as connection:
        await connection.ready()
        await anext(connection)
        assert await anext(connection) == json.loads(wrong)
        assert connection.status == "ready"


async def test_what_is_no_json_is_lost() -> None:
    """The connection is given up, and tried again."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(full_state()))
        await websocket.send_message("{oops")
        await trio.sleep_forever()

    async with Peer(serving(handle)) as peer, opening(peer) as connection:
        await trio.sleep(0.2)
        assert connection.status == "waiting"


# -- what is written down


async def test_a_trace_is_called_as_the_conversation(tmp_path: Path) -> None:
    """So that it can be laid beside that of the server."""
    with Trace(tmp_path / "trace.jsonl") as trace:
        async with (
            Peer(AgentServer()) as peer,
            opening(peer, conversation=CONVERSATION, instruments=[trace]) as connection,
        ):
            await connection.ready()
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["session"] for line in lines} == {CONVERSATION}


@pytest.mark.parametrize("way", ["first_frame", "header", "query"])
async def test_the_keys_are_shown_nowhere(way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the first one nor the fresh one is in a trace, a log, a sentence or a repr, whichever way it goes."""
    caplog.set_level(logging.DEBUG)
    shown = list[str]()
    with Trace(tmp_path / "trace.jsonl") as trace:
        server = AgentServer(keys={FRESH})
        async with Peer(server) as peer, opening(peer, key_in=way, instruments=[trace]) as connection:
            await connection.ready()
            shown += [repr(step) for step in connection.history] + [repr(connection.variables), repr(peer.requests)]
            server.keys = {"another"}
            peer.far[-1].abort()
            await trio.sleep(10)
            with pytest.raises(ConnectionFailed) as caught:
                await connection.ready()
            shown += [repr(caught.value), str(caught.value), repr(connection.history), connection.why or ""]
    shown += [(tmp_path / "trace.jsonl").read_text(encoding="utf-8"), *(r.getMessage() for r in caplog.records)]
    assert any("unauthorized" in text for text in shown)
    assert [text for text in shown if KEY in text or FRESH in text] == []
