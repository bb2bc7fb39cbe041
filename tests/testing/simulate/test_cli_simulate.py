"""`lifecycle simulate`: what it prints, and how it exits."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lifecycle.cli.simulate import simulate
from lifecycle.errors import PageError

from .mutants import MUTANTS


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(simulate, arguments, standalone_mode=False)


def test_pages_that_hold() -> None:
    """A line for each, and a sentence for a fragment."""
    done = run("session-lease", "heartbeat", "--seeds", "3", "--hours", "0.02")
    assert done.return_value == 0
    assert "session-lease: 3 seeds of 1.2 min: kept; " in done.stdout.replace("72 s", "1.2 min")
    assert "heartbeat: skipped, for it is a fragment" in done.stderr


def test_json_says_the_same() -> None:
    """One object."""
    done = run("websocket", "--seeds", "2", "--hours", "0.02", "--json")
    told = json.loads(done.stdout)
    assert (done.return_value, told["held"]) == (0, True)
    assert (told["pages"][0]["page"], told["pages"][0]["seeds"], told["pages"][0]["failure"]) == ("websocket", 2, None)


def test_one_seed_tells_its_story() -> None:
    """What happened, and that it held."""
    done = run("websocket", "--seed", "3", "--hours", "0.02")
    assert done.return_value == 0
    assert done.stdout.endswith("every invariant was kept\n")
    nothing = run("websocket", "--seed", "3", "--hours", "0.02", "--only", "none", "--json")
    assert json.loads(nothing.stdout)["entries"] == []


def test_a_violation_is_told_with_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """And exits with 1."""
    MUTANTS["a timer is not cancelled"].make(monkeypatch)
    done = run("websocket", "--seeds", "1", "--hours", "0.05")
    assert done.return_value == 1
    assert "seed 1 breaks `timers of the dead` after 10.000 s" in done.stdout
    assert "lifecycle simulate websocket --seed 1 --hours 0.05 --only none" in done.stdout
    one = run("websocket", "--seed", "1", "--hours", "0.05")
    assert one.return_value == 1
    assert "`timers of the dead` is broken after 10.000 s" in one.stdout


def test_a_file_of_faults(tmp_path: Path) -> None:
    """Its faults happen besides."""
    file = tmp_path / "faults.yaml"
    file.write_text("faults: 1\nschedule: [{at: 1 s, fault: refuse, for: 5 s}]\n")
    done = run("websocket", "--seed", "1", "--hours", "0.02", "--faults", str(file))
    assert "0:01.000  fault refuse (at 1.0 lasts 5.0)" in done.stdout.replace("(lasts", "(at 1.0 lasts")
    file.write_text("faults: 1\nschedule: [{at: 1 s, fault: reset}, {at: 1 min, fault: reset}]\n")
    done = run("websocket", "--seed", "1", "--hours", "0.01", "--faults", str(file))
    assert "1 of 2 faults begin after --hours 0.01, and do not happen" in done.stderr
    file.write_text("faults: 1\nschedule: [{at: 1 s, fault: rain, for: 5 s}]\n")
    assert isinstance(run("websocket", "--faults", str(file)).exception, PageError)


def test_a_herd_is_plotted(tmp_path: Path) -> None:
    """A table, and the file."""
    file = tmp_path / "herd.svg"
    done = run("websocket", "--herd", "10", "-o", str(file))
    assert done.return_value == 0
    assert file.read_text().startswith("<svg")
    assert str(file) in done.stdout
    told = json.loads(run("websocket", "--herd", "10", "-o", str(file), "--json").stdout)
    assert [each["jitter"] for each in told["herds"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("websocket", "--only", "1", "-o", "x.svg"), "--only needs --seed; --output needs --herd"),
        (("websocket", "--seed", "1", "--seeds", "3"), "--seeds changes nothing with --seed"),
        (("websocket", "--herd", "3", "--hours", "2"), "--hours changes nothing with --herd"),
        (("websocket", "resume", "--seed", "1"), "--seed and --herd need one page"),
        (("websocket", "--seed", "1", "--only", "a"), "--only takes the numbers of entries"),
        (("websocket", "--seed", "1", "--hours", "0.02", "--only", "9999"), "so there is no number 9999"),
        (("websocket", "--herd", "3", "-o", "/nowhere/herd.svg"), "/nowhere/herd.svg: No such file or directory"),
    ],
)
def test_what_was_typed_wrong_is_said(arguments: tuple[str, ...], said: str) -> None:
    """In the words of a usage error."""
    assert said in str(run(*arguments).exception)


def test_wrong_pages_are_told_all_at_once() -> None:
    """Each with its place."""
    error = run("nosuch", "nothere").exception
    assert isinstance(error, PageError)
    assert len(error.problems) == 2


def test_only_fragments_are_bad_input() -> None:
    """There is nothing to run."""
    assert run("heartbeat").return_value == 2


@pytest.mark.parametrize("hours", ["nan", "inf"])
def test_hours_that_are_no_number_are_refused(hours: str) -> None:
    """They would never end."""
    done = CliRunner().invoke(simulate, ["websocket", "--seed", "1", "--hours", hours])
    assert done.exit_code == 2
    assert "must be a number that ends" in done.output


def test_a_seed_of_nothing_is_a_seed(tmp_path: Path) -> None:
    """0 is none that stands for another one."""
    plot = str(tmp_path / "herd.svg")
    herds = [run("websocket", "--herd", "5", "--json", "-o", plot, "--seed", str(seed)).stdout for seed in (0, 1)]
    assert herds[0] != herds[1]
