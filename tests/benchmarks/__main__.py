"""Run the benchmarks that are named, or all that time something: tables, or one JSON object."""

import argparse
import json
import os
import platform
import sys
from importlib import metadata
from typing import Any

from .costs import importing, memory, reading
from .dispatch import dispatch
from .rounds import Cases

BENCHMARKS = {"dispatch": dispatch, "read": reading, "import": importing, "memory": memory}
LIBRARIES = ("attrs", "automat", "cattrs", "python-statemachine", "PyYAML", "transitions")


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}


def versions() -> dict[str, str]:
    """What was compared."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def table(name: str, cases: Cases) -> str:
    """One benchmark as text."""
    width = max(map(len, cases))
    lines = [f"{name:{width}}  {'median':>10} {'min':>10} {'max':>10}"]
    for case, found in cases.items():
        ratios = "".join(f"  {ratio:g} x {against}" for against, ratio in found.get("ratio", {}).items())
        numbers = " ".join(f"{found[key]:10.3f}" for key in ("median", "min", "max"))
        lines.append(f"{case:{width}}  {numbers} {found['unit']}{ratios}")
    return "\n".join(lines)


def main() -> None:
    """Read the command line and run."""
    if sys.argv[1:2] == ["mutants"]:
        # it counts and does not time, takes long, and has options of its own
        from .mutants import main as judge_mutants

        judge_mutants(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; or mutants, alone")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    given = parser.parse_args()
    if unknown := set(given.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {min(unknown)}; there is {', '.join(BENCHMARKS)}")
    found = {name: BENCHMARKS[name]() for name in given.names or BENCHMARKS}
    if given.json:
        sys.stdout.write(json.dumps({**found, "machine": machine(), "versions": versions()}, indent=2) + "\n")
    else:
        sys.stdout.write("\n\n".join(table(name, cases) for name, cases in found.items()) + "\n")


if __name__ == "__main__":
    main()
