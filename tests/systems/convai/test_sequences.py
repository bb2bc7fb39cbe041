"""What a session does and tells, message by message, as the real service was seen to do it."""

import pytest
import trio

from lifecycle.errors import ConnectionFailed
from lifecycle.systems.convai import (
    AgentState,
    BotReady,
    Connected,
    Disconnected,
    DisconnectReason,
    GaveUp,
    InteractionCreated,
    LlmNoResponse,
    Message,
    StateChanged,
    Trouble,
    TurnCompleted,
)
from lifecycle.wire.inbox import Discontinuity

from .home import in_memory, listening, ready
from .stand_in import StandIn

SPEAKS = ("user-started-speaking", "user-stopped-speaking", AgentState.LISTENING)
THINKS = ("bot-llm-started", "bot-llm-stopped", AgentState.THINKING)
TALKS = ("bot-started-speaking", "bot-stopped-speaking", AgentState.SPEAKING)


def states(heard):
    """The agent's states that were told."""
    return [event.state.value for event in heard if isinstance(event, StateChanged)]


async def tell(peer, *kinds, wrapped=False):
    """The peer says what it will, one after the other."""
    for kind in kinds:
        peer.link.send({"type": "server-message", "data": {"type": kind}} if wrapped else {"type": kind})
    await trio.sleep(0.01)


async def test_from_nothing_to_ready_and_back():
    """A room, a transport, a bot; then a goodbye, told once; and back with what the session was called."""
    async with in_memory(StandIn(bot_ready_after=2)) as (_, session):
        heard = listening(session)
        assert (session.agent_state, session.connected, session.bot_ready) == (AgentState.DISCONNECTED, False, False)
        await trio.sleep(1)
        assert (session.agent_state, session.connected, session.bot_ready) == (AgentState.CONNECTED, True, False)
        assert session.status == "authenticating"
        await ready(session)
        assert (session.connected, session.bot_ready, session.disconnect_reason) == (True, True, None)
        assert [type(event) for event in heard if not isinstance(event, Message)] == [
            Connected, StateChanged, InteractionCreated, BotReady,
        ]  # fmt: skip
        session.disconnect()
        await trio.sleep(1)
        assert heard[-2:] == [
            Disconnected(DisconnectReason.CLIENT_INITIATED, retries=False),
            StateChanged(AgentState.DISCONNECTED),
        ]
        assert (session.status, session.disconnect_reason) == ("closed", DisconnectReason.CLIENT_INITIATED)
        session.reconnect()
        await ready(session)
        assert session.disconnect_reason is None
        assert session.character_session_id == "character-session-1"
        assert len([event for event in heard if isinstance(event, Disconnected)]) == 1


async def test_a_session_goes_on_in_another_process():
    """Who says which session it was gets that one."""
    home = StandIn()
    async with in_memory(home, character_session_id="of-yesterday") as (_, session):
        await ready(session)
        assert home.asked[0]["character_session_id"] == "of-yesterday" == session.character_session_id
        assert home.asked[0]["character_id"] == "a-character"


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("starts", "stops", "state"), [SPEAKS, THINKS, TALKS])
async def test_each_thing_that_goes_on(starts, stops, state, wrapped):
    """It begins and ends, in either envelope; a second beginning and a second end change nothing."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, StateChanged)
        await tell(peer, stops, starts, starts, wrapped=wrapped)
        assert session.agent_state is state
        await tell(peer, stops, stops, wrapped=wrapped)
        assert states(heard) == [state, "connected"]


async def test_all_at_once():
    """Speaking comes before listening, and that before thinking; what ends lets the next be seen."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, StateChanged)
        await tell(peer, THINKS[0], SPEAKS[0], TALKS[0])
        assert session.agent_state is AgentState.SPEAKING
        assert {"online.up.ready.listening.active", "online.up.ready.speaking.active"} <= set(session.connection.state)
        await tell(peer, TALKS[1], SPEAKS[1], THINKS[1])
        assert states(heard) == ["thinking", "listening", "speaking", "listening", "thinking", "connected"]


