import errno
import os
import random
import ssl
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from websockets.utils import accept_key

from lifecycle.trio.pipes.memory import MemoryPipe, memory_pair
from lifecycle.trio.pipes.pipe import Pipe, PipeStream
from lifecycle.trio.transports.transport import Asking, Transport
from lifecycle.trio.transports.websockets import WebsocketsTransport
from lifecycle.wire.dial_request import DialRequest
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding
from lifecycle.wire.frames import BINARY, CLOSE, FIN, PING, PONG, TEXT, Cutter, Messages, frame, payload_of

LIMIT = 1000
MASK = b"\x37\xfa\x21\x3d"
KB = 1024
MB = 1024 * KB
COMPRESSED = 0x40
TOO_BIG = ErrorEnding("too_big", f"a message was longer than {LIMIT} bytes")


def wrong(code: int) -> ErrorEnding:
    """The ending of a peer that broke the protocol."""
    return ErrorEnding("protocol", f"the peer broke the protocol; we closed with code {code}")


def close(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode(), mask)


def part(first: int, payload: bytes) -> bytes:
    """A frame of a server with any first byte; its payload is short."""
    return bytes([first, len(payload)]) + payload


def deflated(data: bytes) -> bytes:
    """Data as a frame of permessage-deflate holds it, without context."""
    squeezer = zlib.compressobj(wbits=-15)
    return (squeezer.compress(data) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Peer:
    """The other end by hand: what it hears of us, frame by frame."""

    def __init__(self, pipe: MemoryPipe, *, serves: bool) -> None:
        self.pipe = pipe
        self._cutter = Cutter(16 * MB, 16 * MB, masked=serves)
        self._heard: list[Any] = []

    def _take(self, whole: bytes, heard: Messages) -> bool:
        heard.append((whole[0], payload_of(whole) if whole[0] >= FIN | CLOSE else whole))
        return True

    async def hear(self) -> tuple[int, bytes] | str | bytes:
        """The next message; or the first byte of another frame, with its payload if it is a control frame."""
        while not self._heard:
            self._cutter.cut(await PipeStream(self.pipe).receive_some(), self._heard, self._take)
        return self._heard.pop(0)


async def opened(
    nursery: trio.Nursery, after: bytes = b"", *, serves: bool = False, room: int = 64 * KB, extensions: bytes = b""
) -> tuple[WebsocketsTransport, Peer]:
    """Open a connection to a peer by hand, which says more in the segment of the handshake.

    Args:
        nursery: of the pipes.
        after: what it says behind the handshake.
        serves: whether we are the server.
        room: of the pipes.
        extensions: what the peer offers, or agrees to.
    """
    near, far = memory_pair(nursery.start_soon, room=room)
    found: list[Any] = []
    more = b"Sec-WebSocket-Extensions: " + extensions + b"\r\n" if extensions else b""
    if serves:
        far.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + b"\r\n" + after
        )
        await WebsocketsTransport.accept(near, LIMIT, "", lambda asking: found.append(asking.admit()))
        await PipeStream(far).receive_some()
    else:

        async def answer() -> None:
            head = await PipeStream(far).receive_some()
            key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
            far.write(
                b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                + accept_key(key).encode()
                + b"\r\n"
                + more
                + b"\r\n"
                + after
            )

        nursery.start_soon(answer)
        await WebsocketsTransport.dial(DialRequest.parse("ws://x/", limit=LIMIT), near, found.append)
    return found[0], Peer(far, serves=not serves)


async def pair(nursery: trio.Nursery, limit: int = 16 * MB, room: int = 64 * KB) -> tuple[Transport, Transport]:
    """Both ends are ours: a client, and its server."""
    near, far = memory_pair(nursery.start_soon, room=room)
    found: list[Transport] = []

    def admit(asking: Asking) -> None:
        found.append(asking.admit())

    nursery.start_soon(WebsocketsTransport.accept, far, limit, "", admit)
    await WebsocketsTransport.dial(DialRequest.parse("ws://x/", limit=limit), near, found.append)
    server, client = found
    return client, server


