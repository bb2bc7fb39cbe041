"""The how-to about avatars is true: its program joins, speaks and leaves, and its tables say what the page does."""

import contextlib
import os
import re
import sys

import pytest
import trio

import lifecycle
from lifecycle.definition.read import read
from lifecycle.registry import MemoryLeases, Registry
from lifecycle.systems import hiagent

from ..systems.avatar.studio import TOKEN, Studio  # noqa: TID252 -- tests are no package that has a name
from .derive import ROOT

pytest.importorskip("hypercorn")
pytest.importorskip("starlette")

from lifecycle.registry.admin import serve_admin

PAGE = (ROOT / "docs/howto/drive-an-avatar.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "docs/examples/avatar_client.py"
KEY = "a-key"


@contextlib.asynccontextmanager
async def surroundings():
    """A registry with one slot behind its admin surface, and a stand-in for the vendor."""
    studio = Studio()
    async with (
        MemoryLeases() as leases,
        Registry(leases, capacity=1) as registry,
        lifecycle.serve("avatar-live-server", studio, port=0, calls=studio) as vendor,
        trio.open_nursery() as nursery,
    ):
        place = await nursery.start(lambda task_status: serve_admin(registry, port=0, key=KEY, task_status=task_status))
        yield registry, studio, (place.url, f"ws://127.0.0.1:{vendor.port}/live")
        nursery.cancel_scope.cancel()


async def printed(addresses, answers="") -> list[str]:
    """What the program prints, in a process of its own."""
    done = await trio.run_process(
        [sys.executable, str(PROGRAM), *addresses],
        stdin=answers.encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, "BACKEND_KEY": KEY, "AVATAR_TOKEN": TOKEN},
    )
    assert done.stderr.decode() == ""
    return re.sub(r"live-[0-9a-f]{32}", "live-…", done.stdout.decode()).splitlines()


def outputs() -> list[list[str]]:
    """What the how-to says that is printed."""
    return [block.splitlines() for block in re.findall(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.real_time
async def test_the_program_speaks_and_leaves():
    """And its slot is free afterwards."""
    async with surroundings() as (registry, studio, addresses):
        assert await printed(addresses) == outputs()[0]
        assert (registry.counts["started"], await registry.leases.count()) == (1, 0)
        assert len(studio.asked) == 1


@pytest.mark.real_time
async def test_the_program_asks():
    """The only slot is somebody else's: whoever sits there is asked, and it stays his."""
    async with surroundings() as (registry, _, addresses):
        theirs = await registry.start("theirs")
        assert await printed(addresses, "no\n") == outputs()[1]
        assert registry.get("theirs") is theirs


@pytest.mark.real_time
async def test_the_program_is_refused_by_the_vendor():
    """It says so, and its slot is free afterwards."""
    async with surroundings() as (registry, studio, addresses):
        studio.verdicts.append(4003)
        told = await printed(addresses)
        assert told[0] == "joined"
        assert told[1].startswith("lost: ")
        assert (registry.counts["started"], await registry.leases.count()) == (1, 0)


def test_the_table_of_codes_is_whole():
    """Each code that the page tells apart stands in it."""
    told = {
        int(each) for row in re.findall(r"^\| ([0-9][^|]*) \|", PAGE, re.MULTILINE) for each in re.findall(r"\d+", row)
    }
    text = (ROOT / "specs/hiagent-session.yaml").read_text(encoding="utf-8")
    asked = {int(each) for each in re.findall(r"'(\d+)'", text)}
    assert asked <= told
    assert told - asked <= {408, 500, 503, 5000, 5001, 401, 403}


def test_the_parameters_are_there():
    """And the names of the package."""
    definition = read("hiagent-session")
    for name in re.findall(r"`(\w+)=", PAGE):
        assert name in definition.parameters or name in ("own", "key", "max_attempts"), name
    for name in re.findall(r"`([A-Z]\w+)`", PAGE):
        assert hasattr(hiagent, name) or hasattr(lifecycle, name) or name == "Liveness", name


def test_the_liveness_of_the_howto():
    """Its lines run."""
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "liveness(" in each]
    names = {"connection": None}
    exec(compile(block, "howto", "exec"), names)  # noqa: S102 -- it is our own page
    assert names["found"].state == "closed"
