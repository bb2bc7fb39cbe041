"""The page, its calls and its handler over the wire: in memory, with a client that speaks raw frames, and with our own."""

import functools
import json
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import attrs
import pytest
import trio
import trio.testing

import lifecycle
from lifecycle.definition.page import Outbox
from lifecycle.definition.read import read
from lifecycle.systems.openhands import (
    REFUSALS,
    SENTENCES,
    AuthError,
    Conversations,
    Expired,
    MemoryEventStore,
    TermsNotAccepted,
    serve_conversations,
)
from lifecycle.systems.openhands.conversations import EVICTED
from lifecycle.testing.peer import Peer
from lifecycle.testing.virtual import run
from lifecycle.wire.causes import Refusal, classify

from .small_store import SlowStore, said, state

KEY = "the-key-of-this-server"


async def echo(conversation):
    """An agent that says what it is told."""
    async for action in conversation.actions:
        await conversation.emit(said(action["args"].get("content", "nothing") + "!"))


@asynccontextmanager
async def served(*events, agent=echo, store=None, names="c", most=3, **settings):
    """A server in memory whose conversations have these events; and the conversations."""
    store = store or MemoryEventStore()
    for name in names:
        await store.create(name)
        for event in events:
            await store.append(name, event)
    async with (
        Conversations(agent, store, max_concurrent=most) as conversations,
        Peer(serve_conversations(conversations, port=0, **settings)) as peer,
    ):
        yield conversations, peer


def url(peer, **query):
    """Where a client dials."""
    return (
        f"{peer.url}socket.io/?{urlencode({'EIO': 4, 'transport': 'websocket', 'conversation_id': 'c', **query}, True)}"
    )


@functools.cache
def plain():
    """The page of a WebSocket client that may send long messages."""
    definition = read("websocket")
    outbox = Outbox(size=16 * 1024 * 1024)
    return attrs.evolve(definition, messages=attrs.evolve(definition.messages, outbox=outbox))


class Raw:
    """A client that speaks frames; `async with Raw(peer, …) as raw`, and what comes is `await raw.next()`."""

    def __init__(self, peer, **query):
        self.connection = lifecycle.open(plain(), url=url(peer, **query), transport=peer.dialer)

    async def __aenter__(self):
        await self.connection.__aenter__()
        await self.connection.ready()
        assert (await self.next()).startswith('0{"sid"')
        await self.connection.send("40")
        return self

    async def __aexit__(self, *error):
        return await self.connection.__aexit__(*error)

    async def next(self) -> str:
        with trio.fail_after(20):
            return await anext(self.connection)

    async def event(self) -> object:
        """The next event's argument: its id, if it is of the log."""
        text = await self.next()
        assert text.startswith('42["oh_event",'), text
        event = json.loads(text[2:])[1]
        return event.get("id", event) if "status_update" not in event else event

    async def act(self, *args, ack="", event="oh_user_action"):
        await self.connection.send(f"42{ack}{json.dumps([event, *args])}")

    async def closed(self) -> str:
        """How the server has ended it."""
        while self.connection.status == "ready":
            await anext(self.connection.changes())
        return next(step.cause for step in self.connection.history if step.status_before == "ready" != step.status)


MESSAGE = {"action": "message", "args": {"content": "hi"}}


async def test_the_past_comes_before_the_answer_and_then_what_happens():
    """The replay, its last state, the answer to CONNECT; then each event as it comes."""
    async with served(state("loading"), said(1), state("running"), said(3)) as (conversations, peer):
        async with Raw(peer) as raw:
            assert [await raw.event() for _ in range(3)] == [1, 3, 2]
            assert (await raw.next()).startswith('40{"sid":')
            await conversations.emit("c", said(4))
            assert await raw.event() == 4
            await raw.act(MESSAGE)
            await raw.act(MESSAGE, event="oh_action")
            assert [await raw.event() for _ in range(4)] == [5, 6, 7, 8]
        sources = [event["source"] for event in await conversations.store.after("c", 4, 9)]
        assert sorted(sources) == ["agent", "agent", "user", "user"]


async def test_the_past_may_come_after_the_answer():
    """By the page's parameter; nothing that happens meanwhile overtakes it."""
    async with served(*map(said, range(300)), replay="after") as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith('40{"sid":')
        for number in range(5):
            await conversations.emit("c", said(number))
        assert [await raw.event() for _ in range(305)] == list(range(305))