async def everything(transport: Transport) -> list[str | bytes]:
    """Receive until the end."""
    got: list[str | bytes] = []
    while batch := await transport.receive():
        got += batch
    assert transport.ended
    assert await transport.receive() == ()
    return got


# Both ends against each other


@pytest.mark.parametrize("talks", [0, 1], ids=["the client", "the server"])
async def test_a_conversation(talks: int) -> None:
    """Messages of every length and kind cross, and a goodbye with its answer."""
    sent: list[str | bytes] = ["", b"", "é😀", bytes(125), bytes(126), "x" * 70_000, os.urandom(MB), b"y" * 65_536]
    async with trio.open_nursery() as nursery:
        ends = await pair(nursery)
        one, other = ends[talks], ends[1 - talks]
        for message in sent:
            one.send(message)
        one.ping(b"?")
        one.close(4000, "done")
        assert await everything(other) == sent
        assert other.ended == CloseEnding(4000, "done", "peer")
        assert await everything(one) == []
        assert one.ended == CloseEnding(4000, "done", "local")
        for end in ends:
            end.abort()


async def test_a_batch_is_what_one_read_brings() -> None:
    """A thousand messages that lie there are received at once, in order."""
    async with trio.open_nursery() as nursery:
        client, server = await pair(nursery)
        for number in range(1000):
            server.send(str(number))
        assert await client.receive() == tuple(str(number) for number in range(1000))


async def test_both_compress() -> None:
    """What we offer as a client we agree to as a server, both ways; a context is kept from message to message."""
    text = "all work and no play " * 100
    async with trio.open_nursery() as nursery:
        for one, other in (await pair(nursery), (await pair(nursery))[::-1]):
            assert one._extensions
            pipe: Pipe = one._pipe
            before = pipe.given
            one.send(text)
            first = pipe.given - before
            one.send(text.encode())
            assert pipe.given - before - first < first < 100
            got: list[str | bytes] = []
            while len(got) < 2:
                got += await other.receive()
            assert got == [text, text.encode()]


@pytest.mark.parametrize("limit", [1, LIMIT, 300 * KB])
async def test_the_limit_is_for_what_is_inflated(limit: int) -> None:
    """Just the limit passes, also where deflating makes it longer; one byte more is refused, though it is a few."""
    noise = random.Random(7).randbytes(limit)
    async with trio.open_nursery() as nursery:
        for talks in (0, 1):
            ends = await pair(nursery, limit, room=MB)
            one, other = ends[talks], ends[1 - talks]
            before = one._pipe.given
            one.send(noise)
            assert one._pipe.given - before > limit
            assert await other.receive() == (noise,)
            one.send(bytes(limit))
            assert await other.receive() == (bytes(limit),)
            one.send(bytes(limit + 1))
            assert await other.receive() == ()
            assert other.ended == ErrorEnding("too_big", f"a message was longer than {limit} bytes")
            assert await everything(one) == []
            assert one.ended == CloseEnding(1009)


