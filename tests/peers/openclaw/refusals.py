"""Cases in which the gateway refuses: by what it is told, by who tells it, and for how often.

Law: what is told wrongly is told by the calls that embedders use, or by calls around them that change one thing.
"""

from collections.abc import Mapping
from typing import Any, Final, final

import trio

from lifecycle.errors import CallFailed
from lifecycle.systems.openclaw import Device, GatewayCalls

from .play import ADMIN, Play
from .sentences import sentence

_TOO_OLD: Final = 121_000
"""Milliseconds: the gateway takes a signature that is up to 120 s old."""
_WRONG: Final = "a-token-that-is-wrong"


@final
class Changed:
    """Calls that change what they give to, or get from, the calls of an embedder."""

    def __init__(self, calls: GatewayCalls, *, older: int = 0, times: int = 1, signature: str | None = None) -> None:
        self._calls, self._older, self._times, self._signature = calls, older, times, signature
        self.pair_device, self.fresh_credentials = calls.pair_device, calls.fresh_credentials

    async def sign_connect(self, *, challenge: Mapping[str, Any] | None) -> dict[str, Any]:
        """Sign, so many times, as if the challenge were older; and put another signature there."""
        if challenge is not None and self._older and self._times:
            self._times -= 1
            challenge = {**challenge, "ts": challenge["ts"] - self._older}
        found = await self._calls.sign_connect(challenge=challenge)
        if self._signature is not None:
            found["frame"]["params"]["device"]["signature"] = self._signature
        return found


async def wrong_token(play: Play) -> None:
    """Refreshed as often as the page says, which changes nothing."""
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return _WRONG

    async with play.client(GatewayCalls(token, Device.create())) as (connection, record):
        await play.at_rest(connection)
        refreshes = connection.variables["refreshes"]
        play.check(refreshes == 2, f"the page counted {refreshes} refreshes, expected 2")
    play.check(asked == 1 + 2, f"the token was asked for {asked} times, expected 3")
    play.says(record, *[sentence(play.page, code="AUTH_TOKEN_MISMATCH")] * 3)


async def bad_signature(play: Play) -> None:
    """64 bytes that are zero."""
    async with play.client(Changed(play.ours(), signature="A" * 86)) as (connection, record):
        await play.at_rest(connection)
    play.says(record, sentence(play.page, code="DEVICE_AUTH_SIGNATURE_INVALID"))


async def no_identity(play: Play) -> None:
    """Neither a device nor a token; the embedder is asked to repair, and has nothing to repair with."""
    async with play.client(GatewayCalls()) as (connection, record):
        await play.at_rest(connection)
    play.says(record, *[sentence(play.page, code="DEVICE_IDENTITY_REQUIRED")] * 2)


async def protocol_3(play: Play) -> None:
    """A client that knows protocol 3 only."""
    async with play.client(play.ours(protocols=(3, 3))) as (connection, record):
        await play.at_rest(connection)
    play.says(record, sentence(play.page, code="PROTOCOL_MISMATCH"))


async def expired(play: Play) -> None:
    """The clock is wrong once, and then right."""
    async with play.client(Changed(play.ours(), older=_TOO_OLD)) as (connection, record):
        await connection.ready()
    play.says(record, sentence(play.page, code="DEVICE_AUTH_SIGNATURE_EXPIRED"))


async def origin(play: Play) -> None:
    """A page in a browser that the gateway does not know."""
    async with play.client(play.ours(), origin="https://elsewhere.example") as (connection, record):
        await play.at_rest(connection)
    play.says(record, *[sentence(play.page, code="CONTROL_UI_ORIGIN_NOT_ALLOWED")] * 2)


# -- pairing, while nobody is approved by himself


async def unpaired(play: Play) -> None:
    """Nobody approves at first; then somebody does, and the user wishes to connect again."""
    repaired = 0

    async def pair(_: str | None) -> None:
        nonlocal repaired
        repaired += 1

    device = Device.create()
    async with play.client(GatewayCalls(play.gateway.token, device, pair=pair)) as (connection, record):
        await play.at_rest(connection)
        play.check(repaired == 1, f"the embedder was asked {repaired} times to pair, expected once")
        play.says(record, *[sentence(play.page, code="PAIRING_REQUIRED")] * 2)
        await approve(play, device.id)
        connection.tell("reconnect")
        await connection.ready()


