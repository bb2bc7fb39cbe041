"""What an installation leaves behind, and what children do."""

import fcntl
import socket
import sys
from pathlib import Path

import pytest
import trio

from . import install
from .children import Child, free_port
from .say import CannotRun

WANTED = install.Wanted(("there-is-none@1.0.0", "nor-this@2.0.0"), lambda _: [sys.executable, "--version"])


@pytest.mark.real_time(limit=60)
async def test_what_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No registry is there for npm: that is told with its own words, and the next try begins anew."""
    monkeypatch.setattr(install, "PLACE", tmp_path)
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(CannotRun, match="npm install has failed") as told:
        await install.installed(WANTED)
    assert "ECONNREFUSED" in told.value.log
    assert _names(tmp_path) <= {"lock", "cache"}


async def test_what_is_there_is_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its versions, and nothing is run."""
    monkeypatch.setattr(install, "PLACE", tmp_path)
    (tmp_path / "there-is-none@1.0.0+nor-this@2.0.0").mkdir()
    assert await install.installed(WANTED) == tmp_path / "there-is-none@1.0.0+nor-this@2.0.0"


async def test_the_lock_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who comes while somebody installs takes what that one has made."""
    monkeypatch.setattr(install, "PLACE", tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(install.installed, WANTED)
            await trio.sleep(1)
            WANTED.folder.mkdir()
            lock.close()


def test_a_free_port_is_free() -> None:
    """It can be listened on, and is none that the system gives to clients."""
    port = free_port()
    assert 20_000 <= port < 30_000
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))


LOCKS = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("here", flush=True)
time.sleep(60)
"""
STARTS = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], start_new_session=True)"


@pytest.mark.real_time(limit=30)
async def test_a_child_ends_with_its_children(tmp_path: Path) -> None:
    """What its own child holds is free again, though that has left its group."""
    log, lock = tmp_path / "said.log", tmp_path / "lock"
    with Child([sys.executable, "-c", STARTS, LOCKS, str(lock)], tmp_path, {}, log) as child:
        while "here" not in child.said():  # noqa: ASYNC110 -- it is another process
            await trio.sleep(0.01)
        assert child.code is None
        with lock.open() as opened, pytest.raises(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert child.code is not None
    with lock.open() as opened:
        await trio.to_thread.run_sync(fcntl.flock, opened, fcntl.LOCK_EX)
    assert child.tail() == "here"
    child.kill()


def _names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
