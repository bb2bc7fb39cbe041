"""What it costs to watch for a silent peer: every read is stamped, and no task waits for silence.

Law: the connections are open, to a server beside us. What is timed is what the runtime does for each read on the page
as it is shipped; a message needs one read at most, and in a flood far less. Tasks are told apart by the same connections
on a page that does not watch.
"""

import contextlib
from typing import Any

import trio

import lifecycle
from lifecycle.definition.read import read_text

from .children import serving
from .gates import Gate, judged
from .rounds import Cases, race, told

ROUNDS = 15
STAMPS = 20_000
CONNECTIONS = 20
UNWATCHED = """
lifecycle: 1
page: unwatched
role: client
hears: {connect: {}, disconnect: {}}
min_time_per_dial: 1 s
causes:
  - {otherwise: true, is: lost.network}
messages:
  codec: text
  routes:
    - {deliver: true}
states:
  idle: {status: idle, needs: none, rest: true, ignore: [disconnect], clauses: {U1: {on: connect, to: online}}}
  online:
    use: connection
    ignore: [connect]
    clauses:
      U2: {on: done, to: closed}
      U3: {on: lost, to: failed}
  failed: {status: failed, needs: none, rest: true, ignore: [connect, disconnect]}
  closed: {status: closed, needs: none, final: done}
"""
STAMP, TASKS = "a read", "tasks for it"
GATES = {STAMP: Gate(1.0, 0.3, ratio=False), TASKS: Gate(0.0, ratio=False)}


def liveness(rounds: int = ROUNDS) -> Cases:
    """Time what a read costs for liveness, and count the tasks that wait for silence."""
    with serving() as url:
        return judged(trio.run(_measured, f"{url}/echo", rounds), GATES)


async def _measured(url: str, rounds: int) -> Cases:
    watched = lifecycle.read("websocket")
    tasks = await _tasks(watched, url) - await _tasks(read_text(UNWATCHED, "unwatched.yaml"), url)
    async with lifecycle.open(watched, url=url) as connection:
        await connection.ready()
        stamps = race({STAMP: _stamp(connection)}, {STAMP: STAMPS}, rounds)
    return {**told(stamps, "us", 1e6), **told({TASKS: [tasks]}, "tasks/connection", 1)}


def _stamp(connection: lifecycle.Connection) -> Any:
    """What the pipe calls for each read, many times."""
    epoch = connection._driver.current
    heard = epoch._pipe.heard

    def run(count: int) -> None:
        epoch.heard_at = 0.0
        for _ in range(count):
            heard()
        if not epoch.heard_at:
            raise AssertionError("nothing was heard")

    return run


async def _tasks(page: lifecycle.Definition, url: str) -> float:
    before = trio.lowlevel.current_statistics().tasks_living
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = await stack.enter_async_context(lifecycle.open(page, url=url))
            await connection.ready()
        return (trio.lowlevel.current_statistics().tasks_living - before) / CONNECTIONS
