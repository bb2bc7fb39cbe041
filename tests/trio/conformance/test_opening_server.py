import errno
from collections.abc import Callable

import attrs
import pytest
import trio

from lifecycle.trio.pipes.pipe import Pipe
from lifecycle.trio.transports.transport import Asking, Transport, TransportFailed
from lifecycle.wire.dial_request import DEFAULT_LIMIT
from lifecycle.wire.ending import CloseEnding, Ending, ErrorEnding

from .raw import RawPeer, asking, head_lines, header
from .subject import CLIENT_ADDRESS, FEW, Lane

pytestmark = pytest.mark.matrix(sides=("server",))

KB = 1024
MB = 1024 * KB
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # what RFC 6455 1.3 says of its example

Answer = Callable[[Asking], object]


def never_asked(_: Asking) -> None:
    """Fail."""
    pytest.fail("somebody was asked")


@attrs.define
class Knock:
    """One client at the door.

    Attributes:
        ending: why it did not come to an answer of ours.
        heard: all that the client heard.
        closed: whether the pipe was aborted by then.
        taken: how many bytes left the client.
    """

    ending: Ending | None = None
    heard: bytes = b""
    closed: bool = False
    taken: int = 0


async def accept(lane: Lane, pipe: Pipe, answer: Answer = never_asked) -> Ending | None:
    """Hear what a client asks for; say why there was nothing to be asked."""

    def asked(asking: Asking) -> None:
        answer(asking)

    try:
        await lane.transport.accept(pipe, DEFAULT_LIMIT, CLIENT_ADDRESS, asked)
    except TransportFailed as failed:
        return failed.ending
    return None


async def knock(lane: Lane, act: Callable[[RawPeer], None], answer: Answer = never_asked) -> Knock:
    """Let a client do something, and see what becomes of it; nothing may run on."""
    found = Knock()
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)

        async def host() -> None:
            found.ending = await accept(lane, pipe, answer)
            found.closed = pipe.closed

        async def hear(heard: trio.Event) -> None:
            found.heard = await peer.body()
            heard.set()

        nursery.start_soon(host)
        act(peer)
        if not peer.wire.pipe.closed:
            heard = trio.Event()
            nursery.start_soon(hear, heard)
            await trio.testing.wait_all_tasks_blocked()
            # as whoever serves does, once there is nothing more to say
            pipe.write_eof()
            await heard.wait()
        await trio.testing.wait_all_tasks_blocked()
        found.taken = peer.wire.pipe.sent
        pipe.abort()
        peer.wire.pipe.abort()
    return found


def saying(*data: bytes, ends: bool = False) -> Callable[[RawPeer], None]:
    """Say this, and perhaps end."""

    def act(peer: RawPeer) -> None:
        peer.say(*data)
        if ends:
            peer.wire.finish()

    return act


# A request that is answered


async def test_admitting(lane: Lane) -> None:
    """The answer proves that the key was read, and promises nothing that was not asked for."""
    async with lane.open() as (subject, peer):
        line, headers = head_lines(subject.head)
        assert line.startswith("HTTP/1.1 101 ")
        values = {name.lower(): value for name, value in headers}
        assert values["upgrade"].lower() == "websocket"
        assert values["connection"].lower() == "upgrade"
        assert values["sec-websocket-accept"] == ACCEPT
        assert "sec-websocket-protocol" not in values
        assert "sec-websocket-extensions" not in values
        peer.say(peer.message("there"))
        assert await subject.message() == "there"
        subject.transport.send("back")
        assert await peer.hear_message() == "back"


async def test_what_is_asked(lane: Lane) -> None:
    """Path, query, headers, subprotocols and address stand in the upgrade, decoded; repeated headers are joined."""
    seen: list[Asking] = []
    request = asking(
        b"X-One: 1",
        b"x-one: 2",
        b"Authorization: Bearer \xe9",
        b"Sec-WebSocket-Protocol: one, two",
        b"Sec-WebSocket-Protocol: three",
        line=b"GET /a%20path?name=b%20c&empty= HTTP/1.1",
    )
    await knock(lane, saying(request), seen.append)
    (found,) = seen
    assert found.upgrade.path == "/a path"
    assert found.upgrade.query == {"name": "b c", "empty": ""}
    assert found.upgrade.subprotocols == ("one", "two", "three")
    assert found.upgrade.peer == CLIENT_ADDRESS
    headers = found.upgrade.headers
    assert headers["host"] == "peer.example"
    assert headers["x-one"] == "1, 2"
    assert headers["authorization"] == "Bearer é"