@pytest.mark.parametrize(("after", "ids"), [("1", [2]), ("7", []), ("", [0, 1, 2]), ("x", [0, 1, 2]), ("1.5", [2])])
async def test_a_client_goes_on_from_its_last_event(after, ids):
    """What is no number is as if nothing was said."""
    async with served(*map(said, range(3))) as (_, peer), Raw(peer, latest_event_id=after) as raw:
        assert [await raw.event() for _ in ids] == ids
        assert (await raw.next()).startswith("40")


async def expired(request):
    """A validator that lets nobody in."""
    raise Expired


async def other(request):
    """Likewise, with words of its own."""
    raise TermsNotAccepted("Read them.")


async def crash(request):
    """A validator with a mistake."""
    raise RuntimeError("words that nobody is to be told")


async def anybody(request):
    """A validator that lets in whoever has a cookie."""
    if request.cookie is None:
        raise AuthError
    return "anna"


@pytest.mark.parametrize(
    ("settings", "query", "message", "code"),
    [
        ({}, {"conversation_id": ""}, "No conversation_id in query params", "no_conversation"),
        (
            {"providers": ["a"]},
            {"providers_set": "b"},
            "Unknown provider in providers_set: it knows a",
            "unknown_provider",
        ),
        (
            {"providers": ["a"]},
            {"providers_set": ["b", "a"]},
            "Unknown provider in providers_set: it knows a",
            "unknown_provider",
        ),
        ({"key": KEY}, {"session_api_key": "x"}, "invalid_session_api_key", "invalid_session_api_key"),
        ({"key": KEY}, {}, "invalid_session_api_key", "no_session_api_key"),
        ({"validate": expired}, {}, "Your session has expired: sign in again.", "expired"),
        ({"validate": other}, {}, "Read them.", "terms_not_accepted"),
        ({"validate": anybody}, {}, "You are not allowed to open this conversation.", "unauthorized"),
        ({"validate": crash}, {}, "The server could not check who you are: try again later.", "validation_failed"),
        (
            {},
            {"conversation_id": "d"},
            "Failed to access conversation events: there is no such conversation",
            "no_events",
        ),
    ],
)
async def test_each_refusal_is_answered(settings, query, message, code):
    """With a sentence and a code; then the client is let go."""
    async with served(said(0), **settings) as (conversations, peer), Raw(peer, **query) as raw:
        text = await raw.next()
        assert text.startswith("44")
        assert json.loads(text[2:]) == {"message": message, "data": {"code": code}}
        assert "1000" in await raw.closed()
        assert conversations.running == ()


async def test_a_conversation_that_cannot_be_joined_is_answered_after_its_replay():
    """As the original does; here the registry is not open."""
    conversations = Conversations(echo)
    await conversations.store.create("c")
    await conversations.store.append("c", said(0))
    async with Peer(serve_conversations(conversations, port=0)) as peer, Raw(peer) as raw:
        assert await raw.event() == 0
        text = await raw.next()
        assert json.loads(text[2:]) == {"message": "Failed to join conversation", "data": {"code": "not_joined"}}


async def test_who_has_the_key_is_let_in():
    """And several providers may be named, with commas or one by one."""
    async with (
        served(key=KEY) as (_, peer),
        Raw(peer, session_api_key=KEY, providers_set=["github,gitlab", "forgejo"]) as raw,
    ):
        assert (await raw.next()).startswith("40")


