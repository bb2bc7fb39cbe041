"""The real gateway: started, restarted, killed and configured anew.

Law: its state, its home and its log are in a folder of its own that goes with it; of this machine it gets a port on the
loopback, one that the system does not give to clients.
"""

import contextlib
import http.client
import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

import trio

from peers.children import Child, free_port
from peers.say import CannotRun

from .app import command_of, gateway_environment

TOKEN: Final = "a-token-for-tests-0123456789abcdef"
PATIENCE: Final = 150.0
"""Seconds until a gateway that was started is ready; it takes 15 to 40."""
_LOOK: Final = 0.1
_APPLIES: Final = 30.0
_APPLIED: Final = "config hot reload applied"


@final
class Gateway:
    """One gateway on one port; use it as `with gateway(app) as it`, which starts nothing yet.

    Args:
        app: the installation.
        folder: for all that it keeps.

    Attributes:
        port: where it listens.
        token: the one that it was configured with last.
    """

    def __init__(self, app: Path, folder: Path) -> None:
        self._app, self._folder = app, folder
        self._config = folder / "state" / "openclaw.json"
        self.port = free_port()
        self._child: Child | None = None
        self._since = 0.0
        self._config.parent.mkdir(mode=0o700)
        self._write({
            "gateway": {
                "mode": "local",
                "port": self.port,
                "bind": "loopback",
                "auth": {"mode": "token", "token": TOKEN},
            },
            "logging": {"file": str(folder / "gateway.jsonl")},
            "update": {"checkOnStart": False},
            "models": {"catalogRefresh": {"enabled": False}},
        })  # fmt: skip

    @property
    def url(self) -> str:
        """For clients."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def token(self) -> str:
        """The one that is configured now."""
        found: str = self.configuration()["gateway"]["auth"]["token"]
        return found

    @property
    def started(self) -> bool:
        """Whether it was started, and not killed."""
        return self._child is not None

    def start(self) -> None:
        """Start it; it is ready some 20 seconds later."""
        environment = gateway_environment(self._app, self._folder / "home") | {
            "OPENCLAW_STATE_DIR": str(self._config.parent),
            "OPENCLAW_CONFIG_PATH": str(self._config),
        }
        command = command_of(self._app, "gateway", "run", "--port", str(self.port))
        self._since = trio.current_time()
        self._child = Child(command, self._folder, environment, self._folder / "said.log")

    def restart(self) -> None:
        """Let it restart in place: it says goodbye, goes, and comes back some 10 seconds later in the same process."""
        self._since = trio.current_time()
        self._running().signal(signal.SIGUSR2)

    def kill(self) -> None:
        """End it at once; it says nothing to anybody."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    async def ready(self) -> None:
        """Wait until it says that it is, after it was started or restarted last.

        Raises:
            CannotRun: it has ended, or is not ready in time.
        """
        with trio.move_on_after(PATIENCE):
            while True:
                self.check_alive()
                up = await trio.to_thread.run_sync(_uptime, self.port)
                # one that is about to go answers for a while
                if up is not None and trio.current_time() - up > self._since:
                    return
                await trio.sleep(_LOOK)
        raise CannotRun(f"the gateway is not ready after {PATIENCE:.0f} s", self.tail())

    def check_alive(self) -> None:
        """Look whether it still runs.

        Raises:
            CannotRun: it has ended by itself.
        """
        if self._running().code is not None:
            raise CannotRun(f"the gateway has ended with {self._running().code}", self.tail())

    def tail(self) -> str:
        """The last lines that it said."""
        return self._running().tail()

    def configuration(self) -> dict[str, Any]:
        """What its file says."""
        found: dict[str, Any] = json.loads(self._config.read_text(encoding="utf-8"))
        return found

    async def configured(self, path: str, value: Any) -> None:
        """Change its file, and wait until it has taken that, which needs no restart; arguments are those of `change`.

        Raises:
            CannotRun: it does not take it.
        """
        child = self._running()
        before = child.said().count(_APPLIED)
        self.change(path, value)
        with trio.move_on_after(_APPLIES):
            while child.said().count(_APPLIED) == before:  # noqa: ASYNC110 -- it is said in a file
                await trio.sleep(_LOOK)
            return
        raise CannotRun(f"the gateway has not taken {path} within {_APPLIES:.0f} s", child.tail())

    def change(self, path: str, value: Any) -> None:
        """Change its file, which it watches.

        Args:
            path: keys with dots between.
            value: JSON, or None for nothing.
        """
        whole = self.configuration()
        *around, last = path.split(".")
        inner = whole
        for key in around:
            inner = inner.setdefault(key, {})
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
        self._write(whole)

    def _write(self, whole: dict[str, Any]) -> None:
        # at its place in one moment, for it may be read at any
        made = self._config.with_suffix(".new")
        made.write_text(json.dumps(whole, indent=2), encoding="utf-8")
        made.chmod(0o600)
        made.replace(self._config)

    def _running(self) -> Child:
        assert self._child is not None, "the gateway was not started"
        return self._child


@contextlib.contextmanager
def gateway(app: Path) -> Iterator[Gateway]:
    """A gateway that is gone afterwards, with all that it kept."""
    folder = Path(tempfile.mkdtemp(prefix="peers-openclaw-"))
    it = Gateway(app, folder)
    try:
        yield it
    finally:
        it.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _uptime(port: int) -> float | None:
    """For how many seconds a gateway has been running that is ready; none if it is not."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        asking.request("GET", "/readyz")
        answer = asking.getresponse()
        told = json.loads(answer.read())
        return float(told["uptimeMs"]) / 1000 if answer.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        asking.close()