async def test_admitting_with_a_subprotocol(lane: Lane) -> None:
    """One of those that were offered is chosen, and stands in the answer once; another one is a fault of ours."""

    def choose(found: Asking) -> None:
        with pytest.raises(ValueError, match="three"):
            found.admit("three")
        found.admit("two")

    request = asking(b"Sec-WebSocket-Protocol: one, two")
    found = await knock(lane, saying(request), choose)
    assert header(found.heard.partition(b"\r\n\r\n")[0], "Sec-WebSocket-Protocol") == "two"


SPELLINGS = {
    "other letters": asking(upgrade=b"WebSocket", connection=b"upgrade"),
    "more tokens": asking(connection=b"keep-alive, Upgrade"),
    "further headers": asking(b"Origin: https://x", b"User-Agent: y", b"Cookie: z=1"),
    "an extension of its own": asking(b"Sec-WebSocket-Extensions: x-rot13"),
    "small letters": asking().lower().replace(b"get ", b"GET ").replace(b"http/1.1", b"HTTP/1.1"),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("request_", SPELLINGS.values(), ids=SPELLINGS)
async def test_requests_that_are_right(lane: Lane, request_: bytes) -> None:
    """Names and tokens have no case, there may be other headers, and an extension that we do not know is left out."""
    found = await knock(lane, saying(request_), lambda found: found.admit())
    assert found.heard.startswith(b"HTTP/1.1 101 ")
    assert b"x-rot13" not in found.heard


async def test_a_request_one_byte_at_a_time(lane: Lane) -> None:
    """However it is cut, it is read."""
    made: list[Transport] = []
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(accept, lane, pipe, lambda found: made.append(found.admit()))
        await peer.drip(asking())
        assert (await peer.head()).startswith(b"HTTP/1.1 101 ")
        await peer.drip(peer.message("slow"))
        assert await made[0].receive() == ("slow",)
        made[0].abort()
        peer.wire.pipe.abort()


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_frames_behind_the_request(lane: Lane, *, later: bool) -> None:
    """A client that does not wait for the answer is heard all the same, whenever it is admitted."""
    asked: list[Asking] = []
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(accept, lane, pipe, asked.append)
        peer.say(asking(), peer.message("early"), peer.message(b"bird"))
        while not asked:
            await trio.testing.wait_all_tasks_blocked()
        if later:
            peer.say(peer.message("and"))
            await trio.testing.wait_all_tasks_blocked()
        transport = asked[0].admit()
        if not later:
            peer.say(peer.message("and"))
        got: list[str | bytes] = []
        while len(got) < 3:
            got += await transport.receive()
        assert got == ["early", b"bird", "and"]
        assert (await peer.head()).startswith(b"HTTP/1.1 101 ")
        peer.say(peer.close(4000, "bye"))
        assert await transport.receive() == ()
        assert transport.ended == CloseEnding(4000, "bye")
        transport.abort()
        peer.wire.pipe.abort()


@pytest.mark.parametrize("body", [b"", b"why \xff\r\n", b"x" * 200_000], ids=["empty", "short", "long"])
async def test_refusing(lane: Lane, body: bytes) -> None:
    """Status, headers and body reach the client as they are, the length too, and then nothing more."""
    found = await knock(
        lane,
        lambda peer: peer.say(asking()),
        lambda found: found.refuse(401, {"WWW-Authenticate": 'Bearer realm="x"', "Retry-After": "7"}, body),
    )
    head, _, rest = found.heard.partition(b"\r\n\r\n")
    line, headers = head_lines(head)
    values = {name.lower(): value for name, value in headers}
    assert line.startswith("HTTP/1.1 401 ")
    assert values["www-authenticate"] == 'Bearer realm="x"'
    assert values["retry-after"] == "7"
    assert values["content-length"] == str(len(body))
    assert rest == body
    assert found.ending is None


async def test_an_answer_is_given_once(lane: Lane) -> None:
    """A second one is a fault of ours, and changes nothing."""

    def answer(found: Asking) -> None:
        found.refuse(503, {})
        with pytest.raises(RuntimeError):
            found.refuse(404, {})
        with pytest.raises(RuntimeError):
            found.admit()

    found = await knock(lane, saying(asking()), answer)
    assert found.heard.startswith(b"HTTP/1.1 503 ")
    assert found.heard.count(b"HTTP/1.1") == 1


async def test_an_answer_that_cannot_be_sent(lane: Lane) -> None:
    """A status that is no refusal and a header that is none are faults of ours; the right answer is still possible."""

    def answer(found: Asking) -> None:
        for status in (101, 200, 399, 600):
            with pytest.raises(ValueError, match=str(status)):
                found.refuse(status, {})
        for value in ("two\r\nlines", "\N{SNOWMAN}"):
            with pytest.raises(ValueError, match="X-Wrong"):
                found.refuse(403, {"X-Wrong": value})
        found.refuse(403, {"X-Right": "é"})

    found = await knock(lane, saying(asking()), answer)
    assert found.heard.startswith(b"HTTP/1.1 403 ")
    assert found.heard.count(b"HTTP/1.1") == 1
    assert b"X-Wrong" not in found.heard


# A request that is not


WRONG: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "no upgrade": (asking(upgrade=None, connection=None, key=None, version=None), (400, 426)),
    "another upgrade": (asking(upgrade=b"h2c"), (400, 426)),
    "no connection": (asking(connection=None), (400, 426)),
    "another connection": (asking(connection=b"keep-alive"), (400, 426)),
    "no key": (asking(key=None), (400,)),
    "no version": (asking(version=None), (400, 426)),
    "version 8": (asking(version=b"8"), (426,)),
    "no version at all": (asking(version=b"thirteen"), (400, 426)),
    "no host": (asking(host=None), (400,)),
    "POST": (asking(line=b"POST / HTTP/1.1"), (400, 405)),
    "an old HTTP": (asking(line=b"GET / HTTP/1.0"), (400, 426, 505)),
}


