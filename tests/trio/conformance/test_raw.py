"""The peer of this suite is right where it means to be, and strict: another parser says so."""

import pytest
import trio
import wsproto
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage

from lifecycle.trio.pipes.memory import memory_pair

from .conftest import Column
from .raw import (
    BINARY,
    MASK,
    PING,
    TEXT,
    Frame,
    RawPeer,
    Wire,
    accept_key,
    asking,
    frame,
    head_lines,
    masked,
    switching,
)
from .table import Cell, counted, table


def test_the_examples_of_the_standard() -> None:
    """Frames and keys are those that RFC 6455 shows in 1.3 and 5.7."""
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert frame(TEXT, b"Hello") == bytes.fromhex("81 05 48 65 6c 6c 6f")
    assert frame(TEXT, b"Hello", mask=MASK) == bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58")
    assert frame(TEXT, b"Hel", fin=False) == bytes.fromhex("01 03 48 65 6c")
    assert frame(PING, b"Hello") == bytes.fromhex("89 05 48 65 6c 6c 6f")
    assert frame(BINARY, bytes(256))[:4] == bytes.fromhex("82 7e 01 00")
    assert frame(BINARY, bytes(65_536))[:10] == bytes.fromhex("82 7f 00 00 00 00 00 01 00 00")
    assert masked(masked(b"any length", MASK), MASK) == b"any length"


def test_another_parser_understands_a_client() -> None:
    """What the peer says as a client opens a connection, and its frames are read as they are meant."""
    parser = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    parser.receive_data(asking(b"Sec-WebSocket-Protocol: one"))
    (request,) = parser.events()
    assert isinstance(request, Request)
    assert (request.target, request.subprotocols) == ("/path?a=1", ["one"])
    assert switching(asking()).splitlines()[1:] == parser.send(AcceptConnection()).splitlines()[1:]
    read_frames(parser, client=True)


def test_another_parser_understands_a_server() -> None:
    """The same as a server."""
    parser = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    request = parser.send(Request(host="peer.example", target="/"))
    parser.receive_data(switching(request))
    assert [type(event) for event in parser.events()] == [AcceptConnection]
    read_frames(parser, client=False)


def read_frames(parser: wsproto.WSConnection, *, client: bool) -> None:
    """Feed a parser with one of each, and look at what it makes of them."""
    near, _ = memory_pair(lambda _: None)
    peer = RawPeer(Wire(near), client=client)
    said = [peer.message("é"), peer.message(bytes(70_000)), *peer.fragments(TEXT, b"a", b"b"), peer.frame(PING, b"?")]
    parser.receive_data(b"".join(said) + peer.close(4000, "bye"))
    seen = list(parser.events())
    assert [event.data for event in seen if isinstance(event, TextMessage)] == ["é", "a", "b"]
    assert b"".join(event.data for event in seen if isinstance(event, BytesMessage)) == bytes(70_000)
    assert seen[-2:] == [Ping(payload=b"?"), CloseConnection(code=4000, reason="bye")]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (frame(TEXT, b"x"), "clients mask"),
        (frame(TEXT, b"x", reserved=1, mask=MASK), "reserved"),
        (frame(3, b"x", mask=MASK), "opcode 3"),
        (frame(PING, b"x", fin=False, mask=MASK), "fragmented"),
        (frame(PING, bytes(126), mask=MASK), "too long"),
        (b"\x81\xfe\x00\x01" + MASK + b"x", "longer than it must be"),
        (b"\x81\xff" + bytes(7) + b"\x01" + MASK + b"x", "longer than it must be"),
        (b"\x81\x81", "in the middle"),
    ],
    ids=["mask", "reserved bit", "opcode", "fragment", "long ping", "length", "long length", "torn"],
)
async def test_it_is_strict(said: bytes, complaint: str) -> None:
    """As a server it takes no frame that a client must not send, so a test that passes means something."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        near.write(said)
        near.write_eof()
        with pytest.raises(AssertionError, match=complaint):
            await RawPeer(Wire(far), client=False).hear()


async def test_it_takes_what_is_right() -> None:
    """Frames of a client are heard one by one, then the end."""
    async with trio.open_nursery() as nursery:
        near, far = memory_pair(nursery.start_soon)
        near.write(frame(TEXT, b"a", mask=MASK) + frame(BINARY, bytes(70_000), mask=MASK))
        near.write_eof()
        assert await RawPeer(Wire(far), client=False).rest() == [Frame(TEXT, b"a"), Frame(BINARY, bytes(70_000))]


def test_heads_are_taken_apart() -> None:
    """The first line and the headers, in order, with names as they are written."""
    line, headers = head_lines(b"HTTP/1.1 200 OK\r\nA: b:c\r\na:d \r\n\r\n")
    assert line == "HTTP/1.1 200 OK"
    assert headers == [("A", "b:c"), ("a", "d")]


# The table


def report(nodeid: str, column: Column | None, outcome: str = "passed", when: str = "call") -> pytest.TestReport:
    """A report as pytest makes it."""
    told = [("lane of the matrix", (column.library, column.wire, column.side))] if column else []
    return pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, None, when, user_properties=told)


def test_the_table_counts_what_was_reported() -> None:
    """A test counts once; it has not passed if any part of it failed; a test of no lane does not count."""
    column = Column("websockets", "memory", "client")
    cell: Cell = ("close, client", "websockets", "memory")
    passed, total = counted(
        [
            report("a/test_close.py::one", column),
            report("a/test_close.py::two", column),
            report("a/test_close.py::two", column, "failed", "teardown"),
            report("a/test_close.py::three", column, "failed", "setup"),
            report("a/test_opening_client.py::four", column),
            report("a/test_raw.py::five", None),
        ]
    )
    assert (passed[cell], total[cell]) == (1, 3)
    lines = table(passed, total)
    assert lines[-1] == "2 of 4 passed"
    assert [line.split() for line in lines[2:-1]] == [
        ["close,", "client", *"-" * 10, "1/3", "-"],
        ["opening", "client", *"-" * 10, "1/1", "-"],
    ]
