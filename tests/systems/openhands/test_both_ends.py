"""Both ends of a conversation, the bundled pages and their calls, over the pipe in memory and over real sockets."""

import random

import pytest
import trio

from lifecycle.errors import CallFailed, ConnectionFailed, LifecycleError
from lifecycle.systems import maker
from lifecycle.systems.openhands import (
    SENTENCES,
    AgentServerCalls,
    Conversations,
    Expired,
    JoiningCalls,
    MemoryEventStore,
    action,
    open_conversation,
    serve_conversations,
)
from lifecycle.testing import Peer

FAST = {"redial": {"first": 0.02, "factor": 1, "max": 0.02, "jitter": "none", "floor": 0.02}, "max_attempts": 500}
EVENTS, KILLS = 300, 20


async def echo(conversation):
    """An agent that says what it is told."""
    async for told in conversation.actions:
        await conversation.emit({"source": "agent", "action": "message", "args": {"content": told["args"]["content"]}})


def said(number):
    """An event with a number in it."""
    return {"source": "agent", "action": "message", "args": {"content": str(number)}}


async def log(events=0):
    """A store with a conversation `c` that has so many events."""
    store = MemoryEventStore()
    await store.create("c")
    for number in range(events):
        await store.append("c", said(number))
    return store


async def test_the_past_is_told_and_then_what_happens():
    """A client is told what was before, sends what its user does, and hears the agent's answer."""
    store = await log(3)
    async with (
        Conversations(echo, store) as conversations,
        Peer(serve_conversations(conversations, port=0)) as peer,
        open_conversation(peer.url, "c", transport=peer.dialer) as client,
    ):
        await client.send(action("message", content="hello"))
        heard = [await anext(client) for _ in range(5)]
        assert [event["id"] for event in heard] == [0, 1, 2, 3, 4]
        assert [event["args"]["content"] for event in heard] == ["0", "1", "2", "hello", "hello"]
        assert client.variables["cursor"] == 4


async def test_actions_wait_until_the_conversation_runs():
    """There is no socket while it starts; what the user does then is sent when there is one."""
    answers = iter(["starting", "STARTING", "RUNNING"])
    asked = []

    async def status(conversation):
        asked.append(conversation)
        return next(answers)

    async with (
        Conversations(echo, await log()) as conversations,
        Peer(serve_conversations(conversations, port=0)) as peer,
        open_conversation(peer.url, "c", status=status, transport=peer.dialer) as client,
    ):
        ticket = client.post(action("message", content="early"))
        await trio.sleep(1)
        assert (client.status, len(peer.dials), ticket.fate) == ("connecting", 0, "queued")
        assert (await anext(client))["args"] == {"content": "early"}
        assert (asked, ticket.fate) == (["c"] * 3, "sent")


async def test_a_conversation_that_does_not_run_is_not_dialled():
    """What waited is not sent, and the user is told to start it."""

    async def status(conversation):
        return "STOPPED"

    async with (
        Peer() as peer,
        open_conversation(peer.url, "c", status=status, transport=peer.dialer) as client,
    ):
        ticket = client.post(action("message", content="lost"))
        with pytest.raises(ConnectionFailed, match="Start it, and connect again"):
            await client.ready()
        assert (ticket.fate, len(peer.dials)) == ("not_sent", 0)


async def test_fresh_credentials_are_fetched_once():
    """A session that has expired is renewed, and the client joins; without fresh ones the user is asked."""
    valid = {"new"}

    async def validate(request):
        if request.cookie not in valid:
            raise Expired
        return "anna"

    async def credentials():
        return {"cookie": "new"}

    async with (
        Conversations(echo, await log(1)) as conversations,
        Peer(serve_conversations(conversations, port=0, validate=validate)) as peer,
    ):
        settings = {"transport": peer.dialer, "cookie": "old"}
        async with open_conversation(peer.url, "c", credentials=credentials, **settings) as client:
            await client.ready()
            assert (await anext(client))["id"] == 0
        async with open_conversation(peer.url, "c", **settings) as client:
            with pytest.raises(ConnectionFailed, match="No fresh credentials could be had"):
                await client.ready()


