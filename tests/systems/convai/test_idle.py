"""An idle session is warned, and closed if nobody moves; when is the server's affair."""

import pytest
import trio

from lifecycle.systems.convai import Disconnected, DisconnectReason, IdleWarning

from .home import in_memory, listening, on_sockets, ready, until
from .stand_in import StandIn

SIGNS = {
    "reset": lambda session: session.reset_idle_timer(),
    "text": lambda session: session.send_text("here I am"),
    "trigger": lambda session: session.trigger("wave"),
    "context": lambda session: session.update_context("a sunny day"),
}


def idling(session):
    """Where the page's region of idleness is."""
    return next(path.rpartition(".")[2] for path in session.connection.state if ".idling." in path)


def warning(left):
    """The message that warns."""
    return {
        "label": "rtvi-ai",
        "type": "server-message",
        "data": {"type": "user-idle-warning", "remaining_seconds": left, "message": "Still there?"},
    }


@pytest.mark.parametrize("sign", SIGNS)
async def test_a_sign_of_life_before_the_deadline(sign):
    """Whatever counts as one, the server goes on, and the session is calm again."""
    async with in_memory(StandIn(idle_after=60, remaining=300)) as (_, session):
        await ready(session)
        heard = listening(session, IdleWarning, Disconnected)
        await trio.sleep(61)
        assert heard == [IdleWarning(300)]
        assert idling(session) == "warned"
        await trio.sleep(290)
        await SIGNS[sign](session)
        await trio.sleep(0.01)
        assert idling(session) == "calm"
        await trio.sleep(30)
        assert heard == [IdleWarning(300)]


async def test_the_deadline_proves_nothing():
    """It passes here, and the server, whose clock or mind is another one, lets the session live: it still may be reset."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, IdleWarning, Disconnected)
        peer.link.send(warning(30))
        await trio.sleep(100)
        assert (idling(session), session.bot_ready, heard) == ("overdue", True, [IdleWarning(30, "Still there?")])
        assert (await session.reset_idle_timer()).status == "success"
        await trio.sleep(0.01)
        assert idling(session) == "calm"
        assert heard == [IdleWarning(30, "Still there?")]


async def test_nobody_moves():
    """Only the end is the end: reason 5, and it is not tried again by itself."""
    home = StandIn(idle_after=10, remaining=5)
    async with in_memory(home) as (_, session):
        await ready(session)
        heard = listening(session, IdleWarning, Disconnected)
        await trio.sleep(20)
        assert heard == [IdleWarning(5), Disconnected(DisconnectReason.ROOM_DELETED, retries=False)]
        assert session.status == "failed"
        session.reconnect()
        await ready(session)
        assert home.asked[1]["character_session_id"] == "character-session-1"


@pytest.mark.parametrize("left", [None, "soon", -1, True, [5], {}])
async def test_a_warning_that_does_not_say_when(left):
    """It has no deadline, and only its end tells."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, IdleWarning)
        peer.link.send(warning(left))
        await trio.sleep(0.01)
        assert heard == [IdleWarning(None, "Still there?")]
        assert idling(session) == "overdue"
        peer.link.send(warning(60))
        await trio.sleep(0.01)
        assert idling(session) == "warned"
        peer.link.send(warning(left))
        await trio.sleep(0.01)
        assert idling(session) == "overdue"
        peer.link.send({"type": "user-started-speaking"})  # a voice is a sign of life, too
        await trio.sleep(0.01)
        assert idling(session) == "calm"


async def test_a_second_warning_counts_from_then():
    """The later one is right, before its predecessor's deadline and after."""
    async with in_memory() as (peer, session):
        await ready(session)
        for left, wait, expected in ((30, 20, "warned"), (30, 20, "warned"), (1, 2, "overdue"), (1e30, 3600, "warned")):
            peer.link.send(warning(left))
            await trio.sleep(wait)
            assert idling(session) == expected


async def test_what_is_no_sign_of_life():
    """A switch does not say that somebody is there; nor does a message that was refused."""
    async with in_memory() as (peer, session):
        await ready(session)
        peer.link.send(warning(30))
        await session.set_tts(on=False)
        await session.update_template_keys({"name": "Ada"})
        peer.link.send(
            {"type": "server-response", "event_type": "user_text_message", "status": "error", "message": "no"}
        )
        await trio.sleep(0.01)
        assert idling(session) == "warned"


@pytest.mark.real_time
async def test_over_a_socket():
    """Warned, saved, warned again, and closed."""
    async with on_sockets(StandIn(idle_after=0.05, remaining=0.2)) as session:
        heard = listening(session, IdleWarning, Disconnected)
        await session.ready(10)
        await until(lambda: heard)
        await session.reset_idle_timer()
        await until(lambda: isinstance(heard[-1], Disconnected))
        assert heard[-1] == Disconnected(DisconnectReason.ROOM_DELETED, retries=False)
        assert heard.count(IdleWarning(0.2)) >= 2
