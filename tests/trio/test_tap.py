import errno
import random
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

from lifecycle.trio.pipes.memory import memory_pair
from lifecycle.trio.transports.tap import Tap
from lifecycle.trio.transports.transport import Batch, Transport
from lifecycle.trio.transports.trio_websocket import QUEUE, TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .conformance.raw import PING, RawPeer, Wire, switching

REQUEST = DialRequest.parse("ws://peer.example/path", limit=1000)
DROPPED = ErrorEnding("eof", "dropped on this side")
KNOWN_TO_THE_LIBRARY = (
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    KeyError,
    UnicodeError,
    trio_websocket.HandshakeError,
)


class Recorder:
    """A sink that keeps what it is given.

    Attributes:
        messages: all that came.
        endings: what the transport had ended with, each time the end was told.
        open: whether there is room.
        do: called after each message.
    """

    def __init__(self) -> None:
        self.transport: Transport | None = None
        self.messages: list[str | bytes] = []
        self.endings: list[Ending | None] = []
        self.open = True
        self.do: Callable[[], object] = lambda: None
        self._changed = trio.lowlevel.ParkingLot()

    def attach(self, transport: Transport) -> bool:
        """Have messages pushed here."""
        self.transport = transport
        return transport.attach(self)

    def put(self, batch: Batch) -> None:
        assert not self.endings, "a message came after the end"
        self.messages += batch
        self.do()

    async def room(self) -> None:
        while not self.open:
            await self._changed.park()

    def over(self) -> None:
        assert self.transport
        self.endings.append(self.transport.ended)

    def widen(self) -> None:
        """Have room again."""
        self.open = True
        self._changed.unpark_all()


class Open:
    """A connection to a peer by hand, and what became of its host."""

    transport: TrioWebsocketTransport

    def __init__(self, nursery: trio.Nursery, opened: Callable[[Transport], object], room: int) -> None:
        self.near, far = memory_pair(nursery.start_soon, room=room)
        self.peer = RawPeer(Wire(far), client=False)
        self.left = trio.Event()
        self.fault: BaseException | None = None
        self.scope = trio.CancelScope()
        self._opened = opened

    async def host(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        def opened(transport: TrioWebsocketTransport) -> None:
            self.transport = transport
            task_status.started()
            self._opened(transport)

        try:
            with self.scope:
                await TrioWebsocketTransport.dial(REQUEST, self.near, opened)
        except Exception as fault:  # noqa: BLE001  # the test looks at it
            self.fault = fault
        self.left.set()


async def dial(
    nursery: trio.Nursery,
    after: Callable[[RawPeer], bytes] = lambda _: b"",
    opened: Callable[[Transport], object] = lambda _: None,
    room: int = 65_536,
) -> Open:
    """Open a connection, to a peer that says more in the segment of its 101."""
    found = Open(nursery, opened, room)

    async def answer() -> None:
        found.peer.say(switching(await found.peer.head()), after(found.peer))

    nursery.start_soon(answer)
    await nursery.start(found.host)
    return found


# What is pushed


@pytest.mark.parametrize("waiting", [0, 1, QUEUE - 1, QUEUE, QUEUE + 1, 3 * QUEUE])
async def test_what_waits_comes_first(waiting: int) -> None:
    """Messages that the library has queued, one that its reader holds, and those that follow come in order, once."""
    texts = [str(number) for number in range(waiting + 10)]
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        found.peer.say(*map(found.peer.message, texts[:waiting]))
        await trio.testing.wait_all_tasks_blocked()
        sink = Recorder()
        assert sink.attach(found.transport)
        assert sink.messages == texts[: min(waiting, QUEUE + 1)]
        found.peer.say(*map(found.peer.message, texts[waiting:]))
        await trio.testing.wait_all_tasks_blocked()
        assert sink.messages == texts
        assert sink.endings == []
        found.transport.abort()


async def test_attached_at_any_step() -> None:
    """Wherever the reader stands when it is tapped, nothing is lost, doubled or out of order."""
    texts = [str(number) for number in range(300)]
    dice = random.Random(4)
    for steps in range(60):
        async with trio.open_nursery() as nursery:
            found = await dial(nursery, room=500)

            async def speak(found: Open = found) -> None:
                at = 0
                while at < len(texts):
                    many = dice.randrange(1, 100)
                    found.peer.say(*map(found.peer.message, texts[at : at + many]))
                    at += many
                    await trio.lowlevel.checkpoint()
                found.peer.say(found.peer.close(4000))

            nursery.start_soon(speak)
            got: list[str | bytes] = []
            for _ in range(steps):
                if steps % 2:
                    got += await found.transport.receive()
                else:
                    await trio.lowlevel.checkpoint()
            sink = Recorder()
            assert sink.attach(found.transport)
            await trio.testing.wait_all_tasks_blocked()
            assert got + sink.messages == texts
            assert sink.endings == [CloseEnding(4000)]
            found.transport.abort()


async def test_what_came_with_the_opening() -> None:
    """A sink that is attached as soon as the connection is open has everything, up to the end."""
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        await dial(
            nursery,
            lambda peer: b"".join([*(peer.message(str(number)) for number in range(100)), peer.close(1001)]),
            sink.attach,
        )
        await trio.testing.wait_all_tasks_blocked()
        assert sink.messages == [str(number) for number in range(100)]
        assert sink.endings == [CloseEnding(1001)]
        nursery.cancel_scope.cancel()


async def test_nobody_receives() -> None:
    """Messages that came in one read are handed over in one step of the reader, and without the library's channel."""
    steps = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += task.name.endswith("_reader_task")

    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach)
        await trio.testing.wait_all_tasks_blocked()
        queue = found.transport._websocket._recv_channel
        counter = Count()
        trio.lowlevel.add_instrument(counter)
        found.peer.say(*map(found.peer.message, ["x"] * 1000))
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(counter)
        assert len(sink.messages) == 1000
        assert queue.statistics().current_buffer_used == 0
        assert steps <= 3
        found.transport.abort()