async def test_without_the_offer_nothing_is_compressed() -> None:
    """Compression is the peer's to refuse, and then a compressed frame breaks the protocol."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery, part(FIN | COMPRESSED | TEXT, deflated(b"x")))
        transport.send("x" * 500)
        assert await peer.hear() == "x" * 500
        assert await everything(transport) == []
        assert transport.ended == wrong(1002)


# Compression, by hand

AGREED = b"permessage-deflate; server_no_context_takeover"


@pytest.mark.parametrize(
    ("frames", "messages", "ended"),
    [
        ([part(FIN | COMPRESSED | TEXT, deflated(b"\xc3\xa9"))], ["é"], None),
        (
            [part(FIN | TEXT, b"plain"), part(FIN | COMPRESSED | BINARY, deflated(b"x" * 900))],
            ["plain", b"x" * 900],
            None,
        ),
        (
            [part(COMPRESSED | TEXT, deflated(b"abc")[:2]), part(FIN | PING, b""), part(FIN, deflated(b"abc")[2:])],
            ["abc"],
            None,
        ),
        ([part(FIN | COMPRESSED | TEXT, deflated(b"\xff"))], [], wrong(1007)),
        ([part(FIN | COMPRESSED | TEXT, b"\xff\xff")], [], wrong(1002)),
        ([part(FIN | COMPRESSED | BINARY, deflated(bytes(LIMIT + 1)))], [], TOO_BIG),
        ([part(FIN | COMPRESSED | BINARY, deflated(bytes(100_000)))], [], TOO_BIG),
        ([part(COMPRESSED | BINARY, deflated(bytes(900)) + b"\0\0\xff\xff"), part(FIN, b"")], [bytes(900)], None),
        ([frame(BINARY, bytes(LIMIT + 1))], [], TOO_BIG),
        ([frame(BINARY, bytes(2 * LIMIT))[:10]], [], TOO_BIG),
        ([part(FIN | 0x20 | TEXT, b"x")], [], wrong(1002)),
    ],
    ids=[
        "text",
        "plain and compressed",
        "fragments",
        "no UTF-8",
        "no deflate",
        "one too many",
        "a bomb",
        "an empty end",
        "plain, one too many",
        "plain, far too many",
        "another bit",
    ],
)
async def test_compressed_frames(frames: list[bytes], messages: list[str | bytes], ended: Ending | None) -> None:
    """They are messages like others, with the same rules; the limit holds for what comes out."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery, b"".join(frames), extensions=AGREED)
        if ended is None:
            peer.pipe.write(close(1000))
            ended = CloseEnding(1000)
        assert await everything(transport) == messages
        assert transport.ended == ended


# The cutter and the library


async def test_plain_messages_and_heartbeats_need_no_library() -> None:
    """Messages, pings and pongs of an idle connection leave no object of the library behind."""
    for serves in (False, True):
        async with trio.open_nursery() as nursery:
            mask = MASK if serves else b""
            transport, peer = await opened(nursery, serves=serves)
            transport.ping(b"1")
            peer.pipe.write(frame(PONG, b"1", mask) + frame(PING, b"2", mask) + frame(TEXT, b"x", mask))
            assert await transport.receive() == ("x",)
            transport.send(b"y")
            assert [await peer.hear() for _ in range(3)] == [(FIN | PING, b"1"), (FIN | PONG, b"2"), b"y"]
            assert transport._protocol is None


@pytest.mark.parametrize("serves", [False, True])
async def test_one_byte_at_a_time(*, serves: bool) -> None:
    """Messages, fragments and control frames are understood however slowly they come."""
    mask = MASK if serves else b""
    first = frame(TEXT, b"\xc3", mask)
    data = b"".join(
        [
            frame(TEXT, b"plain", mask),
            bytes([TEXT]) + first[1:],
            frame(PING, b"?", mask),
            frame(0, b"\xa9", mask),
            frame(BINARY, b"x" * 300, mask),
            close(4000, "slow", mask),
        ]
    )
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery, serves=serves)

        async def drip() -> None:
            for at in range(len(data)):
                peer.pipe.write(data[at : at + 1])
                await trio.testing.wait_all_tasks_blocked()

        nursery.start_soon(drip)
        assert await everything(transport) == ["plain", "é", b"x" * 300]
        assert transport.ended == CloseEnding(4000, "slow")
        assert await peer.hear() == (FIN | PONG, b"?")


