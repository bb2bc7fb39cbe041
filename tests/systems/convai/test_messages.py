"""Envelopes, events and errors of the wire: whatever comes means something, if only nothing."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.systems.convai import (
    AgentState,
    BotReady,
    ConnectionReason,
    DataNotPublished,
    DeviceUnsupported,
    Disconnected,
    IdleWarning,
    InteractionCreated,
    InvalidTrack,
    LlmNoResponse,
    Message,
    NegotiationFailed,
    NotAllowed,
    RoomConnectionFailed,
    RoomError,
    ServerResponse,
    Trouble,
    TurnCompleted,
    UnexpectedConnectionState,
    UnsupportedServer,
    UsageLimitReached,
)
from lifecycle.systems.convai.envelope import message_of
from lifecycle.systems.convai.event import event_of
from lifecycle.systems.convai.room_error import room_error

from .home import in_memory, listening, ready
from .stand_in import StandIn

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from([
    "server-message", "server-response", "user-idle-warning", "llm-no-response", "bot-turn-completed", "usage-limit-reached",
    "interaction-created", "error", "bot-ready", "disconnected", "user-started-speaking", "bot-llm-started",
])  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"label": "rtvi-ai", "type": "bot-ready", "data": {"version": "1"}}, Message("bot-ready", {"version": "1"})),
        ({"type": "bot-ready"}, Message("bot-ready", {})),
        (
            {"type": "server-message", "data": {"type": "bot-emotion", "emotion": "joy"}},
            Message("bot-emotion", {"emotion": "joy"}),
        ),
        ({"type": "server-message", "data": {"emotion": "joy"}}, Message("", {"emotion": "joy"})),
        ({"type": "server-message"}, Message("", {})),
        (
            {"type": "server-response", "status": "success", "data": 1},
            Message("server-response", {"status": "success", "data": 1}),
        ),
        ({"type": "bot-llm-text", "data": "words"}, Message("bot-llm-text", {})),
        ({"type": 7}, Message("", {})),
        ({}, Message("", {})),
        ([], Message("", {})),
        ("bot-ready", Message("", {})),
        (None, Message("", {})),
    ],
)
def test_the_three_envelopes(value, expected):
    """On top, wrapped, and flat; what is none of them has no type."""
    assert message_of(value) == expected


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("user-idle-warning", {"remaining_seconds": 300, "message": "m"}, IdleWarning(300.0, "m")),
        ("user-idle-warning", {"remaining_seconds": None}, IdleWarning()),
        ("user-idle-warning", {}, IdleWarning()),
        ("llm-no-response", {}, LlmNoResponse()),
        ("llm-no-response", {"reason": "abstain"}, LlmNoResponse("abstain")),
        ("bot-turn-completed", {"was_interrupted": True}, TurnCompleted(was_interrupted=True)),
        (
            "bot-turn-completed",
            {"was_interrupted": 1, "was_aborted": True, "error_reason": "e"},
            TurnCompleted(was_aborted=True, error_reason="e"),
        ),
        ("usage-limit-reached", {"quota_type": "daily", "message": "m"}, UsageLimitReached("daily", "m")),
        ("interaction-created", {"interaction_id": "i", "character_session_id": "c"}, InteractionCreated("i", "c")),
        (
            "server-response",
            {"event_type": "e", "status": "s", "message": None, "extras": None},
            ServerResponse("e", "s"),
        ),
        (
            "server-response",
            {"event_type": "e", "status": "s", "message": "m", "extras": {"x": 1}},
            ServerResponse("e", "s", "m", {"x": 1}),
        ),
        ("action-response", {}, None),
        ("", {}, None),
    ],
)
def test_the_events_of_messages(kind, data, expected):
    """Each with the fields that are there, and None for those that are not."""
    assert event_of(Message(kind, data)) == expected


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10, UnsupportedServer), (12, UnexpectedConnectionState), (13, NegotiationFailed), (14, DataNotPublished), (20, InvalidTrack),
        (21, DeviceUnsupported), (99, RoomError), (None, RoomError), ("13", RoomError), (True, RoomError),
    ],
)  # fmt: skip
def test_the_errors_of_rooms(code, kind):
    """A class for each number; one that is new keeps its number."""
    error = room_error({"code": code, "message": "so it is"})
    assert type(error) is kind
    assert (str(error), error.message) == ("so it is", "so it is")
    assert error.code == (code if type(code) is int else None)


@pytest.mark.parametrize("reason", [*ConnectionReason, 8, None, "x", False, True])
def test_why_a_room_could_not_be_connected(reason):
    """Each reason; that somebody did not allow it is a class of its own."""
    error = room_error({"code": 1, "reason": reason, "error": "words of older servers"})
    known = isinstance(reason, ConnectionReason)
    assert isinstance(error, RoomConnectionFailed)
    assert isinstance(error, NotAllowed) == (known and reason == 0)
    assert error.reason == (reason if known else None)
    assert (str(error), error.code) == ("words of older servers", 1)


def test_an_error_without_words():
    """It has its number, or not even that."""
    assert str(room_error({"code": 99})) == "error 99"
    assert str(room_error("what?")) == "an error without words"
    assert room_error({"message": "x" * 1000}).message == "x" * 500


@given(JSON, TYPES, TYPES, JSON)
def test_nothing_raises(value, outer, inner, data):
    """Whatever a stranger writes, in whatever envelope."""
    wrapped = {"type": inner, **data} if isinstance(data, dict) else data
    for each in (
        value,
        {"type": outer, "data": data},
        {"type": outer, "data": wrapped},
        {"type": outer, **(data if isinstance(data, dict) else {})},
    ):
        event = event_of(message_of(each))
        repr(event), str(event)


async def test_errors_are_told_and_end_nothing():
    """Only an end is an end."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Trouble, Disconnected)
        for code in (1, 10, 12, 13, 14, 20, 21, 77):
            peer.link.send({"label": "rtvi-ai", "type": "error", "data": {"code": code, "reason": 1, "message": "m"}})
        await trio.sleep(0.1)
        assert [event.error.code for event in heard] == [1, 10, 12, 13, 14, 20, 21, 77]
        assert session.bot_ready


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_bot_is_ready_in_either_envelope(wrapped):
    """Older servers say it on top, newer ones may wrap it."""
    async with in_memory(StandIn(wrapped=wrapped)) as (_, session):
        heard = listening(session, BotReady)
        await ready(session)
        assert heard == [BotReady()]
        await session.send_text("hello")
        await trio.sleep(1)
        assert session.agent_state is AgentState.CONNECTED