async def test_a_sink_without_room_holds_the_reader_back() -> None:
    """While there is no room no more is handed over, and the peer is held back; then all comes, in order."""
    texts = [str(number) for number in range(2000)]
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach, room=1024)

        def pause() -> None:
            sink.open = len(sink.messages) % 500 != 0

        sink.do = pause
        found.peer.say(*map(found.peer.message, texts), found.peer.close(1000))
        for many in (500, 1000, 1500, 2000):
            await trio.testing.wait_all_tasks_blocked()
            assert len(sink.messages) == many
            assert (found.peer.wire.pipe.sent < found.peer.wire.pipe.given) == (many < 2000)
            sink.widen()
        await trio.testing.wait_all_tasks_blocked()
        assert sink.messages == texts
        assert sink.endings == [CloseEnding(1000)]
        found.transport.abort()


# How the end is told


def eof(found: Open) -> None:
    """The peer ends without a word."""
    found.peer.wire.pipe.abort()


def reset(found: Open) -> None:
    """The peer resets."""
    found.peer.wire.reset()


def saying(*frames: Callable[[RawPeer], bytes]) -> Callable[[Open], None]:
    """The peer says this."""

    def act(found: Open) -> None:
        found.peer.say(*(frame(found.peer) for frame in frames))

    return act


def ping_after_our_goodbye(found: Open) -> None:
    """The library's reader dies of it."""
    found.transport.close(4001, "going")
    found.peer.say(found.peer.frame(PING))


def our_goodbye(found: Open) -> None:
    """We say goodbye, and the peer answers."""
    found.transport.close(4001, "going")
    found.peer.say(found.peer.close(4001, "going"))


def more(peer: RawPeer) -> bytes:
    """A message that comes too late."""
    return peer.message("too late")


ENDS: dict[str, tuple[Callable[[Open], None], Ending]] = {
    "close": (saying(lambda peer: peer.close(4000, "bye"), more), CloseEnding(4000, "bye")),
    "our close": (our_goodbye, CloseEnding(4001, "going", "local")),
    "ping after our close": (ping_after_our_goodbye, CloseEnding(4001, "going", "local")),
    "EOF": (eof, ErrorEnding("eof", "the peer ended the connection without a close frame")),
    "reset": (reset, ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)),
    "no UTF-8": (
        saying(lambda peer: peer.frame(1, b"\xff"), more),
        ErrorEnding("protocol", "the peer broke the protocol; we closed with code 1007"),
    ),
    "too big": (
        saying(lambda peer: peer.message(bytes(1001)), more),
        ErrorEnding("too_big", "a message was longer than 1000 bytes"),
    ),
    "too big in bytes": (
        saying(lambda peer: peer.message("é" * 501), more),
        ErrorEnding("too_big", "a message was longer than 1000 bytes"),
    ),
    "abort": (lambda found: found.transport.abort(), DROPPED),
    "cancellation": (lambda found: found.scope.cancel(), DROPPED),
    "the pipe is aborted": (lambda found: found.near.abort(), DROPPED),
}


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_is_told_once(end: str) -> None:
    """Whatever ends it, the end is told once, after the messages, with its reason; and nothing comes after it."""
    act, expected = ENDS[end]
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach)
        found.peer.say(found.peer.message("é" * 500), found.peer.message("last"))
        await trio.testing.wait_all_tasks_blocked()
        act(found)
        await trio.testing.wait_all_tasks_blocked()
        assert sink.messages == ["é" * 500, "last"]
        assert sink.endings == [expected]
        found.transport.abort()
        found.transport.abort()
        await found.left.wait()
        assert found.fault is None
        assert sink.endings == [expected]


