"""The command line: which cases are played, and how they are told.

Law: whatever happens, what was started is ended.
"""

import argparse
import functools
import json
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import trio

from .cases import SCENES, Scene
from .gateway import Gateway, gateway
from .install import installed
from .play import Case, Meeting, Play, Seen
from .say import CannotRun, say

DIFFERS: Final = 1
CANNOT: Final = 2
INTERRUPTED: Final = 130

Rows = dict[str, tuple[Case, Seen]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; the exit code."""
    given = _given(arguments)
    cases = {case.name: case for scene in SCENES for case in scene.cases}
    if given.list:
        width = max(map(len, cases))
        sys.stdout.writelines(f"{name:{width}}  {case.about}\n" for name, case in cases.items())
        return 0
    logging.getLogger("lifecycle").setLevel(logging.CRITICAL)  # what it would warn of is what the cases are about
    only = set(given.only or cases)
    scenes = [attrs.evolve(scene, cases=tuple(case for case in scene.cases if case.name in only)) for scene in SCENES]
    cannot: list[CannotRun] = []
    rows: Rows = {}
    try:
        trio.run(_interruptible, [scene for scene in scenes if scene.cases], rows)
    except* CannotRun as group:
        cannot += _all(group)
    except* KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    for error in cannot:
        sys.stderr.write(f"{error.log}\n" if error.log else "")
        say(error.why)
    if cannot:
        return CANNOT
    sys.stdout.write(plain(rows) if given.json else table(rows))
    return DIFFERS if any(seen.wrong for _, seen in rows.values()) else 0


async def _interruptible(scenes: list[Scene], rows: Rows) -> None:
    """Play scenes; to be asked to end is Ctrl-C."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_raise_at_term)
        await _play(scenes, rows)
        nursery.cancel_scope.cancel()


async def _raise_at_term() -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as told:
        async for _ in told:
            raise KeyboardInterrupt


async def _play(scenes: list[Scene], rows: Rows) -> None:
    app = await installed()
    began = trio.current_time()
    with gateway(app) as it:
        for scene in scenes:
            if scene.running and not it.started:
                say("starting the gateway")
                it.start()
                await it.ready()
            say(f"{', '.join(case.name for case in scene.cases)}: after {trio.current_time() - began:.0f} s")
            await _scene(scene, it, rows)


async def _scene(scene: Scene, it: Gateway, rows: Rows) -> None:
    await scene.before(it)
    meeting = Meeting(len(scene.cases), functools.partial(scene.act, it))

    async def one(case: Case) -> None:
        rows[case.name] = case, await Play(case, it, meeting).played()

    rows |= {case.name: (case, Seen("nothing", (), 0.0, ("it was not played",))) for case in scene.cases}
    async with trio.open_nursery() as nursery:
        for case in scene.cases:
            nursery.start_soon(one, case)
    await it.ready()
    await scene.after(it)


# -- what is told


def table(rows: Rows) -> str:
    """What was seen, for people: a row a case, then what was measured, then what differs."""
    head = ["case", "", "expected end", "seen end", "dials", "seconds"]
    lines = [head, *(_row(case, seen) for case, seen in rows.values())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    wrong = [f"{name}: {what}" for name, (_, seen) in rows.items() for what in dict.fromkeys(seen.wrong)]
    notes = [f"{name}: {what}" for name, (_, seen) in rows.items() for what in seen.notes]
    differ = sum(bool(seen.wrong) for _, seen in rows.values())
    verdict = f"{differ} of {len(rows)} cases differ" if differ else f"{len(rows)} of {len(rows)} end as they must"
    return "\n".join([*told, "", *notes, *wrong, verdict]) + "\n"


def _row(case: Case, seen: Seen) -> list[str]:
    dials = f"{_span(seen.dials)} of {case.dials}"
    return [case.name, "DIFFERS" if seen.wrong else "ok", case.expected, seen.path, dials, f"{seen.seconds:.1f}"]


def _span(numbers: Sequence[int]) -> str:
    least, most = min(numbers, default=0), max(numbers, default=0)
    return str(least) if least == most else f"{least}-{most}"


def plain(rows: Rows) -> str:
    """What was seen, as JSON."""
    cases = {
        name: {"expected": case.expected, "expected dials": str(case.dials), **attrs.asdict(seen)}
        for name, (case, seen) in rows.items()
    }
    return json.dumps(cases, indent=2) + "\n"


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -P tests/peers",
        description="Play cases with the page openclaw-gateway against the real gateway, which npm installs once.",
        epilog=f"Exit codes: 0 all is as expected, {DIFFERS} something differs, {CANNOT} the gateway cannot be had.",
    )
    names = [case.name for scene in SCENES for case in scene.cases]
    parser.add_argument("--only", action="append", metavar="NAME", choices=names, help="this case; again for more")
    parser.add_argument("--list", action="store_true", help="say which cases there are, and play none")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    return parser.parse_args(arguments)


def _all(group: BaseExceptionGroup[Any]) -> Iterator[Any]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _all(error)
        else:
            yield error
