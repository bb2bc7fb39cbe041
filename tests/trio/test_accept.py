import errno
import socket
from collections.abc import Callable

import hypothesis
import pytest
import trio
import trio.testing
import trio_websocket
from hypothesis import strategies as st

from lifecycle.trio.pipes.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import PipeStream, SocketPipe
from lifecycle.trio.transports.streams import READ_SIZE
from lifecycle.trio.transports.transport import Asking, Transport, TransportFailed
from lifecycle.trio.transports.trio_websocket import TrioWebsocketTransport
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .conformance.raw import RawPeer, Wire, asking

LIMIT = 1000
PEER = "192.0.2.7"


class Server:
    """One call of `accept`, and what became of it.

    Attributes:
        near, far: the pipe, and the client's end of it.
        client: by hand, on the far end.
        asked: what the client asked, once it has.
        ending: why there was nobody to admit.
        left: set when the host has returned.
        scope: around the host.
    """

    def __init__(self, nursery: trio.Nursery, answer: Callable[[Asking], object] = lambda _: None, room: int = 65_536):
        self.near, self.far = memory_pair(nursery.start_soon, room=room)
        self.client = RawPeer(Wire(self.far), client=True)
        self.asked: list[Asking] = []
        self.ending: Ending | None = None
        self.left = trio.Event()
        self.scope = trio.CancelScope()
        self._answer = answer
        nursery.start_soon(self._host)

    async def _host(self) -> None:
        try:
            with self.scope:
                await TrioWebsocketTransport.accept(self.near, LIMIT, PEER, self._hear)
        except TransportFailed as failed:
            self.ending = failed.ending
        assert self.near.closed
        self.left.set()

    def _hear(self, found: Asking) -> None:
        self.asked.append(found)
        self._answer(found)

    async def asking(self) -> Asking:
        """Wait until the client has asked."""
        while not self.asked:
            await trio.testing.wait_all_tasks_blocked()
        return self.asked[0]


async def admit(nursery: trio.Nursery, *behind: bytes, room: int = 65_536) -> tuple[Server, Transport]:
    """Admit a client at once; it says something in the segment of its request."""
    server = Server(nursery, room=room)
    server.client.say(asking(), *behind)
    return server, (await server.asking()).admit()


# Admitting


async def test_a_client_is_admitted() -> None:
    """What it asks for is told whole; then messages pass both ways until it says goodbye."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        server.client.say(asking(b"X-A: 1", b"x-a: 2", b"Cookie: \xe9", line=b"GET /a%20b?c=d%20e HTTP/1.1"))
        found = await server.asking()
        upgrade = found.upgrade
        assert (upgrade.path, upgrade.query, upgrade.peer) == ("/a b", {"c": "d e"}, PEER)
        assert upgrade.headers["x-a"] == "1, 2"
        assert upgrade.headers["cookie"] == "é"
        assert upgrade.headers["host"] == "peer.example"
        assert server.far.read() is None
        transport = found.admit()
        assert (await server.client.head()).startswith(b"HTTP/1.1 101 ")
        transport.send("hello")
        assert await server.client.hear_message() == "hello"
        server.client.say(server.client.message("there"), server.client.close(4000, "enough"))
        assert await transport.receive() == ("there",)
        assert await transport.receive() == ()
        assert transport.ended == CloseEnding(4000, "enough")
        assert (await server.client.hear_close()).code == 4000
        server.far.abort()
        await server.left.wait()
        assert server.ending is None


async def test_admitted_later() -> None:
    """Whoever is asked may think about it; meanwhile the client has heard nothing."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        server.client.say(asking())
        found = await server.asking()
        await trio.sleep(3600)
        assert server.far.read() is None
        found.admit().send("at last")
        assert (await server.client.head()).startswith(b"HTTP/1.1 101 ")
        assert await server.client.hear_message() == "at last"
        with pytest.raises(RuntimeError, match="answered already"):
            found.admit()
        with pytest.raises(RuntimeError, match="answered already"):
            found.refuse(403, {})
        nursery.cancel_scope.cancel()