@pytest.mark.parametrize(
    "value",
    [
        "[]", "7", "null", '"bot-started-speaking"', "{}", '{"type": null}', '{"type": ["bot-ready"]}', '{"type": "server-message", "data": []}',
        '{"type": "server-message", "data": {"type": {"type": "bot-ready"}}}', '{"type": "server-response"}', '{"type": "bot-ready", "data": 7}',
        '{"type": "a-type-of-tomorrow", "data": {"x": [1]}}', '{"type": "server-response", "event_type": "context-update", "status": "success", "extras": []}',
        '{"type": "user-idle-warning", "data": [1, 2]}', '{"type": "error"}', '{"type": "bot-turn-completed", "data": {"was_interrupted": "yes"}}',
    ],
)  # fmt: skip
async def test_wrong_shapes_do_no_harm(value):
    """They are told as they are, and the session goes on."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Message, Disconnected)
        peer.link.send(value)
        await trio.sleep(0.01)
        assert len(heard) == 1
        assert session.agent_state is AgentState.CONNECTED
        assert (await session.send_text("still there")).status == "processing"


@pytest.mark.parametrize("value", ["no JSON", b"\x00\x01", "{" * 100_000, '{"type": 1e999}'])
async def test_what_is_no_json_ends_the_transport_and_not_the_session(value):
    """A peer that speaks something else is left, and met again."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Disconnected)
        peer.link.send(value)
        await trio.sleep(0.1)
        assert len(heard) == 1
        assert heard[0].retries
        await ready(session)


async def test_a_message_that_is_too_long():
    """Five megabytes are not read, and cost no more than the transport."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, Message, Disconnected)
        peer.link.send({"type": "bot-llm-text", "data": {"text": "x" * 5_000_000}})
        await trio.sleep(0.1)
        assert [type(event) for event in heard] == [Disconnected]
        await ready(session)
        peer.link.send({"type": "bot-llm-text", "data": {"text": "x" * 500_000}})
        await trio.sleep(0.1)
        assert len(heard[-1].data["text"]) == 500_000