@pytest.mark.parametrize("end", [name for name in ENDS if name not in ("abort", "cancellation", "the pipe is aborted")])
async def test_attached_after_the_end(end: str) -> None:
    """If it has ended by then, what waits comes first, and the end is told before `attach` returns."""
    act, expected = ENDS[end]
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        found.peer.say(found.peer.message("one"), found.peer.message("two"))
        await trio.testing.wait_all_tasks_blocked()
        act(found)
        await trio.testing.wait_all_tasks_blocked()
        assert sink.attach(found.transport)
        # the library forgets what waits when a message is too big
        assert sink.messages == ([] if end == "too big" else ["one", "two"])
        assert sink.endings == [expected]
        found.transport.abort()
        await found.left.wait()
        assert sink.endings == [expected]


async def test_attached_when_its_host_has_gone() -> None:
    """The same once `dial` has returned, and once it was dropped: then nothing is handed over any more."""
    for act, messages, expected in (
        (eof, ["one"], ErrorEnding("eof", "the peer ended the connection without a close frame")),
        (lambda found: found.transport.abort(), [], DROPPED),
    ):
        async with trio.open_nursery() as nursery:
            found = await dial(nursery)
            found.peer.say(found.peer.message("one"))
            await trio.testing.wait_all_tasks_blocked()
            act(found)
            await found.left.wait()
            sink = Recorder()
            assert sink.attach(found.transport)
            assert sink.messages == messages
            assert sink.endings == [expected]


async def test_a_sink_drops_the_connection() -> None:
    """The reader that hands over a message may be told to stop there: nothing more comes, and the end is told later."""
    for more_in_the_queue in (False, True):
        sink = Recorder()
        async with trio.open_nursery() as nursery:
            found = await dial(nursery, opened=(lambda _: None) if more_in_the_queue else sink.attach)

            def drop(found: Open = found, sink: Recorder = sink) -> None:
                found.transport.abort()
                assert sink.endings == []

            sink.do = drop
            found.peer.say(*map(found.peer.message, ["one", "two", "three"]))
            await trio.testing.wait_all_tasks_blocked()
            if more_in_the_queue:
                assert sink.attach(found.transport)
            await found.left.wait()
            assert sink.messages == ["one"]
            assert sink.endings == [DROPPED]


async def test_dropped_while_there_is_no_room() -> None:
    """A reader that waits for room ends with its connection."""
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach)
        sink.open = False
        found.peer.say(*map(found.peer.message, ["one", "two"]))
        await trio.testing.wait_all_tasks_blocked()
        found.transport.abort()
        await found.left.wait()
        assert sink.messages == ["one"]
        assert sink.endings == [DROPPED]


# Sinks that fail


