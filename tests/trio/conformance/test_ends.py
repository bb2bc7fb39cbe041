import errno
import socket
from collections.abc import Callable

import pytest
import trio

from lifecycle.wire.ending import Ending, ErrorEnding

from .raw import BINARY, PONG, TEXT, RawPeer
from .subject import FEW, NO_TAP, TAP, WEBSOCKETS, Lane

MB = 1024 * 1024
PARTS: dict[str, Callable[[RawPeer], bytes]] = {
    "between messages": lambda peer: b"",
    "in a header": lambda peer: peer.message(bytes(200))[:3],
    "in a payload": lambda peer: peer.message("torn")[:-1],
    "in a long payload": lambda peer: peer.message(bytes(MB))[:-1],
    "between fragments": lambda peer: peer.frame(TEXT, b"torn", fin=False),
}


def word(ending: Ending) -> str:
    """The word of an error."""
    assert isinstance(ending, ErrorEnding)
    assert ending.text
    return ending.word


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
async def test_an_end_without_a_goodbye(lane: Lane, part: Callable[[RawPeer], bytes]) -> None:
    """It is `eof`, never 1006; whole messages come first, and of a torn one nothing comes."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("one"), peer.message(b"two"), part(peer))
        peer.wire.finish()
        assert word(await subject.ended()) == "eof"
        assert subject.messages == ["one", b"two"]


async def test_an_end_of_tcp_alone(lane: Lane) -> None:
    """Where there is TLS, an end without its goodbye is `eof` too: WebSocket has a goodbye of its own."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("one"))
        peer.wire.cut()
        assert word(await subject.ended()) == "eof"
        assert subject.messages == ["one"]


async def test_a_peer_that_only_stops_speaking(lane: Lane) -> None:
    """A half-close, while the peer still reads, ends the connection: nobody can answer our goodbye any more."""
    async with lane.open() as (subject, peer):
        subject.transport.send("before")
        peer.wire.finish()
        assert word(await subject.ended()) == "eof"
        assert await peer.hear_message() == "before"
        subject.transport.abort()
        assert await peer.hear() is None


