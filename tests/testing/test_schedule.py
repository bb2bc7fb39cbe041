"""Schedules of faults: what is written is what is meant, and what is wrong is told, all of it."""

import math
from pathlib import Path
from typing import get_args

import pytest

from lifecycle import PageError
from lifecycle.testing.schedule import Fault, Kind, Schedule, read_schedule

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "faults" / "rough.yaml"


def written(folder: Path, *lines: str) -> Path:
    """A file with these lines."""
    file = folder / "faults.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def problems(folder: Path, *lines: str) -> list[str]:
    """What is wrong with these lines, without the folder."""
    with pytest.raises(PageError) as error:
        read_schedule(written(folder, *lines))
    return [str(problem).removeprefix(f"{folder}/") for problem in error.value.problems]


def test_a_schedule_says_what_it_says(tmp_path):
    """Units become seconds, bytes and shares; the faults stand in the order of time."""
    file = written(
        tmp_path,
        "faults: 1",
        "seed: 7",
        "schedule:",
        "  - {at: 1 min, fault: status, http: 429, retry_after: 5 s, times: 2}",
        "  - {at: 5 s, fault: throttle, rate: 10 KiB/s, for: 500 ms, way: down}",
        "  - {at: 5 s, fault: drop, share: 10 %, for: 1 h}",
        "  - {at: 0 s, fault: close, code: 4000, reason: go}",
    )
    assert read_schedule(file) == Schedule(
        (
            Fault(kind="close", at=0, code=4000, reason="go"),
            Fault(kind="throttle", at=5, rate=10_240, lasts=0.5, way="down"),
            Fault(kind="drop", at=5, share=0.1, lasts=3600),
            Fault(kind="status", at=60, status=429, retry_after=5, times=2),
        ),
        seed=7,
    )


def test_the_example_has_every_kind():
    """The schedule of the docs is read, and shows all there is."""
    schedule = read_schedule(EXAMPLE)
    assert {fault.kind for fault in schedule.faults} == set(get_args(Kind))
    assert schedule.seed == 7


def test_all_problems_are_told_with_their_places(tmp_path):
    """File, line, column, what is wrong and what to do; none hides another."""
    assert problems(
        tmp_path,
        "faults: 2",
        "sed: 7",
        "schedule:",
        "  - {at: 5, fault: refuse, for: 10 s}",
        "  - {at: 20 s, fault: dely, by: 200 ms}",
        "  - {at: 20 s, fault: delay, for: 5 s}",
        "  - {at: 40 s, fault: close, code: 12}",
        "  - {at: 50 s, fault: status, times: 2, for: 1 s}",
        "  - {at: 1 s, fault: throttle, rate: 10 KiB, for: 1 min}",
        "  - {at: 1 s, fault: drop, share: 0.1, for: 1 s}",
        "  - {at: 1 s, fault: drop, way: dwn, for: 1 s}",
        "  - {fault: reset, for: 1 s}",
        "  - reset",
    ) == [
        "faults.yaml:1:9: version `2` is not known: write `faults: 1`",
        "faults.yaml:2:1: unknown key `sed`: did you mean `seed`?",
        "faults.yaml:4:10: expected a duration, found `5`: write the number with its unit, such as `10 s`",
        "faults.yaml:5:23: `dely` is not one of refuse, delay, drop, corrupt, duplicate, reorder, half-open, throttle, reset, close, status: did you mean `delay`?",
        "faults.yaml:6:5: `by`: delay needs it",
        "faults.yaml:7:36: `code`: 12 lies outside 1000 to 4999",
        "faults.yaml:8:46: `for`: status lasts for a time or for a number of dials, one of the two",
        "faults.yaml:9:38: expected bytes a second, found `10 KiB`: write e.g. `10 KiB/s`",
        "faults.yaml:10:35: expected a percentage such as `50 %`, found 0.1",
        "faults.yaml:11:33: `way`: 'dwn' is not one of both, up, down",
        "faults.yaml:12:5: the key `at` is missing: it is required here",
        "faults.yaml:12:20: unknown key `for`: there is at, fault",
        "faults.yaml:13:5: expected a fault, found `reset`: write e.g. `{at: 5 s, fault: reset}`",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "faults.yaml:1:1: the file is empty: begin with `faults: 1`"),
        ("- 1", "faults.yaml:1:1: expected keys and values, found a list: begin with `faults: 1`"),
        ("faults: 1", "faults.yaml:1:1: the key `schedule` is missing: it is required here"),
        ("faults: true\nschedule: []", "faults.yaml:1:9: version `true` is not known: write `faults: 1`"),
        ("faults: 1\nschedule: 3", "faults.yaml:2:11: expected a list of faults, found `3`: begin each row with `- `"),
        ("faults: 1\nseed: x\nschedule: []", "faults.yaml:2:7: expected a whole number, found `x`"),
        ("faults: 1\nschedule: [{at: 1 s, fault: [1]}]", "faults.yaml:2:29: a list is not one of"),
        ("faults: 1\nschedule: [{at: 1 s, fault: reset, at: 2 s}]", "faults.yaml:2:36: the key `at` stands here twice"),
        ("faults: [", "faults.yaml:2:1: not YAML"),
    ],
)
def test_what_is_no_schedule_is_told(tmp_path, text, told):
    """One line for each that says where, what and what to do."""
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(told)


def test_a_file_that_is_not_there_is_told(tmp_path):
    """Its name, and nothing about pages."""
    with pytest.raises(PageError) as error:
        read_schedule(tmp_path / "no.yaml")
    assert str(error.value) == f"{tmp_path}/no.yaml:1:1: cannot be read: No such file or directory: check the path"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "dely"}, "kind: 'dely' is not one of refuse"),
        ({"kind": "delay"}, "lasts: delay lasts for a time above 0; by: delay needs it"),
        ({"kind": "delay", "lasts": 1, "by": -1}, "by: -1 lies outside"),
        ({"kind": "drop", "lasts": 1, "share": 2}, "share: 2 lies outside 0 to 1"),
        ({"kind": "drop", "lasts": math.nan}, "lasts: drop lasts for a time above 0"),
        ({"kind": "throttle", "lasts": 1}, "rate: throttle needs it"),
        ({"kind": "refuse"}, "lasts: refuse lasts for a time or for a number of dials, one of the two"),
        ({"kind": "refuse", "times": 0}, "times: 0 lies outside"),
        ({"kind": "refuse", "times": 1, "lasts": 1}, "one of the two"),
        ({"kind": "reset", "lasts": 1}, "lasts: reset has none"),
        ({"kind": "close", "code": 99}, "code: 99 lies outside 1000 to 4999"),
        ({"kind": "close", "reason": "x" * 124}, "reason: it is longer than 123 bytes"),
        ({"kind": "status", "times": 1, "status": 101}, "status: 101 lies outside 200 to 599"),
        ({"kind": "status", "times": 1, "way": "up"}, "way: status has none"),
        ({"kind": "drop", "lasts": 1, "way": "left"}, "way: 'left' is not one of both, up, down"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(given, told):
    """The rules are those of the file, and all that are broken are told."""
    with pytest.raises(ValueError, match="this is no fault") as error:
        Fault(**given)
    assert told in str(error.value)
