import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest
import trio
import trio.testing

from lifecycle.systems.openhands import (
    Conversations,
    EventStore,
    EventsUnavailable,
    MemoryEventStore,
    RedisEventStore,
    SqliteEventStore,
    open_conversation,
    serve_conversations,
)
from lifecycle.systems.openhands import event_log as event_log_module
from lifecycle.systems.openhands.event_log import EventLog
from lifecycle.systems.openhands.reader import Reader

from ...registry.redis_server import RedisServer, free_port, needs_redis  # noqa: TID252 -- tests are no package
from .small_store import SlowStore, said, state

FAST = {"redial": {"first": 0.02, "factor": 1, "max": 0.02, "jitter": "none", "floor": 0.02}, "max_attempts": 5000}


def ids(events):
    """Of events, in their order."""
    return [event["id"] for event in events]


async def silent(conversation):
    """An agent that says nothing."""
    await trio.sleep_forever()


# -- what all stores do alike


@pytest.mark.real_time
async def test_ids_are_numbers_without_a_gap(place):
    """From 0 on, in each conversation; whatever id an event came with, and all else is as it was."""
    async with place() as store:
        assert isinstance(store, EventStore)
        for name in ("c", "other", "c"):
            await store.create(name)
        events = [said(0), {"id": 77, "action": "ä🎈\0"}, {"deep": {"list": [1, None, 2.5]}}, {"id": 5}]
        written = [await store.append("c", event) for event in events]
        assert written == [{**event, "id": number} for number, event in enumerate(events)]
        assert list(await store.after("c", -1, 99)) == written
        assert (await store.append("other", said(1)))["id"] == 0


@pytest.mark.real_time
async def test_what_comes_after_an_id(place):
    """In its order, and no more than is wanted; after the last there is nothing."""
    async with place() as store:
        await store.create("c")
        assert list(await store.after("c", -1, 5)) == []
        for number in range(10):
            await store.append("c", said(number))
        assert ids(await store.after("c", 3, 2)) == [4, 5]
        assert ids(await store.after("c", 7, 5)) == [8, 9]
        assert ids(await store.after("c", 9, 5)) == ids(await store.after("c", 12, 5)) == []


@pytest.mark.real_time
async def test_the_last_event_and_the_last_state(place):
    """None at first; of many states the last, whatever came after it."""
    async with place() as store:
        await store.create("c")
        assert (await store.last("c"), await store.state("c")) == (-1, None)
        for event in (said(0), state("running"), said(2), state("error"), said(4)):
            await store.append("c", event)
        assert (await store.last("c"), await store.state("c")) == (4, {**state("error"), "id": 3})


@pytest.mark.real_time
async def test_a_conversation_that_is_not_there(place):
    """Is a file that is not found, for whatever is asked; and none is made by asking."""
    async with place() as store:
        await store.create("c")
        for _ in range(2):
            for ask in (store.append("d", said(0)), store.after("d", -1, 1), store.last("d"), store.state("d")):
                with pytest.raises(FileNotFoundError, match="d"):
                    await ask


@pytest.mark.real_time
async def test_an_event_that_json_cannot_write(place):
    """Is refused by a database, and leaves what others write at the same moment."""
    async with place() as store:
        await store.create("c")
        if isinstance(store, MemoryEventStore):
            return

        async def wrong(event):
            with pytest.raises((TypeError, ValueError)):
                await store.append("c", event)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.append, "c", said(0))
            nursery.start_soon(wrong, {"number": float("nan")})
            nursery.start_soon(wrong, {"object": object()})
            nursery.start_soon(store.append, "c", said(1))
        assert await store.last("c") == 1


@pytest.mark.real_time
async def test_many_write_at_once(place):
    """From two that have opened it: each event has an id of its own, and who reads hears each once, in its order."""
    async with place() as one, place() as two:
        await one.create("c")
        logs = [EventLog(store, "c") for store in (one, two)]
        readers = [Reader(log) for log in logs]
        heard = [[], []]

        async def write(log, number):
            for part in range(5):
                await log.append({"action": "message", "args": {"content": f"{number}-{part}"}})

        async def read(reader, told):
            async for event in reader.replay(-1):
                told.append(event)
            async for event in reader:
                told.append(event)
                if event["id"] == 99:
                    return

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(write, logs[number % 2], number)
            for reader, told in zip(readers, heard, strict=True):
                nursery.start_soon(read, reader, told)
        assert ids(heard[0]) == list(range(100))
        assert heard[0] == heard[1]
        assert len({event["args"]["content"] for event in heard[0]}) == 100