@pytest.mark.parametrize(
    ("data", "messages", "ended"),
    [
        (part(TEXT, b"a") + part(0, b"") + part(FIN | PONG, b"") + part(FIN, b"b"), ["ab"], None),
        (part(BINARY, b"a") + part(FIN, b"b") + part(FIN | TEXT, b"c"), [b"ab", "c"], None),
        (part(TEXT, b"") + part(FIN, b""), [""], None),
        (part(TEXT, b"a") + close(1001, "must go"), [], CloseEnding(1001, "must go")),
        (part(TEXT, b"\xc3") + part(FIN, b"("), [], wrong(1007)),
        (part(FIN, b"x"), [], wrong(1002)),
        (part(TEXT, b"x") + part(FIN | TEXT, b"y"), [], wrong(1002)),
        (part(0x0B, b""), [], wrong(1002)),
        (part(FIN | 3, b""), [], wrong(1002)),
        (part(PING, b""), [], wrong(1002)),
        (part(FIN | COMPRESSED | PING, b""), [], wrong(1002)),
        (part(FIN | CLOSE, b"x"), [], wrong(1002)),
        (close(1005), [], wrong(1002)),
        (close(2999), [], wrong(1002)),
        (part(FIN | CLOSE, b"\x03\xe8\xff"), [], wrong(1007)),
        (part(FIN | TEXT, b"x") + frame(TEXT, b"y", MASK), ["x"], wrong(1002)),
        (part(FIN | PING, bytes(126)), [], wrong(1002)),
        (close(1000) + part(FIN | TEXT, b"late") + b"\xff\xff", [], CloseEnding(1000)),
        (frame(BINARY, bytes(LIMIT)) + frame(BINARY, bytes(LIMIT + 1))[:4], [bytes(LIMIT)], TOO_BIG),
        (b"\x02" + frame(BINARY, bytes(LIMIT))[1:] + part(0, b"x"), [], TOO_BIG),
        (
            b"\x02" + frame(BINARY, bytes(LIMIT))[1:] + part(FIN | PING, bytes(125)) + part(FIN, b""),
            [bytes(LIMIT)],
            None,
        ),
        (b"\x02" + frame(BINARY, bytes(LIMIT))[1:] + close(4000, "x" * 123), [], CloseEnding(4000, "x" * 123)),
    ],
    ids=[
        "fragments with an empty one and a pong",
        "fragments and a message",
        "empty fragments",
        "a goodbye inside a message",
        "a character that goes wrong",
        "an end without a begin",
        "a begin inside a message",
        "an opcode of control",
        "an opcode of data",
        "a ping in fragments",
        "a compressed ping",
        "half a code",
        "a code that is never said",
        "a code that nobody has",
        "a reason without UTF-8",
        "a mask",
        "a long ping",
        "words after the goodbye",
        "one byte over the limit",
        "fragments over the limit",
        "a ping beside a message of the limit",
        "a goodbye beside a message of the limit",
    ],
)
async def test_what_is_unusual(data: bytes, messages: list[str | bytes], ended: Ending | None) -> None:
    """Whatever is no plain message is judged by RFC 6455, in the segment of the 101 as anywhere."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery, data)
        if ended is None:
            peer.pipe.write(close(1000))
            ended = CloseEnding(1000)
        assert await everything(transport) == messages
        assert transport.ended == ended
        while (said := await peer.hear())[0] != FIN | CLOSE:
            pass
        code = ended.code if isinstance(ended, CloseEnding) else 1009 if ended == TOO_BIG else int(str(ended)[-4:])
        assert struct.unpack("!H", said[1][:2]) == (code,)


@pytest.mark.parametrize("limit", [1, 20])
async def test_control_frames_are_no_messages(limit: int) -> None:
    """A limit that is shorter than a control frame does not hold for it."""
    async with trio.open_nursery() as nursery:
        client, server = await pair(nursery, limit)
        client.ping(bytes(125))
        client.close(4000, "x" * 123)
        assert await everything(server) == []
        assert server.ended == CloseEnding(4000, "x" * 123)
        assert await everything(client) == []


async def test_a_long_message_in_many_reads() -> None:
    """Sixteen megabytes through a narrow pipe are whole, with a message before and one after."""
    data = random.Random(7).randbytes(16 * MB)
    async with trio.open_nursery() as nursery:
        client, server = await pair(nursery)
        # as if the peer had agreed to no compression
        server._extensions = None
        for message in ("before", data, "after"):
            server.send(message)
        server.close()
        assert await everything(client) == ["before", data, "after"]


# What we say


async def test_a_client_masks_and_a_server_does_not() -> None:
    """Each frame of a client has a new key; a server has none."""
    async with trio.open_nursery() as nursery:
        near, peer = await opened(nursery)
        keys = set()
        for _ in range(20):
            near.send("x")
            keys.add((await PipeStream(peer.pipe).receive_some())[2:6])
        assert len(keys) == 20
        near, peer = await opened(nursery, serves=True)
        near.send("x")
        near.ping(b"y")
        assert await PipeStream(peer.pipe).receive_some() == b"\x81\x01x\x89\x01y"


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
async def test_our_goodbye(code: int) -> None:
    """It is said once, cut between two characters, and after it nothing but what control frames need."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery)
        transport.close(code, "é" * 62)
        transport.close(1001)
        transport.ping()
        with pytest.raises(trio.BrokenResourceError, match="has ended"):
            transport.send("x")
        peer.pipe.write(part(FIN | PING, b"?") + part(FIN | TEXT, b"on its way"))
        assert await transport.receive() == ("on its way",)
        assert await peer.hear() == (FIN | CLOSE, struct.pack("!H", code) + "é".encode() * 61)
        assert await peer.hear() == (FIN | PONG, b"?")
        assert transport.ended is None
        peer.pipe.write(frame(CLOSE, b""))
        assert await everything(transport) == []
        assert transport.ended == CloseEnding(1005, "", "local")
        transport.close()
        assert peer.pipe.read() is None


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70_000])
async def test_codes_that_cannot_be_said(code: int) -> None:
    """No close frame may hold them, so nothing is said."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery)
        with pytest.raises(ValueError, match=f"cannot hold the code {code}"):
            transport.close(code)
        transport.send("still here")
        assert await peer.hear() == "still here"


async def test_a_ping_that_is_too_long() -> None:
    """It is a fault of the caller."""
    async with trio.open_nursery() as nursery:
        transport, _ = await opened(nursery)
        with pytest.raises(ValueError, match="at most 125 bytes, not 126"):
            transport.ping(bytes(126))


async def test_a_violation_after_our_goodbye() -> None:
    """The first fault still ends it, and no second goodbye is said."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery)
        transport.close()
        peer.pipe.write(part(FIN | TEXT, b"\xff"))
        assert await everything(transport) == []
        assert transport.ended == wrong(1007)
        assert await peer.hear() == (FIN | CLOSE, b"\x03\xe8")
        assert peer.pipe.read() is None


