import base64
import contextlib
import errno
from collections.abc import Callable

import pytest
import trio

from lifecycle.trio.transports.transport import Transport, TransportFailed
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import Ending, ErrorEnding, HttpEnding

from .raw import RawPeer, accept_key, head_lines, header, switching
from .subject import FEW, URL, Lane

pytestmark = pytest.mark.matrix(sides=("client",))

KB = 1024
MB = 1024 * KB
REQUEST = DialRequest.parse(URL)
Answer = Callable[[RawPeer, bytes], None]


def never_opened(_: Transport) -> None:
    """Fail."""
    pytest.fail("it was opened")


async def refused(lane: Lane, answer: Answer, request: DialRequest = REQUEST) -> Ending:
    """Dial a peer that does not open, and say why; nothing may run on, and the pipe is closed."""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)

        async def reply() -> None:
            answer(peer, await peer.head())

        nursery.start_soon(reply)
        with pytest.raises(TransportFailed) as caught:
            await lane.transport.dial(request, pipe, never_opened)
        assert pipe.closed
        peer.wire.pipe.abort()
    assert str(caught.value) == str(caught.value.ending)
    return caught.value.ending


async def opened(lane: Lane, answer: Answer, request: DialRequest = REQUEST) -> bytes:
    """Dial a peer that opens, check that messages pass, and return the head of the request."""
    found: list[Transport] = []
    head = b""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(lane.transport.dial, request, pipe, found.append)
        head = await peer.head()
        answer(peer, head)
        peer.say(peer.message("open"))
        while not found:
            await trio.testing.wait_all_tasks_blocked()
        assert await found[0].receive() == ("open",)
        found[0].abort()
        peer.wire.pipe.abort()
    return head


def saying(answer: bytes, *, ends: bool = False) -> Answer:
    """Say this, and perhaps end."""

    def act(peer: RawPeer, _: bytes) -> None:
        peer.say(answer)
        if ends:
            peer.wire.finish()

    return act


# What is asked


async def test_the_request(lane: Lane) -> None:
    """Line, host, headers and subprotocols are on the wire as the request says, each once and in its order."""
    request = DialRequest.parse(
        "ws://peer.example:8080/a%20path?kept=%7E",
        {"added": "b c"},
        {"Authorization": "Bearer é", "X-Second": 2, "x-third": "a, b"},
        ["one", "two.v2"],
    )

    def choose(peer: RawPeer, head: bytes) -> None:
        peer.say(switching(head, b"Sec-WebSocket-Protocol: two.v2"))

    line, headers = head_lines(await opened(lane, choose, request))
    assert line == "GET /a%20path?kept=%7E&added=b%20c HTTP/1.1"
    names = [name.lower() for name, _ in headers]
    assert len(set(names)) == len(names)
    values = {name.lower(): value for name, value in headers}
    assert values["host"] == "peer.example:8080"
    assert values["upgrade"].lower() == "websocket"
    assert values["connection"].lower() == "upgrade"
    assert values["sec-websocket-version"] == "13"
    assert values["sec-websocket-protocol"].replace(" ", "") == "one,two.v2"
    assert [pair for pair in headers if pair[0].lower() in ("authorization", "x-second", "x-third")] == [
        ("Authorization", "Bearer é"),
        ("X-Second", "2"),
        ("x-third", "a, b"),
    ]


async def test_the_host(lane: Lane) -> None:
    """A port that is the scheme's own is left out of the Host header, and an IPv6 address has its brackets."""
    for url, host in {
        "ws://peer.example/": "peer.example",
        "ws://peer.example:80/": "peer.example",
        "wss://peer.example:80/": "peer.example:80",
        "wss://[2001:db8::1]:8443/": "[2001:db8::1]:8443",
    }.items():
        head = await opened(lane, lambda peer, head: peer.say(switching(head)), DialRequest.parse(url))
        assert header(head, "Host") == host
        assert "sec-websocket-protocol" not in head.decode("latin-1").lower()