@pytest.mark.real_time
async def test_who_is_cancelled_while_writing_leaves_no_gap(place):
    """His event is there or not; the ids of the others are as if he had never been."""
    async with place() as store:
        await store.create("c")

        async def write(number):
            with trio.move_on_after(number * 0.0005):
                for _ in range(5):
                    await store.append("c", said(number))

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(write, number)
        last = (await store.append("c", said(99)))["id"]
        assert ids(await store.after("c", -1, 999)) == list(range(last + 1))


# -- what several processes share


@pytest.mark.real_time
async def test_who_waits_is_woken_by_another_process(shared_place):
    """Wherever it writes; also if it has written already, and for one conversation as for many."""
    async with shared_place() as ours:
        names = [f"c{number}" for number in range(20)]
        for name in names:
            await ours.create(name)
        async with shared_place() as theirs:
            await theirs.append("c0", said(0))
            await ours.wait("c0", -1)
            woken = []

            async def wait(name):
                await ours.wait(name, 0 if name == "c0" else -1)
                woken.append(name)

            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(wait, name)
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert woken == []
                for name in reversed(names):
                    await theirs.append(name, said(1))
            assert sorted(woken) == sorted(names)
            await ours.wait("c1", -1)  # it is known already


@pytest.mark.real_time
async def test_what_another_process_says_is_followed(shared_place):
    """By several readers of one log, of which the first may leave: somebody else looks then."""
    async with shared_place() as ours, shared_place() as theirs:
        await ours.create("c")
        log = EventLog(ours, "c")
        heard = {number: [] for number in range(3)}
        leaving = trio.CancelScope()

        async def read(number, scope):
            reader = Reader(log)
            reader.begin(-1)
            with scope:
                async for event in reader:
                    heard[number].append(event["id"])
                    if event["id"] == 29:
                        return

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, 0, leaving)
            await trio.testing.wait_all_tasks_blocked(0.01)
            for number in (1, 2):
                nursery.start_soon(read, number, trio.CancelScope())
            for number in range(30):
                await theirs.append("c", said(number))
                if number == 10:
                    while not all(heard.values()):  # noqa: ASYNC110 -- lists tell nobody
                        await trio.sleep(0.01)
                    leaving.cancel()
        assert heard[0] == list(range(len(heard[0])))
        assert heard[1] == heard[2] == list(range(30))


@pytest.mark.real_time
async def test_a_client_goes_on_at_another_server(shared_place):
    """At the first it hears what the second writes; the first is gone, and at the second it is told the rest, once."""
    ways, heard = [], []  # where a balancer of load leads who comes: to the last of these ports

    async def lead(stream):
        async with stream, await trio.open_tcp_stream("127.0.0.1", ways[-1]) as onwards, trio.open_nursery() as pipes:
            for source, sink in ((stream, onwards), (onwards, stream)):
                pipes.start_soon(pour, source, sink, pipes.cancel_scope)

    async def serve_first(*, task_status):
        async with (
            shared_place() as store,
            Conversations(silent, store) as conversations,
            serve_conversations(conversations, port=0) as server,
        ):
            with trio.CancelScope() as scope:
                ways.append(server.port)
                task_status.started(scope)
                await trio.sleep_forever()

    async def hear(client, enough):
        while len(heard) < enough:
            event = await anext(client)
            if isinstance(event, dict) and event.get("action") == "message":
                heard.append(int(event["args"]["content"]))

    async with (
        shared_place() as store,
        Conversations(silent, store) as second,
        serve_conversations(second, port=0) as server,
        trio.open_nursery() as nursery,
    ):
        await store.create("c")
        await second.start("c")
        first = await nursery.start(serve_first)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, lead, [listener])
        url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/socket.io/"
        async with open_conversation(url, "c", **FAST) as client:
            await client.ready()
            for number in range(5):
                await second.emit("c", said(number))
            await hear(client, 5)
            ways.append(server.port)
            first.cancel()
            for number in range(5, 10):
                await second.emit("c", said(number))
            await hear(client, 10)
        assert heard == list(range(10))
        nursery.cancel_scope.cancel()


