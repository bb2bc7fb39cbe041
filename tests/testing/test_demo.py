"""The demo itself, as its user runs it: a real server in its own process, and real faults."""

import json
import subprocess
import sys

from lifecycle.testing import replays
from lifecycle.testing.demo.faults import FAULTS


def test_the_demo_accounts_for_every_message(tmp_path):
    """Every fault is healed, every message of both directions is accounted for, and the trace of it replays."""
    trace = str(tmp_path / "demo.jsonl")
    command = [sys.executable, "-m", "lifecycle", "demo", "--seconds", "1", "--seed", "7", "--json", "--trace", trace]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert {fault["name"] for fault in result["faults"]} == set(FAULTS)
    assert all(fault["good"] for fault in result["faults"])
    for direction in ("to_server", "to_client"):
        tally = result[direction]
        assert tally["lost"] == tally["doubled"] == 0
        assert tally["delivered"] > 100
        assert tally["sent"] == sum(tally[name] for name in ("delivered", "not_sent", "maybe", "gap"))
    stall = next(fault for fault in result["faults"] if fault["name"] == "stall")
    assert stall["dials"] == 0
    replays(trace)
