from contextlib import aclosing, asynccontextmanager

import pytest
import trio
import trio.testing

from lifecycle import ConnectionEnded
from lifecycle.systems.openhands import Conversations
from lifecycle.systems.openhands.conversations import EVICTED
from lifecycle.testing.virtual import run

from .small_store import SlowStore, said, state

MESSAGE = {"action": "message", "args": {"content": "hi"}}


async def echo(conversation):
    """An agent that says what it is told, and is awaiting more."""
    await conversation.emit(state("awaiting_user_input"))
    async for action in conversation.actions:
        await conversation.emit(said(action["args"]["content"] + "!"))


@asynccontextmanager
async def opened(agent=echo, names="abcdef", **settings):
    """Conversations on a slow store, where each name is one."""
    store = SlowStore()
    for name in names:
        await store.create(name)
    async with Conversations(agent, store, **settings) as conversations:
        yield conversations


async def log_of(conversations, name):
    """What the log says, in short: texts, and states in brackets."""
    events = await conversations.store.memory.after(name, -1, 1000)
    return [
        f"[{event['extras']['agent_state']}]" if "extras" in event else event["args"]["content"] for event in events
    ]


def names(conversations):
    """Which conversations run."""
    return "".join(sorted(each.name for each in conversations.running))


async def follow(conversations, name, into, user=None):
    """A client: it joins, replays and follows, and says how it was dismissed."""
    reader = await conversations.open(name)
    async with aclosing(reader.replay(-1)) as events:
        async for event in events:
            into.append(event["id"])
    client = await conversations.join(name, user)

    async def send(event):
        into.append(event if "timestamp" not in event else event["id"])

    into.append(await client.follow(reader, send))
    conversations.leave(client.session)


async def test_an_action_goes_into_the_log_and_to_the_agent():
    """And what the agent says goes to all who have joined; also without a client the conversation goes on."""
    heard = [], []
    async with opened() as conversations, trio.open_nursery() as nursery:
        for into in heard:
            nursery.start_soon(follow, conversations, "a", into)
        await trio.testing.wait_all_tasks_blocked()
        assert await conversations.act("a", MESSAGE)
        await trio.testing.wait_all_tasks_blocked()
        await conversations.stop("a")
    assert await log_of(conversations, "a") == ["[awaiting_user_input]", "hi", "hi!", "[stopped]"]
    assert heard == ([0, 1, 2, 3, ("stopped", {})], [0, 1, 2, 3, ("stopped", {})])


async def test_an_agent_hears_what_was_said_since_its_start():
    """What was said to an earlier one is in the log, and is not told again."""
    async with opened() as conversations:
        for _ in range(2):
            await conversations.start("a")
            assert await conversations.act("a", MESSAGE)
            await trio.testing.wait_all_tasks_blocked()
            await conversations.stop("a")
        assert await log_of(conversations, "a") == ["[awaiting_user_input]", "hi", "hi!", "[stopped]"] * 2


async def test_stopping_says_so_before_the_clients_are_told():
    """The agent is cancelled, its last state is written, and that is the last that clients hear; then they are told."""
    heard = []
    async with opened() as conversations, trio.open_nursery() as nursery:
        nursery.start_soon(follow, conversations, "a", heard)
        await trio.testing.wait_all_tasks_blocked()
        conversation = conversations.get("a")
        await conversations.stop("a")
        assert conversations.get("a") is None
        assert conversation.state == "stopped"
        await conversations.stop("a")
    assert heard == [0, 1, ("stopped", {})]


async def test_nothing_is_taken_after_the_end():
    """Neither events nor actions, and nothing raises; what never ran takes none either."""
    async with opened() as conversations:
        conversation = await conversations.start("a")
        await conversations.stop("a")
        assert not await conversation.emit(said(1))
        assert not await conversation.emit({"error": True, "message": "x"})
        assert not await conversation.act(MESSAGE)
        assert not await conversations.emit("a", said(1))
        assert not await conversations.act("b", MESSAGE)


async def test_an_event_that_is_not_written_ends_the_conversation_once(caplog):
    """Emitting returns False from then on; it is logged once, the clients are told, and nothing raises."""
    heard, told = [], []

    async def talks(conversation):
        for number in range(4):
            told.append(await conversation.emit(said(number)))
            if number == 1:
                conversations.store.broken = OSError("the disk is full")
        async for _ in conversation.actions:
            pass  # it ends, for nothing more is written

    async with opened(talks) as conversations, trio.open_nursery() as nursery:
        nursery.start_soon(follow, conversations, "a", heard)
        await trio.testing.wait_all_tasks_blocked()
        assert (told, heard) == ([True, True, False, False], [0, 1, ("stopped", {})])
        assert conversations.running == ()
        conversations.store.broken = None
        assert (await conversations.start("a")).alive
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the disk is full" in caplog.text


