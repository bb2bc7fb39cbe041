import base64
import errno
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
import websockets.trio.client
import websockets.trio.server
from websockets.exceptions import InvalidStatus
from websockets.utils import accept_key

from lifecycle.trio.pipes.dial import connect_tcp
from lifecycle.trio.pipes.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import Pipe, PipeStream, SocketPipe
from lifecycle.trio.transports.losses import MOST_OF_AN_ANSWER
from lifecycle.trio.transports.transport import Asking, Transport, TransportFailed
from lifecycle.trio.transports.websockets import WebsocketsTransport
from lifecycle.trio.transports.websockets_opening import MOST_OF_A_REQUEST
from lifecycle.wire.dial_request import DEFAULT_LIMIT, DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding, HttpEnding
from lifecycle.wire.frames import TEXT, frame

REQUEST = DialRequest.parse("ws://peer.example/path?a=1")
MASK = b"\x37\xfa\x21\x3d"
ASKING = (
    b"GET /path?a=1 HTTP/1.1\r\nHost: peer.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def accepted(request: bytes, more: bytes = b"", *, version: bytes = b"HTTP/1.1") -> bytes:
    """The answer that opens a connection."""
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    head = version + b" 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n" + more + b"\r\n"


async def everything(pipe: Pipe) -> bytes:
    """Wait for all bytes up to the end."""
    data = b""
    while came := await PipeStream(pipe).receive_some():
        data += came
    return data


# We dial


async def asked_with(request: DialRequest, answer: Callable[[bytes], bytes] = accepted) -> list[bytes]:
    """Dial a peer that opens; the lines that it read."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        found: list[Transport] = []
        nursery.start_soon(WebsocketsTransport.dial, request, near, found.append)
        head = await PipeStream(far).receive_some()
        far.write(answer(head))
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert len(found) == 1
        assert not near.closed
    return head.split(b"\r\n")


async def test_the_request() -> None:
    """Nothing is written that was not given, but what the handshake needs and the offer to compress."""
    request = DialRequest.parse(
        "ws://peer.example:8080/a%2Fb//c?x=%7E&y", {}, {"Authorization": "Bearer é", "X": "1", "x": "2"}, ["one", "two"]
    )
    line, *headers, end, nothing = await asked_with(request)
    assert line == b"GET /a%2Fb//c?x=%7E&y HTTP/1.1"
    (key,) = [value for value in headers if value.startswith(b"Sec-WebSocket-Key: ")]
    assert len(base64.b64decode(key[19:], validate=True)) == 16
    headers.remove(key)
    assert headers == [
        b"Host: peer.example:8080",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        b"Sec-WebSocket-Protocol: one, two",
        b"Authorization: Bearer \xe9",
        b"X: 1",
        b"x: 2",
    ]
    assert (end, nothing) == (b"", b"")


@pytest.mark.parametrize(
    "url", ["ws://peer.example/", "wss://peer.example:80/", "wss://peer.example/", "ws://[::1]:81/", "ws://[::1%25a]/"]
)
async def test_the_host_header_is_the_authority(url: str) -> None:
    """The library writes the same as we do elsewhere."""
    request = DialRequest.parse(url)
    assert f"Host: {request.authority}".encode() in await asked_with(request)


async def test_a_subprotocol_is_chosen() -> None:
    """One that was offered opens the connection."""
    await asked_with(
        DialRequest.parse("ws://x/", subprotocols=["one", "two"]),
        lambda head: accepted(head, b"Sec-WebSocket-Protocol: two\r\n"),
    )


async def refused(answer: Callable[[MemoryPipe, bytes], object]) -> Ending:
    """Dial a peer that does not open, and say why."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            answer(far, await PipeStream(far).receive_some())

        nursery.start_soon(peer)
        with pytest.raises(TransportFailed) as caught:
            await WebsocketsTransport.dial(REQUEST, near, lambda _: pytest.fail("it was opened"))
        assert near.closed
        nursery.cancel_scope.cancel()
    return caught.value.ending


def saying(answer: bytes, *, ends: bool = False) -> Callable[[MemoryPipe, bytes], None]:
    """Say this, and perhaps end."""

    def act(far: MemoryPipe, _: bytes) -> None:
        far.write(answer)
        if ends:
            far.write_eof()

    return act


@pytest.mark.parametrize(
    ("answer", "ends", "expected"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwhy", False, HttpEnding(401, {"content-length": "3"}, b"why")),
        (b"HTTP/1.0 503 No\r\nContent-Length: 3\r\n\r\nwhy", False, HttpEnding(503, {"content-length": "3"}, b"why")),
        (b"HTTP/1.0 503 No\r\n\r\nwhy", True, HttpEnding(503, {}, b"why")),
        (b"HTTP/1.1 204 No\r\n\r\n", False, HttpEnding(204)),
        (b"HTTP/1.1 503 No\r\nX: " + b"x" * 9000 + b"\r\n\r\n", False, HttpEnding(503, {"x": "x" * 9000})),
        (
            b"HTTP/1.1 503 No\r\nTransfer-Encoding: gzip\r\n\r\nwhy",
            False,
            HttpEnding(503, {"transfer-encoding": "gzip"}, b"why"),
        ),
    ],
    ids=["401", "old", "old, until the end", "no body", "a line too long for the library", "a coding it has not"],
)
async def test_a_refusal(answer: bytes, *, ends: bool, expected: HttpEnding) -> None:
    """It is told when it is whole, also if the library does not read it to its end."""
    assert await refused(saying(answer, ends=ends)) == expected


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
async def test_a_refusal_that_comes_slowly(version: bytes) -> None:
    """Its body may come long after its head."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def peer() -> None:
            await PipeStream(far).receive_some()
            for piece in (version + b" 503 No\r", b"\nContent-Length: 4\r\n\r", b"\nw", b"h", b"y?"):
                await trio.sleep(1)
                far.write(piece)

        nursery.start_soon(peer)
        with pytest.raises(TransportFailed) as caught:
            await WebsocketsTransport.dial(REQUEST, near, lambda _: pytest.fail("it was opened"))
    assert caught.value.ending == HttpEnding(503, {"content-length": "4"}, b"why?")
    assert trio.current_time() == 5


async def test_a_refusal_without_end() -> None:
    """As much is told as is of use, and no more is read."""
    head = b"HTTP/1.1 503 No\r\n\r\n"
    ending = await refused(saying(head + bytes(1 << 20)))
    assert ending == HttpEnding(503, {}, bytes(MOST_OF_AN_ANSWER - len(head)))


@pytest.mark.parametrize(
    "answer",
    [
        lambda far, head: far.write(accepted(head, version=b"HTTP/1.0")),
        lambda far, head: far.write(accepted(head, b"X: " + b"x" * 9000 + b"\r\n")),
        lambda far, head: far.write(accepted(head, b"X: x\r\n" * 200)),
        lambda far, head: far.write(accepted(head, b"X: x\r\n" * 20_000)),
        lambda far, head: far.write(accepted(head, b"Sec-WebSocket-Protocol: one\r\n")),
        lambda far, head: far.write(accepted(head, b"Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n")),
        lambda far, head: far.write(accepted(head.replace(b"Key: ", b"Key: x"))),
        saying(b"\r\n\r\n"),
        saying(bytes(MOST_OF_AN_ANSWER)),
        saying(b"HTTP/1.1 101 Switching", ends=True),
    ],
    ids=[
        "of an old HTTP",
        "a long line",
        "many lines",
        "too long a head",
        "a subprotocol",
        "an extension",
        "another key",
        "no line",
        "no head",
        "half a head",
    ],
)
async def test_an_answer_that_does_not_open(answer: Callable[[MemoryPipe, bytes], None]) -> None:
    """What is wrong with a 101, or is none, is `handshake`."""
    text = "the peer's answer opens no WebSocket connection"
    assert await refused(answer) == ErrorEnding("handshake", text)


async def test_a_pipe_that_others_abort() -> None:
    """A pipe that is aborted under the dial ends it."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)

        async def others() -> None:
            await PipeStream(far).receive_some()
            near.abort()

        nursery.start_soon(others)
        with pytest.raises(TransportFailed) as caught:
            await WebsocketsTransport.dial(REQUEST, near, lambda _: pytest.fail("it was opened"))
    assert caught.value.ending == ErrorEnding("handshake", "the peer ended the connection without an answer")


# Somebody dials us


async def knock(
    request: bytes, answer: Callable[[Asking], Any] = lambda _: pytest.fail("somebody was asked"), *, ends: bool = False
) -> tuple[bytes, Ending | None, bool]:
    """What a client hears, why nobody was asked, and whether the pipe was aborted."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon, room=1 << 20)
        far.write(request)
        if ends:
            far.write_eof()
        ending: Ending | None = None
        try:
            await WebsocketsTransport.accept(near, DEFAULT_LIMIT, "192.0.2.7", answer)
        except TransportFailed as failed:
            ending = failed.ending
        closed = near.closed
        near.write_eof()
        heard = await everything(far)
        nursery.cancel_scope.cancel()
    return heard, ending, closed


async def test_an_upgrade() -> None:
    """It is asked with all that stands in it, and the answer is the one of RFC 6455 1.3."""
    seen: list[Asking] = []

    def admit(asking: Asking) -> None:
        seen.append(asking)
        asking.admit("two")

    heard, ending, closed = await knock(ASKING + b"Sec-WebSocket-Protocol: one, two\r\nX: \xe9\r\n\r\n", admit)
    upgrade = seen[0].upgrade
    assert (upgrade.path, upgrade.query, upgrade.peer) == ("/path", {"a": "1"}, "192.0.2.7")
    assert (upgrade.subprotocols, upgrade.headers["x"]) == (("one", "two"), "é")
    assert (ending, closed) == (None, False)
    line, *headers = heard.split(b"\r\n")
    assert line == b"HTTP/1.1 101 Switching Protocols"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in headers
    assert b"Sec-WebSocket-Protocol: two" in headers


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (b"permessage-deflate; client_max_window_bits", b"server_max_window_bits=12; client_max_window_bits=12"),
        (b"permessage-deflate", b"permessage-deflate; server_max_window_bits=12\r\n"),
        (b"x-rot13, permessage-deflate; server_no_context_takeover", b"server_no_context_takeover"),
        (b"permessage-deflate; server_max_window_bits=8", None),
        (b"x-rot13", None),
    ],
)
async def test_compression_is_agreed_on(offered: bytes, agreed: bytes | None) -> None:
    """Where a client offers it in a form that we know; else nothing is said of it."""
    heard, _, _ = await knock(
        ASKING + b"Sec-WebSocket-Extensions: " + offered + b"\r\n\r\n", lambda asking: asking.admit()
    )
    assert (b"\r\nSec-WebSocket-Extensions: permessage-deflate" in heard) == (agreed is not None)
    assert (agreed or b"") in heard


async def test_frames_behind_the_request() -> None:
    """What a client says before it is admitted is with the transport, also if it comes in the same segment."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        far.write(ASKING + b"\r\n" + frame(TEXT, b"early", MASK) + frame(TEXT, b"bird", MASK)[:-1])
        asked: list[Asking] = []
        await WebsocketsTransport.accept(near, DEFAULT_LIMIT, "", asked.append)
        transport = asked[0].admit()
        assert await transport.receive() == ("early",)
        far.write(frame(TEXT, b"bird", MASK)[-1:])
        assert await transport.receive() == ("bird",)


async def test_refusing() -> None:
    """Status, headers and body are written, with their length; after it comes the end."""
    heard, ending, closed = await knock(
        ASKING + b"\r\n", lambda asking: asking.refuse(429, {"Retry-After": "7"}, b"slow down")
    )
    assert heard == (
        b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 9\r\nRetry-After: 7\r\n\r\nslow down"
    )
    assert (ending, closed) == (None, False)
    heard, _, _ = await knock(ASKING + b"\r\n", lambda asking: asking.refuse(499, {}))
    assert heard == b"HTTP/1.1 499 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


async def test_what_cannot_be_answered() -> None:
    """What is no refusal, or no header, or was not asked for, is a fault of ours; the right answer can still be given."""

    def answer(asking: Asking) -> None:
        for status in (101, 200, 399, 600):
            with pytest.raises(ValueError, match=f"from 400 to 599, not {status}"):
                asking.refuse(status, {})
        for name, value in (("X", "a\r\nSet-Cookie: b"), ("X: a\r\nSet-Cookie", "b"), ("X", "€"), ("", "a")):
            with pytest.raises(ValueError, match="cannot be sent"):
                asking.refuse(400, {name: value})
        with pytest.raises(ValueError, match="did not ask for the subprotocol 'one'"):
            asking.admit("one")
        asking.admit()
        for again in (asking.admit, lambda: asking.refuse(400, {})):
            with pytest.raises(RuntimeError, match="answered already"):
                again()

    heard, _, _ = await knock(ASKING + b"\r\n", answer)
    assert heard.count(b"HTTP/1.1") == 1
    assert heard.startswith(b"HTTP/1.1 101")


async def test_a_client_that_has_gone() -> None:
    """It cannot be admitted any more, and to refuse it does no harm."""
    async with trio.open_nursery() as nursery:
        asked: list[Asking] = []
        for _ in range(2):
            near, far = memory_pair(nursery.start_soon)
            far.write(ASKING + b"\r\n")
            await WebsocketsTransport.accept(near, DEFAULT_LIMIT, "", asked.append)
            near.abort()
        with pytest.raises(trio.BrokenResourceError):
            asked[0].admit()
        asked[1].refuse(400, {})


NO_UPGRADE = ErrorEnding("handshake", "the client's request opens no WebSocket connection")


@pytest.mark.parametrize(
    ("request_", "status", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426, b"\r\nUpgrade: websocket\r\n"),
        (ASKING.replace(b"GET", b"POST") + b"\r\n", 405, b"\r\nAllow: GET\r\n"),
        (ASKING.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n", 505, b""),
        (ASKING.replace(b"Version: 13", b"Version: 8") + b"\r\n", 426, b"\r\nSec-WebSocket-Version: 13\r\n"),
        (ASKING.replace(b"Key: dGhl", b"Key: ") + b"\r\n", 400, b"Sec-WebSocket-Key"),
        (ASKING.replace(b"Host", b"Toast") + b"\r\n", 400, b"Host"),
        (ASKING + b"Host: y\r\n\r\n", 400, b"Host"),
        (ASKING.replace(b"/path", b"//[") + b"\r\n", 400, b"resource"),
        (ASKING + b"Sec-WebSocket-Protocol: ,\r\n\r\n", 400, b""),
        (ASKING + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431, b""),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, b""),
        (ASKING + b"X: x\r\n" * 200 + b"\r\n", 431, b""),
        (ASKING + b"X: x\r\n" * 10_000 + b"\r\n", 431, b"too long"),
        (bytes(MOST_OF_A_REQUEST), 431, b"too long"),
    ],
)
async def test_a_request_for_something_else(request_: bytes, status: int, more: bytes) -> None:
    """Nobody is asked; the client is told what is wrong, and has time to read it."""
    heard, ending, closed = await knock(request_)
    assert heard.startswith(f"HTTP/1.1 {status} ".encode())
    assert more in heard
    assert (ending, closed) == (NO_UPGRADE, False)


