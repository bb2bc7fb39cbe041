import logging

import trio

from lifecycle import NotSent
from lifecycle.systems.openhands.client import Client
from lifecycle.systems.openhands.conversation import Conversation
from lifecycle.systems.openhands.event_log import EventLog
from lifecycle.systems.openhands.reader import Reader

from .small_store import SlowStore, said


class Line:
    """What a client is sent; `works` says how often."""

    def __init__(self, works: float = float("inf"), takes: float = 0.0) -> None:
        self.works, self.takes, self.sent = works, takes, []

    async def send(self, event) -> None:
        await trio.sleep(self.takes)
        if len(self.sent) >= self.works:
            raise NotSent("nobody is there", cause="gone")
        self.sent.append(event.get("id", event))


async def joined(count: int):
    """A client of a conversation with so many events, its reader, and the log."""
    store = SlowStore()
    await store.create("c")
    log = EventLog(store, "c")
    for number in range(count):
        await log.append(said(number))
    reader = Reader(log)
    reader.begin(-1)
    return Client("s", Conversation(log, None)), reader, log


async def test_a_client_that_has_gone_is_marked_once(caplog):
    """One line in the log; whatever is sent later returns False, and nothing raises."""
    client, reader, _ = await joined(5)
    line = Line(works=2)
    with caplog.at_level(logging.INFO, "lifecycle.openhands"):
        assert await client.follow(reader, line.send) is None
    assert not client.alive
    line.works = 99
    assert [await client.send(said(0), line.send) for _ in range(3)] == [False] * 3
    assert line.sent == [0, 1]
    assert caplog.messages == ["c: a client has gone: nobody is there: gone"]


async def test_goodbye_comes_after_what_is_there():
    """As long as that takes no longer than it may."""
    client, reader, log = await joined(5)
    line = Line(takes=1)
    async with trio.open_nursery() as nursery:

        async def follow():
            assert await client.follow(reader, line.send) == ("stopped", {})

        nursery.start_soon(follow)
        await trio.sleep(0.5)
        await log.append(said(5))
        client.dismiss("stopped", within=10)
    assert line.sent == [0, 1, 2, 3, 4, 5]


async def test_goodbye_does_not_wait_for_a_slow_client():
    """After so many seconds it comes all the same, and the first that was said counts."""
    client, reader, _ = await joined(50)
    line = Line(takes=1)
    async with trio.open_nursery() as nursery:

        async def follow():
            assert await client.follow(reader, line.send) == ("stopped", {})
            assert trio.current_time() == began + 2.5

        began = trio.current_time()
        nursery.start_soon(follow)
        await trio.sleep(0.5)
        client.dismiss("stopped", within=2)
        client.dismiss("evicted", why="too late")
    assert line.sent == [0, 1]


async def test_goodbye_may_come_before_anybody_listens():
    """Between joining and being ready: it is said as soon as somebody does."""
    client, reader, _ = await joined(1)
    client.dismiss("evicted", why="too many")
    line = Line()
    assert await client.follow(reader, line.send) == ("evicted", {"why": "too many"})
    assert line.sent == []
    client, reader, _ = await joined(1)
    client.dismiss("stopped", within=2)
    began = trio.current_time()
    assert await client.follow(reader, line.send) == ("stopped", {})
    assert (line.sent, trio.current_time()) == ([0], began)


async def test_notices_wait_until_somebody_listens():
    """Those that came before are told, and those that come then."""
    client, reader, _ = await joined(1)
    client.notice({"n": 1})
    line = Line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.follow, reader, line.send)
        await trio.testing.wait_all_tasks_blocked()
        client.notice({"n": 2})
        client.dismiss("stopped", within=1)
    assert line.sent == [0, {"n": 1}, {"n": 2}]
