"""What a connection costs that does nothing: memory of the process, and tasks.

Law: each case is a fresh process that opens some connections before it begins to weigh, so that what all share is not
counted. Memory is what is resident, with what the allocator keeps.
"""

import sys

from .children import Client, serving
from .gates import UNIT, Gate, judged
from .messages import FAST, TAPPED
from .rounds import Cases, told

ROUNDS = 3
CONNECTIONS = 1_000
SEASONED = f"{FAST}, full history"
KINDS = (UNIT, "websockets.trio", TAPPED, FAST, SEASONED, "websockets on asyncio")
_SEASON = 12.0
GATES = {f"memory: {FAST}": Gate(12.0, 7.0, ratio=False)}


def idle(rounds: int = ROUNDS, connections: int = CONNECTIONS) -> Cases:
    """Memory and tasks of a connection that does nothing, managed beside raw."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with serving() as url:
        for number in range(rounds):
            for kind in KINDS:
                sys.stderr.write(f"idle: round {number + 1}, {kind}\n")
                # some hours in some seconds are work for the machine, so they are lived by fewer
                count, wait = (connections // 5, _SEASON) if kind == SEASONED else (connections, 0.0)
                with Client(kind) as client:
                    found[kind].append(client.ask(idle=True, url=f"{url}/echo", count=count, wait=wait))
    memory = {f"memory: {kind}": [row["bytes"] for row in rows] for kind, rows in found.items()}
    tasks = {f"tasks: {kind}": [row["tasks"] for row in rows] for kind, rows in found.items()}
    return judged({**told(memory, "KiB/connection", 1 / 1024), **told(tasks, "tasks/connection", 1)}, GATES)
