import contextlib
import json

import pytest
import trio

import lifecycle
from lifecycle.systems.openclaw import Messages

from .small_gateway import MAIN, Refused, SmallGateway, row
from .test_events import short
from .test_gateway import opened


def seen(value):
    """The number of a message, or the kind of a mark."""
    return short(value) if isinstance(value, lifecycle.Discontinuity) else value["__openclaw"]["seq"]


async def taken(messages: Messages, count: int) -> list:
    """The next so many."""
    return [seen(await anext(messages)) for _ in range(count)]


def numbers(messages: Messages) -> list[int]:
    """What is kept."""
    return [seen(each) for each in messages.last]


async def again(peer, gateway, meanwhile=lambda: None) -> None:
    """The connection is lost, something happens, and it is ready again."""
    peer.link.drop()
    await trio.sleep(0.1)
    meanwhile()
    await gateway.ready()


@contextlib.asynccontextmanager
async def following(small: SmallGateway, count: int):
    """A session with so many messages, that have been taken."""
    for number in range(1, count + 1):
        small.write(number)
    async with opened(small) as (peer, gateway), gateway.messages(MAIN) as messages:
        assert await taken(messages, min(count, 100)) == list(range(max(1, count - 99), count + 1))
        yield peer, gateway, messages


async def test_first_what_is_there_then_what_comes():
    """The last hundred of a longer session, and then each; others' messages are not its own."""
    small = SmallGateway()
    async with following(small, 120) as (_, _, messages):
        small.write(121)
        small.write(7, "agent:main:other")
        small.say("session.message", {"sessionKey": MAIN, "message": "none"})
        small.say("session.message", "none")
        small.write(122)
        assert await taken(messages, 2) == [121, 122]
        assert numbers(messages) == list(range(23, 123))
        assert small.asked == [
            ("sessions.messages.subscribe", {"key": MAIN}),
            ("chat.history", {"sessionKey": MAIN, "limit": 200}),
        ]


async def test_what_was_missed_is_fetched_after_a_reconnect():
    """Each message once, in its order, and no mark: nothing is missing."""
    small = SmallGateway()
    async with following(small, 3) as (peer, gateway, messages):
        await again(peer, gateway, lambda: [small.write(4), small.write(5)])
        small.write(6)
        assert await taken(messages, 3) == [4, 5, 6]
        assert numbers(messages) == [1, 2, 3, 4, 5, 6]
        assert small.methods().count("sessions.messages.subscribe") == 2


async def test_a_gap_is_filled():
    """A number is missing on the same connection: the history is asked for, and what comes meanwhile waits for it."""
    small = SmallGateway()
    async with following(small, 2) as (_, _, messages):
        small.write(3, told=False)
        small.say("session.message", {"sessionKey": MAIN, "message": row(2)})
        small.say("health", skip=1)
        small.write(4)
        assert await taken(messages, 2) == [3, 4]
        small.write(5)
        assert await taken(messages, 1) == [5]


async def test_a_history_that_does_not_reach_back_is_told():
    """More was missed than it holds: a mark, and then what it has."""
    small = SmallGateway()
    async with following(small, 3) as (peer, gateway, messages):
        await again(peer, gateway, lambda: [small.write(number) for number in range(4, 300)])
        assert await taken(messages, 201) == ["lost", *range(100, 300)]
        assert numbers(messages) == list(range(200, 300))


async def test_a_session_that_was_reset_begins_anew():
    """A mark, and then what it has now."""
    small = SmallGateway()
    async with following(small, 3) as (peer, gateway, messages):
        small.answers["chat.history"] = lambda params: {"sessionId": "another", "messages": [row(9)]}
        await again(peer, gateway)
        assert await taken(messages, 2) == ["lost", 9]
        assert numbers(messages) == [9]


