import gc

import pytest
import trio

import lifecycle
from lifecycle.systems.openclaw import Stream
from lifecycle.systems.openclaw.stream import ITEMS

from .small_gateway import SmallGateway
from .test_gateway import client, opened


async def taken(stream: Stream, count: int) -> list:
    """The next so many, as short texts."""
    return [short(await anext(stream)) for _ in range(count)]


def short(value) -> str:
    """An event's name, or a mark's kind with what it misses."""
    if isinstance(value, lifecycle.Discontinuity):
        return f"{value.kind} {value.missed}" if value.missed else value.kind
    return value["event"]


@pytest.mark.parametrize(
    ("family", "told"),
    [
        (None, ["chat", "chat.side", "chatter", "exec.approval.requested", "health"]),
        ("chat", ["chat", "chat.side"]),
        ("exec", ["exec.approval.requested"]),
        ("exec.approval", ["exec.approval.requested"]),
        ("exec.approval.requested", ["exec.approval.requested"]),
        ("exec.app", []),
    ],
)
async def test_events_by_name_and_by_family(family, told):
    """A name is itself, and all that begin with it and a dot; without one, everything comes."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        stream = gateway.events(family)
        for name in ("chat", "chat.side", "chatter", "exec.approval.requested", "health"):
            small.say(name, {"of": name})
        await trio.sleep(1)
        gateway.disconnect()
        assert [short(event) async for event in stream] == told


async def test_an_event_is_as_it_came():
    """With its payload and its number; two who listen get the same."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        streams = gateway.events(), gateway.events("chat")
        small.say("chat", {"text": "hi"})
        for stream in streams:
            assert await anext(stream) == {"type": "event", "event": "chat", "payload": {"text": "hi"}, "seq": 1}


async def test_events_count_from_now_on():
    """What came before somebody asked is not his."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        small.say("chat")
        await trio.sleep(1)
        stream = gateway.events()
        small.say("health")
        assert await taken(stream, 1) == ["health"]


async def test_marks_stand_in_their_places():
    """A missing number, which a tick is not, and another connection; also for who takes events of one name only."""
    small = SmallGateway()
    async with opened(small) as (peer, gateway):
        stream = gateway.events("chat")
        small.say("chat")
        small.say("tick", {"ts": 1})
        small.say("chat")
        small.say("chat", skip=2)
        assert await taken(stream, 4) == ["chat", "chat", "gap 2", "chat"]
        peer.link.drop()
        await trio.sleep(0.1)
        await gateway.ready()
        small.say("health")
        small.say("chat")
        assert await taken(stream, 2) == ["lost", "chat"]


async def test_who_does_not_read_loses_the_oldest_and_is_told():
    """The others lose nothing."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        slow, quick = gateway.events(), gateway.events()
        for _ in range(4):
            for _ in range((ITEMS + 4) // 4):
                small.say("chat")
            assert await taken(quick, (ITEMS + 4) // 4) == ["chat"] * ((ITEMS + 4) // 4)
        assert await taken(slow, 2) == ["overflow 4", "chat"]


async def test_the_end_of_the_connection_ends_the_events():
    """They stop when it is closed, raise when it has failed, each its own error, and go on where it does."""
    small = SmallGateway()
    async with opened(small) as (peer, gateway), trio.open_nursery() as nursery:
        stream, waiting = gateway.events(), gateway.events()
        ended = []

        async def wait() -> None:
            ended.extend([short(event) async for event in waiting])
            ended.append("end")

        nursery.start_soon(wait)
        await trio.sleep(1)
        small.say("chat")
        await trio.sleep(1)
        gateway.disconnect()
        await trio.sleep(1)
        assert ended == ["chat", "end"]
        assert [short(event) async for event in stream] == ["chat"]
        with pytest.raises(StopAsyncIteration):
            await anext(gateway.events())
        peer.refuse(1000)
        gateway.reconnect()
        with pytest.raises(lifecycle.ConnectionFailed) as failed:
            await anext(stream)
        with pytest.raises(lifecycle.ConnectionFailed) as again:
            await anext(stream)
        assert str(again.value) == str(failed.value)
        peer.refuse(0)
        gateway.reconnect()
        await gateway.ready()
        small.say("health")
        assert await taken(stream, 2) == ["lost", "health"]


async def test_a_connection_that_is_woken_at_once_is_read_on():
    """Closed and dialled again in one breath, or told to end twice: whoever listens hears what comes."""
    small = SmallGateway()
    async with opened(small) as (peer, gateway):
        stream = gateway.events("chat")
        peer.refuse(1)
        peer.link.drop()
        await trio.sleep(0.1)
        gateway.disconnect()
        gateway.reconnect()
        await gateway.ready()
        small.say("chat")
        assert await taken(stream, 1) == ["chat"]
        for _ in range(2):
            gateway.disconnect()
            await trio.sleep(1)
        gateway.reconnect()
        await gateway.ready()
        small.say("chat")
        assert await taken(stream, 2) == ["lost", "chat"]
        await gateway.connection.aclose()
        await trio.sleep(1)
        assert [event async for event in stream] == []


async def test_nothing_comes_after_the_gateway():
    """What has come is given; then it ends."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        stream = gateway.events()
        small.say("chat")
        await trio.sleep(1)
    assert [short(event) async for event in stream] == ["chat"]
    assert [event async for event in gateway.events()] == []


async def test_events_wait_for_the_beginning():
    """They may be asked for before the gateway is opened."""
    small = SmallGateway()
    async with lifecycle.testing.Peer(handler=small.serve) as peer:
        gateway = client(peer, token=small.token)
        stream = gateway.events()
        async with gateway:
            await gateway.ready()
            small.say("chat")
            assert await taken(stream, 1) == ["chat"]


async def test_who_is_cancelled_loses_nothing():
    """What comes later is there for the next one."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        stream = gateway.events()
        with trio.move_on_after(1):
            await anext(stream)
        small.say("chat")
        assert await taken(stream, 1) == ["chat"]


async def test_two_who_wait_get_one_each():
    """Each event goes to one of those who share a stream."""
    small = SmallGateway()
    async with opened(small) as (_, gateway), trio.open_nursery() as nursery:
        stream, got = gateway.events(), []

        async def take() -> None:
            got.append((await anext(stream))["payload"])

        nursery.start_soon(take)
        nursery.start_soon(take)
        await trio.sleep(1)
        small.say("chat", 1)
        await trio.sleep(1)
        assert got == [1]
        small.say("chat", 2)
        await trio.sleep(1)
        assert sorted(got) == [1, 2]


async def test_a_stream_that_is_left_is_forgotten():
    """Nobody keeps it, or what it would have held."""
    small = SmallGateway()
    async with opened(small) as (_, gateway):
        small.say("chat")
        async for _ in gateway.events():
            break
        gc.collect()
        assert list(gateway._dispatch._streams) == []
