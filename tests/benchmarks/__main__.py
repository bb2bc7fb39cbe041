"""Run the benchmarks that are named, or all that time something: tables, or one JSON object."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

from .children import require
from .costs import importing, memory, reading
from .dispatch import dispatch
from .idle import idle
from .messages import messages
from .rounds import Cases
from .storm import storm

BENCHMARKS: dict[str, Callable[..., Cases]] = {
    "dispatch": dispatch,
    "read": reading,
    "import": importing,
    "memory": memory,
    "messages": messages,
    "idle": idle,
    "storm": storm,
}
OPTIONS = {"messages": ("rounds",), "idle": ("rounds", "connections"), "storm": ("rounds", "clients")}
NEEDS = {"messages": ("picows", "websockets"), "idle": ("picows", "websockets"), "storm": ("websockets",)}
LIBRARIES = (
    *("attrs", "automat", "cattrs", "picows", "python-statemachine", "PyYAML"),
    *("transitions", "trio", "trio-websocket", "websockets"),
)
FULL = 2_000


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}


def versions() -> dict[str, str]:
    """What was compared."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # an extra, and what was run did not need it
            continue
    return found


def table(name: str, cases: Cases) -> str:
    """One benchmark as text."""
    width = max(map(len, cases))
    lines = [f"{name:{width}}  {'median':>10} {'min':>10} {'max':>10}"]
    for case, found in cases.items():
        ratios = "".join(f"  {ratio:g} x {against}" for against, ratio in found.get("ratio", {}).items())
        numbers = " ".join(f"{found[key]:10.3f}" for key in ("median", "min", "max"))
        lines.append(f"{case:{width}}  {numbers} {found['unit']}{ratios}{_verdict(found.get('gate'))}")
    return "\n".join(lines)


def _verdict(gate: dict[str, Any] | None) -> str:
    if gate is None:
        return ""
    aim = f", aim {gate['aim']} {'reached' if gate['aim reached'] else 'not reached'}" if "aim" in gate else ""
    return f"  [must {gate['must']}: {'held' if gate['held'] else 'NOT HELD'}{aim}]"


def main() -> None:
    """Read the command line and run."""
    if sys.argv[1:2] == ["mutants"]:
        # it counts and does not time, takes long, and has options of its own
        from .mutants import main as judge_mutants

        judge_mutants(sys.argv[2:])
        return
    if sys.argv[1:2] == ["soak"]:
        # as mutants
        from .soak import main as soak

        soak(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = f"{', '.join(BENCHMARKS)}; or mutants or soak, alone"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often messages, idle and storm measure")
    parser.add_argument("--clients", type=int, metavar="N", help="how many come back in storm")
    parser.add_argument(
        "--full", dest="connections", action="store_const", const=FULL, help=f"{FULL} connections in idle"
    )
    given = parser.parse_args()
    if unknown := set(given.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {min(unknown)}; there is {', '.join(BENCHMARKS)}")
    chosen = given.names or list(BENCHMARKS)
    require(*dict.fromkeys(package for name in chosen for package in NEEDS.get(name, ())))
    found = {name: BENCHMARKS[name](**_options(name, given)) for name in chosen}
    if given.json:
        sys.stdout.write(json.dumps({**found, "machine": machine(), "versions": versions()}, indent=2) + "\n")
    else:
        sys.stdout.write("\n\n".join(table(name, cases) for name, cases in found.items()) + "\n")


def _options(name: str, given: argparse.Namespace) -> dict[str, int]:
    return {each: value for each in OPTIONS.get(name, ()) if (value := getattr(given, each)) is not None}


if __name__ == "__main__":
    main()
