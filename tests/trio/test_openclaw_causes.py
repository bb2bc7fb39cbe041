"""Whatever an OpenClaw gateway may say to end a connection leads to what section by section is known to help."""

import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trio_websocket

import lifecycle
from lifecycle.definition.read import read
from lifecycle.errors import CallFailed
from lifecycle.machine.step import Step
from lifecycle.wire.inbox import Discontinuity

from .peer import URL, Act, Peer, http, serving

PAGE = read("openclaw-gateway")
CHALLENGE = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}}
HELLO = {
    "type": "res",
    "id": "connect",
    "ok": True,
    "payload": {"type": "hello-ok", "policy": {"tickIntervalMs": 30000}},
}

REDIALS, BOOTS, LIMITED, PAIRS, REFRESHES, FAILS = "redials", "boots", "limited", "pairs", "refreshes", "fails"
"""What it leads to: another dial soon, one in silence, one after the wait that was asked for, a repair, fresh
credentials, or the end."""

DETAILS = {
    "AUTH_REQUIRED": REFRESHES,
    "AUTH_UNAUTHORIZED": REFRESHES,
    "AUTH_TOKEN_MISSING": REFRESHES,
    "AUTH_TOKEN_MISMATCH": REFRESHES,
    "AUTH_TOKEN_NOT_CONFIGURED": REFRESHES,
    "AUTH_PASSWORD_MISSING": REFRESHES,
    "AUTH_PASSWORD_MISMATCH": REFRESHES,
    "AUTH_PASSWORD_NOT_CONFIGURED": REFRESHES,
    "AUTH_BOOTSTRAP_TOKEN_INVALID": REFRESHES,
    "AUTH_DEVICE_TOKEN_MISMATCH": REFRESHES,
    "AUTH_SCOPE_MISMATCH": FAILS,
    "AUTH_RATE_LIMITED": LIMITED,
    "AUTH_TAILSCALE_IDENTITY_MISSING": FAILS,
    "AUTH_TAILSCALE_PROXY_MISSING": FAILS,
    "AUTH_TAILSCALE_WHOIS_FAILED": FAILS,
    "AUTH_TAILSCALE_IDENTITY_MISMATCH": FAILS,
    "AUTH_IDENTITY_HEADER_REQUIRED": FAILS,
    "AUTH_VERIFIED_USER_REQUIRED": FAILS,
    "AUTHENTICATED_PROFILE_UNAVAILABLE": FAILS,
    "CONTROL_UI_BUILD_MISMATCH": FAILS,
    "CONTROL_UI_ORIGIN_NOT_ALLOWED": PAIRS,
    "PROTOCOL_MISMATCH": FAILS,
    "CONTROL_UI_DEVICE_IDENTITY_REQUIRED": PAIRS,
    "DEVICE_IDENTITY_REQUIRED": PAIRS,
    "DEVICE_AUTH_INVALID": FAILS,
    "DEVICE_AUTH_DEVICE_ID_MISMATCH": PAIRS,
    "DEVICE_AUTH_SIGNATURE_EXPIRED": REDIALS,
    "DEVICE_AUTH_NONCE_REQUIRED": REDIALS,
    "DEVICE_AUTH_NONCE_MISMATCH": REDIALS,
    "DEVICE_AUTH_SIGNATURE_INVALID": FAILS,
    "DEVICE_AUTH_PUBLIC_KEY_INVALID": FAILS,
    "PAIRING_REQUIRED": PAIRS,
    "CLIENT_VERSION_MISMATCH": FAILS,
}
"""All of the protocol."""
NEXT_STEPS = {
    "retry_with_device_token": REFRESHES,
    "update_auth_configuration": REFRESHES,
    "update_auth_credentials": REFRESHES,
    "wait_then_retry": LIMITED,
    "review_auth_configuration": FAILS,
}
PAIRING_REASONS = ("not-paired", "role-upgrade", "scope-upgrade", "metadata-upgrade")
CLOSES = [
    (1000, "", REDIALS),
    (1002, "protocol mismatch", FAILS),
    (1006, "", REDIALS),
    (1008, "unauthorized: gateway token mismatch (provide gateway auth token)", REFRESHES),
    (1008, "device identity required", PAIRS),
    (1008, "device signature invalid", FAILS),
    (1008, "pairing required: device is not approved yet (requestId: a6717a59)", PAIRS),
    (1008, "origin not allowed", PAIRS),
    (1008, "unauthorized: too many failed authentication attempts (retry later)", LIMITED),
    (1008, "invalid connect params: at root: unexpected property 'x'", FAILS),
    (1008, "invalid handshake: first request must be connect", FAILS),
    (1008, "invalid request frame", FAILS),
    (1008, "too many pending handshake frames", FAILS),
    (1008, "repeated unauthorized calls", FAILS),
    (1008, "invalid role", FAILS),
    (1008, "slow consumer", REDIALS),
    (1009, "", REDIALS),
    (1011, "gateway message handler unavailable", REDIALS),
    (1012, "service restart", BOOTS),
    (1012, "browser identity route changed; node capabilities changed", BOOTS),
    (1013, "gateway starting", BOOTS),
    (1013, "gateway restart in progress", BOOTS),
    (4001, "gateway auth changed", REFRESHES),
    (4001, "device removed", REDIALS),
    (4001, "gateway policy changed", REDIALS),
    (4001, "operator role changed", REDIALS),
    (4001, "client invalidated: x", REDIALS),
    (4001, "agent runtime authority closed", REDIALS),
]