@pytest.mark.matrix(wires=FEW)
@pytest.mark.parametrize("name", WRONG)
async def test_a_request_for_something_else(lane: Lane, name: str) -> None:
    """Nobody is asked, and the client is told by HTTP what is wrong with it (4.2.1)."""
    request, statuses = WRONG[name]
    found = await knock(lane, saying(request))
    assert isinstance(found.ending, ErrorEnding)
    assert found.ending.word == "handshake"
    assert found.ending.text
    head, end, _ = found.heard.partition(b"\r\n\r\n")
    assert end
    line, headers = head_lines(head)
    assert line.startswith("HTTP/1.1 ")
    assert int(line.split()[1]) in statuses
    if name == "version 8":
        assert ("sec-websocket-version", "13") in [(key.lower(), value) for key, value in headers]


NO_REQUEST = {
    "nothing": saying(ends=True),
    "half a head": saying(asking()[:-10], ends=True),
    "not HTTP": saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "garbage": saying(bytes(range(256)) + b"\r\n\r\n"),
    "garbage, then the end": saying(b"garbage", ends=True),
    "reset": lambda peer: peer.wire.reset(),
}


@pytest.mark.parametrize("act", NO_REQUEST.values(), ids=NO_REQUEST)
async def test_no_request_at_all(lane: Lane, act: Callable[[RawPeer], None]) -> None:
    """Whoever says something else, or goes, is `handshake`, and nobody is asked."""
    found = await knock(lane, act)
    assert isinstance(found.ending, ErrorEnding)
    assert found.ending.word == "handshake"
    assert found.ending.text
    if act is NO_REQUEST["reset"]:
        assert found.ending.errno == errno.ECONNRESET
        assert found.closed


@pytest.mark.parametrize("line", [b"X: " + b"x" * 1019 + b"\r\n", b"x" * KB], ids=["in many headers", "in one header"])
async def test_a_head_without_end(lane: Lane, line: bytes) -> None:
    """A head that goes on and on is given up, after a bounded number of bytes."""
    found = await knock(lane, saying(b"GET / HTTP/1.1\r\nX: ", line * 4 * KB))
    assert isinstance(found.ending, ErrorEnding)
    assert found.ending.word == "handshake"
    assert found.taken < MB


async def test_silence(lane: Lane) -> None:
    """Whoever has waited long enough cancels, nothing runs on, and the pipe is aborted."""
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        peer.say(asking()[:-10])
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as hearing:
                hearing.start_soon(accept, lane, pipe)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert pipe.closed
        assert await peer.body() == b""
        peer.wire.pipe.abort()


async def test_a_client_that_goes_while_we_think(lane: Lane) -> None:
    """Admitting it fails, or gives a transport that ends as soon as it is listened to."""
    asked: list[Asking] = []
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(accept, lane, pipe, asked.append)
        peer.say(asking())
        while not asked:
            await trio.testing.wait_all_tasks_blocked()
        peer.wire.reset()
        await trio.testing.wait_all_tasks_blocked()
        try:
            transport = asked[0].admit()
        except trio.BrokenResourceError:
            pipe.abort()
        else:
            assert await transport.receive() == ()
            assert isinstance(transport.ended, ErrorEnding)
            transport.abort()


async def test_a_pipe_that_is_dropped_while_we_think(lane: Lane) -> None:
    """There is nobody to be admitted any more, and refusing does no harm."""
    asked: list[Asking] = []
    async with trio.open_nursery() as nursery:
        pipe, peer = await lane.connect(nursery)
        nursery.start_soon(accept, lane, pipe, asked.append)
        peer.say(asking())
        while not asked:
            await trio.testing.wait_all_tasks_blocked()
        pipe.abort()
        with pytest.raises(trio.BrokenResourceError):
            asked[0].admit()
        peer.wire.pipe.abort()