async def paired_at_once(play: Play) -> None:
    """The embedder's own `pair` has the device approved."""
    device = Device.create()

    async def pair(name: str | None) -> None:
        play.check(name == device.id, "the embedder was told another device")
        await approve(play, device.id)

    async with play.client(GatewayCalls(play.gateway.token, device, pair=pair)) as (connection, _):
        await connection.ready()


async def approve(play: Play, device: str) -> None:
    """Approve a device, as an administrator who needs none."""
    async with play.client(GatewayCalls(play.gateway.token, **ADMIN), aside=True) as (admin, _):
        pending = (await admin.request("device.pair.list", {}))["pending"]
        for request in (each["requestId"] for each in pending if each["deviceId"] == device):
            await admin.request("device.pair.approve", {"requestId": request})


# -- too often, while this machine counts as any other


async def lock_out(play: Play) -> None:
    """Be wrong until nobody is let in any more."""
    async with play.client(GatewayCalls(_WRONG), aside=True, max_attempts=0) as (connection, record):
        await play.until(
            "locked out", lambda: "lost.limited" in record.path(play.page) or connection.status == "failed"
        )


async def limited(play: Play) -> None:
    """Without a device the gateway says how long to wait, and it is as long as it says."""
    await lock_out(play)
    async with play.client(GatewayCalls(play.gateway.token)) as (connection, record):
        await play.until("refused", lambda: connection.status == "waiting")
        told = connection.variables["waiting.told"]
        play.check(1 <= told <= LOCKOUT, f"told to wait {told} s")
        await connection.ready()
        waited = record.dials[-1] - record.at("lost.limited", play.page)[0]
        play.check(told <= waited < told + 1, f"told to wait {told} s, waited {waited:.2f} s")


async def limited_device(play: Play) -> None:
    """With a device the gateway does not say how long; ours is 30 s, which the user need not wait for."""
    await lock_out(play)
    async with play.client(play.ours()) as (connection, _):
        await play.until("refused", lambda: connection.status == "waiting")
        play.check(connection.variables["waiting.told"] == 30.0, f"told {connection.variables['waiting.told']} s")
        next_try = connection.next_try or 0.0
        play.check(29 < next_try <= 30, f"next try in {next_try} s, expected 30 s")
        await trio.sleep(LOCKOUT + 1)
        connection.tell("reconnect")
        await connection.ready()


LOCKOUT: Final = 6.0
"""Seconds, as the gateway is configured."""


# -- a new token, while it is connected


async def new_token(play: Play) -> None:
    """The new token is to be had."""
    old, tries = play.gateway.token, 0

    async def token() -> str:
        nonlocal tries
        tries += 1
        return old if tries == 1 else play.gateway.token

    async with play.client(GatewayCalls(token, Device.create())) as (connection, record):
        await connection.ready()
        await play.all_ready()
        await play.back(connection)
        await play.proven(connection)
        play.check(connection.variables["refreshes"] == 0, "the page has not forgiven the refresh")
    play.check(not record.said, f"said {list(record.said)}")


async def no_new_token(play: Play) -> None:
    """Whoever is asked for the new token has none."""
    old, tries = play.gateway.token, 0

    async def token() -> str:
        nonlocal tries
        tries += 1
        if tries > 1:
            raise CallFailed("signed_out", "nobody is there who could sign in")
        return old

    async with play.client(GatewayCalls(token, Device.create())) as (connection, record):
        await connection.ready()
        await play.all_ready()
        await play.at_rest(connection)
    play.check(record.said[-1:] == (sentence(play.page, clause="OC16"),), f"said {list(record.said)}")


async def old_token(play: Play) -> None:
    """The token is a text, and stays as it is."""
    async with play.client(play.ours()) as (connection, record):
        await connection.ready()
        await play.all_ready()
        await play.at_rest(connection)
    mismatch = sentence(play.page, code="AUTH_TOKEN_MISMATCH")
    play.check(record.said[-2:] == (mismatch, mismatch), f"said {list(record.said)}")
