"""Cases that wait for each other, and how they are told."""

import json

import pytest
import trio

from . import command
from .cases import SCENES
from .play import Case, Meeting, Seen

CASE = SCENES[0].cases[0]


async def test_all_meet_before_anything_happens() -> None:
    """Once, when the last one comes."""
    acts: list[float] = []
    meeting = Meeting(3, lambda: acts.append(trio.current_time()))

    async def come(after: float) -> None:
        await trio.sleep(after)
        await meeting.arrive()
        assert acts == [began + 3]
        meeting.leave()

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for after in (1, 2, 3):
            nursery.start_soon(come, after)


async def test_who_has_gone_is_not_waited_for() -> None:
    """A case that fails before it is ready keeps no other one from going on."""
    acts: list[str] = []
    meeting = Meeting(2, lambda: acts.append("now"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meeting.arrive)
        await trio.sleep(1)
        assert acts == []
        meeting.leave()
    assert acts == ["now"]


async def test_nothing_happens_to_those_who_are_gone() -> None:
    """Cases that do not meet are not acted upon."""
    acts: list[str] = []
    meeting = Meeting(1, lambda: acts.append("now"))
    meeting.leave()
    await trio.sleep(1)
    assert acts == []


def test_names_are_unique() -> None:
    """A case is chosen by its name."""
    names = [case.name for scene in SCENES for case in scene.cases]
    assert len(names) == len(set(names))


def test_they_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gateway; each with what it is about."""
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == sum(len(scene.cases) for scene in SCENES)


@pytest.mark.parametrize(
    ("wrong", "verdict"), [((), "1 of 1 end as they must"), (("said nothing",), "1 of 1 cases differ")]
)
def test_what_differs_is_told(wrong: tuple[str, ...], verdict: str) -> None:
    """The table has a row a case, what differs below it, and a verdict; the JSON has the same."""
    rows: dict[str, tuple[Case, Seen]] = {CASE.name: (CASE, Seen("ready", (2, 3), 1.25, wrong))}
    told = command.table(rows)
    assert verdict in told
    assert ("said nothing" in told) == bool(wrong)
    assert "2-3 of 2+" in told
    assert json.loads(command.plain(rows))[CASE.name]["wrong"] == list(wrong)
