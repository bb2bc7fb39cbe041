import base64
import errno
import hashlib
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket
import wsproto
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Pong, Request, TextMessage

from lifecycle.trio.dial import connect_tcp
from lifecycle.trio.losses import MOST_OF_AN_ANSWER
from lifecycle.trio.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipe import Pipe, PipeStream, SocketPipe
from lifecycle.trio.transport import Transport, TransportFailed
from lifecycle.trio.trio_websocket import QUEUE, TrioWebsocketTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding

REQUEST = DialRequest.parse("ws://peer.example/path?a=1", limit=1000)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accepted(request: bytes) -> bytes:
    """The answer that opens a connection."""
    (key,) = [line[19:] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")]
    token = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n"


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A frame as a server sends it."""
    length = struct.pack("!B", len(payload)) if len(payload) < 126 else struct.pack("!BH", 126, len(payload))
    return bytes([0x80 | opcode]) + length + payload


def close(code: int, reason: str = "") -> bytes:
    """A close frame as a server sends it."""
    return frame(8, struct.pack("!H", code) + reason.encode())


async def read(pipe: Pipe) -> bytes:
    """Wait for the next bytes, or the end."""
    return await PipeStream(pipe).receive_some()


async def host(
    request: DialRequest, pipe: Pipe, *, task_status: trio.TaskStatus[TrioWebsocketTransport] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run a transport in a nursery, whose `start` gives it."""
    await TrioWebsocketTransport.dial(request, pipe, task_status.started)


async def dial(
    nursery: trio.Nursery, after: bytes = b"", request: DialRequest = REQUEST, room: int = 65_536
) -> tuple[TrioWebsocketTransport, MemoryPipe]:
    """Open a connection to a peer of the test's own, which says more in the segment of its 101."""
    near, far = memory_pair(nursery.start_soon, room=room)

    async def peer() -> None:
        far.write(accepted(await read(far)) + after)

    nursery.start_soon(peer)
    transport: TrioWebsocketTransport = await nursery.start(host, request, near)
    return transport, far


async def refused(answer: Callable[[MemoryPipe], None]) -> Ending:
    """Dial a peer that does not open, and say why."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            await read(far)
            answer(far)

        nursery.start_soon(peer)
        with pytest.raises(TransportFailed) as caught:
            await TrioWebsocketTransport.dial(REQUEST, near, _never_opened)
        assert near.closed
        assert str(caught.value) == str(caught.value.ending)
        nursery.cancel_scope.cancel()
    return caught.value.ending


def _never_opened(_: Transport) -> None:
    pytest.fail("it was opened")


async def everything(transport: Transport) -> list[str | bytes]:
    """Receive until the end."""
    got: list[str | bytes] = []
    while batch := await transport.receive():
        got += batch
    assert transport.ended
    assert await transport.receive() == ()
    return got


class Decoder:
    """The other end by a parser of its own: what comes of a client's bytes."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.connection = wsproto.connection.Connection(wsproto.ConnectionType.SERVER)
        self.seen: list[Event] = []

    async def event(self) -> Event:
        """Wait for the next event."""
        while not self.seen:
            self.connection.receive_data(await read(self.pipe))
            self.seen = list(self.connection.events())
        return self.seen.pop(0)

    async def message(self) -> str | bytes | Event:
        """Wait for the next whole message, or another event."""
        parts: list[Any] = []
        while True:
            event = await self.event()
            if not isinstance(event, TextMessage | BytesMessage):
                return event
            parts.append(event.data)
            if event.message_finished:
                return ("" if isinstance(event, TextMessage) else b"").join(parts)


# The opening handshake


async def test_the_request_says_what_was_asked_for() -> None:
    """Host, resource, headers and subprotocols reach a server, whose messages reach us."""
    request = DialRequest.parse(
        "ws://peer.example:8080/path", {"a": "b c"}, {"Authorization": "Bearer é"}, ["one", "two"]
    )
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        seen: list[object] = []

        async def server() -> None:
            asked = await trio_websocket.wrap_server_stream(nursery, PipeStream(far))
            headers = dict(asked.headers)
            seen.extend([asked.path, headers[b"authorization"], asked.proposed_subprotocols])
            websocket = await asked.accept(subprotocol="two")
            await websocket.send_message("hello")
            seen.append(await websocket.get_message())
            await websocket.aclose(4000, "enough")

        nursery.start_soon(server)
        transport: TrioWebsocketTransport = await nursery.start(host, request, near)
        transport.send(b"there")
        assert await everything(transport) == ["hello"]
        assert transport.ended == CloseEnding(4000, "enough", "peer")
    assert seen == ["/path?a=b%20c", b"Bearer \xe9", ("one", "two"), b"there"]


async def test_the_host_header_is_the_authority() -> None:
    """A port that is not the default stands in the Host header."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        nursery.start_soon(host, DialRequest.parse("wss://peer.example:80/"), near)
        assert b"\r\nHost: peer.example:80\r\n" in await read(far)
        nursery.cancel_scope.cancel()


def http(answer: bytes, *, ends: bool = False) -> Callable[[MemoryPipe], None]:
    """Answer with these bytes, and perhaps end."""

    def act(far: MemoryPipe) -> None:
        far.write(answer)
        if ends:
            far.write_eof()

    return act


@pytest.mark.parametrize(
    ("answer", "ends", "expected"),
    [
        (
            b"HTTP/1.1 401 No\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy",
            False,
            HttpEnding(401, {"retry-after": "7", "content-length": "3"}, b"why"),
        ),
        (b"HTTP/1.1 503 Busy\r\nX: 1\r\nx: 2\r\n\r\nbody", True, HttpEnding(503, {"x": "1, 2"}, b"body")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: ws://x/\r\nContent-Length: 0\r\n\r\n",
            False,
            HttpEnding(302, {"location": "ws://x/", "content-length": "0"}),
        ),
        (
            b"HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            False,
            HttpEnding(500, {"transfer-encoding": "chunked"}, b"abc"),
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", True, HttpEnding(200, {"content-length": "9"}, b"cut")),
    ],
    ids=["401 with a body", "503 without a length", "302", "chunked", "cut off"],
)
async def test_an_answer_of_http(answer: bytes, *, ends: bool, expected: HttpEnding) -> None:
    """A status other than 101 is told with its headers, in lower case, and its body."""
    assert await refused(http(answer, ends=ends)) == expected


async def test_an_answer_without_end() -> None:
    """A refusal whose body goes on and on is told as soon as enough of it has come."""
    head = b"HTTP/1.1 503 Busy\r\n\r\n"

    def flood(far: MemoryPipe) -> None:
        far.write(head + bytes(10 * MOST_OF_AN_ANSWER))

    ending = await refused(flood)
    assert isinstance(ending, HttpEnding)
    assert ending.status == 503
    assert len(head + ending.body) == MOST_OF_AN_ANSWER


WRONG_KEY = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "ends", "text"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", False, "opens no WebSocket"),
        (b"HTTP/1.1 abc\r\n\r\n", False, "opens no WebSocket"),
        (WRONG_KEY, False, "opens no WebSocket"),
        (b"HTTP/1.1 101 X\r\nConnection: \xff\r\n\r\n", False, "opens no WebSocket"),
        (b"HTTP/1.1 503 Bu", True, "opens no WebSocket"),
        (b"garbage", True, "opens no WebSocket"),
        (b"", True, "without an answer"),
    ],
    ids=["not HTTP", "no status", "wrong accept key", "no ASCII", "head cut off", "garbage, then EOF", "EOF"],
)
async def test_a_handshake_that_fails(answer: bytes, *, ends: bool, text: str) -> None:
    """What is neither an opening nor a refusal is `handshake`, also where the library would wait for ever."""
    ending = await refused(http(answer, ends=ends))
    assert isinstance(ending, ErrorEnding)
    assert ending.word == "handshake"
    assert text in ending.text


async def test_a_reset_in_the_handshake() -> None:
    """It is `handshake`, and its number is kept."""
    ending = await refused(MemoryPipe.reset)
    assert ending == ErrorEnding("handshake", "Connection reset by peer", errno.ECONNRESET)


async def test_a_pipe_that_is_broken_before_the_handshake() -> None:
    """Nothing can be asked on it, and the library does not wait for an answer."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        far.reset()
        assert near.read() == b""
        with pytest.raises(TransportFailed) as caught:
            await TrioWebsocketTransport.dial(REQUEST, near, _never_opened)
        assert caught.value.ending == ErrorEnding("handshake", "Connection reset by peer", errno.ECONNRESET)


async def test_tls_that_breaks_in_the_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert that comes after the keys were agreed on, as for a missing client certificate, is `tls`."""
    error = ssl.SSLError(1, "[SSL: CERTIFICATE_REQUIRED]")
    error.reason = "CERTIFICATE_REQUIRED"

    def alert(far: MemoryPipe) -> None:
        far.write_eof()

    monkeypatch.setattr(MemoryPipe, "broken", error)
    assert await refused(alert) == ErrorEnding("tls", "certificate required")


async def test_silence_in_the_handshake() -> None:
    """The caller's own timeout cancels the dial, and the pipe is aborted."""
    async with trio.open_nursery() as nursery:
        near, _ = memory_pair(nursery.start_soon)
        with trio.move_on_after(10) as scope:
            await TrioWebsocketTransport.dial(REQUEST, near, _never_opened)
        assert scope.cancelled_caught
        assert near.closed
    assert trio.current_time() == pytest.approx(10)


async def test_a_fault_of_the_caller_leaves_as_it_is() -> None:
    """What `opened` raises leaves alone, not in a group, and the connection is gone."""

    def opened(_: Transport) -> None:
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            far.write(accepted(await read(far)))

        nursery.start_soon(peer)
        with pytest.raises(ZeroDivisionError):
            await TrioWebsocketTransport.dial(REQUEST, near, opened)
        assert near.closed


# How a connection ends


@pytest.mark.parametrize(
    ("after", "messages", "expected"),
    [
        (frame(1, b"hi") + close(1012), ["hi"], CloseEnding(1012)),
        (close(4401, "bad token"), [], CloseEnding(4401, "bad token")),
        (frame(2, b"\0") + frame(8), [b"\0"], CloseEnding(1005)),
        (close(1002), [], CloseEnding(1002)),
        (close(1009), [], CloseEnding(1009)),
        (frame(1, b"hi") + frame(1, b"\xff"), ["hi"], 1007),
        (b"\x81\x81aaaa\x00", [], 1002),
        (close(1006), [], 1002),
        (b"\x01\x01\xc3\x89\x01P\x80\x01\xa9" + close(1000), ["é"], CloseEnding(1000)),
    ],
    ids=[
        "message, then close 1012",
        "close with a reason",
        "close empty",
        "the peer says 1002",
        "the peer says 1009",
        "invalid UTF-8",
        "masked frame",
        "1006 on the wire",
        "a character cut in two, and a pong between",
    ],
)
async def test_what_the_peer_says_ends_it(after: bytes, messages: list[str | bytes], expected: Ending | int) -> None:
    """All in the segment of the 101: its messages come first, then its close; a violation is ours to tell the peer."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, after)
        assert await everything(transport) == messages
        if isinstance(expected, int):
            text = f"the peer broke the protocol; we closed with code {expected}"
            assert transport.ended == ErrorEnding("protocol", text)
            said = await Decoder(far).event()
            assert isinstance(said, CloseConnection)
            assert said.code == expected
        else:
            assert transport.ended == expected
        transport.abort()


async def test_an_end_without_close() -> None:
    """What was sent before is received, then it is `eof`, never 1006."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, frame(1, b"hi"))
        far.abort()
        assert await everything(transport) == ["hi"]
        assert transport.ended == ErrorEnding("eof", "the peer ended the connection without a close frame")


async def test_a_reset() -> None:
    """It is `reset`, with its number."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        far.reset()
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)


async def test_tls_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of TLS on an open connection is a loss like others, without a number of the system."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        monkeypatch.setattr(MemoryPipe, "broken", ssl.SSLError(1, "bad record mac"))
        far.write_eof()
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "TLS broke off")


@pytest.mark.parametrize(
    "message",
    [frame(2, bytes(1001)), frame(1, b"\xc3\xa9" * 501), b"\x02\x7e\x02\x58" + bytes(600) + frame(0, bytes(500))],
    ids=["binary", "text whose bytes are too many", "fragments"],
)
async def test_a_message_over_the_limit(message: bytes) -> None:
    """It is `too_big`, told to the peer by 1009; the limit counts bytes, and a message of just that length passes."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        for just in (frame(2, bytes(1000)), frame(1, b"\xc3\xa9" * 500)):
            far.write(just)
            (got,) = await transport.receive()
            assert len(got if isinstance(got, bytes) else got.encode()) == 1000
        far.write(message)
        assert await transport.receive() == ()
        assert transport.ended == ErrorEnding("too_big", "a message was longer than 1000 bytes")
        said = await Decoder(far).event()
        assert isinstance(said, CloseConnection)
        assert said.code == 1009
        transport.abort()


async def test_the_first_ending_stays() -> None:
    """Neither the peer's EOF nor our abort changes what the close frame said."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, close(4401, "bad"))
        await everything(transport)
        far.abort()
        await trio.testing.wait_all_tasks_blocked()
        transport.abort()
        transport.abort()
        assert transport.ended == CloseEnding(4401, "bad")


async def test_dial_returns_when_the_peer_has_ended() -> None:
    """The host returns though nobody receives; the messages that came are still there, then the ending."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, frame(1, b"one") + frame(1, b"two") + close(1001))
        far.write_eof()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert transport.ended == CloseEnding(1001)
        assert await everything(transport) == ["one", "two"]


# Our side


async def test_messages_are_sent() -> None:
    """Text and bytes go out as they are, whole, also when the peer reads slowly."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, room=4096)
        transport.send("é")
        transport.send(bytes(100_000))
        transport.ping(b"p")
        decoder = Decoder(far)
        assert await decoder.message() == "é"
        assert await decoder.message() == bytes(100_000)
        assert await decoder.message() == Ping(payload=b"p")
        transport.abort()


async def test_a_send_is_not_torn() -> None:
    """A message is given whole in one step, so a sender that is cancelled has sent it; the next one is not hurt."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, room=65_536)
        with trio.CancelScope() as scope:
            scope.cancel()
            transport.send(bytes(8 * 1024 * 1024))
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        transport.send(b"0123456789")
        decoder = Decoder(far)
        assert await decoder.message() == bytes(8 * 1024 * 1024)
        assert await decoder.message() == b"0123456789"
        transport.abort()


async def _cancel_after(steps: int, scope: trio.CancelScope) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_cancelled_receive_loses_nothing() -> None:
    """A message that comes after a cancelled wait is still there."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        with trio.move_on_after(1) as scope:
            await transport.receive()
        assert scope.cancelled_caught
        assert transport.ended is None
        far.write(frame(1, b"late"))
        assert await transport.receive() == ("late",)
        transport.abort()


async def test_a_ping_is_answered_and_heard() -> None:
    """The library answers pings, and the pipe notices that something came, though there is no message."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        heard: list[float] = []
        transport._pipe.heard = lambda: heard.append(trio.current_time())
        await trio.sleep(3)
        far.write(frame(9, b"you?"))
        pong = await Decoder(far).event()
        assert isinstance(pong, Pong)
        assert pong.payload == b"you?"
        assert heard == [3]
        transport.abort()


async def test_a_full_queue_holds_the_reader_back() -> None:
    """While nobody receives, only so many messages are taken, and the peer is held back; none is lost."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery, room=1024)
        sent = [str(number) for number in range(5000)]
        far.write(b"".join(frame(1, text.encode()) for text in sent))
        far.write(close(1000))
        await trio.testing.wait_all_tasks_blocked()
        assert transport._websocket._recv_channel.statistics().current_buffer_used == QUEUE
        assert far.sent < far.given
        assert await everything(transport) == sent
        transport.abort()


async def test_our_close_is_answered() -> None:
    """We say goodbye in one step; when the peer has answered it is a close by us, and nothing more can be sent."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        transport.close(4000, "going")
        transport.close(4001, "again")
        said = await Decoder(far).event()
        assert isinstance(said, CloseConnection)
        assert (said.code, said.reason) == (4000, "going")
        assert transport.ended is None
        with pytest.raises(trio.BrokenResourceError):
            transport.send("more")
        far.write(frame(1, b"on its way") + close(4000, "going"))
        assert await everything(transport) == ["on its way"]
        assert transport.ended == CloseEnding(4000, "going", "local")
        transport.ping()
        transport.abort()


async def test_a_ping_after_our_close_ends_it() -> None:
    """The library dies of a ping that it may not answer any more; it is the close that we asked for."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        transport.close(1001, "away")
        far.write(frame(9))
        assert await everything(transport) == []
        assert transport.ended == CloseEnding(1001, "away", "local")


async def test_a_library_that_dies_without_a_known_reason() -> None:
    """It is `protocol`, whoever is to blame: the connection is of no use."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        transport._wsproto.send(CloseConnection(code=1000))  # as nobody does
        far.write(frame(9))
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("protocol", "the WebSocket library gave up")


async def test_abort_drops_it_without_a_word() -> None:
    """The host returns, the peer sees an end without a close, a waiting receiver is told; again is no harm."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        got: list[object] = []

        async def receiver() -> None:
            got.append(await transport.receive())

        nursery.start_soon(receiver)
        await trio.testing.wait_all_tasks_blocked()
        transport.abort()
        transport.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert got == [()]
        assert transport.ended == ErrorEnding("eof", "dropped on this side")
        assert await read(far) == b""
        with pytest.raises(trio.BrokenResourceError):
            transport.send("more")
        transport.close()
        transport.ping()


async def test_a_pipe_aborted_by_others() -> None:
    """A pipe that the driver aborts ends the host; nobody says that the peer had done it."""
    async with trio.open_nursery() as nursery:
        transport, _ = await dial(nursery)
        transport._pipe.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert transport.ended == ErrorEnding("eof", "dropped on this side")


async def test_a_cancelled_host_drops_the_connection() -> None:
    """Whoever cancels `dial` gets an aborted pipe and an ended transport, and `Cancelled` leaves as it is."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            far.write(accepted(await read(far)))

        nursery.start_soon(peer)
        found: list[Transport] = []
        with trio.move_on_after(5) as scope:
            await TrioWebsocketTransport.dial(REQUEST, near, found.append)
        assert scope.cancelled_caught
        assert near.closed
        assert found[0].ended == ErrorEnding("eof", "dropped on this side")


async def test_cancelled_at_every_step() -> None:
    """Wherever a dial and its first messages are cancelled, only the scope notices, and the pipe is aborted."""
    step = 0
    while True:
        step += 1
        async with trio.open_nursery() as nursery:
            near, far = memory_pair(nursery.start_soon)

            async def peer(far: MemoryPipe = far) -> None:
                far.write(accepted(await read(far)) + frame(1, b"hi") + close(1000))
                far.write_eof()

            nursery.start_soon(peer)
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_after, step, scope)
                await TrioWebsocketTransport.dial(REQUEST, near, lambda _: None)
            assert near.closed
            nursery.cancel_scope.cancel()
        if not scope.cancelled_caught:
            break
    assert step > 5


