"""What a page costs to read, the package to import, and a machine to keep."""

import statistics
import subprocess
import sys
import tracemalloc

from lifecycle.definition.read import read, read_text
from lifecycle.machine.events import Event
from lifecycle.machine.machine import TRACE, Machine
from lifecycle.machine.table import Table

from .gates import Gate, judged
from .rounds import Cases, race, told

HEAD = "lifecycle: 1\npage: long\nvariables: {n: {count: 0, max: 9}}\nhears: {go: {}, back: {}}\nstates:\n"
STATE = """\
  s{0}:
    rest: true
    clauses:
      A{0}: {{on: go, when: n < 9, do: {{set: {{n: 0}}}}, to: s{1}}}
      B{0}: {{on: back, to: s0}}
"""
STATES = 39
IMPORT = "import attrs, sys, time\na = time.perf_counter()\nimport {}\nprint(time.perf_counter() - a)"
MACHINES = 2_000
LINES, PACKAGE, KEPT = "200 lines", "lifecycle", "websocket, connected"
READING = {LINES: Gate(60.0, 15.0, ratio=False)}
IMPORTING = {PACKAGE: Gate(60.0, 20.0, ratio=False)}
MEMORY = {KEPT: Gate(1.5 * 1024, 0.9 * 1024, ratio=False)}


def reading() -> Cases:
    """Read and check the form of a page of 200 lines, and of one that uses others."""
    text = HEAD + "".join(STATE.format(number, (number + 1) % STATES) for number in range(STATES))
    name = f"{len(text.splitlines())} lines"
    runners = {name: lambda _: read_text(text, "long.yaml"), "openclaw-gateway": lambda _: read("openclaw-gateway")}
    return judged(told(race(runners, dict.fromkeys(runners, 1), 15), "ms", 1e3), READING)  # type: ignore[arg-type]


def importing() -> Cases:
    """Import the package in a new process, beyond attrs; and the modules that run a page from a file of paths."""
    found: dict[str, list[float]] = {}
    for _ in range(9):
        for name in (PACKAGE, "lifecycle.machine.machine", "lifecycle.definition.read", "statemachine"):
            ran = subprocess.run(
                [sys.executable, "-c", IMPORT.format(name)], capture_output=True, text=True, check=True
            )
            found.setdefault(name, []).append(float(ran.stdout))
    return judged(told(found, "ms", 1e3), IMPORTING)


def memory() -> Cases:
    """Bytes of one more machine of a table, its trace full, its clocks running."""
    found: dict[str, list[float]] = {}
    table = Table(read("websocket"))
    parameters = tuple(
        None if each.default == "optional" else each.default for each in table.definition.parameters.values()
    )

    def machine() -> Machine:
        made = Machine(table, parameters)
        made.start()
        dial = made.receive(Event("connect"))[0].token  # type: ignore[union-attr]
        made.receive(Event("opened", {}, "opened", dial))
        while len(made.trace) < TRACE:
            made.trace.append(made.trace[-1])
        return made

    for _ in range(5):
        machine()
        tracemalloc.start()
        kept = [machine() for _ in range(MACHINES)]
        size = tracemalloc.get_traced_memory()[0] - sys.getsizeof(kept)
        tracemalloc.stop()
        found.setdefault(KEPT, []).append(size / MACHINES)
    if statistics.median(found[KEPT]) <= 0:
        raise AssertionError("nothing was measured")
    return judged(told(found, "bytes", 1), MEMORY)
