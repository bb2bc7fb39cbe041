"""Run the benchmarks that are named, or all that time something: tables, or one JSON object.

Exits with 1 if something that must be reached is not.
"""

import argparse
import inspect
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any

from .children import require
from .costs import importing, memory, reading
from .dispatch import dispatch
from .idle import idle
from .liveness import liveness
from .messages import messages
from .registry import registry
from .rounds import Cases
from .simulation import simulation
from .storm import storm
from .tables import missed, table

BENCHMARKS: dict[str, Callable[..., Cases]] = {
    "dispatch": dispatch,
    "read": reading,
    "import": importing,
    "memory": memory,
    "messages": messages,
    "liveness": liveness,
    "idle": idle,
    "storm": storm,
    "registry": registry,
    "simulation": simulation,
}
ALONE = {
    "mutants": "Change a page in every way, one at a time, and count what notices.",
    "soak": "Kill a server again and again, then let it go silent: whether all its connections heal, and nothing grows.",
}
"""Modules with a command line of their own: they take long, and tell more than times."""
OPTIONS = {
    **dict.fromkeys(("messages", "liveness", "registry"), ("rounds",)),
    "idle": ("rounds", "connections"),
    "storm": ("rounds", "clients"),
}
NEEDS = {
    **dict.fromkeys(("messages", "idle"), ("picows", "websockets")),
    "liveness": ("picows",),
    "registry": ("coredis", "pytest"),
    "storm": ("websockets",),
}
LIBRARIES = (
    *("attrs", "automat", "cattrs", "coredis", "picows", "python-statemachine", "PyYAML"),
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


def main() -> None:
    """Read the command line and run."""
    if sys.argv[1:2] and sys.argv[1] in ALONE:
        import_module(f".{sys.argv[1]}", __package__).main(sys.argv[2:])
        return
    logging.getLogger("lifecycle").setLevel(logging.ERROR)  # pages made for a benchmark have no certificate
    given = _given()
    chosen = given.names or list(BENCHMARKS)
    require(*dict.fromkeys(package for name in chosen for package in NEEDS.get(name, ())))
    found = {name: BENCHMARKS[name](**_options(name, given)) for name in chosen}
    wrong = [f"{name}: {case}" for name, cases in found.items() for case in missed(cases)]
    if given.json:
        sys.stdout.write(json.dumps({**found, "machine": machine(), "versions": versions()}, indent=2) + "\n")
    else:
        verdict = f"{len(wrong)} of what must be reached is not: {'; '.join(wrong)}" if wrong else "all that must be is"
        sys.stdout.write("\n\n".join([*(table(name, cases) for name, cases in found.items()), verdict]) + "\n")
    sys.exit(1 if wrong else 0)


def _given() -> argparse.Namespace:
    described = {**{name: (inspect.getdoc(run) or "").partition("\n")[0] for name, run in BENCHMARKS.items()}, **ALONE}
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog="\n".join(["benchmarks:", *(f"  {name:9} {said}" for name, said in described.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = (
        f"of those below; without one, all but {' and '.join(ALONE)}, which run alone and have a --help of their own"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="how often messages, liveness, registry, idle and storm measure"
    )
    parser.add_argument("--clients", type=int, metavar="N", help="how many come back in storm")
    parser.add_argument(
        "--full", dest="connections", action="store_const", const=FULL, help=f"{FULL} connections in idle"
    )
    given = parser.parse_args()
    if unknown := set(given.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {min(unknown)}; there is {', '.join(BENCHMARKS)}")
    return given


def _options(name: str, given: argparse.Namespace) -> dict[str, int]:
    return {each: value for each in OPTIONS.get(name, ()) if (value := getattr(given, each)) is not None}


if __name__ == "__main__":
    main()