async def pour(source, sink, scope):
    """From one stream to another, until either ends."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for part in source:
            await sink.send_all(part)
    scope.cancel()


async def test_a_store_that_cannot_be_waited_for_is_waited_for_again(caplog):
    """It is logged once; readers are not disturbed, and hear what is there when it is well again."""

    class Ill(SlowStore):
        failures = 5

        async def wait(self, conversation, id):
            if self.failures:
                self.failures -= 1
                raise EventsUnavailable("there", "ill")
            while await self.memory.last(conversation) <= id:  # noqa: ASYNC110 -- a store that looks now and then
                await trio.sleep(1)

    store = Ill()
    await store.create("c")
    reader = Reader(EventLog(store, "c"))
    reader.begin(-1)
    with caplog.at_level(logging.ERROR):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(anext, reader)
            await trio.sleep(event_log_module.PAUSE * 10)
            assert len(nursery.child_tasks) == 1
            await store.memory.append("c", said(0))
    assert len(caplog.records) == 1


async def test_nobody_looks_where_nobody_else_can_write():
    """A store in memory is not asked at all while who reads waits."""
    log = EventLog(MemoryEventStore(), "c")
    with trio.move_on_after(3600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.changed, 0)
            await trio.testing.wait_all_tasks_blocked()
            assert not log._watched
            await trio.sleep_forever()
    with trio.move_on_after(3600) as scope:
        await EventStore.wait(MemoryEventStore(), "c", -1)
    assert scope.cancelled_caught


# -- what only SQLite has

WRITER = """
import sys, trio
from lifecycle.systems.openhands import SqliteEventStore

async def main(path, name):
    async with SqliteEventStore(path) as store:
        await store.create("c")
        print(flush=True)
        while True:
            event = await store.append("c", {"from": name})
            print(event["id"], flush=True)