@pytest.mark.parametrize("code", SENTENCES)
async def test_each_refusal_has_a_sentence(code):
    """Whatever the server's validator raises, the client's user reads what to do, and it is not tried again for ever."""

    async def validate(request):
        raise CallFailed(code, "some words")

    async with (
        Conversations(echo, await log()) as conversations,
        Peer(serve_conversations(conversations, port=0, validate=validate)) as peer,
        open_conversation(peer.url, "c", transport=peer.dialer, refresh_limit=0) as client,
    ):
        with pytest.raises(ConnectionFailed) as failed:
            await client.ready()
        assert "some words" not in str(failed.value).partition("—")[0]
        assert (len(peer.dials), client.status) == (1, "failed")


@pytest.mark.parametrize("replay", ["before", "after"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_twenty_losses_in_mid_stream_lose_nothing(replay, seed):
    """Wherever the connection is cut, the client hears every event once, and in the end all of them."""
    dice = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 -- shown where it fails
    async with (
        Conversations(echo, await log()) as conversations,
        Peer(serve_conversations(conversations, port=0, replay=replay)) as peer,
        open_conversation(peer.url, "c", transport=peer.dialer, seed=seed, **FAST) as client,
        trio.open_nursery() as nursery,
    ):
        await client.ready()

        async def write():
            for number in range(EVENTS):
                await trio.sleep(dice.uniform(0, 0.02))
                await conversations.emit("c", said(number))

        async def cut():
            for _ in range(KILLS):
                await trio.sleep(dice.uniform(0, 0.2))
                if peer.links[-1].open:
                    peer.links[-1].reset() if dice.random() < 0.5 else peer.links[-1].drop()

        nursery.start_soon(write)
        nursery.start_soon(cut)
        heard = []
        async for event in client:
            if isinstance(event, dict):
                heard.append(event["id"])
            if len(heard) == EVENTS:
                break
        assert sorted(heard) == list(range(EVENTS))
        assert len(peer.dials) > KILLS / 2


@pytest.mark.real_time(limit=60)
async def test_a_server_that_is_killed_twenty_times_loses_nothing():
    """Over real sockets: each server dies without a word in the middle of its stream, and another takes its port."""
    store, heard = await log(), []
    port = await life(store, 0)
    async with open_conversation(f"ws://127.0.0.1:{port}/socket.io/", "c", **FAST) as client:
        for _ in range(KILLS):
            await life(store, port, client)
        last = await store.last("c")
        async with Conversations(echo, store) as conversations, serve_conversations(conversations, port=port):
            while len(heard) <= last:
                event = await anext(client)
                if isinstance(event, dict):
                    heard.append(event["id"])
    assert sorted(heard) == list(range(last + 1))
    assert client.epoch > KILLS


async def life(store, port, client=None):
    """A server that lives until it has said ten things to a client; its port."""
    with trio.CancelScope() as scope:
        async with Conversations(echo, store) as conversations, serve_conversations(conversations, port=port) as server:
            port = server.port
            if client is not None:
                await client.ready()
                for number in range(10):
                    await conversations.emit("c", said(number))
            scope.cancel()  # in the middle of what is being sent
    return port


async def test_sends_never_raise_an_error_of_the_runtime():
    """A client whose connection is gone for good is told so, once as a status and each time as its own error."""
    async with (
        Conversations(echo, await log()) as conversations,
        Peer(serve_conversations(conversations, port=0)) as peer,
        open_conversation(peer.url, "c", transport=peer.dialer) as client,
    ):
        await client.ready()
        client.tell("stopped")
        statuses = []
        for _ in range(3):
            with pytest.raises(LifecycleError):
                await client.send(action("message", content="late"))
            statuses.append(client.status)
        assert statuses == ["failed"] * 3
        assert [step.status for step in client.history].count("failed") == 1


async def test_without_functions_a_conversation_runs_and_nothing_is_fetched():
    """The calls of a command line ask nobody."""
    calls = JoiningCalls()
    assert await calls.until_running(conversation="c") is None
    with pytest.raises(CallFailed, match="no other credentials"):
        await calls.fresh_credentials()


async def test_a_key_of_an_agent_server_is_fetched_or_there_is_none():
    """Whoever gets keys is asked for one, which is a secret then; the command line knows of none."""

    async def key():
        return "fresh"

    fresh = await AgentServerCalls(key).fresh_credentials()
    assert (fresh, "fresh" in repr(fresh)) == ({"key": "fresh"}, False)
    with pytest.raises(CallFailed, match="no other key is known"):
        await maker("openhands-agent-server")().fresh_credentials()
    assert isinstance(maker("openhands-conversation")(), JoiningCalls)
