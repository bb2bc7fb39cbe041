import json
from enum import Enum
from types import SimpleNamespace

import pytest

from lifecycle.systems.livekit.report import LONGEST, MOST, report
from lifecycle.wire.monitor import monitor

from .small_session import DUMPS, thing

NAMES = sorted({row["name"] for row in DUMPS})


def made(row):
    """The report of a real event."""
    return report(row["name"], thing(row["dump"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_a_part_of_the_events_own_dump(name):
    """Each key says what the event says there, but for what somebody has said."""

    def part(told, dump):
        match told:
            case dict():
                return all(part(value, dump[key]) for key, value in told.items())
            case list():
                return len(told) == len(dump) and all(map(part, told, dump))
        return told == dump

    for row in (row for row in DUMPS if row["name"] == name):
        told = made(row)
        said = told.pop("transcript", None)
        assert said == (None if name != "user_input_transcribed" else "…" if row["dump"]["transcript"] else "")
        assert part(told, row["dump"])


def test_nobodys_words_are_reported():
    """Neither the user's nor the agent's, nor what a tool was given and gave back."""
    told = json.dumps([made(row) for row in DUMPS])
    raw = json.dumps(DUMPS)
    for words in ("hello", "and on", "seen", "found", "arguments"):
        assert words in raw
        assert words not in told


def test_raw_dumps_and_reports_mean_the_same():
    """Whoever writes down the events' own dumps may give these to the page; step by step it is in the same state."""
    raw, ours = monitor("livekit-agent-session"), monitor("livekit-agent-session")
    for watch in (raw, ours):
        assert watch.report({"event": "started"}, at=0) == ()
    for row in DUMPS:
        assert raw.report(row["dump"], at=row["at"]) == ours.report(made(row), at=row["at"]) == ()
        assert raw.states == ours.states
    assert (ours.states, ours.steps, ours.unrouted) == (("closed",), 66, 0)


class Reason(Enum):
    error = "error"


def test_whatever_stands_in_an_event_is_made_plain():
    """Long texts and lists are cut, values of enumerations are values, and what is no value is called by its class."""
    told = report(
        "error", SimpleNamespace(error=ValueError("token"), source=SimpleNamespace(model="m" * 999, provider=[]))
    )
    assert told == {
        "type": "error", "error": {"type": "ValueError"}, "source": {"model": "m" * LONGEST, "provider": "list"},
    }  # fmt: skip
    assert report("close", SimpleNamespace(reason=Reason.error, error=None))["reason"] == "error"
    assert report("agent_false_interruption", SimpleNamespace(resumed=True))["resumed"] is True
    times = SimpleNamespace(speech_duration=float("nan"), vad_speech_started_at=2)
    told = report("user_transcription_timeout", times)
    assert (told["speech_duration"], told["vad_speech_started_at"]) == (None, 2)
    update = SimpleNamespace(type="tool_reply_updated", update_ids=["a"] * 99, status="skipped", speech_id="s")
    told = report("tool_execution_updated", SimpleNamespace(update=update))["update"]
    assert told == {"type": "tool_reply_updated", "status": "skipped", "speech_id": "s", "update_ids": ["a"] * MOST}
    calls = SimpleNamespace(function_calls=[SimpleNamespace(name="look")] * 99, function_call_outputs=None)
    told = report("function_tools_executed", calls)
    assert (told["function_calls"], told["function_call_outputs"]) == ([{"name": "look"}] * MOST, [])
    assert report("of another version", object()) == {"type": "of another version"}
