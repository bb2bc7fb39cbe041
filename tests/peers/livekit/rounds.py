"""All that is compared with LiveKit Agents, one after the other."""

from collections.abc import Collection
from typing import Final

from peers.system import Rows, System

from . import adapters, sessions
from .app import folder, installed_python


async def _play(only: Collection[str], rows: Rows) -> None:
    python = await installed_python()
    with folder() as own:
        await adapters.play_adapters(python, own, only, rows)
        await sessions.play_sessions(python, own, only, rows)


LIVEKIT: Final = System("livekit", {**adapters.ABOUT, **sessions.ABOUT}, _play)
