"""Processes beside ours: npm and the peers, with all that they start.

Law: a child and its children end with the `with` that they were started in, and the child when we are killed. What a
child says stands in a file.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self, final

import trio

from .say import CannotRun

TAIL: Final = 30
_LOOK: Final = 0.05
_PORTS: Final = range(20_000, 30_000)
# PR_SET_PDEATHSIG of prctl(2), which outlives execve; said by the child, for a parent with threads may not fork and go on
_START: Final = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"


@final
class Child:
    """A process in a group of its own, so that Ctrl-C at the terminal reaches it only through us.

    Args:
        command: what to run, by its full path.
        folder: where.
        environment: all of it.
        log: where to add what it says.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        # it dies with the thread that started it, so that is not one of trio's, which end when they have nothing to do
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it and all that it has started, at once; again is no harm."""
        # some have left the group, and would end by themselves a moment later
        heirs = list(_below(self._process.pid)) if self._process.poll() is None else []
        for kill, process in ((os.killpg, self._process.pid), *((os.kill, heir) for heir in heirs)):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
                kill(process, signal.SIGKILL)
        self._process.wait()

    async def ended(self) -> int:
        """Wait until it has ended; what with."""
        while (code := self.code) is None:  # noqa: ASYNC110 -- it is no child of trio's
            await trio.sleep(_LOOK)
        return code

    def said(self) -> str:
        """What all who wrote to this log have said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The last lines of it."""
        return "\n".join(self.said().splitlines()[-TAIL:])


def environment_of(home: Path, *folders: Path) -> dict[str, str]:
    """With what a peer is run: nothing of the user's, and nothing is written but in `home`.

    Args:
        home: a folder; made if it is not there.
        folders: where programs are found, before those of the system.
    """
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": ":".join([*map(str, folders), "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "NO_COLOR": "1",
    }


def free_port() -> int:
    """A port on the loopback that nobody has, and that the system does not give to clients.

    Raises:
        CannotRun: there is none.
    """
    for port in random.sample(_PORTS, 100):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise CannotRun(f"there is no free port between {_PORTS.start} and {_PORTS.stop}")


def _below(process: int) -> Iterator[int]:
    """The processes that a process has started, and theirs, by proc(5); none where there is no such thing."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            # the name before it may hold anything
            parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            children[int(parent)].append(int(stat.parent.name))
    waiting = [process]
    while waiting:
        found = children[waiting.pop()]
        yield from found
        waiting += found
