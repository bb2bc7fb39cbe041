"""What the demo does to its connection: faults of the network, by the proxy, and of the server: signals and orders.

Law: every fault is real. The proxy stands on a real socket, the server is another process, and nothing in the client
knows of either.
"""

import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, final

import trio

from lifecycle.testing.proxy import Proxy
from lifecycle.testing.schedule import Fault

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
        command = [sys.executable, "-m", "lifecycle.testing.demo.server", str(self.port)]
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


async def refused(_: ServerProcess, proxy: Proxy) -> None:
    """The connection is reset, and for a while dials are refused."""
    proxy.inject(Fault(kind="refuse", lasts=1.0))
    proxy.inject(Fault(kind="reset"))
    await trio.sleep(1.0)


async def busy(_: ServerProcess, proxy: Proxy) -> None:
    """A gateway says goodbye, and refuses the first dials with 503 and Retry-After."""
    proxy.inject(Fault(kind="status", status=503, retry_after=1, times=2))
    proxy.inject(Fault(kind="close", code=1013))


async def slammed(server: ServerProcess, _: Proxy) -> None:
    """The server accepts, and closes at once, three times."""
    await server.order(slam=3, close=1011)


async def half_open(_: ServerProcess, proxy: Proxy) -> None:
    """Nothing passes any more, and nothing says so."""
    lasts = 2 * HEARTBEAT + 1.0
    proxy.inject(Fault(kind="half-open", lasts=lasts))
    await trio.sleep(lasts)


async def restarted(_: ServerProcess, proxy: Proxy) -> None:
    """The connection is closed with 1012."""
    proxy.inject(Fault(kind="close", code=1012))


async def reset(_: ServerProcess, proxy: Proxy) -> None:
    """The connection is reset."""
    proxy.inject(Fault(kind="reset"))


async def slow(_: ServerProcess, proxy: Proxy) -> None:
    """The network is slow for a while."""
    proxy.inject(Fault(kind="delay", by=0.2 * HEARTBEAT, lasts=1.0))
    proxy.inject(Fault(kind="throttle", rate=4096, lasts=1.0))
    await trio.sleep(1.0)


async def stalled(server: ServerProcess, _: Proxy) -> None:
    """The peer is slow for a while, and then goes on."""
    server.pause()
    await trio.sleep(0.7 * HEARTBEAT)
    server.resume()


async def killed(server: ServerProcess, _: Proxy) -> None:
    """The server is killed, and comes back."""
    await server.kill()
    await trio.sleep(0.3)
    await server.start()


FAULTS: dict[str, Callable[[ServerProcess, Proxy], Awaitable[None]]] = {
    "refused dials": refused,
    "503 with Retry-After": busy,
    "accept, then close": slammed,
    "half-open peer": half_open,
    "close 1012": restarted,
    "reset": reset,
    "slow network": slow,
    "stall": stalled,
    "server killed": killed,
}
DIALS = {"accept, then close": 4, "503 with Retry-After": 3, "slow network": 0, "stall": 0}
"""How many dials a fault costs at least, where it is not one; being slow must not cost the connection."""
