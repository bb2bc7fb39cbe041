"""How the comparison of the two adapters compares; the real one is not needed for that."""

from pathlib import Path

import pytest

from peers.case import Row
from peers.say import CannotRun

from .adapter_ours import played
from .adapter_scripts import SEEDS, edges, script
from .adapters import ABOUT, CONTROLS, PEER, differences, play_adapters


def test_a_seed_is_a_script() -> None:
    """The same one each time, and there are more than two hundred."""
    assert script(7) == script(7)
    assert len({str(script(seed)) for seed in SEEDS}) == len(SEEDS) > 200


def test_all_that_may_happen_is_in_them() -> None:
    """Every outcome, every number of providers and of retries, both ways of each setting, and users who give up."""
    scripts = [script(seed) for seed in SEEDS]
    does = {each["does"] for given in scripts for row in given["providers"] for each in row}
    assert does == {"ok", "connection", "timeout", "status", "value", "hang"}
    assert {len(given["providers"]) for given in scripts} == {1, 2, 3, 4}
    assert {given["max_retry"] for given in scripts} == {0, 1, 2, 3}
    assert {(given["sticky"], given["retry_on_chunk_sent"]) for given in scripts} == {
        (sticky, again) for sticky in (False, True) for again in (False, True)
    }
    assert {given["hears"] for given in scripts} == {False, True}
    assert any(request["patience"] for given in scripts for request in given["requests"])


@pytest.mark.parametrize("seed", range(1, 6))
def test_ours_is_the_same_each_time(seed: int) -> None:
    """Nothing in it is left to chance."""
    given = script(seed)
    assert differences(given, played(given), played(given)) == []


@pytest.mark.parametrize("name", CONTROLS)
def test_a_mistake_differs(name: str) -> None:
    """In some script, for each mistake that is made on purpose."""
    assert any(differences(given, played(given), CONTROLS[name](given)) for given in map(script, SEEDS[::10]))


def test_each_thing_that_differs_is_told() -> None:
    """Tries, edges, results and the end, each in a sentence; times that differ by less than a millisecond are the same."""
    given = script(4)
    one = played(given)
    other = {
        "tries": [[at + 0.0001, provider] for at, provider in one["tries"]],
        "told": [],
        "results": [{**each, "how": "otherwise"} for each in one["results"]],
        "available": [],
    }
    found = differences(given, one, other)
    assert {sentence.split()[0] for sentence in found} == {"told", "request", "in"}
    assert differences(given, one, {**one, "tries": one["tries"][1:]}) != []


def test_what_was_known_is_no_edge() -> None:
    """The real adapter may tell it twice."""
    assert edges([[1.0, 0, True], [2.0, 0, False], [3.0, 0, False], [4.0, 0, True]], 1) == [
        [2.0, 0, False],
        [4.0, 0, True],
    ]


@pytest.mark.real_time(limit=60)
async def test_without_the_real_one(tmp_path: Path) -> None:
    """It cannot be played, and the rows say so; what is not asked for is not played at all."""
    rows = dict[tuple[str, str], Row]()
    await play_adapters(Path("/bin/false"), tmp_path, (), rows)
    assert rows == {}
    with pytest.raises(CannotRun, match="has not come to an end"):
        await play_adapters(Path("/bin/false"), tmp_path, ABOUT, rows)
    assert [row.seen.wrong for row in rows.values()] == [("it was not played",)] * 2
    assert {peer for _, peer in rows} == {PEER}
