"""Messages, and connections made and closed: managed ones beside the raw libraries, in one interleaved run.

Law: each kind is a process of its own on one core, the server another on another core. In each round every kind does
every thing once, in turn, for a moment; a ratio is the median of the ratios within a round, so that a slow moment
hits both. A bare stream, which knows no WebSocket, tells how much of a ping-pong is the system's and trio's.
"""

import statistics
import sys
from contextlib import ExitStack
from typing import Any

import attrs

from .children import Client, serving
from .gates import UNIT, Gate, judged
from .rounds import Cases, told

ROUNDS = 15
TAPPED, FAST, BARE = "managed, trio-websocket", "managed, websockets", "trio stream"
KINDS = (UNIT, "websockets.trio", TAPPED, FAST, "websockets on asyncio", BARE)


@attrs.frozen
class Work:
    """Something to measure.

    Attributes:
        do, path: what the client does, and with which server.
        least: how often at least, by the slowest.
        counted: how often when steps and ticks are counted, if they are.
        seconds: how long one measurement takes, about.
        bare: whether a bare stream can do it, too.
        unit: what is done.
    """

    do: str
    path: str
    least: int
    counted: int = 0
    seconds: float = 0.1
    bare: bool = False
    unit: str = "message"

    def by(self, clients: list[Client]) -> list[Client]:
        """Who can do it."""
        return [client for client in clients if self.bare or client.kind != BARE]


WORKS = {
    "ping-pong 64 B": Work("echo", "echo", 100, counted=2_000, bare=True),
    "100 connections echo": Work("together", "echo", 400, seconds=0.25),
    "flood 64 B": Work("flood", "flood/64", 2_000, counted=20_000),
    "flood 64 KiB": Work("flood", "flood/65536", 100, counted=400),
    "send 64 B": Work("sink", "sink", 1_000, counted=4_000),
    "connect and close": Work("connect", "echo", 20, unit="connection"),
}
GATES = {
    f"ping-pong 64 B, rate: {TAPPED}": Gate(0.95, 1.0, least=True),
    f"flood 64 B, rate: {TAPPED}": Gate(0.80, 2.0, least=True),
    f"ping-pong 64 B, steps: {FAST}": Gate(2.02, ratio=False),
    f"ping-pong 64 B, ticks: {FAST}": Gate(2.02, ratio=False),
    f"ping-pong 64 B, CPU: {FAST}": Gate(0.48, 0.40),
    f"100 connections echo, rate: {FAST}": Gate(2.0, 2.5, least=True),
    f"flood 64 B, rate: {FAST}": Gate(4.0, 20.0, least=True),
    f"flood 64 KiB, rate: {FAST}": Gate(8.0, 15.0, least=True),
    f"connect and close, CPU: {FAST}": Gate(0.80, 0.60),
}


def messages(rounds: int = ROUNDS) -> Cases:
    """Messages and connections, managed beside raw: rates, CPU, and exact task steps and scheduler ticks."""
    with ExitStack() as stack:
        url = stack.enter_context(serving())
        clients = [stack.enter_context(Client(kind)) for kind in KINDS]
        found: Cases = {}
        for name, work in WORKS.items():
            sys.stderr.write(f"messages: {name}\n")
            found |= _raced(name, work, work.by(clients), url, rounds)
            found |= _counted(name, work, work.by(clients), url)
        return _also_by_cpu(judged(found, GATES))


def _also_by_cpu(cases: Cases) -> Cases:
    """A rate is the server's and the neighbours', too, so what it would be by our CPU alone stands beside it."""
    for name, case in cases.items():
        by_cpu = cases.get(name.replace(", rate: ", ", CPU: "))
        if "gate" in case and by_cpu not in (None, case):
            case["gate"]["by CPU"] = round(1 / by_cpu["ratio"][UNIT], 3)
    return cases


def _ask(client: Client, work: Work, url: str, count: int, **more: Any) -> dict[str, float]:
    path = f"{work.path}/{count}" if work.do == "sink" else work.path
    return client.ask(do=work.do, url=f"{url}/{path}", count=count, **more)


def _raced(name: str, work: Work, clients: list[Client], url: str, rounds: int) -> Cases:
    sizes = {client.kind: _size(client, work, url) for client in clients}
    found: dict[str, list[dict[str, float]]] = {client.kind: [] for client in clients}
    for number in range(rounds):
        for client in clients[:: 1 if number % 2 else -1]:
            size = sizes[client.kind]
            answer = _ask(client, work, url, size)
            found[client.kind].append({"rate": size / answer["seconds"], "CPU": answer["cpu"] / size * 1e6})
    made: Cases = {}
    for what, unit in (("rate", f"{work.unit}s/s"), ("CPU", f"us CPU/{work.unit}")):
        for kind, rows in found.items():
            case = f"{name}, {what}: {kind}"
            ratios = [row[what] / base[what] for row, base in zip(rows, found[UNIT], strict=True)]
            made |= told({case: [row[what] for row in rows]}, unit, 1)
            made[case]["ratio"] = {UNIT: round(statistics.median(ratios), 3)}
    return made


def _size(client: Client, work: Work, url: str) -> int:
    """How often it does that in the time of one measurement; finding out warms it up."""
    size = work.least
    for _ in range(3):
        seconds = _ask(client, work, url, size)["seconds"]
        size = max(work.least, int(size * min(20.0, work.seconds / seconds)) // 100 * 100)
    return size


def _counted(name: str, work: Work, clients: list[Client], url: str) -> Cases:
    made: Cases = {}
    for client in clients:
        if work.counted and "asyncio" not in client.kind:
            answer = _ask(client, work, url, work.counted, watched=True)
            for what in ("steps", "ticks"):
                exact = round(answer[what] / work.counted, 2)
                made |= told({f"{name}, {what}: {client.kind}": [exact]}, f"{what}/{work.unit}", 1)
    return made