async def test_what_comes_while_the_history_is_asked_for_waits_for_it():
    """The order is the gateway's, and nothing comes twice."""
    small = SmallGateway()

    def slow(params):
        small.write(2)
        small.write(3)
        return {"sessionId": "s", "messages": [row(1), row(2)]}

    small.answers["chat.history"] = slow
    async with opened(small) as (_, gateway), gateway.messages(MAIN) as messages:
        assert await taken(messages, 3) == [1, 2, 3]


async def test_a_history_that_may_be_asked_for_again_is():
    """After the pause that the gateway asks for; what comes meanwhile is not lost."""
    small, asked = SmallGateway(), []

    def busy(params):
        asked.append(trio.current_time())
        if len(asked) < 3:
            small.write(len(asked))
            raise Refused("UNAVAILABLE", "session changed", retryable=True, retryAfterMs=2000)
        del small.answers["chat.history"]
        return {"sessionId": "s", "messages": [row(1), row(2)]}

    small.answers["chat.history"] = busy
    async with opened(small) as (_, gateway), gateway.messages(MAIN) as messages:
        began = trio.current_time()
        assert await taken(messages, 2) == [1, 2]
        assert asked == pytest.approx([began, began + 2, began + 4], abs=0.1)


@pytest.mark.parametrize("answers", [False, True])
async def test_a_history_that_is_not_to_be_had_is_told(answers):
    """Refused for now, again and again, or never answered: a mark, then what comes; the next connection asks again."""
    small = SmallGateway()

    def never(params):
        if answers:
            raise Refused("UNAVAILABLE", "busy", retryable=True)

    small.answers["chat.history"] = never
    async with opened(small) as (peer, gateway), gateway.messages(MAIN) as messages:
        small.write(1)
        assert await taken(messages, 2) == ["lost", 1]
        assert small.methods().count("chat.history") == (6 if answers else 1)
        small.write(2)
        assert await taken(messages, 1) == [2]
        del small.answers["chat.history"]
        await again(peer, gateway, lambda: small.write(3))
        assert await taken(messages, 1) == [3]


async def test_a_session_that_is_refused_ends_with_the_refusal():
    """Also after another connection; other sessions go on."""
    small = SmallGateway()

    def refuse(params):
        if params["sessionKey"] == "no":
            raise Refused("INVALID_REQUEST", "no such session")
        return {"messages": [row(1)]}

    small.answers["chat.history"] = refuse
    async with opened(small) as (peer, gateway), gateway.messages("no") as none, gateway.messages(MAIN) as messages:
        for _ in range(2):
            with pytest.raises(lifecycle.RequestFailed, match="no such session"):
                await anext(none)
            await again(peer, gateway)
        assert await taken(messages, 1) == [1]


@pytest.mark.parametrize("history", [None, {}, {"messages": 7}, {"messages": [1, "x", row(1)], "sessionId": 3}, [1]])
async def test_any_history_is_read(history):
    """What is none is left out."""
    small = SmallGateway(answers={"chat.history": lambda params: [] if history is None else history})
    async with opened(small) as (_, gateway), gateway.messages(MAIN) as messages:
        await trio.sleep(1)
        small.write(2)
        assert (await taken(messages, 1))[0] in (1, 2)


async def test_a_flood_while_the_history_is_asked_for_is_bounded():
    """More than a history holds is not kept: when the answer does not come, it is asked for again at once."""
    small = SmallGateway(answers={"chat.history": lambda params: None})
    async with opened(small) as (_, gateway), gateway.messages(MAIN) as messages:
        for number in range(1, 242):
            await trio.sleep(0.01)
            small.write(number)
        del small.answers["chat.history"]
        assert await taken(messages, 100) == list(range(142, 242))
        small.write(242)
        assert await taken(messages, 1) == [242]
        assert small.methods().count("chat.history") == 2


