"""Cases in which the gateway comes, goes, or falls silent.

Law: the bounds are the page's: what its certificate says of it as it is shipped, or the same exploration with the
parameters that are run.
"""

import functools
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import trio

import lifecycle
from lifecycle.machine.shipped import certified
from lifecycle.proof.explore import LIMIT, explore
from lifecycle.proof.numbers import half_open
from lifecycle.proof.prove import settings_of
from lifecycle.proof.slices import slices
from lifecycle.proof.world import World
from lifecycle.systems.openclaw import GatewayCalls
from lifecycle.testing.proxy import Proxy
from lifecycle.testing.schedule import Fault
from lifecycle.testing.simulate.certified import certified_of
from lifecycle.trio.mail.replies import Reply
from peers.case import PATIENCE

from .play import QUICK, Play

PENDING: Final = 5
CLIENTS: Final = 50
_STRANGERS: Final = 25
"""So many come at first at a time; of those whom it does not know yet, the gateway lets in 32."""
_LARGE: Final = 27_000_000
_MINUTE: Final = 60.0
_SILENCE: Final[Mapping[str, Any]] = {
    "heartbeat_after": 6.0,
    "heartbeat_wait": 2.0,
    "ping_interval": 2.0,
    "challenge_timeout": 2.0,
    "answer_timeout": 4.0,
    "connect_timeout": 4.0,
    "speak_first": True,
    "old_ways": False,
}
_LATE: Final = 0.5
"""Seconds by which a clock may run out late while node is busy on the same cores."""


async def cold(play: Play) -> None:
    """The client is there first; the user sees no sentence until it is ready."""
    async with play.client(play.ours()) as (connection, record), trio.open_nursery() as nursery:
        await play.until("refused", lambda: len(record.dials) > 1)
        play.gateway.start()
        # for a later case: now there is time
        nursery.start_soon(functools.partial(trio.to_thread.run_sync, silence_bound, abandon_on_cancel=True))
        await play.back(connection)
    play.says(record)


async def in_place(play: Play) -> None:
    """It says goodbye while requests are on their way to it: those that it has got it answers before it goes."""
    async with (
        Proxy(play.gateway.url) as proxy,
        play.client(play.ours(), url=proxy.url) as (connection, record),
    ):
        await connection.ready()
        proxy.inject(Fault(kind="half-open", way="up", lasts=math.inf))
        replies = [connection.ask("health", {}, PATIENCE) for _ in range(PENDING)]
        await play.until("sent", lambda: all(reply.ticket.fate == "sent" for reply in replies))
        await play.all_ready()
        await _settled(play, connection, replies, "1012")
        proxy.heal()
        await play.back(connection)
        await _works(play, connection)
    play.says(record)


async def killed(play: Play) -> None:
    """Nobody says goodbye, and another process comes."""
    async with play.client(play.ours()) as (connection, record):
        await connection.ready()
        replies = [connection.ask("agent.wait", _run(number, seconds=PATIENCE), PATIENCE) for number in range(PENDING)]
        # an answer to what was asked later: the gateway has got them all, and keeps silent
        await _works(play, connection)
        play.check(connection.counters.pending == PENDING, f"{connection.counters.pending} wait, not {PENDING}")
        play.gateway.kill()
        await _settled(play, connection, replies, "")
        play.gateway.start()
        await play.back(connection)
        await _works(play, connection)
    play.says(record)


async def too_large(play: Play) -> None:
    """27 MB, where the gateway takes 25 MiB."""
    async with play.client(play.ours()) as (connection, record):
        await connection.ready()
        try:
            await connection.request("chat.send", {"message": "x" * _LARGE})
            play.check(False, "it was answered")
        except (lifecycle.MaybeDelivered, lifecycle.NotSent) as error:
            play.check("1009" in error.cause, f"the request was settled by {error.cause!r}")
        await play.back(connection)
        await _works(play, connection)
    play.says(record)


