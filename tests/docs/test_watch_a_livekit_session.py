"""The how-to about sessions of LiveKit is true: its blocks run, and its agent says what it says there."""

import asyncio
import importlib.util
import logging
import re

from lifecycle.testing.virtual import run

from .derive import ROOT

PAGE = (ROOT / "docs" / "howto" / "watch-a-livekit-session.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "trio_agent.py"
SMALL = ROOT / "tests" / "systems" / "livekit" / "small_session.py"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def loaded(path):
    """A module that lies there."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_of(block):
    """What a block of the page defines."""
    names = {"__name__": "howto"}
    exec(compile(block, "watch-a-livekit-session.md", "exec"), names)  # noqa: S102 -- it is our own page
    return names


def test_a_session_is_followed_as_it_says(caplog):
    """What a session does against its page stands in the log."""
    session = loaded(SMALL).SmallSession()
    follow = names_of(BLOCKS[0])["follow"]

    async def play():
        with follow(session):
            await session.start("agent")
            for _ in range(2):
                session.emit("agent_state_changed", old_state="initializing", new_state="listening")

    with caplog.at_level(logging.WARNING, "session"):
        asyncio.run(play())
    (record,) = caplog.records
    assert "agent_changed.initializing_listening` is not allowed in running.life.open" in record.getMessage()


def test_a_session_is_written_down_as_it_says(tmp_path, monkeypatch):
    """A line for its start, and two for its end."""
    monkeypatch.chdir(tmp_path)
    live = names_of(BLOCKS[1])["live"]
    asyncio.run(live(loaded(SMALL).SmallSession(), "agent"))
    assert (tmp_path / "session.jsonl").read_text(encoding="utf-8").count("\n") == 3


def test_the_agent_says_what_stands_there(capsys):
    """Away and back, and four errors."""
    questions = re.search(r"`python trio_agent.py (.*?)`", PAGE)[1].replace("'", "").split()
    said = re.search(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    run(loaded(EXAMPLE).main, *questions)
    assert capsys.readouterr().out.splitlines() == said


def test_an_agent_that_is_well_is_closed_by_its_program(capsys):
    """When there are no more questions."""
    run(loaded(EXAMPLE).main, "one")
    assert capsys.readouterr().out.splitlines() == ["ONE", "close {'reason': 'user_initiated', 'error': None}"]
