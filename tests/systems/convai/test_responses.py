"""Each message is answered once: what is said waits for its own answer, or is refused, and never for ever."""

import pytest
import trio

from lifecycle.errors import MaybeDelivered, NotSent, RequestFailed, RequestTimeout
from lifecycle.systems.convai import ContextLow, ServerResponse
from lifecycle.systems.convai.responses import MOST, Responses

from .home import in_memory, listening, on_sockets, ready
from .stand_in import StandIn

SAID = {
    "send_text": (("hello",), {}, "user_text_message", {"text": "hello"}),
    "trigger": (("wave", "hand"), {}, "trigger-message", {"trigger_name": "wave", "trigger_message": "hand"}),
    "update_context": (("text",), {"mode": "replace", "run_llm": "false"}, "context-update", {"text": "text", "mode": "replace", "run_llm": "false"}),
    "update_template_keys": (({"name": "Ada"},), {}, "update-template-keys", {"template_keys": {"name": "Ada"}}),
    "update_scene_metadata": (
        ([{"name": "door", "description": "locked"}],), {}, "update-scene-metadata", {"scene_metadata": [{"name": "door", "description": "locked"}]},
    ),
    "set_tts": ((), {"on": False}, "tts-toggle", {"enabled": False}),
    "set_stt": ((), {"on": False}, "stt-toggle", {"muted": True}),
    "interrupt": ((), {}, "interrupt-bot", None),
    "force_user_stopped_speaking": ((), {}, "force-user-stopped-speaking", None),
    "reset_idle_timer": ((), {}, "reset-idle-timer", {}),
    "say": (("usage-toggle", {"on": True}), {}, "usage-toggle", {"on": True}),
}  # fmt: skip


@pytest.mark.parametrize("method", SAID)
async def test_what_is_said_is_answered(method):
    """It arrives as Convai knows it, and its own answer comes back."""
    home = StandIn()
    args, kwargs, kind, data = SAID[method]
    async with in_memory(home) as (_, session):
        await ready(session)
        heard = listening(session, ServerResponse)
        answer = await getattr(session, method)(*args, **kwargs)
        assert home.said == [{"type": kind} if data is None else {"type": kind, "data": data}]
        assert (answer.event_type, answer.status) in {(kind, "success"), (kind, "processing")}
        await trio.sleep(0.01)
        assert heard == [answer]


async def test_a_context_is_reset():
    """Without a text, and with what was given on connecting, if that is wanted; else a text is needed."""
    home = StandIn()
    async with in_memory(home) as (_, session):
        await ready(session)
        await session.update_context(mode="reset", remove_static=True)
        assert home.said[0]["data"] == {"mode": "reset", "run_llm": "auto", "remove_static": True}
        with pytest.raises(ValueError, match="mode is reset; this one is append"):
            await session.update_context()


async def test_many_at_once_get_their_own():
    """Answers of one type come in the order of the messages, and those of others between them."""
    async with in_memory() as (_, session):
        await ready(session)
        got = {}

        async def text(number):
            got[number] = (await session.send_text(str(number))).extras["text"]

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(text, number)
                nursery.start_soon(session.interrupt)
        assert got == {number: str(number) for number in range(20)}


async def test_what_the_server_refuses():
    """Its words, and all it says besides."""
    async with in_memory(StandIn(tokens=5)) as (_, session):
        await ready(session)
        with pytest.raises(RequestFailed, match="context-update was refused: token limit exceeded"):
            await session.update_context("far too long")
        with pytest.raises(RequestFailed) as caught:
            await session.say("tap-dance")
        assert caught.value.error.extras["supported_types"]


@pytest.mark.parametrize("bad", ["parse-error", "validation-error", "unknown-message-type"])
async def test_bad_input_is_answered_to_the_oldest(bad):
    """Such an answer has no type of ours, so it is to the message that has waited longest."""
    async with in_memory(StandIn(silent=2)) as (peer, session):
        await ready(session)
        got = []

        async def one(method):
            try:
                got.append(await method())
            except RequestFailed as error:
                got.append(error.error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, session.interrupt)
            await trio.sleep(0.1)
            nursery.start_soon(one, session.reset_idle_timer)
            await trio.sleep(0.1)
            peer.link.send({"type": "server-response", "event_type": bad, "status": "error", "message": "what?"})
            await trio.sleep(0.1)
            assert got == [ServerResponse(bad, "error", "what?")]
            peer.link.send({"type": "server-response", "event_type": "reset-idle-timer", "status": "pending"})
        assert got[1] == ServerResponse("reset-idle-timer", "pending")


async def test_no_answer_comes():
    """It is waited for so long; and one that is late is not taken for that of the next message."""
    async with in_memory(StandIn(silent=1), patience=3) as (peer, session):
        await ready(session)
        began = trio.current_time()
        with pytest.raises(RequestTimeout, match="user_text_message was not answered within 3 s"):
            await session.send_text("one")
        assert trio.current_time() - began == pytest.approx(3)
        peer.link.send(
            {"type": "server-response", "event_type": "user_text_message", "status": "error", "message": "late"}
        )
        assert (await session.send_text("two")).extras["text"] == "two"


async def test_one_that_never_comes_holds_up_nobody_for_long():
    """Its place is kept twice as long as it was waited for."""
    async with in_memory(StandIn(silent=1), patience=3) as (_, session):
        await ready(session)
        with pytest.raises(RequestTimeout):
            await session.interrupt()
        await trio.sleep(4)
        assert (await session.interrupt()).status == "success"


