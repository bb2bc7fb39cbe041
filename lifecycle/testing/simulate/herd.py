"""Many clients and one server that dies and comes back: how often it is dialled, with the page's jitter and without.

Law: every client is the real driver, in a world of its own in which all is well; the server is one for all, and takes
only so many new ones a second. The two herds differ in nothing but the jitter.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import trio

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.read import PageLike
from lifecycle.errors import LifecycleError
from lifecycle.testing.virtual import LIMIT, run_by
from lifecycle.wire.ending import Ending, ErrorEnding

from .clock import JumpingClock
from .life import endure, quiet
from .scene import Scene, scene_of
from .world import World

STANDS: Final = 10.0
"""Seconds before the server dies."""
DOWN: Final = 20.0
"""Seconds for which it is gone."""
LONGEST: Final = 600.0
"""Seconds for which the herd is watched."""
_A_MOMENT: Final = 1.0
_LEAST: Final = 5
_SHARE: Final = 20
"""A server that comes back takes a twentieth of all clients in a second."""


@attrs.frozen
class Herd:
    """What one herd did.

    Attributes:
        jitter: whether the page's was there.
        dials: how many there were in each second, from the death of the server on.
        ready: seconds until all were ready again; none if some were not.
    """

    jitter: bool
    dials: tuple[int, ...]
    ready: float | None

    @property
    def peak(self) -> int:
        """The most dials in a second after the server was back."""
        return max(self.dials[int(DOWN) :], default=0)


class _Server:
    """One server for all."""

    def __init__(self, clients: int) -> None:
        self.room = max(_LEAST, clients // _SHARE)
        self.dials: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    def asked(self, now: float) -> Ending | None:
        """Somebody dials: how that is refused, if it is."""
        second = math.floor(now - STANDS)
        if second < 0:
            return None
        self.dials[second] = self.dials.get(second, 0) + 1
        if second < DOWN or self._taken.get(second, 0) >= self.room:
            return ErrorEnding("refused", "the server is not there, or has too much to do")
        self._taken[second] = self._taken.get(second, 0) + 1
        return None


def watch_herds(page: PageLike, clients: int, *, seed: int = 1) -> tuple[Herd, Herd]:
    """Watch two herds.

    Args:
        page: of a client that dials again, with a parameter that is a backoff.
        clients: how many.
        seed: decides the dice.

    Returns:
        With the page's jitter, and without any.

    Raises:
        PageError: the page is wrong.
        LifecycleError: it has no backoff that can be set; or an invariant was broken, a fault of ours.
    """
    scene = scene_of(page)
    backoffs = {
        name: value for name, value in scene.page.defaults.items() if isinstance(value, Backoff) and scene.dials
    }
    if not backoffs:
        raise LifecycleError(f"{scene.page.name}: no parameter of it is a backoff, so there is no jitter to leave out")
    plain = {name: attrs.evolve(value, jitter="none") for name, value in backoffs.items()}
    return _watched(scene, clients, seed, {}), _watched(scene, clients, seed, plain)


def _watched(scene: Scene, clients: int, seed: int, given: Mapping[str, Any]) -> Herd:
    server, scene, clock = _Server(clients), attrs.evolve(scene, given=given), JumpingClock()

    async def live() -> float | None:
        """All clients at once; when the last one was ready, if all were."""
        worlds = [World(clock, scene, seed * clients + number, (), math.inf) for number in range(clients)]
        async with trio.open_nursery() as nursery:
            for world in worlds:
                world.calm, world.refuse = True, server.asked
                nursery.start_soon(endure, world)
            await trio.sleep(STANDS)
            for world in worlds:
                if world.link is not None:
                    world.link.end(ErrorEnding("reset", "the server has died"))
            began = trio.current_time()
            with trio.move_on_after(LONGEST) as scope:
                await trio.sleep(_A_MOMENT)
                async with trio.open_nursery() as back:
                    for world in worlds:
                        back.start_soon(_until_well, world)
            ready = trio.current_time() - began
            nursery.cancel_scope.cancel()
        for world in worlds:
            if world.fault is not None:
                raise world.fault
            if world.violation is not None:
                raise LifecycleError(f"{scene.page.name}: {world.violation.invariant}: {world.violation.what}")
        return None if scope.cancelled_caught else ready

    with quiet():
        ready = run_by(clock, live, seed=seed, limit=LIMIT)
    last = max(server.dials, default=0)
    return Herd(not given, tuple(server.dials.get(second, 0) for second in range(last + 1)), ready)


async def _until_well(world: World) -> None:
    """Wait until a client is ready again; who is ready dials no more, and need not be watched."""
    while not world.well:
        await world.judge.changed.park()
    world.leave()


_WIDTH, _HEIGHT, _MARGIN = 760, 180, 46


def plot(page: str, clients: int, herds: Sequence[Herd]) -> str:
    """The dials per second of herds as SVG, one below the other, on the same scale."""
    seconds = max(len(each.dials) for each in herds)
    most = max(max(each.dials, default=1) for each in herds) or 1
    whole = (_HEIGHT + _MARGIN) * len(herds) + _MARGIN
    title = f"{page}: {clients:,} clients dial a server that was gone for {DOWN:g} s"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {whole}" font-size="12">',
        "<style>text { font-family: sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{whole}" fill="#fff"/>',
        f'<text x="{_MARGIN}" y="18" font-size="14">{title}</text>',
    ]
    for number, each in enumerate(herds):
        parts += _panel(each, _MARGIN + number * (_HEIGHT + _MARGIN), seconds, most)
    return "\n".join([*parts, "</svg>", ""])


def _panel(each: Herd, top: int, seconds: int, most: int) -> list[str]:
    bottom, step = top + _HEIGHT - 20, (_WIDTH - 2 * _MARGIN) / seconds
    name = "with the page's jitter" if each.jitter else "without jitter"
    colour = "#2a6f97" if each.jitter else "#c1440e"
    ready = f"all ready after {each.ready:.0f} s" if each.ready is not None else "not all ready in the end"
    said = f"{each.peak:,} dials a second at most once it is back, {ready}"
    lines = [
        f'<text x="{_MARGIN}" y="{top + 12}">{name}: {said}</text>',
        f'<line x1="{_MARGIN}" y1="{bottom}" x2="{_WIDTH - _MARGIN}" y2="{bottom}" stroke="#888"/>',
        f'<text x="{_MARGIN - 4}" y="{top + 30}" text-anchor="end">{most:,}</text>',
        f'<text x="{_MARGIN - 4}" y="{bottom}" text-anchor="end">0</text>',
    ]
    back = _MARGIN + DOWN * step
    lines.append(
        f'<line x1="{back:.1f}" y1="{top + 22}" x2="{back:.1f}" y2="{bottom}" stroke="#888" stroke-dasharray="3 3"/>'
    )
    for second, count in enumerate(each.dials):
        height = (bottom - top - 26) * count / most
        if count:
            x, y = _MARGIN + second * step, bottom - height
            size = f'width="{max(step - 0.3, 0.4):.2f}" height="{height:.2f}"'
            lines.append(f'<rect x="{x:.2f}" y="{y:.2f}" {size} fill="{colour}"/>')
    lines += [
        f'<text x="{_MARGIN + second * step:.1f}" y="{bottom + 14}" text-anchor="middle">{second} s</text>'
        for second in range(0, seconds, max(10, seconds // 80 * 10))
    ]
    return lines


def table(herds: Sequence[Herd], every: int = 10) -> str:
    """Dials in each ten seconds, herds beside each other."""
    seconds = max(len(each.dials) for each in herds)
    names = ["jitter" if each.jitter else "no jitter" for each in herds]
    lines = [f"{'seconds':>9}" + "".join(f"{name:>12}{'peak':>8}" for name in names)]
    for start in range(0, seconds, every):
        parts = [each.dials[start : start + every] for each in herds]
        cells = "".join(f"{sum(part):12,}{max(part, default=0):8,}" for part in parts)
        lines.append(f"{f'{start}-{start + every}':>9}{cells}")
    ready = ["never" if each.ready is None else f"{each.ready:.0f} s" for each in herds]
    lines.append(f"{'all ready':>9}" + "".join(f"{said:>12}{'':8}" for said in ready).rstrip())
    return "\n".join(lines)
