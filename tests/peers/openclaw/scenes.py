"""The scenes, one after the other, against one gateway that is started once.

Law: a row is there before its case is played.
"""

import functools
from collections.abc import Collection
from typing import Final

import attrs
import trio

from peers.case import Case, Row, Seen
from peers.say import say
from peers.system import Rows, System

from .app import installed_gateway
from .cases import SCENES, Scene
from .gateway import Gateway, gateway
from .play import Meeting, Play

_PEER: Final = ""  # there is but one


async def _play(only: Collection[str], rows: Rows) -> None:
    scenes = [attrs.evolve(scene, cases=tuple(case for case in scene.cases if case.name in only)) for scene in SCENES]
    app = await installed_gateway()
    began = trio.current_time()
    with gateway(app) as it:
        for scene in (scene for scene in scenes if scene.cases):
            if scene.running and not it.started:
                say("starting the gateway")
                it.start()
                await it.ready()
            say(f"{', '.join(case.name for case in scene.cases)}: after {trio.current_time() - began:.0f} s")
            await _scene(scene, it, rows)


async def _scene(scene: Scene, it: Gateway, rows: Rows) -> None:
    await scene.before(it)
    meeting = Meeting(len(scene.cases), functools.partial(scene.act, it))

    async def one(case: Case) -> None:
        rows[case.name, _PEER] = Row(case, _PEER, await Play(case, it, meeting).played())

    for case in scene.cases:
        rows[case.name, _PEER] = Row(case, _PEER, Seen("nothing", (), 0.0, ("it was not played",)))
    async with trio.open_nursery() as nursery:
        for case in scene.cases:
            nursery.start_soon(one, case)
    await it.ready()
    await scene.after(it)


OPENCLAW: Final = System("openclaw", {case.name: case.about for scene in SCENES for case in scene.cases}, _play)
