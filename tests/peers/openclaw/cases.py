"""All cases, in the scenes in which they are played: side by side where they do not disturb each other.

Law: the gateway is started once, and then goes only where a case is about that. It remembers who was wrong before, so
who is wrong often comes after what counts that.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from peers.case import Case
from peers.path import Range, times

from . import lives, refusals
from .gateway import Gateway

MANY: Final = Range(2, None)
_GONE: Final = "lost.unavailable|lost.network* lost.starting* ready"
"""While a gateway restarts: HTTP 503, nobody listens, it asks for patience; the first two in any order, or not at all."""


async def _nothing(_: Gateway) -> None:
    """Nothing is to be told."""


@attrs.frozen
class Scene:
    """Cases that are played side by side.

    Attributes:
        cases: which.
        before: what the gateway is told first.
        act: what happens to all of them, when all of them are ready for it.
        after: what the gateway is told at the end.
        running: whether the gateway must be running before.
    """

    cases: tuple[Case, ...]
    before: Callable[[Gateway], Awaitable[None]] = _nothing
    act: Callable[[Gateway], None] = lambda _: None
    after: Callable[[Gateway], Awaitable[None]] = _nothing
    running: bool = True


async def _by_hand(gateway: Gateway) -> None:
    await gateway.configured("gateway.nodes.pairing.autoApproveLocal", False)


async def _by_itself(gateway: Gateway) -> None:
    await gateway.configured("gateway.nodes", None)


async def _strict(gateway: Gateway) -> None:
    limit = {"exemptLoopback": False, "maxAttempts": 3, "windowMs": 60_000, "lockoutMs": int(refusals.LOCKOUT * 1000)}
    await gateway.configured("gateway.auth.rateLimit", limit)


async def _lenient(gateway: Gateway) -> None:
    await gateway.configured("gateway.auth.rateLimit", None)


def _rotate(gateway: Gateway) -> None:
    gateway.change("gateway.auth.token", f"{gateway.token}-and-anew")


SCENES: Final = (
    Scene(
        (Case("cold", "Started before the gateway", "lost.network+ lost.unavailable* lost.starting+ ready", MANY, lives.cold),),
        running=False,
    ),
    Scene(
        (
            Case("unpaired", "One repair, then told; ready after approval", "unpaired.device unpaired.device failed ready", times(3), refusals.unpaired),
            Case("paired", "The embedder has it approved", "unpaired.device ready", times(2), refusals.paired_at_once),
        ),
        before=_by_hand,
        after=_by_itself,
    ),
    Scene(
        (
            Case("limited", "Waits as long as the gateway says", "lost.limited ready", times(2), refusals.limited),
            Case("limited-device", "The gateway says nothing: 30 s", "lost.limited ready", times(2), refusals.limited_device),
        ),
        before=_strict,
        after=_lenient,
    ),
    Scene((
        Case("wrong-token", "Two refreshes, then the end", "unauthorized.credentials+ failed", times(3), refusals.wrong_token),
        Case("bad-signature", "The end at once", "refused.signature failed", times(1), refusals.bad_signature),
        Case("no-identity", "No device and no token: one repair, then the end", "unpaired.identity+ failed", times(2), refusals.no_identity),
        Case("protocol-3", "The end at once", "refused.version failed", times(1), refusals.protocol_3),
        Case("expired", "A signature of two minutes ago, then a fresh one", "lost.stale_signature ready", times(2), refusals.expired),
        Case("origin", "One repair, then the end", "unpaired.origin+ failed", times(2), refusals.origin),
        Case("27-MB", "Closed with 1009, and healed", "ready lost.bad_frame ready", times(2), lives.too_large),
        Case("silent", "A half-open network, found within the certified time", "ready lost.silent ready", times(2), lives.silent),
    )),
    Scene(
        (
            Case("new-token", "4001, a refresh, and ready", "ready unauthorized.changed ready", times(2), refusals.new_token),
            Case("no-new-token", "4001, a refresh that fails, the end", "ready unauthorized.changed failed", times(1), refusals.no_new_token),
            Case("old-token", "4001, two refreshes, the end", "ready unauthorized.changed unauthorized.credentials+ failed", times(3), refusals.old_token),
        ),
        act=_rotate,
    ),
    Scene(
        (
            Case("restart", "In place: pending requests settled, and ready again", f"ready lost.restarting {_GONE}", MANY, lives.in_place),
            Case("fifty", "50 clients through it, no more dials than certified", "ready lost.restarting lost.unavailable|lost.network|lost.starting* ready", MANY, lives.fifty),
        ),
        act=Gateway.restart,
    ),
    Scene((Case("killed", "SIGKILL, and started anew", f"ready lost.network+ {_GONE}", MANY, lives.killed),)),
)  # fmt: skip
