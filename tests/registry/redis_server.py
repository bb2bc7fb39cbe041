"""A real `redis-server` on a free loopback port, which keeps nothing and ends for sure.

Use the fixture `redis`, one server per module and worker; or `with RedisServer(folder) as server` where a test restarts
or pauses it.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
MISSING = (
    "redis-server is not installed, so nothing of Redis was tested: `apt-get install redis-server`, or `make peers`"
)
PATIENCE = 60.0
"""Seconds within which it must answer or have ended; only a broken one takes as long."""

needs_redis = pytest.mark.skipif(PROGRAM is None, reason=MISSING)


class RedisServer:
    """One server; the same port again after `restart`.

    Args:
        folder: where it writes its log.
        settings: more of its settings, such as `("--requirepass", "secret")`.

    Attributes:
        port: where it listens, on 127.0.0.1.
        url: the same as `redis://127.0.0.1:PORT/0`.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        if PROGRAM is None:
            pytest.skip(MISSING)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    def __enter__(self) -> Self:
        for _ in range(5):  # somebody else may take the port before the server has it
            self.start()
            if self.answers():
                return self
            self.kill()
            self.port = free_port()
            self.url = f"redis://127.0.0.1:{self.port}/0"
        raise RuntimeError(f"redis-server did not start:\n{self.log()}")

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, without waiting for it."""
        assert PROGRAM is not None
        assert self._process is None
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder), "--save", "",
            "--appendonly", "no", "--logfile", "redis.log", "--daemonize", "no", *self._settings,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def answers(self) -> bool:
        """Wait until it says something, be it only that a password is missing; False if it has ended."""
        assert self._process is not None
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    connection.sendall(b"PING\r\n")
                    said = connection.recv(64)
                    if said[:1] in {b"+", b"-"} and not said.startswith(b"-LOADING"):
                        return self._process.poll() is None
            except OSError:
                pass
            time.sleep(0.01)
        return False

    def pause(self) -> None:
        """It keeps its connections, takes new ones, and says nothing."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """It goes on; again is no harm."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def kill(self) -> None:
        """It is gone, also if it was paused; again is no harm."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE)
            self._paused = False

    def restart(self) -> None:
        """Killed and started again: it has forgotten everything, unless the settings say that it keeps it."""
        self.kill()
        self.start()
        if not self.answers():
            raise RuntimeError(f"redis-server did not start again:\n{self.log()}")

    def say(self, *words: str) -> str:
        """What it answers to a command, as one line for each value."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return "\n".join(_answer(connection.makefile("rb")))

    def empty(self) -> None:
        """Everything that it keeps is gone."""
        self.say("FLUSHALL")

    def log(self) -> str:
        """What it has written."""
        path = self._folder / "redis.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else "(no log)"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def _answer(lines) -> Iterator[str]:
    line = lines.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "*":
        for _ in range(int(rest)):
            yield from _answer(lines)
    elif kind == "$":
        yield lines.read(int(rest) + 2)[:-2].decode("utf-8", "replace") if rest != "-1" else ""
    else:
        yield rest


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def redis_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests of a module."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(redis_of_module: RedisServer) -> RedisServer:
    """That server, without keys; whoever paused it or ended it need not undo it."""
    if redis_of_module._process is None:
        redis_of_module.restart()
    redis_of_module.resume()
    redis_of_module.empty()
    return redis_of_module