@pytest.mark.parametrize("kind", [ZeroDivisionError, *KNOWN_TO_THE_LIBRARY], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("where", ["put", "room", "over"])
async def test_a_fault_of_the_sink_leaves_as_it_is(
    where: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a sink raises leaves `dial` alone, also what the library would take for its own."""
    fault = kind("wrong")
    sink = Recorder()

    def fail() -> None:
        raise fault

    async def fail_later() -> None:
        await trio.lowlevel.checkpoint()
        raise fault

    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach)
        monkeypatch.setattr(sink, where, {"put": lambda _: fail(), "room": fail_later, "over": fail}[where])
        found.peer.say(*map(found.peer.message, ["one", "two"]), found.peer.close(1000))
        await trio.testing.wait_all_tasks_blocked()
        assert found.left.is_set()
        assert found.fault is fault
        assert found.near.closed
        assert sink.endings == ([] if where == "over" else [DROPPED])
        assert len(sink.messages) == {"put": 0, "room": 1, "over": 2}[where]


async def test_a_fault_outlives_a_cancellation() -> None:
    """A sink that fails in the step in which the host is cancelled is heard all the same; its first fault counts."""
    sink = Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=sink.attach)

        def fail() -> None:
            found.scope.cancel()
            sink.over = sink.do  # type: ignore[method-assign]  # it fails again
            raise ZeroDivisionError(len(sink.messages))

        sink.do = fail
        found.peer.say(found.peer.message("one"))
        await found.left.wait()
        assert isinstance(found.fault, ZeroDivisionError)
        assert found.fault.args == (1,)


async def test_a_fault_while_what_waits_is_handed_over() -> None:
    """It is raised by `attach`, and ends the connection."""
    sink = Recorder()

    def fail() -> None:
        raise KeyError("wrong")

    sink.do = fail
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        found.peer.say(*map(found.peer.message, ["one", "two"]))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(KeyError, match="wrong"):
            sink.attach(found.transport)
        await found.left.wait()
        assert sink.messages == ["one"]
        assert isinstance(found.fault, KeyError)


async def test_a_fault_of_opened_that_the_library_knows() -> None:
    """What `opened` raises is never taken for the library's, whatever it is."""
    for kind in KNOWN_TO_THE_LIBRARY:
        fault = kind("wrong")

        def opened(_: Transport, fault: Exception = fault) -> None:
            raise fault

        async with trio.open_nursery() as nursery:
            found = await dial(nursery, opened=opened)
            await found.left.wait()
            assert found.fault is fault


# A library that has changed


class Channel:
    """A channel of messages as another version of the library might have it."""

    def __init__(self, inner: trio.MemorySendChannel[str | bytes]) -> None:
        self.send, self.aclose = inner.send, inner.aclose

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def test_a_channel_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left alone, and messages are received as ever."""
    kept: dict[Any, Channel] = {}

    def replace(websocket: trio_websocket.WebSocketConnection, inner: Any) -> None:
        kept[websocket] = Channel(inner)

    changed = property(lambda websocket: kept[websocket], replace)
    monkeypatch.setattr(trio_websocket.WebSocketConnection, "_send_channel", changed, raising=False)
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        sink = Recorder()
        assert not sink.attach(found.transport)
        found.peer.say(found.peer.message("one"), found.peer.close(4000))
        assert await found.transport.receive() == ("one",)
        assert await found.transport.receive() == ()
        assert found.transport.ended == CloseEnding(4000)
        assert (sink.messages, sink.endings) == ([], [])
        found.transport.abort()


@pytest.mark.parametrize("name", ["_send_channel", "_recv_channel"])
async def test_a_channel_of_another_name(name: str) -> None:
    """If one of the two attributes is gone, nothing changes."""
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        there = vars(found.transport._websocket)
        channel = there.pop(name)
        before = dict(there)
        sink = Recorder()
        assert not sink.attach(found.transport)
        assert there == before
        there[name] = channel
        found.peer.say(found.peer.message("one"))
        assert await found.transport.receive() == ("one",)
        found.transport.abort()
        await found.left.wait()
        assert sink.endings == []


async def test_a_transport_has_one_sink() -> None:
    """A second one is not taken, and the first goes on."""
    first, second = Recorder(), Recorder()
    async with trio.open_nursery() as nursery:
        found = await dial(nursery, opened=first.attach)
        assert isinstance(found.transport._websocket._send_channel, Tap)
        assert not second.attach(found.transport)
        found.peer.say(found.peer.message("one"))
        await trio.testing.wait_all_tasks_blocked()
        assert (first.messages, second.messages) == (["one"], [])
        found.transport.abort()
        await found.left.wait()
        assert (first.endings, second.endings) == ([DROPPED], [])


# Without a sink


async def test_after_a_message_that_is_too_big_nothing_is_received() -> None:
    """The first empty batch is the end, also while messages that came behind it wait in the library."""
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        found.peer.say(*map(found.peer.message, ["one", "é" * 501, "two"]))
        await trio.testing.wait_all_tasks_blocked()
        assert [await found.transport.receive() for _ in range(4)] == [("one",), (), (), ()]
        assert found.transport.ended == ErrorEnding("too_big", "a message was longer than 1000 bytes")
        found.transport.abort()


async def test_after_an_abort_nothing_is_received() -> None:
    """What waits when the connection is dropped is dropped too."""
    async with trio.open_nursery() as nursery:
        found = await dial(nursery)
        found.peer.say(found.peer.message("one"))
        await trio.testing.wait_all_tasks_blocked()
        found.transport.abort()
        assert await found.transport.receive() == ()
        await found.left.wait()
        assert await found.transport.receive() == ()
