"""The how-to about counted sessions is true: its program prints what it says, and its tables say what the page does."""

import os
import re
import sys

import pytest
import trio

from lifecycle.definition.read import read
from lifecycle.registry import MemoryLeases, Registry

from .derive import ROOT

PAGE = (ROOT / "docs/howto/count-sessions.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "docs/examples/count_sessions.py"


@pytest.mark.real_time
@pytest.mark.parametrize("place", ["memory", "sqlite:{folder}/sessions.db"])
async def test_the_program_prints_what_the_howto_says(tmp_path, place):
    """In memory, and in a file."""
    done = await trio.run_process(
        [sys.executable, str(PROGRAM), place.format(folder=tmp_path)],
        capture_stdout=True,
        capture_stderr=True,
        env=dict(os.environ),
    )
    assert done.stderr.decode() == ""
    assert done.stdout.decode() == re.search(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_parameters_of_the_table_are_there():
    """With the lengths that they have if nobody says them; what is told to be in the page is there."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    told = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names) if name.islower()} - {"memory"}
    parameters = read("session-lease").parameters
    others = {"renew_retry", "release_retry", "release_tries"}
    assert told | others == set(parameters)
    for names, length in rows:
        lengths = [each for each in length.split(", ") if re.fullmatch(r"\d+ \w+", each)]
        for name, each in zip(re.findall(r"`(\w+)`", names), lengths, strict=False):
            assert seconds(each) == parameters[name].default, name


def seconds(text):
    """A duration of the table."""
    number, unit = text.split()
    return int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def test_what_is_not_said_of_renewing_follows_the_length_of_a_lease():
    """A third of it, and no more than ten seconds for the stop."""
    for length, every, stop in [(45.0, 15.0, 10.0), (6.0, 2.0, 2.0), (300.0, 100.0, 10.0)]:
        fitted = Registry(MemoryLeases(), capacity=1, parameters={"lease_length": length})._parameters
        assert (fitted["renew_every"], fitted["stop_timeout"]) == (every, stop)
