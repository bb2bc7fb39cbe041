"""One run: a page's connection, one life after the other, until the hours are over and all is well again.

Law: the driver runs unchanged; all that is made up is around it. The first thing that does not hold ends the run. At
the end it must be ready within the certified time, stay so, and stop within the certified time.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import trio

from lifecycle.errors import DriverFailed
from lifecycle.testing.virtual import run_by
from lifecycle.trio.connection import Connection
from lifecycle.trio.pipes.pipe import Spawn
from lifecycle.trio.transports.dialer import Opened
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.dial_request import DialRequest

from .account import Account
from .clock import JumpingClock
from .entries import HOUR, Entry
from .link import Link
from .result import Result
from .scene import Scene
from .user import User
from .world import World

_TO_END: Final = 86_400.0
"""Seconds beside the hours in which all must be well again and have ended; a run that does not is given up."""
_SETTLING: Final = 10.0
"""Seconds after which nothing of the bad world is on its way any more."""
_KEPT: Final = 45.0
_BELT: Final = 2.0
_A_MOMENT: Final = 0.001
_BETWEEN: Final = 5.0
_STUBBORN, _BAD, _STAYING = 0.1, 0.1, 0.5
"""How many dials do not mind being cancelled at first, fail in a storm, and stay as hosts."""
_STUBBORN_FOR: Final = 3.0


async def dial(world: World, opened: Opened) -> None:
    """Make a connection, as a dialer does: wait for the handshake, and call `opened`.

    Raises:
        TransportFailed: faults, or the peer, refuse it.
    """
    world.judge.dialled(world.now)
    link = Link(world)
    world.count("dials")
    stubborn = link.dice.random() < _STUBBORN
    with trio.CancelScope(shield=stubborn):
        if world.network.mute(world.now, "up") or world.network.mute(world.now, "down"):
            await trio.sleep(_STUBBORN_FOR if stubborn else float("inf"))
        await world.clock.sleep(link.handshake)
    late = trio.current_effective_deadline() == float("-inf")
    ending = world.network.refusal(world.now) or world.refuse(world.now)
    if ending is None and not world.calm and link.dice.random() < _BAD:
        ending = world.peer.words.dial_ending(link.dice.random())
    if ending is not None:
        raise TransportFailed(ending)
    link.open()
    opened(link, link.pipe)
    if late and link.aborted is None:
        world.broken("one live epoch", f"link {link.number} came too late, and was not dropped")
    if link.dice.random() < _STAYING:
        await trio.sleep_forever()


async def endure(world: World) -> None:
    """Run until the world is left."""
    with world.whole:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.clockwork)
            nursery.start_soon(_lives, world)


async def _live(world: World) -> None:
    """Run to the end."""
    with world.whole:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.clockwork)
            nursery.start_soon(_lives, world)
            await trio.sleep_until(world.end)
            await _well_again(world)
            nursery.cancel_scope.cancel()


async def _lives(world: World) -> None:
    while True:
        await _life(world)
        await world.clock.sleep(world.dice.uniform(0.0, _BETWEEN))


async def _life(world: World) -> None:
    """One connection, until its page ends it."""

    async def dialer(_: DialRequest, __: Spawn, opened: Opened) -> None:
        await dial(world, opened)

    world.lives += 1
    world.account = Account(world)
    world.peer.meet()
    world.connection = connection = world.scene.connect(world, dialer)
    async with trio.open_nursery() as nursery:
        world.user = user = User(world, connection, nursery)
        nursery.start_soon(user.read)
        try:
            await connection.run()
        except DriverFailed as error:
            world.broken("no fault of ours", str(error))
        user.finish()
        await world.clock.sleep(_A_MOMENT)
        world.account.end()
        if world.standing and world.scene.role == "client":
            world.broken("one live epoch", f"link {world.standing[0].number} is left behind")
        world.user = None
        nursery.cancel_scope.cancel()


async def _well_again(world: World) -> None:
    """All is well: it is ready within the certified time, stays so, and ends within it."""
    world.heal()
    await trio.sleep(_SETTLING)
    world.heal()
    certified, judge = world.scene.certified, world.judge
    dead = world.link if world.link is not None and world.link.mute else None
    if certified.recovery is not None:
        with trio.move_on_after(certified.recovery):
            while not world.well:
                await judge.changed.park()
                if dead is not None and world.link is not dead:
                    # what was found dead had died in the bad world, and the page may rest for it
                    dead = None
                    world.heal()
        if not world.well:
            what = f"in {' + '.join(judge.leaves)} {certified.recovery:g} s after all was well"
            world.broken("ready again", what)
        with trio.move_on_after(_KEPT):
            while world.well:
                await judge.changed.park()
        if not world.well:
            world.broken("ready again", f"all was well, and it has not stayed ready: it is {judge.status}")
    if world.user is not None:
        await _stop(world, world.user.connection, certified.stop)


async def _stop(world: World, connection: Connection, within: float | None) -> None:
    began = world.now
    with trio.move_on_after((within if within is not None else HOUR) + _BELT) as scope:
        await connection.aclose()
    if scope.cancelled_caught:
        what = f"it has not ended {world.now - began:g} s after it was to, and {within} s are certified"
        world.broken("stop", what)
    await trio.sleep(2 * _A_MOMENT)


@contextmanager
def quiet() -> Iterator[None]:
    """What goes wrong here was meant to: it is not logged."""
    log = logging.getLogger("lifecycle")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def run_seed(scene: Scene, seed: int, entries: Sequence[Entry], hours: float) -> Result:
    """Run one schedule.

    Args:
        scene: the page.
        seed: decides what the schedule leaves open: latencies, dice, the order of tasks.
        entries: the schedule, in order of time.
        hours: how long it is; the time in which all is well again comes on top.

    Raises:
        LifecycleError: this version of trio cannot be seeded.
    """
    clock = JumpingClock()

    async def whole() -> tuple[World, float]:
        world = World(clock, scene, seed, entries, hours * HOUR)
        await _live(world)
        return world, trio.current_time()

    with quiet():
        world, seconds = run_by(clock, whole, seed=seed, limit=hours * HOUR + _TO_END)
    if world.fault is not None:
        raise world.fault
    counts = {**world.counts, "lives": world.lives, "steps": world.judge.steps}
    return Result(seed, world.violation, seconds, counts, world.judge.digest)
