"""Many managed connections in this process, to one server that is killed, stopped and started again beside it.

Law: the server is always on the same port, one that the system does not give to clients: where nobody listens, a
client with that very port would connect to itself.
"""

import gc
import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import trio

import lifecycle
from lifecycle.machine.step import Step

from .children import end, start

if TYPE_CHECKING:
    import subprocess

PATIENCE = 180.0
"""Seconds until all are ready; longer is a failure."""
_LOOK = 0.05
_RESERVE = 200
_PORTS = range(20_000, 30_000)


@final
class Server:
    """A process that echoes. Use it as `with Server() as server`; it is started by `start`."""

    def __init__(self) -> None:
        self.port = _free_port()
        self.url = f"ws://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it listens soon after."""
        self._process = start("echo.py", str(self.port), server=True)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def stop(self) -> None:
        """Let it stand still: the system goes on to take bytes, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it move again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@final
class Fleet:
    """Connections that live in a nursery.

    Args:
        page: what they run.
        count: how many.
        options: their parameters and the like.
    """

    def __init__(self, page: lifecycle.Definition, count: int, **options: Any) -> None:
        self.connections = [lifecycle.Connection(page, **options) for _ in range(count)]

    async def begin(self, nursery: trio.Nursery) -> None:
        """Start them all."""
        for each in self.connections:
            await nursery.start(each.run)

    async def end(self) -> None:
        """Say goodbye, all at once."""
        async with trio.open_nursery() as nursery:
            for each in self.connections:
                nursery.start_soon(each.aclose)

    @property
    def epochs(self) -> list[int]:
        """Which dial each is in."""
        return [each.epoch for each in self.connections]

    async def ready(self, after: list[int] | None = None) -> float:
        """Wait until each is ready, in a later dial than the one that is given; seconds that it took.

        Raises:
            trio.TooSlowError: some are not.
        """
        began = trio.current_time()
        with trio.fail_after(PATIENCE):
            await self._all(lambda each, old: each.status == "ready" and each.epoch > old, after)
        return trio.current_time() - began

    async def lost(self, epochs: list[int]) -> None:
        """Wait until none is ready any more in the dial that is given."""
        await self._all(lambda each, old: each.status != "ready" or each.epoch > old, epochs)

    async def _all(self, good: Callable[[lifecycle.Connection, int], bool], epochs: list[int] | None) -> None:
        old = epochs or [0] * len(self.connections)
        while not all(map(good, self.connections, old)):  # noqa: ASYNC110 -- to be told by each would be work of theirs
            await trio.sleep(_LOOK)

    async def echo(self, text: str) -> int:
        """Let each send a message and receive it back; how many did."""
        done = 0

        async def one(connection: lifecycle.Connection, mine: str) -> None:
            nonlocal done
            await connection.send(mine)
            async for message in connection:
                if not isinstance(message, lifecycle.Discontinuity):
                    done += message == mine
                    return

        with trio.move_on_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                for number, each in enumerate(self.connections):
                    nursery.start_soon(one, each, f"{text}, {number}")
        return done

    def steps(self, since: float) -> Iterator[list[Step]]:
        """What each has done since a time, as far as it remembers."""
        for each in self.connections:
            yield [step for step in each.history if step.time >= since]


def usage() -> dict[str, float]:
    """Tasks, open files, blocks of memory that Python has in use, and MiB that are resident."""
    # trio forgets the scopes whose deadline was moved only once there are a thousand of them
    trio._core._run.GLOBAL_RUN_CONTEXT.runner.deadlines._prune()
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "blocks": sys.getallocatedblocks(),
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / 1024**2,
    }


def make_room(connections: int) -> None:
    """Allow as many open files as so many connections need, or end with one line if the system does not let us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"{connections} connections need {wanted} open files, and the system allows {hard}: see `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
