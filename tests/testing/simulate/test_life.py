"""One run: what a seed decides, what is told when something breaks, and how it is made short."""

import random
import subprocess
import sys

import pytest
from click.testing import CliRunner

from lifecycle.cli.simulate import simulate
from lifecycle.testing.schedule import Fault
from lifecycle.testing.simulate import Result, generate, run_seed, scene_of, shortest, simulate_page
from lifecycle.testing.simulate.entries import _plain, kept
from lifecycle.testing.simulate.run import command

from .mutants import MUTANTS

WEBSOCKET = scene_of("websocket")
HOURS = 0.1
DIGEST = (
    "from lifecycle.testing.simulate import *; s = scene_of('resume');"
    "print(run_seed(s, 7, generate(s.page, 7, 0.1), 0.1).digest)"
)


def lived(seed: int, hours: float = HOURS) -> Result:
    """One seed of `websocket`."""
    return run_seed(WEBSOCKET, seed, generate(WEBSOCKET.page, seed, hours), hours)


def test_a_choice_is_always_one_of_those_that_there_are() -> None:
    """A number that is all but 1 does not choose what stands behind the last one."""

    class Dice(random.Random):
        def random(self) -> float:
            return 1 - 2**-53

    assert _plain(Dice(), 0.0, "wish").pick < 1


def test_a_seed_decides_everything() -> None:
    """The same seed goes alike, and another one does not."""
    first = lived(3)
    assert lived(3) == first
    assert lived(4).digest != first.digest


def test_no_other_process_goes_otherwise() -> None:
    """Neither hashes nor ids have a say."""
    told = [
        subprocess.run(
            [sys.executable, "-P", "-c", DIGEST],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]


def test_how_many_cores_there_are_does_not_matter() -> None:
    """Two processes find what one finds."""
    one, two = (simulate_page("websocket", range(1, 9), hours=0.02, workers=workers) for workers in (1, 2))
    assert (one.digest, one.counts, one.lived) == (two.digest, two.counts, two.lived)


def test_done_is_told_as_it_goes() -> None:
    """Somebody may watch."""
    told: list[int] = []
    simulate_page("session-lease", range(1, 4), hours=0.02, done=told.append)
    assert sum(told) == 3


def test_faults_of_a_file_happen_besides() -> None:
    """A network that is gone from the beginning: nobody comes through until all is well again."""
    faults = (Fault(kind="half-open", lasts=HOURS * 3600 * 2),)
    entries = generate(WEBSOCKET.page, 1, HOURS, faults)
    assert entries[0].fault == faults[0]
    heals = {number for number, entry in enumerate(entries) if entry.what == "heal"}
    storm = tuple(kept(entries, set(range(len(entries))) - heals))
    result = run_seed(WEBSOCKET, 1, storm, HOURS)
    assert result.violation is None
    assert result.counts["dials"] > 1
    assert "messages read" not in result.counts


def test_what_breaks_is_made_short_and_told_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few entries are left of many, and the command that is printed shows the same again."""
    MUTANTS["attempts are reset on open"].make(monkeypatch)
    found = simulate_page("websocket", range(1, 4), hours=HOURS, workers=1)
    failure = found.failure
    assert failure is not None
    assert failure.seed == found.failed[0]
    assert failure.violation.invariant == "backoff"
    assert 0 < len(failure.entries) <= 3 < failure.whole
    again = CliRunner().invoke(simulate, failure.command.split()[2:], standalone_mode=False)
    assert again.return_value == 1
    assert failure.violation.what in again.stdout


def test_nothing_is_shrunk_that_holds() -> None:
    """There is nothing to look for."""
    with pytest.raises(ValueError, match="seed 3 breaks nothing"):
        shortest(WEBSOCKET, lived(3), (), HOURS)


def test_a_file_of_faults_is_part_of_the_command() -> None:
    """Names with spaces are quoted."""
    told = command("my page.yaml", 3, 0.5, (1, 2), "bad luck.yaml")
    assert told == "lifecycle simulate 'my page.yaml' --seed 3 --hours 0.5 --faults 'bad luck.yaml' --only 1,2"
    assert command("websocket", 3, 1, ()).endswith("--hours 1 --only none")


def test_what_died_in_the_bad_world_may_be_found_dead_afterwards() -> None:
    """A page that uses up its last attempt on such a connection rests, is asked once more, and must then be well."""
    scene = scene_of("convai-session")
    seed = 1175  # the connection dies a few seconds before all is well, while it waits to be let in
    assert run_seed(scene, seed, generate(scene.page, seed, 1.0), 1.0).violation is None


def test_a_goodbye_may_outlast_the_bound_for_silence() -> None:
    """A page that says goodbye by a message, to a peer that has gone silent before, is held to the bound of its goodbye."""
    scene = scene_of("avatar-live")
    seed = 1358  # it is told to end within the last seconds before it would have noticed
    assert run_seed(scene, seed, generate(scene.page, seed, 1.0), 1.0).violation is None
