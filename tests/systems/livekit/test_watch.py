import asyncio
import io
import json

import pytest

import lifecycle
from lifecycle.systems.livekit import record, watch

from .small_session import DUMPS, SmallSession

CALM = [row for row in DUMPS if row["name"] in ("agent_state_changed", "speech_created")]


async def live(session, rows):
    """One life."""
    await session.start("agent")
    session.replay(rows)
    await session.aclose()


def test_a_session_that_keeps_to_its_page():
    """Nothing is found, and the page is where the session is."""
    session, found = SmallSession(), []

    async def play():
        with watch(session, found.append) as watching:
            await live(session, CALM)
        return watching.monitor

    it = asyncio.run(play())
    assert (found, it.states, it.findings) == ([], ("closed",), ())


def test_a_session_that_does_not():
    """It is told at once, with what would have been allowed; and it is told no more when that was stopped."""
    session, found = SmallSession(), []

    async def play():
        watching = watch(session, found.append)
        await session.start("agent")
        session.replay(CALM[:1])
        session.replay(CALM[:1])
        watching.stop()
        session.replay(CALM[:1])

    asyncio.run(play())
    (finding,) = found
    assert (finding.kind, finding.event) == ("illegal", "agent_changed.initializing_listening")
    assert "agent_changed.listening_thinking" in finding.allowed


def test_the_page_has_the_sessions_own_settings():
    """After its own time the user should be away, and after its own number of errors it should have closed."""
    session, found = SmallSession(away=0.01, tolerance=0, pause=None), []

    async def play():
        with watch(session, found.append, 0.001) as watching:
            await session.start("agent")
            session.replay(CALM[:1])
            await asyncio.sleep(0.03)
            watching.passed()
            session.emit("error", error={"type": "tts_error", "recoverable": False}, source=None)
            return watching.monitor.states

    assert asyncio.run(play())[0] == "running.life.closing"
    assert [(finding.kind, finding.clause) for finding in found] == [("overdue", "LU4")]


def test_settings_may_be_said():
    """Those of the page; wrong ones are told before anything is listened to."""
    session = SmallSession(away=None)
    with watch(session, list, tolerance=7, false_interruption_timeout="1 s") as watching:
        assert watching.monitor.states == ("not_started",)
    with pytest.raises(lifecycle.WrongParameters, match="patience"):
        watch(session, list, patience=1)
    assert not any(session.listeners.values())


def test_a_start_that_fails_puts_the_page_back():
    """It is at its beginning, and nothing is found."""
    session, found = SmallSession(), []

    async def play():
        with watch(session, found.append) as watching:
            session.fails = True
            with pytest.raises(RuntimeError):
                await session.start("agent")
            assert watching.monitor.states == ("not_started",)
            session.fails = False
            await live(session, CALM)

    asyncio.run(play())
    assert found == []


def test_a_session_is_written_down():
    """A line a report, with the seconds since the first; the page has nothing to say against it."""
    session, file = SmallSession(), io.StringIO()

    async def play():
        with record(session, file):
            await live(session, CALM)

    asyncio.run(play())
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert lines[0] == {"at": 0.0, "event": "started"}
    assert lines[1].keys() == {"at", "type", "old_state", "new_state"}
    assert len(lines) == len(CALM) + 3
    page = lifecycle.monitor("livekit-agent-session")
    for line in lines:
        assert page.report({key: value for key, value in line.items() if key != "at"}, at=line["at"]) == ()
    assert page.ended
