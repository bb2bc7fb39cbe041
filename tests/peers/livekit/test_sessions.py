"""Scripts, lies and what is said of them; with what a real session has told once."""

import json
import random
from pathlib import Path

import pytest

from .session_lies import LIES
from .session_scripts import BY_HAND, SEEDS, Script, made_up
from .sessions import CASES, _accepted, _rejected, findings

TESTS = Path(__file__).parents[2]
_SCRIPT = Script("recorded", "", (), None)


def reports(file: Path) -> list[dict[str, object]]:
    """What stands in a file; of events' own dumps as well."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if "dump" in rows[0]:
        return [{"at": 0.0, "event": "started"}, *({**row["dump"], "at": row["at"]} for row in rows)]
    return rows


def exact(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """With the user away at the very end of his time, as by a clock that jumps."""
    (away,) = (number for number, row in enumerate(rows) if row.get("new_state") == "away")
    return [*rows[:away], {**rows[away], "at": rows[away - 1]["at"] + 15.0}, *rows[away + 1 :]]


CALM = exact(reports(TESTS.parent / "docs" / "examples" / "reports.jsonl"))
FAILED = reports(TESTS / "systems" / "livekit" / "dumps.jsonl")


def test_scripts_are_told_apart() -> None:
    """Each has a name of its own, a seed is a script, and all can be written as JSON."""
    scripts = [*BY_HAND, *map(made_up, SEEDS)]
    assert len({script.name for script in scripts}) == len(scripts) >= 200
    assert made_up(7) == made_up(7) != made_up(8)
    assert json.loads(json.dumps(scripts[0]._asdict()))["acts"][0]["do"] == "turn"
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("recorded", [CALM, FAILED], ids=["calm", "failed"])
def test_what_a_session_has_told_is_accepted(recorded: list[dict[str, object]]) -> None:
    """From its start to its close."""
    assert findings(_SCRIPT, recorded) == ()


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_noticed_where_it_is_told(lie) -> None:
    """And can be told about one of the two."""
    told = 0
    for recorded in (CALM, FAILED):
        for changed, at in lie(recorded, random.Random(1)):
            assert [each.line for each in findings(_SCRIPT, changed)][:1] == [at]
            told += 1
    assert told


def test_what_differs_is_told() -> None:
    """A script whose session tells what it may not, or tells it while it lives; a lie that nobody notices."""
    good, calm = {"reports": FAILED, "found": []}, {"reports": CALM, "found": []}
    assert _accepted([(_SCRIPT, good)]).path == "accepted"
    seen = _accepted([(_SCRIPT, {"reports": [*FAILED, FAILED[-1]], "found": []})])
    assert (seen.path, "illegal" in seen.wrong[0]) == ("differ", True)
    assert _accepted([(_SCRIPT, {**good, "found": ["x"]})]).wrong == ("recorded: while it lived: x",)
    assert _accepted([(_SCRIPT._replace(ends="error"), calm)]).path == "differ"
    assert _rejected([(_SCRIPT, good), (_SCRIPT, calm)]).path == "rejected"
    assert "was never told" in " ".join(_rejected([(_SCRIPT, good)]).wrong)
    assert "noticed at" in _rejected([(_SCRIPT._replace(away=2.0), calm)]).wrong[0]