async def test_a_reset(lane: Lane) -> None:
    """It is `reset`, with the number of the system, also under TLS."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("one"))
        assert await subject.message() == "one"
        peer.wire.reset()
        ending = await subject.ended()
        assert word(ending) == "reset"
        assert isinstance(ending, ErrorEnding)
        assert ending.errno == errno.ECONNRESET


async def test_a_reset_while_we_write(lane: Lane) -> None:
    """What waits to be sent does not hide the loss, nor keep anything running."""
    async with lane.open() as (subject, peer):
        subject.transport.send(bytes(4 * MB))
        await trio.testing.wait_all_tasks_blocked()
        peer.wire.reset()
        ending = await subject.ended()
        assert word(ending) == "reset"
        assert isinstance(ending, ErrorEnding)
        assert ending.errno in (errno.ECONNRESET, errno.EPIPE)
        with pytest.raises(trio.BrokenResourceError):
            subject.transport.send("x")


@pytest.mark.matrix(wires=("socket tls", "memory tls"))
async def test_tls_that_breaks_off(lane: Lane) -> None:
    """A record that was changed on its way is a loss like others, without a number of the system."""
    async with lane.open() as (subject, peer):
        peer.say(peer.message("one"))
        peer.wire.garble()
        assert await subject.ended() == ErrorEnding("reset", "TLS broke off")
        assert subject.messages == ["one"]


@pytest.mark.matrix(wires=("socket", "socket tls"))
async def test_our_side_ends_by_the_system(lane: Lane) -> None:
    """A socket that is shut down under us is an end like any other."""
    async with lane.open() as (subject, peer):
        peer.wire.pipe._socket.shutdown(socket.SHUT_RDWR)
        assert word(await subject.ended()) in ("eof", "reset")


# An end by us


async def test_abort(lane: Lane) -> None:
    """It drops the connection without a word, whoever waits for a message is told at once, again is no harm."""
    async with lane.open() as (subject, peer):
        await trio.testing.wait_all_tasks_blocked()
        subject.transport.abort()
        subject.transport.abort()
        assert word(await subject.ended()) == "eof"
        await subject.hosted.wait()
        assert subject.pipe.closed
        assert await peer.hear() is None


async def test_abort_before_anybody_listens(lane: Lane) -> None:
    """A connection that nobody has listened to yet can be dropped; whoever listens then is told of the end."""
    async with lane.open(driven=False) as (subject, peer):
        peer.say(peer.message("one"))
        subject.transport.abort()
        subject.drive()
        assert word(await subject.ended()) == "eof"
        await subject.hosted.wait()
        assert await peer.hear() is None


@pytest.mark.matrix(wires=FEW)
async def test_abort_by_another_task_while_messages_come(lane: Lane) -> None:
    """Wherever in a flood it happens, what came is in order, nothing comes after the end, and the end is told once."""
    async with lane.open() as (subject, peer):
        peer.say(*(peer.message(str(number)) for number in range(2000)))

        async def dropper() -> None:
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            subject.transport.abort()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(dropper)
        assert word(await subject.ended()) == "eof"
        assert subject.messages == [str(number) for number in range(len(subject.messages))]


@pytest.mark.parametrize("at", [1, 2, 30])
async def test_abort_while_a_message_is_taken(lane: Lane, at: int) -> None:
    """Whoever takes messages may drop the connection in that very step; the end is told once, and after it nothing."""
    async with lane.open() as (subject, peer):
        ended_at: list[int] = []

        def drop() -> None:
            if len(subject.messages) >= at and not ended_at:
                ended_at.append(len(subject.messages))
                subject.transport.abort()

        subject.recorder.on_put = drop
        peer.say(*(peer.message(str(number)) for number in range(100)))
        assert word(await subject.ended()) == "eof"
        await subject.hosted.wait()
        assert ended_at
        assert subject.messages == [str(number) for number in range(len(subject.messages))]


async def test_abort_while_there_is_no_room(lane: Lane) -> None:
    """Whoever holds messages back may drop the connection, and nobody goes on waiting for room."""
    async with lane.open() as (subject, peer):
        subject.recorder.shut()
        peer.say(*(peer.message(bytes(1024)) for _ in range(1000)))
        await trio.testing.wait_all_tasks_blocked()
        subject.transport.abort()
        await subject.hosted.wait()
        subject.recorder.widen()
        assert word(await subject.ended()) == "eof"


async def test_a_pipe_that_others_abort(lane: Lane) -> None:
    """A pipe that is aborted under it ends it, and nobody says that the peer had done it."""
    async with lane.open() as (subject, peer):
        await trio.testing.wait_all_tasks_blocked()
        subject.pipe.abort()
        ending = await subject.ended()
        assert ending == ErrorEnding("eof", "dropped on this side")
        await subject.hosted.wait()
        assert await peer.hear() is None


# Receiving is one wait, and may be cancelled


async def cancel_after(steps: int, scope: trio.CancelScope) -> None:
    """Cancel when so many steps have passed."""
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


@pytest.mark.matrix(libraries=(NO_TAP, WEBSOCKETS))
@pytest.mark.parametrize("together", [1, 5])
async def test_a_cancelled_receive_loses_nothing(lane: Lane, together: int) -> None:
    """Cancelled at every step that it may wake in, it loses none of 200 messages and gives none twice."""
    sent = [str(number) for number in range(200)]
    async with lane.open(driven=False) as (subject, peer):
        got: list[str | bytes] = []
        cancelled = waits = 0

        async def say() -> None:
            for at in range(0, 200, together):
                peer.say(*map(peer.message, sent[at : at + together]))
                for _ in range(at // together % 5 * 4):
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            while len(got) < 200:
                with trio.CancelScope() as scope:
                    nursery.start_soon(cancel_after, waits % 4, scope)
                    got += await subject.transport.receive()
                waits += 1
                cancelled += scope.cancelled_caught
        assert got == sent
        assert cancelled > 10
        peer.say(peer.close(1000))
        assert await subject.transport.receive() == ()
        assert await subject.transport.receive() == ()


@pytest.mark.matrix(libraries=(NO_TAP, WEBSOCKETS))
async def test_a_receive_that_is_cancelled_while_nothing_comes(lane: Lane) -> None:
    """The connection lives on, and the next message is received."""
    async with lane.open(driven=False) as (subject, peer):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(subject.transport.receive)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert subject.transport.ended is None
        peer.say(peer.frame(PONG), peer.frame(BINARY, b"late"))
        assert await subject.transport.receive() == (b"late",)


@pytest.mark.matrix(libraries=(TAP, NO_TAP))
async def test_a_cancelled_host_drops_the_connection(lane: Lane) -> None:
    """Where the opening task stays as the library's host, cancelling it ends the connection for all."""
    async with lane.open() as (subject, peer):
        await trio.testing.wait_all_tasks_blocked()
        subject.host_scope.cancel()
        assert await subject.ended() == ErrorEnding("eof", "dropped on this side")
        assert subject.pipe.closed
        assert await peer.hear() is None