async def test_a_sender_meets_a_broken_pipe() -> None:
    """A loss is told to the next sender at once, and to the receiver with its number."""
    async with trio.open_nursery() as nursery:
        transport, far = await dial(nursery)
        far.abort()
        transport._pipe.write(b"breaks it")
        with pytest.raises(trio.BrokenResourceError):
            transport.send("x")
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "Broken pipe", errno.EPIPE)


async def test_what_cannot_be_said_is_refused() -> None:
    """A close code outside its range and a ping that is too long are faults of the caller."""
    async with trio.open_nursery() as nursery:
        transport, _ = await dial(nursery)
        with pytest.raises(ValueError, match="from 1000 to 4999, not 999"):
            transport.close(999)
        with pytest.raises(ValueError, match="at most 125 bytes, not 126"):
            transport.ping(bytes(126))
        transport.abort()


# On sockets


@pytest.mark.real_time
async def test_on_a_socket() -> None:
    """The same over TCP, with a server of trio-websocket: a message there and back, then its close."""

    async def server(asked: trio_websocket.WebSocketRequest) -> None:
        websocket = await asked.accept()
        await websocket.send_message(await websocket.get_message())
        await websocket.aclose(1012, "restart")

    async with trio.open_nursery() as nursery:
        serve = trio_websocket.serve_websocket
        started: trio_websocket.WebSocketServer = await nursery.start(serve, server, "127.0.0.1", 0, None)
        pipe = SocketPipe(await connect_tcp("127.0.0.1", started.port), nursery.start_soon)
        transport: TrioWebsocketTransport = await nursery.start(
            host, DialRequest.parse(f"ws://127.0.0.1:{started.port}"), pipe
        )
        transport.send(bytes(1_000_000))
        assert await everything(transport) == [bytes(1_000_000)]
        assert transport.ended == CloseEnding(1012, "restart")
        nursery.cancel_scope.cancel()


@pytest.mark.real_time
async def test_a_real_reset(sockets: tuple[socket.socket, socket.socket]) -> None:
    """A RST on the wire is `reset`, with the number of the system."""
    ours, theirs = sockets
    async with trio.open_nursery() as nursery:
        near, far = SocketPipe(ours, nursery.start_soon), SocketPipe(theirs, nursery.start_soon)

        async def peer() -> None:
            far.write(accepted(await read(far)))

        nursery.start_soon(peer)
        transport: TrioWebsocketTransport = await nursery.start(host, REQUEST, near)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.abort()
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)


def test_events_of_the_parser_are_those_we_know() -> None:
    """The other end of these tests speaks by the same parser as the library."""
    connection = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    connection.receive_data(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert [type(event) for event in connection.events()] == [Request]
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in connection.send(AcceptConnection())
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in accepted(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
