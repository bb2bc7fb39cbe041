from contextlib import aclosing

import pytest
import trio
import trio.testing

from lifecycle.systems.openhands import MemoryEventStore
from lifecycle.systems.openhands.event_log import EventLog
from lifecycle.systems.openhands.reader import NOTICES, Reader
from lifecycle.testing.virtual import run

from .small_store import SlowStore, said, state


async def filled(*events, store=None) -> EventLog:
    """A log with events."""
    store = store or MemoryEventStore()
    await store.create("c")
    log = EventLog(store, "c")
    for event in events:
        await log.append(event)
    return log


async def replayed(log: EventLog, after: float) -> list[int]:
    """The ids that a replay tells."""
    return [event["id"] async for event in Reader(log).replay(after)]


async def told(reader: Reader) -> list:
    """All that it tells, until it is closed: ids, and notices as they are."""
    return [event.get("id", event) async for event in reader]


NULL = {"source": "agent", "action": "null", "args": {}}
SEEN_NOTHING = {"source": "environment", "observation": "null"}
RECALL = {"source": "user", "action": "recall", "args": {}}


async def test_ids_begin_at_nought_and_have_no_gap():
    """Whatever id an event came with; and a time is written on it, unless it has one."""
    log = await filled()
    written = [await log.append(each) for each in ({"id": 7, "action": "message"}, said(1), {"timestamp": "then"})]
    assert [event["id"] for event in written] == [0, 1, 2]
    assert [event["timestamp"] == "then" for event in written] == [False, False, True]


@pytest.mark.parametrize(
    ("after", "ids"), [(-1, [0, 1, 2]), (0, [1, 2]), (1.9, [2]), (2, []), (99, []), (-7.5, [0, 1, 2])]
)
async def test_what_comes_after_an_id_is_replayed(after, ids):
    """Also for a number that is no id: a stranger has written it."""
    assert await replayed(await filled(said(0), said(1), said(2)), after) == ids


@pytest.mark.parametrize("after", [float("nan"), float("-inf")])
async def test_no_number_is_before_all(after):
    """What cannot be compared is as if nothing was said."""
    assert await replayed(await filled(said(0)), after) == [0]


async def test_what_nobody_is_shown_is_left_out():
    """Null actions, null observations and recalls; in a replay and after it."""
    log = await filled(NULL, said(1), SEEN_NOTHING, RECALL, said(4))
    reader = Reader(log)
    assert [event["id"] async for event in reader.replay(-1)] == [1, 4]
    for event in (RECALL, said(6), NULL):
        await log.append(event)
    reader.close()
    assert await told(reader) == [6]


async def test_of_the_agents_states_the_last_is_replayed_last():
    """Those before it are not told at all; what follows the replay is told in its order."""
    log = await filled(state("loading"), said(1), state("running"), said(3))
    reader = Reader(log)
    assert [event["id"] async for event in reader.replay(-1)] == [1, 3, 2]
    await log.append(state("awaiting_user_input"))
    await log.append(said(5))
    reader.close()
    assert await told(reader) == [4, 5]


async def test_a_replay_that_was_cut_off_costs_no_state():
    """Who has heard 0, 2 and 3 asks for what is after 3, and is told the state that has the id 1."""
    log = await filled(said(0), state("running"), said(2), said(3))
    first = []
    async with aclosing(Reader(log).replay(-1)) as events:
        async for event in events:
            first.append(event["id"])
            if event["id"] == 3:
                break
    assert first == [0, 2, 3]
    assert await replayed(log, max(first)) == [1]


async def test_a_state_that_came_during_the_replay_is_told_after_it():
    """The replay says nothing of it; then it is told once, in its place."""
    log = await filled(state("running"), said(1))
    reader = Reader(log)
    ids = []
    async for event in reader.replay(-1):
        ids.append(event["id"])
        await log.append(state("error"))
        await log.append(said(3))
    assert ids == [1]
    reader.close()
    assert await told(reader) == [2, 3]


