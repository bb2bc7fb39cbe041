"""Cases in which a server is killed again and again while it writes a log of events.

Law: what the client was given is the log: nothing is missing, nothing comes twice. The log is read from the file that
the server keeps.
"""

import random
from typing import Any, Final

import trio

import lifecycle

from .app import OVERLAP, serving
from .play import Play

KILLS: Final = 20
_EVENTS: Final = range(1, 25)
"""So many come between two kills."""
_SEED: Final = 5


async def killed(play: Play) -> None:
    """20 times in mid-stream or while it tells the past, and started anew; it goes on writing before the client is back."""
    told: list[dict[str, Any]] = []
    numbers = random.Random(_SEED)

    async def read(connection: lifecycle.Connection) -> None:
        async for event in connection:
            if not isinstance(event, lifecycle.Discontinuity):
                told.append(event)  # noqa: PERF401 -- they are looked at while they come

    async with (
        serving(play.server.command) as server,
        trio.open_nursery() as nursery,
        play.begun(url=server.url, namespace="/log") as connection,
    ):
        nursery.start_soon(read, connection)
        await connection.ready()
        await connection.send({"namespace": "/log", "event": "write"})
        for _ in range(KILLS):
            more = len(told) + numbers.choice(_EVENTS)
            await play.until("events", lambda more=more: len(told) >= more)
            server.kill()
            await play.until("noticed", lambda: connection.status != "ready")
            await server.start()
        await connection.ready()
        [last] = await connection.request("stop", [])
        await play.until("the last one", lambda: told[-1]["id"] == last - 1)
        log = server.events()
        ids = [event["id"] for event in told]
        play.check(told == log, f"of {len(log)} events {len(set(ids))} came, {len(ids) - len(set(ids))} of them twice")
        play.check(connection.counters.gaps == 0, f"{connection.counters.gaps} gaps were told")
        doubles = connection.counters.duplicates
        least, most = OVERLAP, OVERLAP * connection.counters.dials
        play.check(least <= doubles <= most, f"{doubles} events came twice, so the cursor was another")
        play.note(f"{len(log)} events written, {len(ids)} delivered, {doubles} that came twice were dropped")
    play.delivered += ["logged"] * len(told)