async def test_actions_are_acknowledged_and_wrong_ones_answered():
    """Who asks for an acknowledgement gets one, empty or with what is wrong; who does not hears of it as an event."""
    words = "The action was not taken: an action is an object with a text `action` and an object `args`."
    wrong = {"error": True, "message": words}
    async with served() as (_, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        await raw.act(MESSAGE, ack="1")
        answers = sorted([await raw.next() for _ in range(3)])
        assert answers[-1] == "431[]"
        for given in ([7], [], [{"action": 1}], [[MESSAGE]]):
            await raw.act(*given, ack="2")
            assert json.loads((await raw.next()).removeprefix("432")) == [wrong]
            await raw.act(*given)
            assert await raw.event() == wrong


async def test_actions_that_come_too_quickly_are_counted():
    """The store hangs, and a client goes on; it is told how many were lost."""
    async with served(store=SlowStore()) as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        conversations.store.stuck.set()
        for _ in range(1100):
            await raw.act(MESSAGE)
        await trio.sleep(1)
        conversations.store.stuck.clear()
        told = {"error": True, "message": "75 actions were not taken: they came too quickly."}
        heard = [await raw.event()]
        while heard[-1] != told:
            heard.append(await raw.event())


async def test_what_a_client_did_before_it_went_is_taken():
    """All of it, also if it closes at once."""
    async with served(store=SlowStore()) as (conversations, peer):
        async with Raw(peer) as raw:
            assert (await raw.next()).startswith("40")
            for _ in range(20):
                await raw.act(MESSAGE)
        await trio.sleep(5)
        events = await conversations.store.memory.after("c", -1, 100)
        assert [event["source"] for event in events].count("user") == 20


async def test_a_store_that_hangs_holds_no_place_of_a_client():
    """Who has gone is not waited for."""
    async with served(store=SlowStore()) as (conversations, peer):
        async with Raw(peer) as raw:
            assert (await raw.next()).startswith("40")
            conversations.store.stuck.set()
            await raw.act(MESSAGE)
        await trio.sleep(10)
        assert not peer.server.connections
        assert conversations._sessions == {}


async def test_an_action_after_the_end_is_answered():
    """In the moment in which the conversation has ended and the client is not told yet."""
    async with served(store=SlowStore()) as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        conversations.get("c").alive = False
        await raw.act(MESSAGE, ack="1")
        text = await raw.next()
        assert json.loads(text.removeprefix("431"))[0]["message"].startswith("The conversation has ended")


async def test_a_client_that_was_evicted_is_told_why():
    """The status with the sentence, the namespace's goodbye, and the end; the conversation is stopped."""
    async with served(names="cd", most=1) as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        async with Raw(peer, conversation_id="d") as second:
            assert (await second.next()).startswith("40")
            status = {
                "status_update": True,
                "type": "error",
                "id": "AGENT_ERROR$TOO_MANY_CONVERSATIONS",
                "message": EVICTED,
            }
            assert await raw.event() == status
            assert await raw.next() == "41"
            assert "1000" in await raw.closed()
            await trio.sleep(5)
            assert [each.name for each in conversations.running] == ["d"]
            assert [each.conversation.name for each in conversations._sessions.values()] == ["d"]


async def test_a_client_of_a_conversation_that_stops_hears_the_last_state_first():
    """Then the goodbye, and the end."""
    async with served() as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        await conversations.stop("c")
        text = await raw.next()
        assert json.loads(text[2:])[1]["extras"] == {"agent_state": "stopped", "reason": ""}
        assert await raw.next() == "41"
        assert "1000" in await raw.closed()


async def test_a_server_that_drains_says_goodbye():
    """And the clients have left their conversations, which go on until the registry ends."""
    async with served() as (conversations, peer), Raw(peer) as raw:
        assert (await raw.next()).startswith("40")
        await peer.server.drain()
        assert await raw.closed()
        assert len(conversations.running) == 1
        assert conversations._sessions == {}


@pytest.mark.parametrize("seed", range(4))
def test_whoever_goes_has_left(seed):
    """A client that drops at any point of its way, by the seed: no session stays."""

    async def story():
        async with served(*map(said, range(5)), store=SlowStore()) as (conversations, peer):
            for turns in range(0, 120, 11):
                connection = lifecycle.open("websocket", url=url(peer), transport=peer.dialer)
                async with connection:
                    await connection.ready()
                    await connection.send("40")
                    for _ in range(turns):
                        await trio.lowlevel.checkpoint()
                    peer.link.drop()
                await trio.sleep(30)
                assert conversations._sessions == {}
                assert all(not each.clients for each in conversations.running)

    run(story, seed=seed)


async def test_a_server_that_drains_answers_who_is_not_in_yet():
    """With what the drain says."""

    async def waits(request):
        await trio.sleep_forever()

    async with served(validate=waits) as (_, peer), Raw(peer) as raw:
        await trio.sleep(1)
        await peer.server.drain(why="The server restarts.")
        assert json.loads((await raw.next()).removeprefix("44"))["message"] == "The server restarts."


@pytest.mark.parametrize("replay", ["before", "after"])
async def test_a_client_that_does_not_read_holds_up_nobody(replay):
    """Its events wait in the log, at its place; others are told theirs, and then it is told its own, all of them."""
    async with served(*map(said, range(50)), replay=replay) as (conversations, peer), Raw(peer) as slow:
        assert sorted([(await slow.next())[:2] for _ in range(51)]) == ["40"] + ["42"] * 50
        link = peer.link
        link.hold(up=False, down=True)
        big = said(0) | {"content": "x" * 10_000}
        async with Raw(peer) as quick:
            assert sorted([(await quick.next())[:2] for _ in range(51)]) == ["40"] + ["42"] * 50
            for _ in range(500):
                assert await conversations.emit("c", big)
            assert [await quick.event() for _ in range(500)] == list(range(50, 550))
        assert {connection.counters.queued for connection in peer.server.connections} == {0}
        link.release(up=False, down=True)
        assert [await slow.event() for _ in range(500)] == list(range(50, 550))


async def test_a_message_that_is_too_long_ends_its_client_only():
    """Of 5 MB, where the server takes 4 MiB; the conversation goes on."""
    async with served() as (conversations, peer), Raw(peer) as raw, Raw(peer) as second:
        assert (await raw.next()).startswith("40")
        with pytest.raises(lifecycle.MaybeDelivered, match="1009"):
            await raw.act({"action": "message", "args": {"content": "x" * 5_000_000}})
        assert (await second.next()).startswith("40")
        await second.act({"action": "message", "args": {"content": "x" * 3_000_000}}, ack="1")
        assert "431[]" in [await second.next() for _ in range(2)]
        assert len(conversations._sessions) == 1


async def test_a_server_that_is_cancelled_leaves_no_client_behind():
    """Its pages make no more calls then; the handler leaves in their place."""
    async with served() as (conversations, peer):
        with trio.CancelScope() as scope:
            async with Raw(peer) as raw:
                assert (await raw.next()).startswith("40")
                assert len(conversations._sessions) == 1
                for connection in peer.server.connections:
                    connection._driver.finish()
                await trio.sleep(1)
                assert conversations._sessions == {}
                scope.cancel()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_told_twice_over_twenty_losses(seed):
    """Our own client, a conversation that goes on, and a connection that is lost twenty times in mid-stream."""

    class Ready:
        async def until_running(self, *, conversation):
            pass

        async def fresh_credentials(self):
            raise AssertionError

    async def story():
        count = 400
        async with served(store=SlowStore()) as (conversations, peer):
            await conversations.start("c")
            client = lifecycle.open(
                "openhands-conversation", url=f"{peer.url}socket.io/", transport=peer.dialer, calls=Ready(), seed=seed,
                conversation_id="c", max_attempts=100,
            )  # fmt: skip
            heard = []

            async def talk():
                for number in range(count):
                    assert await conversations.emit("c", said(number))
                    await trio.sleep(0.3)

            async def lose():
                for _ in range(20):
                    await trio.sleep(5.11)
                    (await peer.connected()).drop()

            async with client, trio.open_nursery() as nursery:
                nursery.start_soon(talk)
                nursery.start_soon(lose)
                async for event in client:
                    if not isinstance(event, lifecycle.Discontinuity):
                        heard.append(event["id"])
                    if len(heard) == count:
                        break
            assert heard == list(range(count))
            assert len(peer.dials) == 21

    run(story, seed=seed)


PASSING = ("events_failed", "not_joined", "validation_failed")
KEYS = ("invalid_session_api_key", "no_session_api_key")


@pytest.mark.parametrize("code", sorted(SENTENCES.keys() | REFUSALS.keys()))
def test_our_own_client_knows_every_code(code):
    """Each of the auth family by its name; what may pass is tried again, wrong keys are fetched anew, the rest is final."""
    refusal = Refusal({"message": (SENTENCES | REFUSALS)[code], "data": {"code": code}})
    family, _, name = classify(read("openhands-conversation").causes, refusal).event.partition(".")
    if code in SENTENCES and code != "unauthorized":
        assert name == code
    elif code in PASSING:
        assert family == "lost"
    elif code in KEYS:
        assert family == "unauthorized"
    else:
        assert family not in ("lost", "unauthorized")