async def test_a_log_that_is_shorter_than_it_says_does_not_hold_up_a_replay():
    """A store that breaks its law is no reason to ask it for ever."""

    class Short(SlowStore):
        async def last(self, conversation):
            return 5

    assert await replayed(await filled(said(0), store=Short()), -1) == [0]


async def test_following_waits_for_the_replay():
    """Nothing is told before: the reader's place is not known."""
    reader = Reader(await filled(said(0)))
    with trio.move_on_after(60) as scope:
        await anext(reader)
    assert scope.cancelled_caught


@pytest.mark.parametrize("seed", range(40))
def test_nothing_lies_between_replay_and_following(seed):
    """Three writers and a store with waits, in forty orders: every reader is told every event once, in its order."""

    async def story():
        log = await filled(*map(said, range(5)), store=SlowStore())
        readers = [Reader(log) for _ in range(3)]
        heard = {reader: [] for reader in readers}

        async def write(count):
            for number in range(count):
                await log.append(said(number))

        async def read(reader, pauses):
            for _ in range(pauses):
                await trio.lowlevel.checkpoint()
            async for event in reader.replay(-1):
                heard[reader].append(event["id"])
            heard[reader].extend(await told(reader))

        async with trio.open_nursery() as nursery:
            for number, reader in enumerate(readers):
                nursery.start_soon(read, reader, number * 7)
            async with trio.open_nursery() as writers:
                for count in (4, 5, 6):
                    writers.start_soon(write, count)
            for reader in readers:
                reader.close()
        assert list(heard.values()) == [list(range(20))] * 3

    run(story, seed=seed)


@pytest.mark.parametrize("seed", range(10))
def test_who_waits_is_told_of_each_event(seed):
    """Written one at a time, also while the reader is looking: nobody sleeps over one."""

    class Late(SlowStore):
        async def after(self, conversation, id, limit):
            found = await super().after(conversation, id, limit)
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            return found

    async def story():
        log = await filled(store=Late())
        reader = Reader(log)
        reader.begin(-1)
        heard = trio.Event()

        async def write():
            nonlocal heard
            for number in range(30):
                heard = trio.Event()
                await log.append(said(number))
                await heard.wait()
                for _ in range(number % 7):
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            with trio.fail_after(1):
                for number in range(30):
                    assert (await anext(reader))["id"] == number
                    heard.set()

    run(story, seed=seed)


async def test_who_writes_and_is_cancelled_leaves_nobody_asleep():
    """The store has it, so who waits is told, though `append` did not return."""

    class Slow(SlowStore):
        async def append(self, conversation, event):
            await super().append(conversation, event)
            await trio.sleep_forever()

    log = await filled(store=Slow())
    reader = Reader(log)
    reader.begin(-1)
    async with trio.open_nursery() as nursery:

        async def read():
            with trio.fail_after(60):
                assert (await anext(reader))["id"] == 0

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await log.append(said(0))


async def test_a_notice_stands_behind_what_was_there():
    """In its place among the events; a reader that is there already is told at once."""
    log = await filled(said(0), said(1))
    reader = Reader(log)
    reader.begin(-1)
    assert (await anext(reader))["id"] == 0
    reader.notice({"n": 1})
    await log.append(said(2))
    reader.notice({"n": 2})
    reader.notice({"n": 3})
    reader.close()
    assert await told(reader) == [1, {"n": 1}, 2, {"n": 2}, {"n": 3}]


async def test_who_waits_is_told_a_notice():
    """Without a new event in the log."""
    reader = Reader(await filled())
    reader.begin(-1)
    async with trio.open_nursery() as nursery:

        async def read():
            assert await anext(reader) == {"n": 1}

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        reader.notice({"n": 1})


async def test_notices_are_bounded():
    """Of those that nobody takes the oldest go."""
    reader = Reader(await filled())
    for number in range(NOTICES + 2):
        reader.notice({"n": number})
    reader.begin(-1)
    assert await anext(reader) == {"n": 2}
