"""The real LiveKit Agents: what is installed, and how a program of ours is run with it.

Law: such a program runs in an environment of its own, in which the real thing finds what it was installed with.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

import lifecycle
from peers.children import Child, environment_of
from peers.install import Wanted, installed, python_of
from peers.say import CannotRun

_PATIENCE: Final = 240.0


def _trial(folder: Path) -> Sequence[str]:
    return [str(python_of(folder)), "-c", "import livekit.agents"]


PYPI: Final = Wanted(("livekit-agents==1.8.9",), _trial, "pip")


async def installed_python() -> Path:
    """Find the environment, or make it, which takes some minutes and 400 MB; its Python. See `installed`."""
    return python_of(await installed(PYPI))


async def run_real(
    python: Path, folder: Path, program: Path, scripts: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Let a program play scripts, and wait for its end.

    Args:
        python: of the environment.
        folder: for what is written on the way.
        program: is told where the scripts are, where to write the results, both one a line, and where our package and
            what it needs are found.
        scripts: what to play.

    Raises:
        CannotRun: it has not come to an end.
    """
    given, told = folder / f"{program.stem}-scripts.jsonl", folder / f"{program.stem}-results.jsonl"
    given.write_text("".join(json.dumps(each) + "\n" for each in scripts), encoding="utf-8")
    ours = dict.fromkeys(str(Path(each.__file__).parents[1]) for each in (lifecycle, attrs))
    command = [str(python), "-P", str(program), str(given), str(told), os.pathsep.join(ours)]
    with Child(command, folder, environment_of(folder / "home"), folder / "said.log") as child:
        with trio.move_on_after(_PATIENCE):
            await child.ended()
        if child.code != 0:
            raise CannotRun(f"{program.stem} has not come to an end", child.tail())
    return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="peers-livekit-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
