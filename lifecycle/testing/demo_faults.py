"""What the demo does to its server, and how: signals, orders, and being gone.

Law: every fault is real. Nothing in the client knows of it; the server is another process.
"""

import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, final

import trio

HEARTBEAT = 1.0
"""The demo's heartbeat_after and heartbeat_wait, in seconds."""


@final
class ServerProcess:
    """The demo's server, started, stopped and killed at will on one port."""

    def __init__(self, nursery: trio.Nursery, told: Callable[[dict[str, Any]], None]) -> None:
        self._nursery, self._told = nursery, told
        self._process: trio.Process | None = None
        self.port = 0

    async def start(self) -> None:
        """Start it, and return when it listens."""
        command = [sys.executable, "-m", "lifecycle.testing.demo_server", str(self.port)]
        process = await trio.lowlevel.open_process(command, stdin=-1, stdout=-1)
        listening = trio.Event()
        self._process = process
        self._nursery.start_soon(self._read, process, listening)
        with trio.fail_after(20):
            await listening.wait()

    async def _read(self, process: trio.Process, listening: trio.Event) -> None:
        rest = b""
        if process.stdout is None:  # pragma: no cover -- we asked for it
            return
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                told = json.loads(line)
                if "listening" in told:
                    self.port = told["listening"]
                    listening.set()
                self._told(told)

    async def order(self, **what: Any) -> None:
        """Give an order."""
        if self._process is not None and self._process.stdin is not None:
            await self._process.stdin.send_all(json.dumps(what).encode() + b"\n")

    def pause(self) -> None:
        """Stop it: the kernel still takes what is sent, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill it; its connections are reset and its port refuses."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


async def refused(server: ServerProcess) -> None:
    """The server is gone for a while, and dials are refused."""
    await server.kill()
    await trio.sleep(1.0)
    await server.start()


async def busy(server: ServerProcess) -> None:
    """The server restarts, and refuses the first dials with 503 and Retry-After."""
    await server.order(refuse=2, close=1013)


async def slammed(server: ServerProcess) -> None:
    """The server accepts, and closes at once, three times."""
    await server.order(slam=3, close=1011)


async def half_open(server: ServerProcess) -> None:
    """The peer stops answering, and nothing says so."""
    server.pause()
    await trio.sleep(2 * HEARTBEAT + 1.0)
    server.resume()


async def restarted(server: ServerProcess) -> None:
    """The server closes with 1012."""
    await server.order(close=1012)


async def stalled(server: ServerProcess) -> None:
    """The peer is slow for a while, and then goes on."""
    server.pause()
    await trio.sleep(0.7 * HEARTBEAT)
    server.resume()


async def killed(server: ServerProcess) -> None:
    """The server is killed, and comes back."""
    await server.kill()
    await trio.sleep(0.3)
    await server.start()


FAULTS: dict[str, Callable[[ServerProcess], Awaitable[None]]] = {
    "refused dials": refused,
    "503 with Retry-After": busy,
    "accept, then close": slammed,
    "half-open peer": half_open,
    "close 1012": restarted,
    "stall": stalled,
    "server killed": killed,
}
DIALS = {"accept, then close": 4, "503 with Retry-After": 3, "stall": 0}
"""How many dials a fault costs at least, where it is not one; a stall must not cost the connection."""
