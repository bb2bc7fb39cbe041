"""Processes beside ours: servers, and clients that are measured; each pinned to a core of its own kind.

Law: a child ends with the `with` that it was started in, and when we are killed. It is a file of this folder, and
finds the packages where we found them.
"""

import contextlib
import importlib.util
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

PATIENCE = 120.0
"""Seconds for one answer of a client; what takes longer hangs."""


def require(*packages: str) -> None:
    """End with one line if an optional package is not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; run: pip install 'connection-lifecycle[bench]'")


def start(file: str, *arguments: str, server: bool) -> subprocess.Popen[str]:
    """Start a file of this folder.

    Args:
        file: its name.
        arguments: for it.
        server: whether it belongs on the last core, where servers are, or on the first, where clients are.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name(file)), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    pin(process.pid, server=server)
    return process


def pin(process: int, *, server: bool) -> None:
    """Keep a process on one core, if the system can do that and has more than one."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(process, {cores[-1] if server else cores[0]})


def end(process: subprocess.Popen[str]) -> None:
    """Kill a child and forget it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The fast server, as the beginning of its URLs."""
    process = start("server.py", server=True)
    try:
        yield f"ws://127.0.0.1:{_line(process).strip()}"
    finally:
        end(process)


@final
class Client:
    """A process of one kind of client, that does what it is asked to."""

    def __init__(self, kind: str) -> None:
        self._process, self.kind = start("clients.py", kind, server=False), kind

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)

    def ask(self, **question: Any) -> dict[str, float]:
        """Ask, and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(_line(self._process))
        return answer


def _line(process: subprocess.Popen[str]) -> str:
    # nobody writes a second line before the first one is asked for, so nothing is hidden in the buffer
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]  # it is a pipe
        ready = selector.select(PATIENCE)
    line = process.stdout.readline() if ready and process.stdout is not None else ""
    if not line:
        raise RuntimeError(f"{process.args!r} gave no answer{'' if ready else f' within {PATIENCE:g} s'}")
    return line