async def test_an_agent_that_does_not_look_is_cancelled_when_the_conversation_starts_anew():
    """Who has ended for the store's sake holds up nobody."""

    async def deaf(conversation):
        await conversation.emit(said(0))
        await trio.sleep_forever()

    async with opened(deaf) as conversations:
        conversations.store.broken = OSError()
        first = await conversations.start("a")
        await trio.testing.wait_all_tasks_blocked()
        assert not first.alive and not first.over.is_set()  # noqa: PT018 -- one moment
        conversations.store.broken = None
        with trio.fail_after(10):
            second = await conversations.start("a")
        assert second is not first
        assert first.over.is_set()


async def test_a_store_that_hangs_does_not_hold_up_the_end(caplog):
    """The last state has two seconds."""
    async with opened() as conversations:
        await conversations.start("a")
        await trio.testing.wait_all_tasks_blocked()
        conversations.store.stuck.set()
        began = trio.current_time()
        await conversations.stop("a")
        assert trio.current_time() == began + 2
    assert caplog.messages == ["a: its last state was not written within 2 s"]


async def test_nothing_is_written_behind_the_last_state():
    """What was under way when the conversation ended is not taken, and whoever did it is told so."""
    async with opened() as conversations, trio.open_nursery() as nursery:
        conversation = await conversations.start("a")
        await trio.testing.wait_all_tasks_blocked()
        conversations.store.stuck.set()
        taken = []

        async def act():
            taken.append(await conversation.act(MESSAGE))

        nursery.start_soon(act)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(act)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(conversations.stop, "a")
        await trio.testing.wait_all_tasks_blocked()
        conversations.store.stuck.clear()
    assert sorted(taken) == [False, True]
    assert await log_of(conversations, "a") == ["[awaiting_user_input]", "hi", "[stopped]"]


async def test_an_agent_that_fails_is_in_error(caplog):
    """Its traceback is logged, its state is `error`, and its clients are told that it has stopped."""
    heard = []

    async def fails(conversation):
        await conversation.emit(said(0))
        raise ValueError("of the agent")

    async with opened(fails) as conversations, trio.open_nursery() as nursery:
        nursery.start_soon(follow, conversations, "a", heard)
        await trio.testing.wait_all_tasks_blocked()
        assert names(conversations) == ""
    assert await log_of(conversations, "a") == ["0", "[error]"]
    assert heard == [0, 1, ("stopped", {})]
    assert "ValueError: of the agent" in caplog.text


async def test_a_log_that_cannot_be_read_at_the_start_is_an_agent_that_fails(caplog):
    """Whoever acts meanwhile is not left waiting."""

    class Once(SlowStore):
        looks = 0

        async def last(self, conversation):
            self.looks += 1
            if self.looks > 1:
                await trio.sleep(1)
                raise OSError("gone")
            return await super().last(conversation)

    store = Once()
    await store.create("a")
    async with Conversations(echo, store) as conversations:
        await conversations.start("a")
        assert not await conversations.act("a", MESSAGE)
    assert "gone" in caplog.text


async def test_statuses_and_errors_are_told_to_those_who_are_there():
    """They are no part of the log."""
    notice = {"status_update": True, "type": "error", "id": "STATUS$ERROR_LLM_OUT_OF_CREDITS", "message": "x"}
    heard = []
    async with opened() as conversations, trio.open_nursery() as nursery:
        nursery.start_soon(follow, conversations, "a", heard)
        await trio.testing.wait_all_tasks_blocked()
        assert await conversations.emit("a", notice)
        assert await conversations.emit("a", {"error": True, "message": "y"})
        await trio.testing.wait_all_tasks_blocked()
        await conversations.stop("a")
    assert heard == [0, notice, {"error": True, "message": "y"}, 1, ("stopped", {})]


async def test_one_more_ends_the_one_that_was_used_least_recently():
    """Its clients are told so, it is stopped, and then the new one starts; other users lose nothing."""
    heard = []
    async with opened() as conversations, trio.open_nursery() as nursery:
        await conversations.start("f", "other")
        for name in "abc":
            nursery.start_soon(follow, conversations, name, heard, "me")
            await trio.sleep(1)
        await conversations.act("a", MESSAGE)
        await trio.sleep(1)
        heard.clear()
        await conversations.start("d", "me")
        assert names(conversations) == "acdf"
        assert heard == [("evicted", {"why": EVICTED})]
        assert await log_of(conversations, "b") == ["[awaiting_user_input]", "[stopped]"]
        for name in "acd":
            await conversations.stop(name)


async def test_nobody_is_evicted_while_another_one_ends():
    """Its place is about to be free."""

    async def slow(conversation):
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    async with opened(slow) as conversations, trio.open_nursery() as nursery:
        for name in "abc":
            await conversations.start(name, "me")
            await trio.sleep(1)
        nursery.start_soon(conversations.stop, "b")
        await trio.sleep(1)
        await conversations.start("d", "me")
        assert names(conversations) == "acd"