async def test_a_model_that_says_nothing_thinks_no_more():
    """It is told, with its reason if there is one, and the indicator may go."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, LlmNoResponse)
        for data in ({"reason": "abstain"}, {}):
            await tell(peer, "bot-llm-started")
            assert session.agent_state is AgentState.THINKING
            peer.link.send({"label": "rtvi-ai", "type": "server-message", "data": {"type": "llm-no-response", **data}})
            await trio.sleep(0.01)
            assert session.agent_state is AgentState.CONNECTED
        assert heard == [LlmNoResponse("abstain"), LlmNoResponse()]


async def test_a_whole_turn():
    """What is said as text is answered by a turn, which ends with a word."""
    async with in_memory() as (_, session):
        await ready(session)
        heard = listening(session)
        assert (await session.send_text("hello")).status == "processing"
        await trio.sleep(1)
        assert states(heard) == ["listening", "connected", "thinking", "connected", "speaking", "connected"]
        assert TurnCompleted() in heard
        said = [event.data["text"] for event in heard if isinstance(event, Message) and event.type == "bot-llm-text"]
        assert said == ["Hello!"]


async def test_whatever_goes_on_ends_with_the_transport():
    """Nobody is left speaking, and the bot is not asked to be ready again: the room is the same."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session)
        await tell(peer, SPEAKS[0], TALKS[0], THINKS[0])
        peer.link.drop()
        await trio.sleep(0.1)
        assert session.agent_state is AgentState.DISCONNECTED
        assert (session.status, session.disconnect_reason) == ("waiting", DisconnectReason.UNKNOWN_REASON)
        await ready(session)
        told = [event for event in heard if not isinstance(event, Message | StateChanged)]
        assert told[0] == Disconnected(DisconnectReason.UNKNOWN_REASON, retries=True)
        assert told[1:3] == [Connected(), BotReady(resumed=True)]
        assert {type(event) for event in told[3:]} == {Discontinuity}
        assert session.agent_state is AgentState.CONNECTED
        assert (await session.send_text("still there?")).status == "processing"


async def test_a_room_is_tried_once_and_then_a_new_one():
    """A transport that is lost again before it is proven leads to a new room, in the same session."""
    home = StandIn()
    async with in_memory(home) as (peer, session):
        await ready(session)
        for rooms in (1, 2):
            peer.link.drop()
            await trio.sleep(0.1)
            await ready(session)
            assert len(home.asked) == rooms
        assert [asked.get("character_session_id") for asked in home.asked] == [None, "character-session-1"]
        assert [room.joins for room in home.rooms.values()] == [2, 1]


async def test_a_bot_that_does_not_become_ready():
    """It is told, and tried again as often as the page says; then it is over."""
    home = StandIn(bot_ready_after=None)
    async with in_memory(home) as (_, session):
        heard = listening(session)
        began = trio.current_time()
        with pytest.raises(ConnectionFailed, match="no more attempts"):
            await session.ready()
        await trio.sleep(0.01)
        assert trio.current_time() - began == pytest.approx(4 * 30 + 0.5 + 1 + 2, abs=0.5)
        assert len(home.rooms) == 4
        troubles = [str(event.error) for event in heard if isinstance(event, Trouble)]
        assert len(troubles) == 4
        assert troubles[0].startswith("the bot did not become ready in time")
        assert heard[-1] == GaveUp("Convai was not to be reached; no more attempts are made.")


async def test_a_session_that_has_lasted_forgives():
    """After five seconds of health the next loss is the first again, and the room is tried first."""
    home = StandIn()
    async with in_memory(home) as (peer, session):
        for _ in range(10):
            await ready(session)
            await trio.sleep(6)
            peer.link.reset()
            await trio.sleep(0.1)
        await ready(session)
        assert len(home.asked) == 1
        assert home.rooms["room-1"].joins == 11


async def test_who_reconnects_in_the_middle_of_a_session():
    """The old room is left, by our own wish, and the session goes on in a new one."""
    home = StandIn()
    async with in_memory(home) as (_, session):
        await ready(session)
        heard = listening(session, Disconnected)
        session.reconnect()
        await ready(session)
        assert heard == [Disconnected(DisconnectReason.CLIENT_INITIATED, retries=True)]
        assert home.asked[1]["character_session_id"] == "character-session-1"


async def test_a_room_that_is_silent_is_left():
    """A half-open transport is noticed, and is as one that is lost."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Disconnected)
        peer.link.fall_silent()
        await trio.sleep(45)
        assert heard == [Disconnected(DisconnectReason.UNKNOWN_REASON, retries=True)]
        assert session.bot_ready


async def test_the_body_raises_as_it_is():
    """What goes wrong in the program leaves without a group around it."""

    async def body():
        async with in_memory() as (_, session):
            await ready(session)
            raise KeyError("oops")

    with pytest.raises(KeyError):
        await body()
