"""What an installation leaves behind, and what children do."""

import fcntl
import json
import sys
from pathlib import Path

import pytest
import trio

from . import install
from .children import Child
from .gateway import TOKEN, Gateway
from .say import CannotRun


@pytest.mark.real_time(limit=60)
async def test_what_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No registry is there for npm: that is told with its own words, and the next try begins anew."""
    monkeypatch.setattr(install, "PLACE", tmp_path)
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(CannotRun, match="npm install has failed") as told:
        await install.installed()
    assert "ECONNREFUSED" in told.value.log
    assert _names(tmp_path) <= {"lock", "cache"}


async def test_what_is_there_is_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its versions, and nothing is run."""
    monkeypatch.setattr(install, "PLACE", tmp_path)
    (tmp_path / f"{install.OPENCLAW}+{install.NODE}").mkdir()
    assert await install.installed() == tmp_path / f"{install.OPENCLAW}+{install.NODE}"


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


async def test_a_configuration_is_changed_in_place(tmp_path: Path) -> None:
    """One value, at its path; the others stay, and others cannot read it."""
    it = Gateway(tmp_path, tmp_path)
    assert it.token == TOKEN
    it.change("gateway.auth.token", "another")
    it.change("gateway.nodes.pairing.autoApproveLocal", False)
    it.change("logging", None)
    found = json.loads((tmp_path / "state" / "openclaw.json").read_text(encoding="utf-8"))
    assert found["gateway"]["auth"] == {"mode": "token", "token": "another"}
    assert found["gateway"]["nodes"] == {"pairing": {"autoApproveLocal": False}}
    assert "logging" not in found
    assert (tmp_path / "state" / "openclaw.json").stat().st_mode & 0o777 == 0o600


def _names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