async def test_a_request_that_is_none() -> None:
    """To what is no HTTP there is no answer in HTTP."""
    assert await knock(b"SSH-2.0-OpenSSH_9\r\n\r\n") == (b"", NO_UPGRADE, False)


async def test_a_client_that_goes_before_it_has_asked() -> None:
    """Its half of a request is nothing, and the pipe is aborted."""
    gone = ErrorEnding("handshake", "the client ended the connection before it had asked")
    assert await knock(ASKING, ends=True) == (b"", gone, True)


async def test_a_reset_before_the_request() -> None:
    """It is told with its number."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        far.reset()
        with pytest.raises(TransportFailed) as caught:
            await WebsocketsTransport.accept(near, DEFAULT_LIMIT, "", lambda _: pytest.fail("somebody was asked"))
    assert caught.value.ending == ErrorEnding("handshake", "Connection reset by peer", errno.ECONNRESET)


@pytest.mark.parametrize("dials", [True, False])
async def test_cancelled_while_the_peer_is_silent(*, dials: bool) -> None:
    """Whoever has waited long enough cancels, and the pipe is aborted."""
    async with trio.open_nursery() as nursery:
        near, _ = memory_pair(nursery.start_soon)
        with trio.move_on_after(10) as scope:
            if dials:
                await WebsocketsTransport.dial(REQUEST, near, lambda _: None)
            else:
                await WebsocketsTransport.accept(near, DEFAULT_LIMIT, "", lambda _: None)
        assert scope.cancelled_caught
        assert near.closed


# With the real library, on sockets


@pytest.mark.real_time
async def test_its_server() -> None:
    """A server of websockets reads what we ask and compresses with us, or refuses us by HTTP."""
    seen: list[Any] = []

    async def handle(websocket: websockets.trio.server.ServerConnection) -> None:
        seen.extend([websocket.request.path, websocket.request.headers["Authorization"], websocket.subprotocol])
        seen.append(await websocket.recv())
        await websocket.send("back " * 100)
        await websocket.aclose(4000, "enough")

    def process(websocket: Any, request: Any) -> Any:
        return websocket.respond(403, "no\n") if request.path.startswith("/no") else None

    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[Any]) -> None:
            await websockets.trio.server.serve(
                handle, 0, host="127.0.0.1", subprotocols=["two"], process_request=process, task_status=task_status
            )

        server = await nursery.start(serve)
        port = server.listeners[0].socket.getsockname()[1]

        async def dial(path: str) -> tuple[Transport, Pipe]:
            request = DialRequest.parse(
                f"ws://127.0.0.1:{port}{path}", {"a": "b c"}, {"Authorization": "Bearer x"}, ["one", "two"]
            )
            pipe = SocketPipe(await connect_tcp("127.0.0.1", port), nursery.start_soon)
            found: list[Transport] = []
            await WebsocketsTransport.dial(request, pipe, found.append)
            return found[0], pipe

        with pytest.raises(TransportFailed) as caught:
            await dial("/no")
        assert isinstance(caught.value.ending, HttpEnding)
        assert (caught.value.ending.status, caught.value.ending.body) == (403, b"no\n")
        transport, pipe = await dial("/path")
        before = pipe.given
        transport.send("there " * 100)
        assert pipe.given - before < 100
        assert await transport.receive() == ("back " * 100,)
        assert await transport.receive() == ()
        assert transport.ended == CloseEnding(4000, "enough")
        transport.abort()
        nursery.cancel_scope.cancel()
    assert seen == ["/path?a=b%20c", "Bearer x", "two", "there " * 100]


@pytest.mark.real_time
async def test_its_client() -> None:
    """A client of websockets is admitted and compresses with us, or hears our refusal."""
    async with trio.open_nursery() as nursery:
        with trio.socket.socket() as listener:
            await listener.bind(("127.0.0.1", 0))
            listener.listen()
            url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
            served: list[Pipe] = []

            async def serve(answer: Callable[[Asking], None]) -> None:
                connected, _ = await listener.accept()
                pipe = SocketPipe(connected._sock, nursery.start_soon)
                served.append(pipe)
                await WebsocketsTransport.accept(pipe, DEFAULT_LIMIT, "127.0.0.1", answer)

            nursery.start_soon(serve, lambda asking: asking.refuse(403, {"X": "1"}, b"no"))
            with pytest.raises(InvalidStatus) as caught:
                async with websockets.trio.client.connect(url, proxy=None):
                    pytest.fail("it was opened")
            response = caught.value.response
            assert (response.status_code, response.headers["X"], response.body) == (403, "1", b"no")

            async def talk(transport: Transport) -> None:
                assert await transport.receive() == ("there " * 100,)
                transport.send(b"back " * 100)
                transport.close(4000, "enough")
                assert await transport.receive() == ()
                assert transport.ended == CloseEnding(4000, "enough", "local")

            def admit(asking: Asking) -> None:
                nursery.start_soon(talk, asking.admit("two"))

            nursery.start_soon(serve, admit)
            async with websockets.trio.client.connect(
                f"{url}/path", proxy=None, subprotocols=[websockets.Subprotocol("two")]
            ) as websocket:
                assert websocket.subprotocol == "two"
                await websocket.send("there " * 100)
                assert await websocket.recv() == b"back " * 100
                await websocket.wait_closed()
                assert (websocket.close_code, websocket.close_reason) == (4000, "enough")
            for pipe in served:
                pipe.abort()