async def test_a_flood_of_pings_that_we_cannot_answer() -> None:
    """While a peer does not read, only the latest of its pings is answered, after the message that is on its way."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery, room=4 * KB)
        transport.send(bytes(100 * KB))
        kept = transport._pipe.given
        for number in range(1000):
            peer.pipe.write(part(FIN | PING, str(number).encode()))
        peer.pipe.write(part(FIN | TEXT, b"heard"))
        assert await transport.receive() == ("heard",)
        assert transport._pipe.given - kept < KB
        assert await peer.hear() == bytes(100 * KB)
        said = await peer.hear()
        while said[1] != b"999":
            said = await peer.hear()
        assert transport._pipe.given - kept < KB


@pytest.mark.parametrize("serves", [False, True])
async def test_who_ends_the_connection(*, serves: bool) -> None:
    """After both goodbyes, and after a fault, the server ends it and the client leaves it to the server (7.1.1)."""
    for said in (close(1000, "", MASK if serves else b""), b"\x8f\xff"):
        async with trio.open_nursery() as nursery:
            transport, peer = await opened(nursery, said, serves=serves)
            assert await everything(transport) == []
            assert (await peer.hear())[0] == FIN | CLOSE
            assert peer.pipe.read() == (b"" if serves else None)


# Other ends


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (MemoryPipe.write_eof, ErrorEnding("eof", "the peer ended the connection without a close frame")),
        (MemoryPipe.reset, ErrorEnding("reset", "Connection reset by peer", errno.ECONNRESET)),
    ],
)
@pytest.mark.parametrize("goodbye", [False, True])
async def test_the_peer_goes(end: Callable[[MemoryPipe], None], expected: Ending, *, goodbye: bool) -> None:
    """An end without a close frame is an error, also where we had said goodbye; the rest of a frame is lost."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery)
        if goodbye:
            transport.close()
        peer.pipe.write(part(FIN | TEXT, b"whole") + b"\x81\x05to")
        assert await transport.receive() == ("whole",)
        end(peer.pipe)
        assert await everything(transport) == []
        assert transport.ended == expected