async def test_a_subprotocol() -> None:
    """One that was offered is agreed on; another one is a fault of ours, after which there is still time to answer."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        server.client.say(asking(b"Sec-WebSocket-Protocol: one, two", b"Sec-WebSocket-Protocol: three"))
        found = await server.asking()
        assert found.upgrade.subprotocols == ("one", "two", "three")
        with pytest.raises(ValueError, match="did not ask for the subprotocol 'four'"):
            found.admit("four")
        assert server.far.read() is None
        found.admit("three")
        assert b"\r\nsec-websocket-protocol: three\r\n" in (await server.client.head()).lower()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("size", [10, 900], ids=["little", "more than one read"])
async def test_frames_in_the_segment_of_the_request(size: int, *, later: bool) -> None:
    """A client that does not wait for its answer is heard, whole and in order, whenever it is admitted."""
    many = 10 if size == 10 else 2 * READ_SIZE // size
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        messages = [b"%04d" % number + bytes(size) for number in range(many)]
        server.client.say(asking(), *map(server.client.message, messages), server.client.close(1000))
        found = await server.asking()
        if later:
            await trio.sleep(60)
            server.far.write(b"")
        transport = found.admit()
        got: list[str | bytes] = []
        while batch := await transport.receive():
            got += batch
        assert got == messages
        assert transport.ended == CloseEnding(1000)
        nursery.cancel_scope.cancel()


# How a connection ends


async def test_our_goodbye() -> None:
    """When the client has answered it, the server ends its side first, and is left when the client has too."""
    async with trio.open_nursery() as nursery:
        server, transport = await admit(nursery)
        await server.client.head()
        transport.close(1012, "restart")
        assert (await server.client.hear_close()).reason == "restart"
        server.client.say(server.client.close(1012, "restart"))
        assert await server.client.hear() is None
        assert transport.ended == CloseEnding(1012, "restart", "local")
        assert not server.left.is_set()
        server.far.write_eof()
        await server.left.wait()


async def test_the_answer_to_a_goodbye_comes_behind_what_was_sent() -> None:
    """A server that ends the connection after a close loses nothing of what it has kept for the client."""
    async with trio.open_nursery() as nursery:
        server, transport = await admit(nursery, room=1000)
        await server.client.head()
        transport.send(bytes(100_000))
        server.client.say(server.client.close(1000))
        assert await transport.receive() == ()
        assert await server.client.hear_message() == bytes(100_000)
        assert (await server.client.hear_close()).code == 1000
        assert await server.client.hear() is None
        server.far.abort()
        await server.left.wait()
        assert transport.ended == CloseEnding(1000)


@pytest.mark.parametrize(
    ("say", "code", "expected"),
    [
        (
            lambda client: client.frame(1, b"\xff"),
            1007,
            ErrorEnding("protocol", "the peer broke the protocol; we closed with code 1007"),
        ),
        (
            lambda client: client.frame(1, b"x", masks=False),
            1002,
            ErrorEnding("protocol", "the peer broke the protocol; we closed with code 1002"),
        ),
        (
            lambda client: client.message(bytes(LIMIT + 1)),
            1009,
            ErrorEnding("too_big", "a message was longer than 1000 bytes"),
        ),
        (
            lambda client: client.message("é" * (LIMIT // 2 + 1)),
            1009,
            ErrorEnding("too_big", "a message was longer than 1000 bytes"),
        ),
    ],
    ids=["no UTF-8", "not masked", "too big", "too big in bytes"],
)
async def test_a_client_that_breaks_a_rule(say: Callable[[RawPeer], bytes], code: int, expected: Ending) -> None:
    """It is told by a close frame, though the library would end the stream without one."""
    async with trio.open_nursery() as nursery:
        server, transport = await admit(nursery)
        await server.client.head()
        server.client.say(server.client.message(bytes(LIMIT)), say(server.client))
        assert await transport.receive() == (bytes(LIMIT),)
        assert await transport.receive() == ()
        assert transport.ended == expected
        assert (await server.client.hear_close()).code == code
        server.far.abort()
        await server.left.wait()


async def test_an_end_without_a_goodbye() -> None:
    """EOF and reset are told as they are to a client."""
    for end, expected in (
        (MemoryPipe.abort, ErrorEnding("eof", "the peer ended the connection without a close frame")),
        (MemoryPipe.reset, ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)),
    ):
        async with trio.open_nursery() as nursery:
            server, transport = await admit(nursery)
            end(server.far)
            assert await transport.receive() == ()
            await server.left.wait()
            assert transport.ended == expected
            assert server.ending is None


async def test_abort_and_cancellation() -> None:
    """Both leave an aborted pipe and a transport that was dropped on this side."""
    for act in (lambda _, transport: transport.abort(), lambda server, _: server.scope.cancel()):
        async with trio.open_nursery() as nursery:
            server, transport = await admit(nursery)
            act(server, transport)
            await server.left.wait()
            assert transport.ended == ErrorEnding("eof", "dropped on this side")
            assert server.ending is None


# Refusing


@pytest.mark.parametrize("body", [b"", b"why \xff", bytes(200_000)], ids=["empty", "short", "long"])
async def test_a_client_is_refused(body: bytes) -> None:
    """Status, headers and body arrive whole, however slowly they are read, then the end; nobody is left."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, lambda found: found.refuse(429, {"Retry-After": "7", "X": "é"}, body), room=1000)
        server.client.say(asking(), server.client.message("early"))
        head, _, rest = (await server.client.body()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 ")
        lines = head.lower().split(b"\r\n")
        assert {b"retry-after: 7", b"x: \xe9", b"connection: close", b"content-length: %d" % len(body)} <= {*lines}
        assert rest == body
        server.client.say(server.client.message("still here"))
        await trio.testing.wait_all_tasks_blocked()
        assert not server.left.is_set()
        server.far.write_eof()
        await server.left.wait()
        assert server.ending is None


async def test_a_refusal_that_cannot_be_sent() -> None:
    """A wrong status or header is a fault of ours, in a sentence without the value, and leaves time to answer."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        server.client.say(asking())
        found = await server.asking()
        for status in (399, 600):
            with pytest.raises(ValueError, match=f"from 400 to 599, not {status}"):
                found.refuse(status, {})
        for name, value in (("X", "secret\r\n"), ("X", "secret €"), ("x y", "secret"), ("Content-Length", "7")):
            with pytest.raises(ValueError, match=f"the header '{name}' cannot be sent") as caught:
                found.refuse(403, {name: value})
            assert "secret" not in repr(caught.value)
            assert caught.value.__cause__ is None
        assert server.far.read() is None
        found.refuse(403, {})
        assert (await server.client.head()).startswith(b"HTTP/1.1 403 ")
        server.far.abort()


# Those who are not admitted


BAD = {
    "not HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", 400),
    "nothing": (b"\r\n\r\n", 400),
    "no upgrade": (asking(upgrade=None, connection=None, key=None, version=None), 400),
    "another version": (asking(version=b"8"), 426),
    "no key": (asking(key=None), 400),
    "POST": (asking(b"Content-Length: 5", line=b"POST / HTTP/1.1") + b"hello", 400),
    "too long": (asking(b"X: " + bytes(b"x" * 20_000))[:-4], 400),
    "a header that is no ASCII": (asking(connection=b"\xff"), 400),
    "a host that is no name": (asking(host=b"\xff"), 400),
    "a resource that is no URL": (asking(line=b"GET //[x HTTP/1.1"), 400),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_request_for_something_else(name: str) -> None:
    """Nobody is asked, and the client is told by HTTP, whatever the library thinks of its request."""
    request, status = BAD[name]
    async with trio.open_nursery() as nursery:
        server = Server(nursery, lambda _: pytest.fail("somebody was asked"))
        server.client.say(request)
        answer = await server.client.body()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.endswith(b"\r\n\r\n")
        await server.left.wait()
        assert server.ending == ErrorEnding("handshake", "the client's request opens no WebSocket connection")


@pytest.mark.parametrize(
    ("said", "end", "number"),
    [
        (b"", MemoryPipe.abort, None),
        (b"", MemoryPipe.write_eof, None),
        (asking()[:-10], MemoryPipe.write_eof, None),
        (b"", MemoryPipe.reset, errno.ECONNRESET),
    ],
    ids=["nothing", "nothing, half closed", "half a head", "reset"],
)
async def test_a_client_that_goes(said: bytes, end: Callable[[MemoryPipe], None], number: int | None) -> None:
    """An end in the handshake does not hang, and keeps its number; nobody is asked, and nothing is answered."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, lambda _: pytest.fail("somebody was asked"))
        server.far.write(said)
        end(server.far)
        await server.left.wait()
        assert isinstance(server.ending, ErrorEnding)
        assert (server.ending.word, server.ending.errno) == ("handshake", number)
        if end is MemoryPipe.write_eof:
            assert await server.client.body() == b""


@pytest.mark.parametrize("end", [MemoryPipe.abort, MemoryPipe.write_eof, MemoryPipe.reset])
async def test_a_client_that_does_not_wait_for_the_answer(end: Callable[[MemoryPipe], None]) -> None:
    """Whoever thinks about it meets nobody: admitting raises, refusing does no harm."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        server.client.say(asking(), server.client.message("early"))
        found = await server.asking()
        end(server.far)
        await server.left.wait()
        assert isinstance(server.ending, ErrorEnding)
        assert server.ending.word == "handshake"
        if end is not MemoryPipe.reset:
            assert "before it was answered" in server.ending.text
        found.refuse(403, {})
        with pytest.raises(trio.BrokenResourceError, match="the client has gone"):
            found.admit()


async def test_nobody_answers() -> None:
    """Whoever does not want to wait for a request, or for an answer, cancels: the pipe is aborted, and nobody hangs."""
    for said in (b"", asking()[:-10], asking()):
        async with trio.open_nursery() as nursery:
            server = Server(nursery)
            server.client.say(said)
            await trio.sleep(10)
            assert not server.left.is_set()
            server.scope.cancel()
            await server.left.wait()
            assert server.ending is None
            assert await server.client.body() == b""
            for found in server.asked:
                found.refuse(403, {})
                with pytest.raises(trio.BrokenResourceError):
                    found.admit()


async def test_a_fault_of_the_one_who_is_asked() -> None:
    """It leaves as it is, not in a group, also if the library could have raised it; the pipe is aborted."""
    for kind in (ZeroDivisionError, UnicodeError, KeyError):
        fault = kind("wrong")

        def asked(_: Asking, fault: Exception = fault) -> None:
            raise fault

        async with trio.open_nursery() as nursery:
            near, far = memory_pair(nursery.start_soon)
            far.write(asking())
            with pytest.raises(kind) as caught:
                await TrioWebsocketTransport.accept(near, LIMIT, PEER, asked)
            assert caught.value is fault
            assert near.closed


@hypothesis.given(st.data())
async def test_damaged_requests(data: st.DataObject) -> None:
    """However a request is damaged, it is answered by HTTP or waited for; nothing but TransportFailed comes of it."""
    request = bytearray(asking(b"Sec-WebSocket-Protocol: one", b"Cookie: a=b"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(request)))
        request[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    refuses = data.draw(st.booleans())
    async with trio.open_nursery() as nursery:
        server = Server(nursery, lambda found: found.refuse(403, {}) if refuses else found.admit())
        server.far.write(bytes(request))
        await trio.testing.wait_all_tasks_blocked()
        answer = server.far.read()
        if answer:
            assert int(answer[9:12]) in (101, 400, 403, 426)
            assert (server.ending is not None) == (answer[9:12] in (b"400", b"426"))
        else:
            assert not server.left.is_set()
        nursery.cancel_scope.cancel()


# With the library at the other end


async def test_the_librarys_own_client() -> None:
    """It is admitted with a subprotocol, or sees the whole refusal."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery)
        seen: list[object] = []

        async def client() -> None:
            websocket = await trio_websocket.wrap_client_stream(
                nursery, PipeStream(server.far), "peer.example", "/path", subprotocols=["one", "two"]
            )
            await websocket.send_message("hello")
            seen.extend([websocket.subprotocol, await websocket.get_message()])
            await websocket.aclose(4000, "enough")
            seen.append(websocket.closed)

        nursery.start_soon(client)
        transport = (await server.asking()).admit("two")
        assert await transport.receive() == ("hello",)
        transport.send(b"there")
        assert await transport.receive() == ()
        assert transport.ended == CloseEnding(4000, "enough")
        await server.left.wait()
        assert seen[:2] == ["two", b"there"]


@pytest.mark.real_time
async def test_on_sockets() -> None:
    """Clients of the library over TCP: one is admitted, and one is refused with words."""
    got: list[str | bytes] = []

    async def serve(sock: socket.socket) -> None:
        async with trio.open_nursery() as nursery:
            pipe = SocketPipe(sock, nursery.start_soon)

            async def echo(transport: Transport) -> None:
                while batch := await transport.receive():
                    got.extend(batch)
                    for message in batch:
                        transport.send(message)
                assert transport.ended == CloseEnding(1000)

            def asked(found: Asking) -> None:
                if found.upgrade.path == "/yes":
                    nursery.start_soon(echo, found.admit())
                else:
                    found.refuse(403, {"X-Why": "no"}, b"not you")

            await TrioWebsocketTransport.accept(pipe, 10_000_000, PEER, asked)

    async def listen(listener: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            nursery.start_soon(serve, listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, listener)
            await speak(listener.getsockname()[1])
            nursery.cancel_scope.cancel()
    assert got == [bytes(5_000_000)]


async def speak(port: int) -> None:
    """Be two clients of the library, one after the other."""
    url = f"ws://127.0.0.1:{port}/yes"
    async with trio_websocket.open_websocket_url(url, max_message_size=10_000_000) as websocket:
        await websocket.send_message(bytes(5_000_000))
        assert await websocket.get_message() == bytes(5_000_000)
    # the library does not close the socket of a client that is refused
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with pytest.raises(ExceptionGroup) as caught:
            async with trio.open_nursery() as nursery:
                await trio_websocket.wrap_client_stream(nursery, stream, "peer.example", "/no")
    (refused,) = caught.value.exceptions
    assert isinstance(refused, trio_websocket.ConnectionRejected)
    assert (refused.status_code, refused.body) == (403, b"not you")
    assert (b"x-why", b"no") in refused.headers