@pytest.mark.parametrize("seed", range(30))
def test_there_are_never_too_many_at_once(seed):
    """Eight clients join six conversations at once, in thirty orders: at most two agents run, and the last joins are in."""
    most = 0

    async def counted(conversation):
        nonlocal most
        counted.now = getattr(counted, "now", 0) + 1
        most = max(most, counted.now)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)
            counted.now -= 1

    async def story():
        async with opened(counted, max_concurrent=2) as conversations, trio.open_nursery() as nursery:
            for name in "abcdefab":
                nursery.start_soon(conversations.join, name, "me")
            await trio.sleep(60)
            assert len(conversations.running) == 2
            assert [len(each.clients) for each in conversations.running] in ([1, 1], [1, 2], [2, 1], [2, 2])
            await trio.testing.wait_all_tasks_blocked()
        assert (most, counted.now) == (2, 0)

    run(story, seed=seed)


async def test_one_conversation_runs_once():
    """Who starts it while it runs gets the same; who starts it while it ends waits for its end."""
    async with opened() as conversations:
        first = await conversations.start("a")
        assert await conversations.start("a", "somebody else") is first
        first.stop()
        assert conversations.get("a") is None
        second = await conversations.start("a")
        assert first.over.is_set()
        await trio.testing.wait_all_tasks_blocked()
        assert second.state == "awaiting_user_input"
        assert await log_of(conversations, "a") == ["[stopped]", "[awaiting_user_input]"]


async def test_what_nobody_uses_is_closed():
    """After an hour without an event, if it is not running and nobody is there; looked for every 15 seconds."""

    async def agent(conversation):
        await conversation.emit(state("running" if conversation.name == "r" else "awaiting_user_input"))
        await trio.sleep_forever()

    async with opened(agent, "rcui") as conversations:
        for name in "rui":
            await conversations.start(name, name)
        client = await conversations.join("c", "c")
        await trio.sleep(3000)
        assert await conversations.act("u", MESSAGE)
        await trio.sleep(590)
        assert names(conversations) == "ciru"
        await trio.sleep(30)
        assert names(conversations) == "cru"
        conversations.leave(client.session)
        conversations.leave(client.session)
        await trio.sleep(16)
        assert names(conversations) == "ru"
        await trio.sleep(3600)
        assert names(conversations) == "r"


@pytest.mark.parametrize("seed", range(10))
def test_who_is_cancelled_while_he_joins_has_not_joined(seed):
    """Also in the very turn in which his waiting is over: he has no session, for nobody would take it."""

    async def story():
        async with opened() as conversations, trio.open_nursery() as nursery:
            ending = await conversations.start("a")
            ending.stop()
            scope, got = trio.CancelScope(), []

            async def cancel():
                await ending.over.wait()
                scope.cancel()

            async def join():
                with scope:
                    got.append(await conversations.join("a"))
                    assert not scope.cancel_called

            nursery.start_soon(join)
            nursery.start_soon(cancel)
            await trio.testing.wait_all_tasks_blocked()
            running = conversations.get("a")
            assert len(got) == (len(running.clients) if running else 0) == len(conversations._sessions)

    run(story, seed=seed)


async def test_what_is_not_in_the_store_is_not_to_be_had():
    """Neither its events, nor a start."""
    async with opened() as conversations:
        for attempt in (conversations.open, conversations.start, conversations.join):
            with pytest.raises(FileNotFoundError):
                await attempt("nowhere")


async def test_it_is_used_as_a_context():
    """Before and after it nothing starts; at its end all are stopped, and the body's exception leaves as it is."""
    store = SlowStore()
    await store.create("a")
    conversations = Conversations(echo, store)
    with pytest.raises(ConnectionEnded, match="async with"):
        await conversations.start("a")
    with pytest.raises(KeyError, match="mine"):  # noqa: PT012 -- it leaves at the door
        async with conversations:
            await conversations.start("a")
            await trio.testing.wait_all_tasks_blocked()
            raise KeyError("mine")
    assert await log_of(conversations, "a") == ["[awaiting_user_input]", "[stopped]"]
    with pytest.raises(ConnectionEnded):
        await conversations.start("a")


@pytest.mark.parametrize("inside", [True, False])
async def test_a_cancellation_from_outside_leaves_as_one(inside):
    """Of the body, or of the end: what runs is stopped all the same."""
    async with opened() as other:
        pass
    conversations = Conversations(echo, other.store)
    with trio.CancelScope() as scope:
        async with conversations:
            await conversations.start("a")
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            if inside:
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert await log_of(conversations, "a") == ["[awaiting_user_input]", "[stopped]"]


@pytest.mark.parametrize("wrong", [{"max_concurrent": 0}, {"close_delay": 0}, {"close_delay": float("nan")}])
def test_numbers_that_cannot_be_are_refused(wrong):
    """With what would be right."""
    with pytest.raises(ValueError, match="`max_concurrent` must be 1 or more, and `close_delay`"):
        Conversations(echo, **wrong)


async def test_a_log_that_nobody_reads_is_forgotten():
    """The registry keeps no conversation that was only looked at."""
    async with opened() as conversations:
        reader = await conversations.open("a")
        assert len(conversations._logs) == 1
        del reader
        assert len(conversations._logs) == 0
        assert conversations.client("nobody") is None