async def test_tls_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of TLS is a loss like others, without a number of the system."""
    async with trio.open_nursery() as nursery:
        transport, peer = await opened(nursery)
        monkeypatch.setattr(MemoryPipe, "broken", ssl.SSLError(1, "bad record mac"))
        peer.pipe.write_eof()
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("reset", "TLS broke off")


@pytest.mark.parametrize("drop", [WebsocketsTransport.abort, lambda transport: transport._pipe.abort()])
async def test_it_is_dropped_on_this_side(drop: Callable[[WebsocketsTransport], None]) -> None:
    """Whoever waits is told at once, what lies there is not received any more, and the first ending stays."""
    for after in (b"", part(FIN | TEXT, b"early")):
        async with trio.open_nursery() as nursery:
            transport, _ = await opened(nursery, after)
            if after:
                transport.abort()
            else:
                nursery.start_soon(everything, transport)
                await trio.testing.wait_all_tasks_blocked()
            drop(transport)
            await trio.testing.wait_all_tasks_blocked()
            assert transport.ended == ErrorEnding("eof", "dropped on this side")
            assert await transport.receive() == ()
            with pytest.raises(trio.BrokenResourceError):
                transport.send("x")
            transport.ping()
            transport.close()
            transport.abort()


async def test_a_pipe_that_is_aborted_between_two_receives() -> None:
    """The next receive tells it."""
    async with trio.open_nursery() as nursery:
        transport, _ = await opened(nursery)
        transport._pipe.abort()
        assert await everything(transport) == []
        assert transport.ended == ErrorEnding("eof", "dropped on this side")


async def test_nobody_hears_us() -> None:
    """What can no longer be written is told to a sender; pings, pongs and goodbyes just do not leave."""
    async with trio.open_nursery() as nursery:
        for said, ended in (
            (part(FIN | PING, b"") + part(FIN | TEXT, b"x"), None),
            (close(4000), CloseEnding(4000)),
            (part(FIN | TEXT, b"\xff"), wrong(1007)),
        ):
            transport, _ = await opened(nursery, said)
            transport._pipe.write_eof()
            with pytest.raises(trio.BrokenResourceError):
                transport.send("x")
            transport.ping()
            transport.close()
            assert await transport.receive() == (("x",) if ended is None else ())
            assert transport.ended == ended
        client, _ = await pair(nursery)
        client._pipe.write_eof()
        with pytest.raises(trio.BrokenResourceError):
            client.send("compressed")


async def test_a_cancelled_receive_loses_nothing() -> None:
    """Wherever it is cancelled, what came with the handshake and what comes later is received once."""
    for steps in range(5):
        async with trio.open_nursery() as nursery:
            transport, peer = await opened(nursery, part(FIN | TEXT, b"early"))
            got: list[str | bytes] = []
            for said in (b"", part(FIN | TEXT, b"later")):
                peer.pipe.write(said)
                with trio.CancelScope() as scope:
                    nursery.start_soon(_cancel_after, steps, scope)
                    got += await transport.receive()
            peer.pipe.write(close(1000))
            got += await everything(transport)
            assert got == ["early", "later"]


async def _cancel_after(steps: int, scope: trio.CancelScope) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_an_end_is_a_schedule_point_too() -> None:
    """Whoever receives for ever after the end does not keep others from running, and can be cancelled."""
    async with trio.open_nursery() as nursery:
        transport, _ = await opened(nursery)
        transport.abort()
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_after, 3, scope)
            while True:
                await transport.receive()
        assert scope.cancelled_caught
