"""What embedders hold: handlers that let go, media that may be refused, and a door that lets the right error out."""

import pytest
import trio

from lifecycle.errors import IllegalEvent, NotReady, RequestTimeout
from lifecycle.systems.convai import (
    BotReady,
    DeviceUnsupported,
    Disconnected,
    DisconnectReason,
    GaveUp,
    IdleWarning,
    Media,
    Message,
    NegotiationFailed,
    NotAllowed,
    ServerResponse,
    StateChanged,
    TurnCompleted,
    open_convai,
)

from .home import in_memory, listening, on_sockets, ready, until
from .stand_in import KEY, StandIn


class SmallMedia(Media):
    """A microphone that works, or not."""

    def __init__(self, wrong=None):
        self.wrong, self.on = wrong, []

    async def switch(self, device, *, on):
        await trio.lowlevel.checkpoint()
        if self.wrong == "hangs":
            await trio.sleep_forever()
        if self.wrong is not None:
            raise self.wrong
        self.on.append((device, on))


async def test_a_device_is_switched():
    """On and off again, and what is on is known."""
    media = SmallMedia()
    async with in_memory(media=media) as (_, session):
        await ready(session)
        await session.switch("microphone", on=True)
        await session.switch("camera", on=True)
        await session.switch("camera", on=False)
        assert media.on == [("microphone", True), ("camera", True), ("camera", False)]
        assert session.devices == {"microphone"}


@pytest.mark.parametrize(
    ("wrong", "raised", "code"),
    [
        (PermissionError("denied by the user"), NotAllowed, 1),
        (FileNotFoundError("no such device"), DeviceUnsupported, 21),
        (OSError("busy"), DeviceUnsupported, 21),
        (NegotiationFailed("no codec in common"), NegotiationFailed, 13),
    ],
)
async def test_a_device_that_does_not_work(wrong, raised, code):
    """What the system says becomes an error with LiveKit's number; nothing is on then."""
    async with in_memory(media=SmallMedia(wrong)) as (_, session):
        await ready(session)
        with pytest.raises(raised, match=str(wrong)) as caught:
            await session.switch("microphone", on=True)
        assert caught.value.code == code
        assert session.devices == frozenset()
        assert session.bot_ready


async def test_a_device_that_hangs_and_one_that_is_not_there():
    """Each wait has a bound, and what was not brought cannot be used; nor can anything without a connection."""
    async with in_memory(media=SmallMedia("hangs"), patience=2) as (_, session):
        with pytest.raises(NotReady, match="the camera was not switched: the session is not connected"):
            await session.switch("camera", on=True)
        await ready(session)
        with pytest.raises(RequestTimeout, match="switching the camera"):
            await session.switch("camera", on=True)
    async with in_memory() as (_, session):
        await ready(session)
        with pytest.raises(DeviceUnsupported, match="without media"):
            await session.switch("camera", on=True)


async def test_a_mistake_of_the_embedders_comes_out_as_it_is():
    """It is no error of a device."""
    async with in_memory(media=SmallMedia(KeyError("oops"))) as (_, session):
        await ready(session)
        with pytest.raises(KeyError):
            await session.switch("camera", on=True)


async def test_handlers_let_go():
    """By calling what `on` has returned, as often as one likes, or by `with`; also in the middle of an event."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard: list[str] = []
        first = session.on(Message, lambda _: (heard.append("first"), second()))
        second = session.on(Message, lambda _: heard.append("second"))
        with session.on(Message, lambda _: heard.append("third")):
            peer.link.send({"type": "x"})
            await trio.sleep(0.01)
        assert heard == ["first", "third"]
        first()
        first()
        peer.link.send({"type": "x"})
        await trio.sleep(0.01)
        assert heard == ["first", "third"]


async def test_a_handler_that_raises_costs_nobody_else_anything(caplog):
    """It is logged, with what it was to hear."""
    async with in_memory() as (peer, session):
        await ready(session)
        session.on(StateChanged, lambda _: 1 / 0)
        heard = listening(session, StateChanged)
        peer.link.send({"type": "bot-started-speaking"})
        await trio.sleep(0.01)
        assert len(heard) == 1
        assert session.bot_ready
    assert "a handler of StateChanged has failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_more_steps_than_are_remembered_at_once():
    """Five hundred changes in one piece: what the state is now is right, and the session goes on."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, StateChanged)
        for _ in range(250):
            peer.link.send({"type": "bot-started-speaking"})
            peer.link.send({"type": "bot-stopped-speaking"})
        peer.link.send({"type": "user-started-speaking"})
        await trio.sleep(0.01)
        assert heard[-1].state == session.agent_state == "listening"