async def silent(play: Play) -> None:
    """A network that swallows all, behind a proxy: found within the time that the proof says."""
    bound = await trio.to_thread.run_sync(silence_bound, abandon_on_cancel=True)
    asked = _SILENCE["heartbeat_after"]
    async with (
        Proxy(play.gateway.url) as proxy,
        play.client(play.ours(), url=proxy.url, **_SILENCE) as (connection, record),
    ):
        await play.proven(connection)
        began = trio.current_time()
        proxy.inject(Fault(kind="half-open", lasts=math.inf))
        await play.until("noticed", lambda: connection.status != "ready")
        noticed = [at - began for at in record.at("lost.silent", play.page)]
        play.check(len(noticed) == 1, "it was not the silence that was noticed")
        told = f"noticed after {', '.join(f'{each:.2f}' for each in noticed)} s, proven are {bound:g} s at most"
        play.check(all(asked < each <= bound + _LATE for each in noticed), told)
        play.note(told)
        proxy.heal()
        await play.back(connection)
        await _works(play, connection)
    play.says(record)


async def fifty(play: Play) -> None:
    """The page as it is shipped, through a restart, and no more dials than its certificate says."""
    if certified(play.page) != play.page.hash:
        play.check(False, "this version of the page has no certificate: `lifecycle certify specs`")
        return
    most, least = certified_of(play.page).dials or 0, play.page.min_time_per_dial
    made = [play.make(GatewayCalls(play.gateway.token)) for _ in range(CLIENTS)]
    async with trio.open_nursery() as nursery:
        for first in range(0, CLIENTS, _STRANGERS):
            some = [connection for connection, _ in made[first : first + _STRANGERS]]
            for connection in some:
                await nursery.start(connection.run)
            await play.until("ready", functools.partial(_all_ready, some))
        await play.all_ready()
        await play.back(*(connection for connection, _ in made))
        async with trio.open_nursery() as leaving:
            for connection, _ in made:
                leaving.start_soon(connection.aclose)
    for _, record in made:
        shortest = min((later - earlier for earlier, later in pairwise(record.dials)), default=math.inf)
        play.check(shortest >= least, f"one dialled again after {shortest:.3f} s, certified are {least:g} s")
        busiest = _busiest(record.dials, _MINUTE)
        play.check(busiest <= most, f"one dialled {busiest} times in a minute, certified are {most:g}")
        play.says(record)
    dials = sorted(at for _, record in made for at in record.dials)
    for within, bound in ((1.0, CLIENTS / least), (_MINUTE, CLIENTS * most)):
        busiest = _busiest(dials, within)
        told = f"all together dialled {busiest} times within {within:g} s, certified are {bound:g}"
        play.check(busiest <= bound, told)
        play.note(told)


# -- what several do


def _run(number: int, *, seconds: float) -> dict[str, Any]:
    """Parameters with which the gateway waits for so long: for a run that there is not."""
    return {"runId": f"run-{number}", "timeoutMs": int(seconds * 1000)}


async def _settled(play: Play, connection: lifecycle.Connection, replies: list[Reply], cause: str) -> None:
    await play.until("settled", lambda: all(reply.done for reply in replies))
    play.check(connection.counters.pending == 0, "some requests still wait")
    for reply in replies:
        try:
            await reply.wait()
            play.check(False, "a request was answered by nobody")
        except lifecycle.MaybeDelivered as error:
            play.check(bool(error.cause) and cause in error.cause, f"a request was settled by {error.cause!r}")


async def _works(play: Play, connection: lifecycle.Connection) -> None:
    health = await connection.request("health", {})
    play.check(isinstance(health, dict) and bool(health), f"its health is {health!r}")


def _all_ready(connections: list[lifecycle.Connection]) -> bool:
    return all(each.status == "ready" for each in connections)


def _busiest(dials: list[float], within: float) -> int:
    """The most dials in a time."""
    return max((sum(at <= each < at + within for each in dials) for at in dials), default=0)


@functools.cache
def silence_bound() -> float:
    """Within what time a silent peer is noticed, with the parameters that are run: the page is explored for that."""
    page = lifecycle.read("openclaw-gateway")
    given = {**QUICK, **_SILENCE, "url": "ws://127.0.0.1/"}
    graphs = [
        explore(World(part, tuple(each.values()), whole=page), LIMIT, None)
        for each in settings_of(page, given)
        for part in slices(page)
    ]
    bound = half_open(graphs)
    assert bound is not None, "the page notices a silent peer"
    return bound
