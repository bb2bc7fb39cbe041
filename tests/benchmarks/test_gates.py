"""The gates: what is missed is told and fails the run, and the exact counts hold."""

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest

from . import __main__ as command
from .children import Client, serving
from .gates import UNIT, Gate, judged
from .liveness import TASKS, liveness
from .messages import FAST
from .rounds import told
from .tables import missed, table

STEPS = 2.02


@pytest.fixture(autouse=True)
def _as_loud_as_before() -> Iterator[None]:
    """A benchmark silences our logger, as befits a program, but not the tests that come after it."""
    log = logging.getLogger("lifecycle")
    level = log.level
    yield
    log.setLevel(level)


def test_a_bound_is_kept_or_missed_and_what_was_seen_stands_beside_it() -> None:
    """A lower bound on a ratio, an upper one on a median; a gate without its case is a mistake."""
    found = told({UNIT: [2.0, 4.0], "ours": [9.0]}, "messages/s", 1, UNIT)
    rates = judged(found, {"ours": Gate(3.0, 4.0, least=True)})
    assert rates["ours"]["gate"] == {"value": 3.0, "must": ">= 3", "held": True, "aim": ">= 4", "aim reached": False}
    assert missed(rates) == []
    assert missed(judged(found, {"ours": Gate(8.9, ratio=False)})) == ["ours"]
    with pytest.raises(ValueError, match="'theirs'"):
        judged(found, {"theirs": Gate(1.0)})


def test_kinds_stand_beside_each_other() -> None:
    """A table has a column for each kind, the ratio behind the number, and each gate in words below."""
    cases = told({"rate: ours": [3_000.0], "rate: theirs": [2_000.0]}, "messages/s", 1, "rate: theirs")
    head, row, gate = table("messages", judged(cases, {"rate: ours": Gate(2.0, least=True)})).splitlines()
    assert head.split() == ["messages", "ours", "theirs"]
    assert row.split() == ["rate", "3,000", "(1.50)", "2,000", "(1.00)", "messages/s", "(x", "rate:", "theirs)"]
    assert gate == "NOT HELD  rate: ours: 1.5, must >= 2"


@pytest.mark.parametrize(("most", "code"), [(5.0, 0), (4.0, 1)])
def test_a_run_that_misses_what_must_be_fails(monkeypatch: pytest.MonkeyPatch, most: float, code: int) -> None:
    """The exit code is 1 if something is missed, also where JSON is asked for."""
    cases = judged(told({"idle": [4.5]}, "KiB", 1), {"idle": Gate(most, ratio=False)})
    monkeypatch.setitem(command.BENCHMARKS, "read", lambda: cases)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "read", "--json"])
    monkeypatch.setattr(sys, "stdout", written := StringIO())
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == code
    assert json.loads(written.getvalue())["read"] == cases


def test_a_ping_pong_takes_two_steps() -> None:
    """A message and its answer are two task steps and two turns of the loop: one of the engine's, one of the user's."""
    with serving() as url, Client(FAST) as client:
        count = 1_000
        seen = client.ask(do="echo", url=f"{url}/echo", count=count, watched=True)
    assert round(seen["steps"] / count, 2) <= STEPS
    assert round(seen["ticks"] / count, 2) <= STEPS


def test_no_task_waits_for_silence() -> None:
    """A connection that watches its peer has as many tasks as one that does not."""
    assert liveness(rounds=1)[TASKS]["gate"]["held"]