async def test_nothing_is_said_to_nobody():
    """Before there is a transport, before the bot is ready, and after the end: an error, and nothing on the wire."""
    home = StandIn(bot_ready_after=5)
    async with in_memory(home) as (_, session):
        with pytest.raises(NotSent, match="user_text_message was not sent: the session is not connected"):
            await session.send_text("too early")
        await trio.sleep(1)
        with pytest.raises(NotSent, match="the bot is not ready yet"):
            await session.send_text("still too early")
        with pytest.raises(NotSent):
            await session.connection.send("past the session")
        await ready(session)
        session.disconnect()
        with pytest.raises(NotSent, match="not connected"):
            await session.send_text("too late")
        await trio.sleep(1)
        assert home.said == []


async def test_the_connection_is_lost_before_the_answer():
    """Nobody knows whether it has arrived, and it is said at once."""
    async with in_memory(StandIn(silent=1)) as (peer, session):
        await ready(session)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def say():
                with pytest.raises(MaybeDelivered, match="user_text_message has no answer"):
                    await session.send_text("hello?")

            nursery.start_soon(say)
            await trio.sleep(0.5)
            peer.link.drop()
        assert trio.current_time() - began < 1
        await ready(session)
        assert (await session.send_text("hello!")).status == "processing"


async def test_a_message_that_did_not_leave():
    """It is said to be so, and may be said again."""
    async with in_memory() as (peer, session):
        await ready(session)
        async with trio.open_nursery() as nursery:

            async def say():
                with pytest.raises(NotSent, match="user_text_message was not sent"):
                    await session.send_text("x" * 2_000_000)

            peer.hold()
            with pytest.raises(RequestTimeout):
                await session.send_text("x" * 2_000_000)  # the network takes some of it
            nursery.start_soon(say)
            await trio.sleep(0.5)
            peer.link.drop()
            peer.release()


async def test_what_cannot_be_written_is_told_at_once():
    """And leaves no place behind for an answer."""
    async with in_memory() as (_, session):
        await ready(session)
        with pytest.raises(TypeError):
            await session.say("usage-toggle", {"on": object()})
        assert (await session.say("usage-toggle")).status == "success"


async def test_who_is_cancelled_takes_nobodys_answer():
    """The message has left; its answer comes, and is his."""
    async with in_memory(StandIn(silent=1)) as (peer, session):
        await ready(session)
        with trio.move_on_after(1):
            await session.send_text("one")
        peer.link.send(
            {"type": "server-response", "event_type": "user_text_message", "status": "error", "message": "of one"}
        )
        assert (await session.send_text("two")).extras["text"] == "two"


async def test_an_answer_that_nobody_waits_for():
    """It is told, and that is all."""
    async with in_memory() as (peer, session):
        await ready(session)
        heard = listening(session, ServerResponse)
        peer.link.send({"type": "server-response", "event_type": 7, "status": None, "extras": "many"})
        await trio.sleep(0.01)
        assert heard == [ServerResponse("", "")]
        assert str(heard[0]) == ": "


async def test_the_row_of_answers_is_bounded():
    """The oldest place is given up."""
    responses = Responses()
    first, *_ = (responses.expect("x", 1, 10) for _ in range(MOST + 1))
    assert first.settled.is_set()
    assert responses.came(ServerResponse("y", "success")) is False
    assert responses.came(ServerResponse("x", "success")) is True
    later = responses.expect("x", 2, 10)
    responses.lost(1)
    assert not later.settled.is_set()
    await trio.sleep(21)
    assert responses.came(ServerResponse("x", "success")) is False
    assert later.settled.is_set()


async def test_the_budget_of_the_context():
    """It is kept as it was last told, through a loss, and low water is told once for each time."""
    home = StandIn(tokens=50_000)
    async with in_memory(home) as (peer, session):
        await ready(session)
        assert session.tokens == {"used": None, "left": None, "max": None}
        heard = listening(session, ContextLow)
        for text in ("x" * 45_000, "x", "x"):
            await session.update_context(text)
        assert session.tokens == {"used": 45_002, "left": 4_998, "max": 50_000}
        await trio.sleep(0.01)
        assert heard == [ContextLow(4_999)]
        peer.link.drop()
        await trio.sleep(0.1)
        await ready(session)
        await session.update_context("x")
        await session.update_context("x" * 45_000, mode="replace")
        await session.update_context("x")
        peer.link.send(
            {
                "type": "server-response",
                "event_type": "context-update",
                "status": "success",
                "extras": {"remaining_tokens": "few"},
            }
        )
        await trio.sleep(0.01)
        assert heard == [ContextLow(4_999), ContextLow(4_999)]
        assert session.tokens["left"] == 4_999


@pytest.mark.real_time
async def test_over_a_socket():
    """Said, answered, refused; and a server that falls silent."""
    async with on_sockets(StandIn(tokens=5), patience=0.3) as session:
        await session.ready(10)
        assert (await session.send_text("hello")).extras == {"text": "hello"}
        with pytest.raises(RequestFailed, match="token limit"):
            await session.update_context("far too long")
        await session.trigger("be silent", "1")
        with pytest.raises(RequestTimeout):
            await session.interrupt()
