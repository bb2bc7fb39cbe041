"""How a program is run with the real thing, by programs that are none."""

import sys
from pathlib import Path

import pytest

from peers.install import Wanted, _steps, python_of
from peers.say import CannotRun

from .app import folder, run_real

ECHO = """
import sys, pathlib
given, told, ours = sys.argv[1:]
sys.path.extend(ours.split(":"))
import lifecycle, attrs
pathlib.Path(told).write_text(pathlib.Path(given).read_text())
"""


@pytest.mark.real_time(limit=60)
async def test_a_program_gets_scripts_and_gives_results() -> None:
    """One a line; and it finds our package and what that needs, though it lies elsewhere."""
    with folder() as own:
        program = own / "echo.py"
        program.write_text(ECHO, encoding="utf-8")
        assert await run_real(Path(sys.executable), own, program, [{"a": 1}, {"b": "…"}]) == [{"a": 1}, {"b": "…"}]
    assert not own.exists()


@pytest.mark.real_time(limit=60)
async def test_a_program_that_fails_is_told_with_its_words() -> None:
    """They say why."""
    with folder() as own:
        program = own / "fails.py"
        program.write_text("raise SystemExit('there is nothing')", encoding="utf-8")
        with pytest.raises(CannotRun, match="fails has not come to an end") as told:
            await run_real(Path(sys.executable), own, program, [])
    assert "there is nothing" in told.value.log


def test_pip_installs_into_an_environment_of_its_own(tmp_path: Path) -> None:
    """With the Python that runs us, and nothing of a package is run on the way."""
    (_, venv), (name, install) = _steps(Wanted(("a==1",), lambda _: [], "pip"), tmp_path)
    assert venv == [sys.executable, "-m", "venv", str(tmp_path)]
    assert (name, install[0]) == ("pip install", str(python_of(tmp_path)))
    assert install[-2:] == ["--only-binary=:all:", "a==1"]