async def test_the_key(lane: Lane) -> None:
    """It is sixteen bytes in base64, new for each dial (4.1)."""
    keys = set()
    for _ in range(3):
        head = await opened(lane, lambda peer, head: peer.say(switching(head)))
        keys.add(header(head, "Sec-WebSocket-Key"))
    assert len(keys) == 3
    assert {len(base64.b64decode(key, validate=True)) for key in keys} == {16}


# An answer that opens


SPELLINGS: dict[str, Answer] = {
    "other letters": lambda peer, head: peer.say(switching(head, upgrade=b"WebSocket", connection=b"upgrade")),
    "more tokens": lambda peer, head: peer.say(switching(head, connection=b"keep-alive, Upgrade")),
    "further headers": lambda peer, head: peer.say(switching(head, b"Server: x", b"Date: y", b"Set-Cookie: z")),
    "names in small letters": lambda peer, head: peer.say(
        b"HTTP/1.1 101 \r\nupgrade:websocket\r\nconnection:upgrade\r\nsec-websocket-accept:"
        + accept_key(header(head, "Sec-WebSocket-Key").encode())
        + b"\r\n\r\n"
    ),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("answer", SPELLINGS.values(), ids=SPELLINGS)
async def test_answers_that_open(lane: Lane, answer: Answer) -> None:
    """Names and tokens have no case, and there may be other headers (4.1)."""
    await opened(lane, answer)


async def test_an_answer_one_byte_at_a_time(lane: Lane) -> None:
    """However it is cut, it opens; and a refusal is read as well."""
    found: list[Transport] = []
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(lane.transport.dial, REQUEST, pipe, found.append)
        await peer.drip(switching(await peer.head()) + peer.message("slow"))
        while not found:
            await trio.testing.wait_all_tasks_blocked()
        assert await found[0].receive() == ("slow",)
        found[0].abort()
        peer.wire.pipe.abort()


# An answer that refuses


REFUSALS = {
    "301": (b"HTTP/1.1 301 Moved\r\nLocation: ws://x/\r\nContent-Length: 0\r\n\r\n", {"location": "ws://x/"}, b""),
    "302": (b"HTTP/1.1 302 Found\r\nLocation: ws://x/\r\nContent-Length: 2\r\n\r\nhm", {"location": "ws://x/"}, b"hm"),
    "401": (
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: A\r\nwww-authenticate: B x="1"\r\nContent-Length: 3\r\n\r\nwhy',
        {"www-authenticate": 'A, B x="1"'},
        b"why",
    ),
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", {}, b""),
    "404": (b"HTTP/1.1 404 \r\nContent-Length: 4\r\n\r\n\x00\xff\r\n", {}, b"\x00\xff\r\n"),
    "429": (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 1\r\n\r\n.", {"retry-after": "7"}, b"."),
    "500, chunked": (
        b"HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        {"transfer-encoding": "chunked"},
        b"abc0123456789",
    ),
    "503, long": (b"HTTP/1.1 503 Busy\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30_000, {}, b"x" * 30_000),
    "200": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", {}, b"hi"),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal(lane: Lane, name: str) -> None:
    """Status, headers and body are told as soon as the body is whole; nobody waits for the peer to end."""
    answer, headers, body = REFUSALS[name]
    ending = await refused(lane, saying(answer))
    assert isinstance(ending, HttpEnding)
    assert ending.status == int(name[:3])
    assert ending.body == body
    assert {**ending.headers, **headers} == dict(ending.headers)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 503 Busy\r\nX: 1\r\n\r\nuntil the end", 503, b"until the end"),
        (b"HTTP/1.0 503 Busy\r\n\r\nold", 503, b"old"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\ncut", 401, b"cut"),
        (b"HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\ncut", 500, b"abccut"),
    ],
    ids=["without a length", "of an old proxy", "cut off", "chunk cut off"],
)
async def test_a_refusal_until_the_end(lane: Lane, answer: bytes, status: int, body: bytes) -> None:
    """A body without a length lasts until the peer ends, and one that is cut off is told as far as it came."""
    ending = await refused(lane, saying(answer, ends=True))
    assert isinstance(ending, HttpEnding)
    assert (ending.status, ending.body) == (status, body)


@pytest.mark.parametrize("head", [b"", b"Content-Length: 99999999\r\n"], ids=["without a length", "with a length"])
async def test_a_refusal_without_end(lane: Lane, head: bytes) -> None:
    """A body that goes on and on is cut; the refusal is told."""
    ending = await refused(lane, saying(b"HTTP/1.1 503 Busy\r\n" + head + b"\r\n" + b"x" * (2 * MB)))
    assert isinstance(ending, HttpEnding)
    assert ending.status == 503
    assert KB < len(ending.body) <= 64 * KB


# An answer that is neither


NEITHER: dict[str, Answer] = {
    "end": saying(b"", ends=True),
    "end in the head": saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso", ends=True),
    "end in the head of a refusal": saying(b"HTTP/1.1 503 Bu", ends=True),
    "not HTTP": saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "no status": saying(b"HTTP/1.1 abc\r\n\r\n"),
    "garbage": saying(bytes(range(256)) + b"\r\n\r\n"),
    "garbage, then the end": saying(b"garbage", ends=True),
    "frames": lambda peer, _: peer.say(peer.message("too early"), b"\r\n\r\n"),
    "another protocol's answer": saying(b"220 mail.example ESMTP\r\n\r\n"),
    "wrong accept": lambda peer, head: peer.say(switching(head, accept=accept_key(b"another"))),
    "no accept": lambda peer, head: peer.say(switching(head, accept=None)),
    "no upgrade": lambda peer, head: peer.say(switching(head, upgrade=None)),
    "another upgrade": lambda peer, head: peer.say(switching(head, upgrade=b"h2c")),
    "no connection": lambda peer, head: peer.say(switching(head, connection=None)),
    "another connection": lambda peer, head: peer.say(switching(head, connection=b"keep-alive")),
    "no ASCII": lambda peer, head: peer.say(switching(head, connection=b"\xff")),
    "a subprotocol nobody offered": lambda peer, head: peer.say(switching(head, b"Sec-WebSocket-Protocol: three")),
    "an extension nobody offered": lambda peer, head: peer.say(switching(head, b"Sec-WebSocket-Extensions: x-rot13")),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("answer", NEITHER.values(), ids=NEITHER)
async def test_an_answer_that_neither_opens_nor_refuses(lane: Lane, answer: Answer) -> None:
    """It is `handshake` (4.1), with or without the peer's end, also if it is nearly right."""
    ending = await refused(lane, answer, DialRequest.parse(URL, subprotocols=["one", "two"]))
    assert isinstance(ending, ErrorEnding)
    assert ending.word == "handshake"
    assert ending.text


@pytest.mark.parametrize("line", [b"X: " + b"x" * 1021 + b"\r\n", b"x" * KB], ids=["in many headers", "in one header"])
async def test_a_head_without_end(lane: Lane, line: bytes) -> None:
    """A head that goes on and on is given up, after a bounded number of bytes."""
    peers: list[RawPeer] = []

    def endless(peer: RawPeer, _: bytes) -> None:
        peers.append(peer)
        peer.say(b"HTTP/1.1 101 Switching Protocols\r\nX: ", line * 4 * KB)

    ending = await refused(lane, endless)
    assert isinstance(ending, ErrorEnding)
    assert ending.word == "handshake"
    assert peers[0].wire.pipe.sent < MB


async def test_a_reset(lane: Lane) -> None:
    """It is `handshake`, and the number of the system is kept."""
    ending = await refused(lane, lambda peer, _: peer.wire.reset())
    assert isinstance(ending, ErrorEnding)
    assert (ending.word, ending.errno) == ("handshake", errno.ECONNRESET)


@pytest.mark.matrix(wires=("socket tls", "memory tls"))
async def test_tls_that_breaks(lane: Lane) -> None:
    """What TLS refuses after the keys were agreed on, as a missing certificate of ours, is `tls`."""
    ending = await refused(lane, lambda peer, _: peer.wire.garble())
    assert isinstance(ending, ErrorEnding)
    assert (ending.word, ending.errno) == ("tls", None)
    assert ending.text


async def test_a_pipe_that_is_broken_already(lane: Lane) -> None:
    """Nothing can be asked on it, and nobody waits for an answer."""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        peer.wire.reset()
        await pipe.ready()
        assert pipe.read() == b""
        with pytest.raises(TransportFailed) as caught:
            await lane.transport.dial(REQUEST, pipe, never_opened)
        assert isinstance(caught.value.ending, ErrorEnding)
        assert (caught.value.ending.word, caught.value.ending.errno) == ("handshake", errno.ECONNRESET)
        assert pipe.closed


# Leaving


async def test_silence(lane: Lane) -> None:
    """A dial that is cancelled while the peer says nothing leaves nothing running, and the pipe is aborted."""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as dialing:
                dialing.start_soon(lane.transport.dial, REQUEST, pipe, never_opened)
                await peer.head()
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert pipe.closed
        assert await peer.body() == b""
        peer.wire.pipe.abort()


async def cancel_after(steps: int, scope: trio.CancelScope) -> None:
    """Cancel when so many steps have passed."""
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def open_in_pieces(peer: RawPeer) -> None:
    """Open, speak and say goodbye, sixteen bytes at a time, as long as anybody listens."""
    head = await peer.wire.read()
    with contextlib.suppress(trio.BrokenResourceError):
        said = switching(head) + peer.message("hi") + peer.close(1000) if head else b""
        for at in range(0, len(said), 16):
            peer.say(said[at : at + 16])
            await trio.lowlevel.checkpoint()
        peer.wire.finish()


@pytest.mark.matrix(wires=("memory", "memory tls"))
async def test_cancelled_at_every_step(lane: Lane) -> None:
    """Wherever a dial is cancelled, only the scope notices; either it is open or its pipe is aborted."""
    cancelled = 0
    while True:
        found: list[Transport] = []
        async with trio.open_nursery() as nursery:
            pipe, peer = await lane.connect(nursery)
            nursery.start_soon(open_in_pieces, peer)
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_after, cancelled, scope)
                await lane.transport.dial(REQUEST, pipe, found.append)
            assert pipe.closed or found
            if found:
                found[0].abort()
        assert pipe.closed
        peer.wire.pipe.abort()
        if not scope.cancelled_caught:
            break
        cancelled += 1
    assert found
    assert cancelled > 5


async def test_a_fault_of_the_caller_leaves_as_it_is(lane: Lane) -> None:
    """What `opened` raises leaves alone, not in a group, and the connection is gone."""

    def fault(_: Transport) -> None:
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)

        async def reply() -> None:
            peer.say(switching(await peer.head()))

        nursery.start_soon(reply)
        with pytest.raises(ZeroDivisionError):
            await lane.transport.dial(REQUEST, pipe, fault)
        assert pipe.closed
        peer.wire.pipe.abort()


async def test_the_caller_drops_it_at_once(lane: Lane) -> None:
    """Whoever has changed their mind may abort in the step in which it opens."""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)

        async def reply() -> None:
            peer.say(switching(await peer.head()), peer.message("hi"))

        nursery.start_soon(reply)
        await lane.transport.dial(REQUEST, pipe, lambda transport: transport.abort())
        assert pipe.closed
        peer.wire.pipe.abort()