@attrs.frozen
class Seen:
    """What came of a gateway that always says the same.

    Attributes:
        way: what it led to.
        dials: how many there were within 25 seconds.
        said: the sentences on the way, without those that were said before.
    """

    way: str
    dials: tuple[float, ...]
    said: tuple[str, ...]


class Calls:
    """Signs, repairs and refreshes; counts."""

    def __init__(self, *, paired: bool = True) -> None:
        self.paired = paired
        self.repaired = self.refreshed = 0

    async def sign_connect(self, *, challenge: Any) -> dict[str, Any]:
        """Any frame will do."""
        return {"frame": {"type": "req", "id": "connect", "method": "connect", "params": challenge or {}}}

    async def pair_device(self) -> None:
        """It helps, as far as it knows."""
        self.repaired += 1
        if not self.paired:
            raise CallFailed("no", "nobody is there to approve")

    async def fresh_credentials(self) -> None:
        """It helps, as far as it knows."""
        self.refreshed += 1


def refusing(error: Mapping[str, Any], code: int = 1008) -> Act:
    """Challenge, refuse the connect request, and close with its message, as the gateway does."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(CHALLENGE))
        await websocket.get_message()
        await websocket.send_message(json.dumps({"type": "res", "id": "connect", "ok": False, "error": error}))
        await websocket.aclose(code, error.get("message", ""))

    return serving(handle)


def closing(code: int, reason: str) -> Act:
    """Let the client in, and close at once; 1006 is no close, but a lost connection."""

    async def handle(peer: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(CHALLENGE))
        await websocket.get_message()
        await websocket.send_message(json.dumps(HELLO))
        if code == 1006:
            peer.far[-1].abort()
        else:
            await websocket.aclose(code, reason)

    return serving(handle)


async def outcome(*script: Any, **parameters: Any) -> Seen:
    """Meet such a gateway for 25 seconds."""
    calls, steps = Calls(), list[Step]()
    async with Peer(*script) as peer:
        opening = lifecycle.open(PAGE, url=URL, calls=calls, transport=peer, seed=1, **parameters)
        async with opening as connection:
            await trio.sleep(25)
            steps = list(connection.history)
            state, dials = connection.state, tuple(peer.dials)
    said = tuple(dict.fromkeys(step.say for step in steps if step.say))
    if calls.repaired:
        way = PAIRS
    elif calls.refreshed:
        way = REFRESHES
    elif state == ("failed",):
        way = FAILS
    elif any("booting" in path for step in steps for path in step.after):
        way = BOOTS
    elif any("told_to_wait" in path for step in steps for path in step.after) and any(
        "limited" in s.event for s in steps
    ):
        way = LIMITED
    else:
        way = REDIALS
    if way in (PAIRS, REFRESHES):
        assert state == ("failed",)
        assert len(dials) == {PAIRS: 2, REFRESHES: 3}[way]
        assert calls.repaired <= 1
        assert calls.refreshed <= 2
    return Seen(way, dials, said)


@pytest.mark.parametrize(("code", "way"), DETAILS.items())
async def test_each_detail_code(code: str, way: str) -> None:
    """A refusal by its code, with the close that follows it, counts once and leads to what helps; what ends is told."""
    error = {"code": "INVALID_REQUEST", "message": "no", "retryAfterMs": 7000, "details": {"code": code}}
    seen = await outcome(refusing(error))
    assert seen.way == way
    if way == FAILS:
        assert len(seen.dials) == 1
    assert seen.said or way == BOOTS
    if way == LIMITED:
        assert [round(later - earlier) for earlier, later in zip(seen.dials, seen.dials[1:], strict=False)] == [7, 7, 7]


@pytest.mark.parametrize(("step", "way"), NEXT_STEPS.items())
async def test_each_next_step(step: str, way: str) -> None:
    """A code that is not known yet is taken by the step that the gateway recommends, and told."""
    details = {"code": "OF_TOMORROW", "recommendedNextStep": step}
    seen = await outcome(refusing({"code": "INVALID_REQUEST", "message": "no", "details": details}))
    assert seen.way == way
    assert seen.said


@pytest.mark.parametrize("reason", PAIRING_REASONS)
async def test_each_pairing_reason(reason: str) -> None:
    """One repair, one more dial, and then a sentence that says what to approve."""
    details = {"code": "PAIRING_REQUIRED", "reason": reason, "requestId": "r"}
    seen = await outcome(refusing({"code": "NOT_PAIRED", "message": "pairing required", "details": details}))
    assert seen.way == PAIRS
    assert [round(later - earlier) for earlier, later in zip(seen.dials, seen.dials[1:], strict=False)] == [3]
    assert any("pprove" in sentence for sentence in seen.said)


@pytest.mark.parametrize(("code", "reason", "way"), CLOSES)
async def test_each_close(code: int, reason: str, way: str) -> None:
    """A close after hello leads to what helps, by its words or else by its code."""
    seen = await outcome(closing(code, reason))
    assert seen.way == way


@pytest.mark.parametrize("reason", ["gateway-restarting", "gateway-suspending"])
async def test_a_gateway_that_restarts(reason: str) -> None:
    """It says when to come again, and nobody is shown an error."""
    error = {
        "code": "UNAVAILABLE",
        "message": "x",
        "retryable": True,
        "retryAfterMs": 1000,
        "details": {"reason": reason},
    }
    seen = await outcome(refusing(error, 1013))
    assert (seen.way, seen.said) == (BOOTS, ())
    assert len(seen.dials) > 20  # more than it would try with one that says nothing
    assert round(seen.dials[1] - seen.dials[0]) == 1


@pytest.mark.parametrize(("asked", "waited"), [(None, 1.5), (100, 0.5), (2000, 2.0), (60_000, 10.0)])
async def test_a_gateway_that_starts(asked: int | None, waited: float) -> None:
    """It is dialled again without a word, after what it asks for within bounds, or after 1.5 s."""
    error = {
        "code": "UNAVAILABLE",
        "message": "gateway starting; retry shortly",
        "details": {"reason": "startup-sidecars"},
    }
    if asked is not None:
        error["retryAfterMs"] = asked
    seen = await outcome(refusing(error, 1013))
    assert (seen.way, seen.said) == (BOOTS, ())
    assert seen.dials[1] - seen.dials[0] == pytest.approx(waited)


async def test_the_bounds_of_a_start_are_parameters() -> None:
    """Who knows how long a gateway takes may say so."""
    error = {"code": "UNAVAILABLE", "message": "x", "retryAfterMs": 60_000, "details": {"reason": "startup-sidecars"}}
    seen = await outcome(refusing(error, 1013), startup_longest="20 s")
    assert seen.dials[1] - seen.dials[0] == pytest.approx(20)


async def test_the_patience_of_requests_is_a_parameter() -> None:
    """They wait for ready, and for their answer, as long as the embedder says."""
    async with Peer(http(503)) as peer:
        opening = lifecycle.open(PAGE, url=URL, calls=Calls(), transport=peer, request_patience="3 s")
        async with opening as connection:
            began = trio.current_time()
            with pytest.raises(lifecycle.NotSent):
                await connection.request("health")
            assert trio.current_time() - began == pytest.approx(3)


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_no_websocket(status: int) -> None:
    """503 is a gateway that restarts; any other status is no gateway."""
    seen = await outcome(http(status))
    assert seen.way == (REDIALS if status == 503 else FAILS)
    assert bool(seen.said) == (status != 503)


async def test_a_build_that_is_too_old() -> None:
    """The same code as another protocol, but reloading helps."""
    details = {"code": "PROTOCOL_MISMATCH", "reloadRequired": True}
    seen = await outcome(refusing({"code": "UNAVAILABLE", "message": "x", "retryable": False, "details": details}))
    assert seen.way == FAILS
    assert "Reload" in seen.said[0]


async def test_a_limit_without_a_time() -> None:
    """A gateway that does not say how long is left alone for 30 seconds."""
    seen = await outcome(
        refusing({"code": "INVALID_REQUEST", "message": "x", "details": {"code": "AUTH_RATE_LIMITED"}})
    )
    assert (seen.way, len(seen.dials)) == (LIMITED, 1)


async def test_the_old_ways() -> None:
    """As old clients do: a signature that is not accepted is repaired once, and pings are messages."""
    error = {"code": "INVALID_REQUEST", "message": "x", "details": {"code": "DEVICE_AUTH_SIGNATURE_INVALID"}}
    seen = await outcome(refusing(error), old_ways=True)
    assert (seen.way, len(seen.dials)) == (PAIRS, 2)
    heard = list[str]()

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(CHALLENGE))
        await websocket.get_message()
        await websocket.send_message(json.dumps(HELLO))
        heard.append(str(await websocket.get_message()))

    await outcome(serving(handle), old_ways=True, ping_interval="10 s")
    assert heard == ['{"type":"ping"}']


async def test_a_repair_that_fails() -> None:
    """The user is told at once, by the words of who could not help."""
    details = {"code": "PAIRING_REQUIRED", "reason": "not-paired"}
    act = refusing({"code": "NOT_PAIRED", "message": "pairing required", "details": details})
    async with Peer(act) as peer:
        opening = lifecycle.open(PAGE, url=URL, calls=Calls(paired=False), transport=peer, seed=1)
        async with opening as connection:
            with pytest.raises(lifecycle.ConnectionFailed, match="could not be paired"):
                await connection.ready()
    assert len(peer.dials) == 1


async def test_new_credentials_are_no_error() -> None:
    """A gateway that has changed its token is dialled with a fresh one without a word, unless it goes on so."""
    seen = await outcome(closing(4001, "gateway auth changed"))
    assert (seen.way, seen.said) == (REFRESHES, ("The gateway changes its credentials again and again.",))


async def test_an_old_gateway_that_knows_no_details() -> None:
    """Then the code of the error counts, and then its words."""
    assert (await outcome(refusing({"code": "NOT_PAIRED", "message": "x"}))).way == PAIRS
    assert (await outcome(refusing({"code": "UNAVAILABLE", "message": "x"}))).way == REDIALS
    assert (await outcome(refusing({"message": "unauthorized: token"}))).way == REFRESHES
    assert (await outcome(refusing({"message": "whatever"}))).way == FAILS


async def test_the_origin_is_said() -> None:
    """As a browser would, if the embedder has one."""
    async with Peer(closing(1000, "")) as peer:
        opening = lifecycle.open(PAGE, url=URL, calls=Calls(), transport=peer, origin="https://panel.example")
        async with opening:
            await trio.testing.wait_all_tasks_blocked()
        assert ("Origin", "https://panel.example") in peer.requests[0].headers


async def test_ticks_are_numbered_too() -> None:
    """An event after a tick is no gap; a tick that comes too late tells of one."""

    async def handle(_: Peer, websocket: trio_websocket.WebSocketConnection) -> None:
        await websocket.send_message(json.dumps(CHALLENGE))
        await websocket.get_message()
        await websocket.send_message(json.dumps(HELLO))
        for event, number in [("presence", 1), ("tick", 2), ("health", 3), ("tick", 5), ("health", 6)]:
            await websocket.send_message(json.dumps({"type": "event", "event": event, "seq": number}))
        await trio.sleep_forever()

    async with (
        Peer(serving(handle)) as peer,
        lifecycle.open(PAGE, url=URL, calls=Calls(), transport=peer) as connection,
    ):
        got = [await anext(connection) for _ in range(4)]
    assert [item if isinstance(item, Discontinuity) else item["seq"] for item in got] == [
        1,
        3,
        Discontinuity("gap", 1, since=3, until=5),
        6,
    ]