async def test_an_answer_that_is_out_of_date_is_not_taken():
    """Something went missing while the history was asked for: the next answer counts."""
    small = SmallGateway(answers={"chat.history": lambda params: None})
    async with opened(small) as (peer, gateway), gateway.messages(MAIN) as messages:
        await trio.sleep(1)
        del small.answers["chat.history"]
        small.write(1, told=False)
        small.say("health")
        small.say("health", skip=1)
        await trio.sleep(1)
        late = {"type": "res", "id": json.loads(peer.received[-1])["id"], "ok": True, "payload": {"messages": [row(9)]}}
        peer.link.send(late)
        assert await taken(messages, 1) == [1]


async def test_what_was_told_is_known_for_a_thousand_messages():
    """The memory of what was told is bounded."""
    small = SmallGateway()
    async with following(small, 1) as (_, _, messages):
        for number in range(2, 1102):
            small.write(number)
            assert await taken(messages, 1) == [number]
        assert len(messages._told) == 1000


async def test_an_event_that_the_answer_has_overtaken_is_not_told_again():
    """An answer does not wait behind the events that came before it; all that it held are known."""
    small = SmallGateway()
    async with following(small, 150) as (_, _, messages):
        for number in (10, 60, 149):
            small.say("session.message", {"sessionKey": MAIN, "message": row(number)})
        small.write(151)
        assert await taken(messages, 1) == [151]


async def test_who_leaves_is_told_nothing_more():
    """The gateway is told so when the last one leaves a session, and only if it is there."""
    small = SmallGateway()
    async with opened(small) as (peer, gateway):
        async with gateway.messages(MAIN) as first:
            async with gateway.messages(MAIN):
                await trio.sleep(1)
            assert "sessions.messages.unsubscribe" not in small.methods()
            small.write(1)
            assert await taken(first, 1) == [1]
        await trio.sleep(1)
        assert small.asked[-1] == ("sessions.messages.unsubscribe", {"key": MAIN})
        assert [each async for each in first] == []
        asked = len(small.asked)
        async with gateway.messages(MAIN):
            await trio.sleep(1)
            peer.refuse(1000)
            peer.link.drop()
            await trio.sleep(0.5)
        assert len(small.asked) == asked + 2


async def test_messages_wait_for_a_gateway_that_is_not_there_yet():
    """They are asked for as soon as it is ready, however long that takes."""
    small = SmallGateway()
    small.write(1)
    async with opened(small) as (peer, gateway):
        peer.refuse(4)
        peer.link.drop()
        await trio.sleep(0.1)
        async with gateway.messages(MAIN) as messages:
            assert await taken(messages, 1) == [1]


async def test_the_end_of_the_connection_ends_the_messages():
    """They stop, raise and go on as events do."""
    small = SmallGateway()
    async with following(small, 1) as (peer, gateway, messages):
        gateway.disconnect()
        assert [each async for each in messages] == []
        async with gateway.messages(MAIN) as others:
            assert [each async for each in others] == []
        peer.refuse(1000)
        gateway.reconnect()
        with pytest.raises(lifecycle.ConnectionFailed):
            await anext(messages)
        peer.refuse(0)
        gateway.reconnect()
        await gateway.ready()
        small.write(2)
        assert await taken(messages, 1) == [2]


async def test_messages_are_followed_once_and_in_an_open_gateway():
    """Anything else is told at once."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        async with gateway.messages(MAIN) as messages:
            with pytest.raises(lifecycle.ConnectionEnded, match="once"):
                await messages.__aenter__()
        with pytest.raises(lifecycle.ConnectionEnded, match="once"):
            await messages.__aenter__()
    with pytest.raises(lifecycle.ConnectionEnded, match="not open"):
        await gateway.messages(MAIN).__aenter__()


async def test_a_cancelled_follower_leaves_nothing_behind():
    """Its task ends with it."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        await trio.sleep(1)
        before = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_after(1):
            async with gateway.messages(MAIN) as messages:
                await anext(messages)
        await trio.sleep(1)
        assert trio.lowlevel.current_statistics().tasks_living == before
