"""The command line: which systems and cases are played, and how they are told.

Law: whatever happens, what was started is ended.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import trio

from .case import Row
from .livekit.rounds import LIVEKIT
from .openclaw.scenes import OPENCLAW
from .say import CannotRun, say
from .socketio.rounds import SOCKETIO
from .system import System
from .table import plain, table

SYSTEMS: Final = (OPENCLAW, SOCKETIO, LIVEKIT)
DIFFERS: Final = 1
CANNOT: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; the exit code."""
    given = _given(arguments)
    systems = [each for each in SYSTEMS if given.system in (None, each.name)]
    asked = {each.name: [name for name in each.cases if not given.only or name in given.only] for each in systems}
    if given.list:
        sys.stdout.write(_listed(systems))
        return 0
    logging.getLogger("lifecycle").setLevel(logging.CRITICAL)  # what it would warn of is what the cases are about
    codes, told = [0], {}
    for each in (each for each in systems if asked[each.name]):
        rows, code = _played(each, asked[each.name])
        codes.append(code or (DIFFERS if any(row.seen.wrong for row in rows) else 0))
        if code == 0 and not given.json:
            sys.stdout.write(("\n" if told else "") + table(rows))
            sys.stdout.flush()
        told[each.name] = plain(rows)
    if given.json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return max(codes)


def _listed(systems: Sequence[System]) -> str:
    lines = [(each.name, name, about) for each in systems for name, about in each.cases.items()]
    system, case = (max(len(line[column]) for line in lines) for column in (0, 1))
    return "".join(f"{line[0]:{system}}  {line[1]:{case}}  {line[2]}\n" for line in lines)


def _played(system: System, only: Collection[str]) -> tuple[list[Row], int]:
    """Play cases of one system: what was seen, and the exit code if that cannot be."""
    cannot: list[CannotRun] = []
    rows: dict[tuple[str, str], Row] = {}
    try:
        trio.run(_interruptible, system, only, rows)
    except* CannotRun as group:
        cannot += _all(group)
    except* KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    for error in cannot:
        sys.stderr.write(f"{error.log}\n" if error.log else "")
        say(error.why)
    return list(rows.values()), CANNOT if cannot else 0


async def _interruptible(system: System, only: Collection[str], rows: dict[tuple[str, str], Row]) -> None:
    """Play cases; to be asked to end is Ctrl-C."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_raise_at_term)
        await system.play(only, rows)
        nursery.cancel_scope.cancel()


async def _raise_at_term() -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as told:
        async for _ in told:
            raise KeyboardInterrupt


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -P tests/peers",
        description="Play cases with our pages against what others wrote, which npm and pip install once.",
        epilog=f"Exit codes: 0 all is as expected, {DIFFERS} something differs, {CANNOT} a peer cannot be had.",
    )
    names = sorted({name for each in SYSTEMS for name in each.cases})
    systems = [each.name for each in SYSTEMS]
    parser.add_argument("system", nargs="?", choices=systems, help="this system; without it, all of them")
    parser.add_argument("--only", action="append", metavar="NAME", choices=names, help="this case; again for more")
    parser.add_argument("--list", action="store_true", help="say which cases there are, and play none")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the tables")
    return parser.parse_args(arguments)


def _all(group: BaseExceptionGroup[Any]) -> Iterator[Any]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _all(error)
        else:
            yield error
