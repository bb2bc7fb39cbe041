import asyncio
import logging
from types import SimpleNamespace

import pytest

from lifecycle.systems.livekit import Subscription
from lifecycle.systems.livekit.subscription import EVENTS

from .small_session import SmallSession

OPEN = {"old_state": "initializing", "new_state": "listening"}
AWAY = {"old_state": "listening", "new_state": "away"}


def played(story, **settings):
    """Play a story with a session that is listened to; what was told of it."""
    session, told = SmallSession(**settings), []

    async def play():
        with Subscription(session, told.append):
            await story(session)

    asyncio.run(play())
    return [each.get("event") or each.get("type") or each for each in told]


def test_what_a_program_does_is_told_before_it_happens():
    """And what the session tells, in between."""

    async def story(session):
        await session.start("agent", room="room")
        session.emit("agent_state_changed", **OPEN)
        session.reset_away_timer()
        await session.aclose()
        assert session.done == [("start", "agent", {"room": "room"}), "reset"]

    assert played(story) == ["started", "agent_state_changed", "user.present", "aclose", "close"]


@pytest.mark.parametrize("drain", [True, False])
def test_to_shut_down_is_told_with_how(drain):
    """It may drain first, or not; what is done after it is nothing."""
    session, told = SmallSession(), []

    async def play():
        Subscription(session, told.append)
        await session.start("agent")
        session.shutdown(drain=drain)
        session.shutdown()
        session.reset_away_timer()
        await session.aclose()
        await session.closing
        await session.aclose()
        session.shutdown()
        await session.closing

    asyncio.run(play())
    assert told[1:] == [
        {"event": "shutdown", "fields": {"drain": drain}},
        {"type": "close", "reason": "user_initiated", "error": None},
    ]
    assert session.done[1:] == [("shutdown", drain), ("shutdown", True), "reset", ("shutdown", True)]


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("job_shutdown", "job_shutdown"),
        ("participant_disconnected", "participant.gone"),
        ("task_completed", "task_completed"),
        ("user_initiated", "aclose"),
    ],
)
def test_what_others_end_is_told_when_it_begins(reason, event):
    """The job, the room, a task; the user's clock that runs on then is marked, for nobody waits for it."""

    async def story(session):
        await session.start("agent")
        closing = asyncio.ensure_future(session._aclose_impl(reason=SimpleNamespace(value=reason)))
        await asyncio.sleep(0)
        session.emit("user_state_changed", **AWAY)
        await closing

    assert played(story) == ["started", event, "user_state_changed", "close"]


def test_a_clock_that_runs_on_is_marked():
    """Only while it closes; an error that closes it was told before, so nothing else is."""
    session, told = SmallSession(), []

    async def play():
        with Subscription(session, told.append):
            await session.start("agent")
            session.emit("user_state_changed", **AWAY)
            closing = asyncio.ensure_future(session._aclose_impl(reason=SimpleNamespace(value="error")))
            await asyncio.sleep(0)
            session.emit("user_state_changed", **AWAY)
            await closing

    asyncio.run(play())
    assert [each.get("closing") for each in told] == [None, None, True, None]
    assert told[-1]["reason"] == "error"


def test_a_start_that_fails_is_none():
    """The page is put back, and the next start is the first one; another one while it runs is nothing."""

    async def story(session):
        await session.aclose()
        session.fails = True
        with pytest.raises(RuntimeError, match="no room"):
            await session.start("agent")
        session.fails = False
        await session.start("agent")
        await session.start("agent")
        await session.aclose()

    assert played(story) == ["started", {"states": ["not_started"]}, "started", "aclose", "close"]


def test_a_session_that_is_started_again_is_another_one():
    """It is listened to no more."""

    async def story(session):
        await session.start("agent")
        await session.aclose()
        await session.start("agent")
        assert not any(session.listeners.values())
        await session.aclose()

    assert played(story) == ["started", "aclose", "close"]


def test_to_stop_leaves_nothing_behind():
    """The session's methods are its own again; one that somebody has put over ours stays, and ours is silent in it."""
    session, told = SmallSession(), []
    subscription = Subscription(session, told.append)
    assert all(len(session.listeners[name]) == 1 for name in EVENTS)
    inner = session.start

    async def over(agent):
        await inner(agent)

    session.start = over
    subscription.stop()
    subscription.stop()
    assert not any(session.listeners.values())
    assert vars(session).keys() & {"start", "aclose", "shutdown", "_aclose_impl", "reset_away_timer"} == {"start"}
    asyncio.run(session.start("agent"))
    assert (session.started, told) == (True, [])


def test_what_a_session_does_not_have_is_not_asked_for():
    """A version with other insides is listened to as far as it goes."""

    class Other(SmallSession):
        _aclose_impl = reset_away_timer = None

    session = Other()
    with Subscription(session, list):
        assert "_aclose_impl" not in vars(session)


def test_who_listens_cannot_harm_the_session(caplog):
    """What it raises is logged, and the session goes on."""

    def fails(_):
        raise ZeroDivisionError

    async def play():
        session = SmallSession()
        with Subscription(session, fails):
            await session.start("agent")
            session.emit("agent_state_changed", **OPEN)
            await session.aclose()
        assert not session.started

    with caplog.at_level(logging.ERROR, "lifecycle.livekit"):
        asyncio.run(play())
    assert [record.name for record in caplog.records] == ["lifecycle.livekit"] * 4