trio.run(main, *sys.argv[1:])
"""


@pytest.mark.real_time(limit=90)
async def test_processes_that_write_to_one_file_and_are_killed_lose_nothing(tmp_path):
    """What `append` has returned is there, at the id that it has said; ids have no gap."""
    path = tmp_path / "events.db"
    writers = []
    for number in range(3):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        writers.append(await trio.lowlevel.open_process(command, stdout=subprocess.PIPE))
    told = {}

    async def listen(number, writer):
        said = b""
        with suppress(trio.BrokenResourceError):
            async for part in writer.stdout:
                said += part
                if said.count(b"\n") > 20:
                    writer.kill()
        told[number] = [int(line) for line in said.split(b"\n")[1:-1]]
        await writer.wait()
        await writer.stdout.aclose()

    async with trio.open_nursery() as nursery:
        for number, writer in enumerate(writers):
            nursery.start_soon(listen, number, writer)
    async with SqliteEventStore(path) as store:
        events = list(await store.after("c", -1, 10_000))
        assert ids(events) == list(range(len(events)))
        assert min(map(len, told.values())) >= 20
        for number, known in told.items():
            assert all(events[id]["from"] == str(number) for id in known)
        assert (await store.append("c", {}))["id"] == len(events)


@pytest.mark.real_time
async def test_a_file_that_somebody_keeps_locked(tmp_path):
    """Is waited for as long as was said, and then told; what was asked for at once fails at once; later all is well."""
    path = tmp_path / "events.db"
    async with SqliteEventStore(path, timeout=0.2) as store:
        await store.create("c")
        failed = []

        async def write():
            with pytest.raises(EventsUnavailable, match="kept it locked for more than") as caught:
                await store.append("c", said(0))
            failed.append(caught.value)

        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(write)
            other.execute("ROLLBACK")
        assert [error.place for error in failed] == [f"sqlite:{path}"] * 3
        assert failed[0].side == "network"
        assert (await store.append("c", said(1)))["id"] == 0


@pytest.mark.real_time
async def test_a_file_that_cannot_be_one(tmp_path):
    """No folder, no database, not open: told in words."""
    (tmp_path / "letter").write_text("Dear Anna, this is a letter and no database. " * 50, encoding="utf-8")
    for path, words in (("no/such/folder", "is its folder there"), ("letter", "it is no database")):
        with pytest.raises(EventsUnavailable, match=words):
            async with SqliteEventStore(tmp_path / path):
                pass
    store = SqliteEventStore(tmp_path / "events.db")
    for _ in range(2):
        with pytest.raises(EventsUnavailable, match="use it as `async with`"):
            await store.create("c")
        async with store:  # and it may be opened again
            await store.create("c")
    with closing(sqlite3.connect(tmp_path / "events.db")) as other, other:
        other.execute("DROP TABLE events")
    async with SqliteEventStore(tmp_path / "new.db") as fresh:
        await fresh.create("c")
        with closing(sqlite3.connect(tmp_path / "new.db")) as other, other:
            other.execute("DROP TABLE events")
        with pytest.raises(EventsUnavailable, match="no such table"):
            await fresh.append("c", said(0))


@pytest.mark.real_time
async def test_a_file_that_somebody_keeps_locked_while_it_is_opened(tmp_path):
    """Is waited for as well; and opened as soon as it is free."""
    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE theirs (number)")
        with pytest.raises(EventsUnavailable, match="kept it locked"):
            async with SqliteEventStore(path, timeout=0.2):
                pass

        async def go():
            await trio.testing.wait_all_tasks_blocked(0.1)
            other.execute("COMMIT")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go)
            async with SqliteEventStore(path, timeout=30) as store:
                await store.create("c")


@pytest.mark.real_time
async def test_a_disk_that_is_full(tmp_path):
    """Nothing of what was asked for is written; when there is room again, it goes on without a gap."""
    async with SqliteEventStore(tmp_path / "events.db") as store:
        await store.create("c")
        store._database.execute("PRAGMA max_page_count = 20")
        with pytest.raises(EventsUnavailable, match=r"it cannot be written: .* \(database or disk is full\)"):
            await store.append("c", {"args": {"content": "x" * 1_000_000}})
        store._database.execute("PRAGMA max_page_count = 1000000")
        assert (await store.append("c", said(0)))["id"] == 0
    await store.__aexit__(None, None, None)  # again is no harm


@pytest.mark.real_time
async def test_in_the_memory_of_sqlite(tmp_path):
    """It is a store as well, for one process."""
    async with SqliteEventStore(":memory:") as store:
        await store.create("c")
        assert (await store.append("c", said(0)))["id"] == 0


@pytest.mark.parametrize("store", [SqliteEventStore, RedisEventStore])
def test_a_time_that_is_none(store):
    """Told when the object is made."""
    for timeout in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="`timeout` must be"):
            store("redis://127.0.0.1/0", timeout=timeout)


# -- what only Redis has


@needs_redis
@pytest.mark.real_time
async def test_a_stream_has_the_ids_of_the_events(redis):
    """So whoever has other tools for Redis finds them; all keys of a store are on one server of a cluster."""
    async with RedisEventStore(redis.url, name="n") as store:
        await store.create("c")
        for number in range(3):
            await store.append("c", said(number))
        assert redis.say("XRANGE", "lifecycle:{n}:events:c", "2-0", "+").split("\n")[:2] == ["2-1", "event"]
        assert json.loads(redis.say("XRANGE", "lifecycle:{n}:events:c", "2-0", "+").split("\n")[2]) == said(2)
        redis.say("DEL", "lifecycle:{n}:conversation:c")
        with pytest.raises(FileNotFoundError):
            await store.last("c")
        await store.create("c")
        assert (await store.append("c", said(3)))["id"] == 3


@needs_redis
@pytest.mark.real_time
async def test_a_server_that_is_away_is_told_and_who_waits_hears_when_it_is_back(tmp_path):
    """Killed and started again with what it has kept; the same object goes on, and so does who follows."""
    settings = ("--appendonly", "yes", "--appendfsync", "always")
    with RedisServer(tmp_path, *settings) as server:
        async with RedisEventStore(server.url, timeout=2) as ours, RedisEventStore(server.url) as theirs:
            await ours.create("c")
            log = EventLog(ours, "c")
            reader = Reader(log)
            reader.begin(-1)
            heard = []

            async def read():
                async for event in reader:
                    heard.append(event["id"])
                    if event["id"] == 1:
                        return

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                await ours.append("c", said(0))
                while not (heard and log._watched):  # noqa: ASYNC110 -- it waits for more
                    await trio.sleep(0.01)
                server.kill()
                with pytest.raises(EventsUnavailable, match=r"nobody listens there|connection was lost"):
                    await ours.append("c", said(1))
                with pytest.raises(EventsUnavailable) as caught:
                    await ours.wait("c", 0)
                assert caught.value.place == server.url
                server.restart()
                assert (await theirs.append("c", said(1)))["id"] == 1
            assert heard == [0, 1]


@needs_redis
@pytest.mark.real_time
async def test_a_server_that_is_not_there_or_that_stands_still(redis):
    """Told in words, within the time; and later the same object goes on."""
    with pytest.raises(EventsUnavailable, match="nobody listens there"):
        async with RedisEventStore(f"redis://:secret@127.0.0.1:{free_port()}/0"):
            pass
    async with RedisEventStore(redis.url, timeout=0.5) as store:
        await store.create("c")
        redis.pause()
        with pytest.raises(EventsUnavailable, match=r"did not answer within 0\.5 s"):
            await store.append("c", said(0))
        redis.resume()
        while True:
            with suppress(EventsUnavailable):
                assert await store.last("c") in (-1, 0)
                break
    assert "secret" not in repr(RedisEventStore("redis://:secret@host/0"))
    with pytest.raises(ValueError, match="`name` must be"):
        RedisEventStore(redis.url, name="{}")
    await store.__aexit__(None, None, None)  # again is no harm
