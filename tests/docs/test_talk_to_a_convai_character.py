"""The how-to about Convai is true: its program talks to the stand-in, and its tables say what the page does."""

import os
import re
import sys

import pytest
import trio

from lifecycle.definition.read import read
from lifecycle.systems import convai

from ..systems.convai.home import in_memory, ready  # noqa: TID252 -- tests are no package that has a name
from ..systems.convai.stand_in import KEY, StandIn, served  # noqa: TID252 -- likewise
from .derive import ROOT

PAGE = (ROOT / "docs/howto/talk-to-a-convai-character.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "docs/examples/convai_client.py"


async def printed(home: StandIn, key: str = KEY) -> list[str]:
    """What the program prints, in a process of its own."""
    with served(home) as url:
        done = await trio.run_process(
            [sys.executable, str(PROGRAM), url, "a-character", "Hello"],
            capture_stdout=True,
            capture_stderr=True,
            env={**os.environ, "CONVAI_API_KEY": key},
        )
    assert done.stderr.decode() == ""
    return done.stdout.decode().splitlines()


@pytest.mark.real_time
async def test_the_program_prints_what_the_howto_says():
    """It says something, is answered, and leaves."""
    told = await printed(StandIn())
    assert told == re.search(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()


@pytest.mark.real_time
async def test_the_program_says_why_it_gives_up():
    """The key is wrong, and there is no other."""
    assert (await printed(StandIn(), "wrong"))[0] == "trouble: Invalid API key"


def test_the_table_of_reasons_is_whole():
    """Each of LiveKit's numbers stands in it once."""
    rows = re.findall(r"^\| ([0-9][^|]*) \|", PAGE, re.MULTILINE)
    assert sorted(int(number) for row in rows for number in re.findall(r"\d+", row)) == [*range(16)]
    assert {int(each) for cause in read("convai-session").causes for each in cause.match.get("reason", ())} == {
        *range(16)
    }


def test_the_events_of_the_table_are_there():
    """And none is missing."""
    told = set(re.findall(r"`([A-Z]\w+)`", "".join(re.findall(r"^\| `[A-Z].*$", PAGE, re.MULTILINE))))
    kinds = {
        name
        for name in convai.__all__
        if getattr(getattr(convai, name), "__module__", "").endswith((".event", ".envelope"))
    }
    assert kinds - {"AgentState"} <= told


async def test_a_microphone_that_is_not_allowed():
    """The class of the how-to does what is said."""
    names = {"__name__": "howto"}
    block = next(each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Laptop" in each)
    exec(compile(block, "howto", "exec"), names)  # noqa: S102 -- it is our own page
    async with in_memory(media=names["Laptop"]()) as (_, session):
        await ready(session)
        with pytest.raises(convai.NotAllowed, match="the user said no"):
            await session.switch("microphone", on=True)
