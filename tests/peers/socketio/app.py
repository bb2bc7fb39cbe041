"""The real servers and clients: what is installed, and how each is started, restarted and killed.

Law: a server keeps what it keeps in a folder of its own, and its port through all restarts.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, final

import trio

from peers.children import Child, environment_of, free_port
from peers.install import Wanted, installed, node
from peers.say import CannotRun

Kind = Literal["python-socketio", "socket.io"]
SERVERS: Final[tuple[Kind, ...]] = ("python-socketio", "socket.io")
HERE: Final = Path(__file__).parent
INTERVAL, TIMEOUT = 1.0, 3.0
"""Seconds between two pings of a server, and how long it waits for a pong."""
OVERLAP: Final = 2
"""So many events more than a client asks for are told again from the log."""
_PATIENCE: Final = 40.0
_LOOK: Final = 0.05
_TRIAL: Final = "require('socket.io'); require('socket.io-client')"


def _trial(app: Path) -> Sequence[str]:
    return [node(), "-e", _TRIAL]


NPM: Final = Wanted(("socket.io@4.8.4", "socket.io-client@4.8.4"), _trial)


async def installed_npm() -> Path:
    """Find the installation of npm's, or make it, which takes some seconds and 9 MB; see `installed`."""
    return await installed(NPM)


def node_environment(home: Path) -> dict[str, str]:
    """With what node is run, so that it finds what is installed."""
    return environment_of(home) | {"NODE_PATH": str(NPM.folder / "node_modules")}


@final
class Server:
    """One real server on one port; use it as `async with server(kind) as it`.

    Args:
        command: what runs it; the port and its knobs come behind.
        folder: for all that it keeps.
        knobs: what it is told beside what all are told.

    Attributes:
        command: what runs it.
        port: where it listens.
        log: the file in which its events stand, if it writes some.
    """

    def __init__(self, command: Sequence[str], folder: Path, **knobs: Any) -> None:
        self.port, self.log = free_port(), folder / "events.jsonl"
        told = {
            "interval": INTERVAL,
            "timeout": TIMEOUT,
            "transports": None,
            "log": str(self.log),
            "overlap": OVERLAP,
        } | knobs
        self.command, self._told, self._folder = command, (str(self.port), json.dumps(told)), folder
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """For clients."""
        return f"ws://127.0.0.1:{self.port}/socket.io/"

    async def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            CannotRun: it does not.
        """
        child = self._child = Child(
            [*self.command, *self._told],
            self._folder,
            node_environment(self._folder / "home"),
            self._folder / "said.log",
        )
        with trio.move_on_after(_PATIENCE):
            while child.code is None:
                with contextlib.suppress(OSError):
                    await (await trio.open_tcp_stream("127.0.0.1", self.port)).aclose()
                    return
                await trio.sleep(_LOOK)
        raise CannotRun(f"{self.command[-1]} does not listen", child.tail())

    def kill(self) -> None:
        """End it at once; it says nothing to anybody."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def tail(self) -> str:
        """The last lines that it said."""
        return self._child.tail() if self._child is not None else ""

    def events(self) -> list[dict[str, Any]]:
        """What it has written into its log."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def command_of(kind: Kind) -> list[str]:
    """What runs the server of the tests, of one kind."""
    return (
        [sys.executable, "-P", str(HERE / "server.py")]
        if kind == "python-socketio"
        else [node(), str(HERE / "server.cjs")]
    )


CONVERSATION: Final = (sys.executable, "-P", str(HERE / "conversation.py"))
"""What runs a server of conversations, on python-socketio."""


@contextlib.asynccontextmanager
async def serving(command: Sequence[str], **knobs: Any) -> AsyncIterator[Server]:
    """A server that listens, and is gone afterwards with all that it kept."""
    with folder() as own:
        it = Server(command, own, **knobs)
        try:
            await it.start()
            yield it
        finally:
            it.kill()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="peers-socketio-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