async def test_nothing_is_wished_outside_of_the_door():
    """Before it has begun, and after it has ended."""
    session = open_convai(KEY, "c")
    with pytest.raises(IllegalEvent, match="has not begun"):
        session.reconnect()
    assert (session.status, session.why, session.agent_state) == ("idle", "", "disconnected")
    async with in_memory() as (_, session):
        await ready(session)
    with pytest.raises(IllegalEvent, match="has ended"):
        session.disconnect()


async def test_the_end_of_the_body_is_a_goodbye():
    """The last word is told as well, though nobody waits for it in the body."""
    async with in_memory() as (_, session):
        await ready(session)
        heard = listening(session, Disconnected)
    assert session.status == "closed"
    assert heard == [Disconnected(DisconnectReason.CLIENT_INITIATED, retries=False)]


async def test_what_came_last_is_told_before_the_end():
    """An answer and the end of its transport in one piece: the answer counts."""
    async with in_memory(StandIn(silent=1)) as (peer, session):
        await ready(session)
        heard = listening(session, ServerResponse, Disconnected)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.interrupt)
            await trio.sleep(1)
            peer.hold()
            for kind in ("a", "interrupt-bot", "b"):
                peer.link.send({"type": "server-response", "event_type": kind, "status": "success"})
            peer.link.close(1011)
            peer.release()
        await trio.sleep(0.01)
        assert [getattr(event, "event_type", "end") for event in heard] == ["a", "interrupt-bot", "b", "end"]


async def test_a_cancelled_body_leaves_at_once():
    """And the cancellation is the caller's own."""
    with trio.move_on_after(5) as scope:
        async with in_memory() as (_, session):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert session.connection.status != "ready"


@pytest.mark.parametrize(("raises", "expected"), [(False, ZeroDivisionError), (True, ValueError)])
async def test_a_fault_of_ours_comes_out_when_all_is_closed(raises, expected, monkeypatch):
    """It cancels the body, and is raised in its place; what the body raises comes first."""
    session = None

    async def body():
        nonlocal session
        async with in_memory() as (peer, session):
            await ready(session)
            monkeypatch.setattr(session._telling, "_took", lambda _: 1 / 0)
            peer.link.send({"type": "x"})
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                if not raises:
                    raise
                raise ValueError from None

    with pytest.raises(expected):
        await body()
    assert session.connection.status == "closed"


async def test_it_is_read_on_after_a_rest():
    """A session that has failed and is begun anew tells as before."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, BotReady, Disconnected, GaveUp)
        peer.link.send({"type": "disconnected", "data": {"reason": 2}})
        await trio.sleep(10)
        assert [type(event) for event in heard] == [Disconnected, GaveUp]
        assert heard[-1].why.startswith("The session was opened in another place")
        session.reconnect()
        await ready(session)
        assert isinstance(heard[-1], BotReady)
        assert (await session.send_text("hello")).status == "processing"


@pytest.mark.real_time
async def test_a_session_on_sockets():
    """A turn, an overlap, a room that is lost and met again, and a new one: over HTTP and WebSocket by others."""
    home = StandIn(wrapped=True)
    async with on_sockets(home) as session:
        heard = listening(session, TurnCompleted, StateChanged, BotReady, Disconnected, IdleWarning)

        await session.ready(10)
        await session.send_text("hello")
        await until(lambda: TurnCompleted() in heard)
        for kind in ("user-started-speaking", "bot-started-speaking"):
            await session.trigger("tell", f'{{"type": "{kind}"}}')
        await until(lambda: session.agent_state == "speaking")
        assert any(path.endswith("listening.active") for path in session.connection.state)
        for code, rooms in (("1011", 1), ("1008", 2)):
            count = len(heard)
            await session.trigger("close", code)
            await until(lambda count=count: len([e for e in heard[count:] if isinstance(e, BotReady)]) == 1)
            assert len(home.asked) == rooms
        count = len(heard)
        await session.trigger("flood", "5000000")
        await until(lambda: any(isinstance(event, BotReady) for event in heard[count:]))
        assert (await session.send_text("hello again")).status == "processing"


async def test_a_connection_that_is_closed_in_the_body():
    """Nothing more is told, and leaving is no harm."""
    async with in_memory() as (_, session):
        await ready(session)
        heard = listening(session)
        await session.connection.aclose()
        await trio.sleep(1)
        assert session.status == "closed"
        assert heard[0] == Disconnected(DisconnectReason.CLIENT_INITIATED, retries=False)
