"""What is played, and how it is told."""

import json
import logging
from collections.abc import Iterator

import pytest
import trio

from . import command
from .case import Case, Row, Seen
from .openclaw.cases import SCENES
from .path import Range, times
from .system import Rows, System
from .table import plain, table


async def _nothing(_: object) -> None:
    """A case that is not played here."""


CASE = Case("silent", "What happens", "lost.silent ready", Range(2, None), _nothing)
TOLD = Case("told", "What is delivered", "ready", times(1), _nothing, delivers="said")


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """The command silences our logger, but not the tests that come after it."""
    log = logging.getLogger("lifecycle")
    level = log.level
    yield
    log.setLevel(level)


def test_names_are_unique() -> None:
    """A case of a system is chosen by its name."""
    names = [case.name for scene in SCENES for case in scene.cases]
    assert len(names) == len(set(names))


def test_they_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a peer; each with what it is about; of one system, if it is named."""
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == sum(len(each.cases) for each in command.SYSTEMS)
    assert command.main(["--list", "openclaw"]) == 0
    assert capsys.readouterr().out.startswith("openclaw  cold ")


@pytest.mark.parametrize(
    ("wrong", "verdict"), [((), "2 of 2 end as they must"), (("said nothing",), "1 of 2 cases differ")]
)
def test_what_differs_is_told(wrong: tuple[str, ...], verdict: str) -> None:
    """The table has a row a case and peer, what differs below it, and a verdict; the JSON has the same."""
    rows = [
        Row(CASE, "one", Seen("ready", (2, 3), 1.25, wrong, ("it was quick",))),
        Row(TOLD, "one", Seen("ready", (1,), 0.5, (), delivered="said (x2)")),
    ]
    told = table(rows)
    assert verdict in told
    assert ("silent (one): said nothing" in told) == bool(wrong)
    assert "silent (one): it was quick" in told
    assert "2-3 of 2+" in told
    assert "said (x2)" in told
    assert json.loads(json.dumps(plain(rows)))[0]["wrong"] == list(wrong)


def test_no_column_is_empty() -> None:
    """Where there is one peer and nothing is delivered, no heading says so."""
    told = table([Row(CASE, "", Seen("ready", (2,), 1.0, ("it differs",)))])
    assert told.split("\n")[0].split() == ["case", "expected", "end", "seen", "end", "dials", "seconds"]
    assert "silent: it differs" in told


async def _played(only: object, rows: Rows) -> None:
    rows["silent", "one"] = Row(CASE, "one", Seen("ready", (2,), 1.0, ()))
    await trio.lowlevel.checkpoint()


async def _differs(only: object, rows: Rows) -> None:
    rows["silent", "one"] = Row(CASE, "one", Seen("ready", (2,), 1.0, ("it differs",)))
    await trio.lowlevel.checkpoint()


async def _cannot(only: object, rows: Rows) -> None:
    raise command.CannotRun("there is no registry", "ECONNREFUSED")


async def _interrupted(only: object, rows: Rows) -> None:
    raise KeyboardInterrupt


ABOUT = {"silent": "What happens"}


@pytest.mark.parametrize(
    ("plays", "code"),
    [
        ((_played, _played), 0),
        ((_played, _differs), command.DIFFERS),
        ((_differs, _cannot), command.CANNOT),
        ((_cannot, _played), command.CANNOT),
    ],
)
def test_the_worst_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plays: tuple[object, object], code: int
) -> None:
    """The exit code is that of the worst system; one that cannot be played keeps no other from being so."""
    systems = tuple(System(name, ABOUT, play) for name, play in zip(("one", "other"), plays, strict=True))  # type: ignore[arg-type]
    monkeypatch.setattr(command, "SYSTEMS", systems)
    assert command.main([]) == code
    told = capsys.readouterr()
    assert told.out.count("expected end") == sum(play is not _cannot for play in plays)
    assert ("ECONNREFUSED" in told.err) == (_cannot in plays)
    assert command.main(["other", "--json"]) in (0, code)
    assert list(json.loads(capsys.readouterr().out)) == ["other"]


def test_an_interrupt_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code that shells expect."""
    monkeypatch.setattr(command, "SYSTEMS", (System("one", ABOUT, _interrupted),))
    with pytest.raises(SystemExit) as told:
        command.main([])
    assert told.value.code == command.INTERRUPTED
