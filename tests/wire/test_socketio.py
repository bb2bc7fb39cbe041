"""Packets of Engine.IO and Socket.IO as values: what is on the wire, what it means, and what is refused."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.wire.codec import PARTIAL, TooLong, Undecodable, Written, encoder, length, reader

LIMIT = 1_000
OPEN = {"sid": "s", "upgrades": [], "pingTimeout": 20000, "pingInterval": 25000, "maxPayload": 1000000}
PLACE = '{"_placeholder":true,"num":0}'
OTHER = '{"_placeholder":true,"num":1}'

encode = encoder("socketio")


def decoded(*messages: str | bytes, limit: int = LIMIT) -> list[Any]:
    """What one connection reads, without what is not whole yet."""
    client = reader("socketio", limit)
    return [value for value in map(client.decode, messages) if value is not PARTIAL]


def parts(written: Written) -> tuple[str | bytes, ...]:
    """The messages of one value."""
    return written if isinstance(written, tuple) else (written,)


def packet(kind: str, **rest: Any) -> dict[str, Any]:
    """A packet of the main namespace."""
    return {"packet": kind, "namespace": "/", **rest}


PACKETS: list[tuple[tuple[str | bytes, ...], dict[str, Any]]] = [
    (
        ('0{"sid":"s","upgrades":[],"pingTimeout":20000,"pingInterval":25000,"maxPayload":1000000}',),
        {"packet": "open", **OPEN},
    ),
    (("1",), {"packet": "close"}),
    (("2",), {"packet": "ping"}),
    (("2probe",), {"packet": "ping", "data": "probe"}),
    (("3",), {"packet": "pong"}),
    (('3{"a":1}',), {"packet": "pong", "data": '{"a":1}'}),
    (("5",), {"packet": "upgrade"}),
    (("6",), {"packet": "noop"}),
    (("40",), packet("connect")),
    (('40{"sid":"x"}',), packet("connect", data={"sid": "x"})),
    (("40/admin,",), {"packet": "connect", "namespace": "/admin"}),
    (('40/admin,{"token":"t"}',), {"packet": "connect", "namespace": "/admin", "data": {"token": "t"}}),
    (("41",), packet("disconnect")),
    (("41/admin,",), {"packet": "disconnect", "namespace": "/admin"}),
    (('42["chat"]',), packet("event", event="chat", args=[])),
    (('42["chat","hi",{"ü":[1.5,null]}]',), packet("event", event="chat", args=["hi", {"ü": [1.5, None]}])),
    (('427["chat","a-b"]',), packet("event", event="chat", args=["a-b"], id=7)),
    (('42/admin,0["chat"]',), {"packet": "event", "namespace": "/admin", "event": "chat", "args": [], "id": 0}),
    (("431[]",), packet("ack", id=1, args=[])),
    (('43/admin,12["ok",{"a":1}]',), {"packet": "ack", "namespace": "/admin", "id": 12, "args": ["ok", {"a": 1}]}),
    (('44{"message":"no","data":{"code":1}}',), packet("connect_error", error={"message": "no", "data": {"code": 1}})),
    (
        ('44/nope,{"message":"Invalid namespace"}',),
        {"packet": "connect_error", "namespace": "/nope", "error": {"message": "Invalid namespace"}},
    ),
    ((f'451-["file",{PLACE}]', b"\x00\xff"), packet("event", event="file", args=[b"\x00\xff"])),
    (
        (f'452-/admin,3["file",{{"a":[{PLACE}]}},{OTHER}]', b"", b"4"),
        {"packet": "event", "namespace": "/admin", "event": "file", "args": [{"a": [b""]}, b"4"], "id": 3},
    ),
    ((f"461-5[{PLACE}]", b"x"), packet("ack", id=5, args=[b"x"])),
]


@pytest.mark.parametrize(("messages", "value"), PACKETS, ids=[str(messages[0])[:24] for messages, _ in PACKETS])
def test_packets_there_and_back(messages: tuple[str | bytes, ...], value: dict[str, Any]) -> None:
    """What stands on the wire is one value, and the value is written as it stood there."""
    assert decoded(*messages) == [value]
    assert parts(encode(value)) == messages


@pytest.mark.parametrize(
    ("messages", "value"),
    [
        (
            ('44/nope,"Unable to connect"',),
            {"packet": "connect_error", "namespace": "/nope", "error": "Unable to connect"},
        ),
        (("40/admin",), {"packet": "connect", "namespace": "/admin"}),
        (("40/admin?token=t,",), {"packet": "connect", "namespace": "/admin"}),
        (("40null",), packet("connect")),
        (("40{}",), packet("connect", data={})),
        (('50-["none"]', '52["none"]'), None),
        (('450-["none"]',), packet("event", event="none", args=[])),
        (
            ('42["fake",{"_placeholder":true,"num":0}]',),
            packet("event", event="fake", args=[{"_placeholder": True, "num": 0}]),
        ),
        ((f'452-["turned",{OTHER},{PLACE}]', b"0", b"1"), packet("event", event="turned", args=[b"1", b"0"])),
        (('0{"packet":"mine"}',), {"packet": "open"}),
    ],
)
def test_what_others_write_otherwise(messages: tuple[str | bytes, ...], value: dict[str, Any] | None) -> None:
    """Forms that we never write are read: a refusal that is a text, a namespace without a comma, a query behind it."""
    if value is None:
        assert [each["packet"] for each in decoded(*messages)] == ["upgrade", "upgrade"]
    elif isinstance(value.get("error"), str):
        assert decoded(*messages) == [{**value, "error": {"message": value["error"]}}]
    else:
        assert decoded(*messages) == [value]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"event": "chat"}, '42["chat"]'),
        ({"event": "chat", "args": ("hi", ("a",))}, '42["chat","hi",["a"]]'),
        ({"event": "chat", "id": "7", "namespace": None, "args": None}, '427["chat"]'),
        ({"event": "chat", "id": 7.0}, '427["chat"]'),
        ({"event": "chat", "id": None}, '42["chat"]'),
        ({"packet": "ack", "id": "1"}, "431[]"),
        ({"packet": "connect", "data": {"token": None}}, "40"),
        ({"packet": "connect", "data": {"token": None, "a": {"b": None}}}, '40{"a":{"b":null}}'),
        ({"packet": "pong", "data": None}, "3"),
        ({"packet": "open", "pingInterval": 25000.0, "x": 0.5, "none": None}, '0{"pingInterval":25000,"x":0.5}'),
        ({"event": "half", "args": ["\ud800"]}, '42["half","\\ud800"]'),
    ],
)
def test_what_may_be_left_out(value: dict[str, Any], message: str) -> None:
    """An event needs no more than its name, none is as if it were not there, and ids may be texts."""
    assert encode(value) == message


def test_bytes_anywhere() -> None:
    """Bytes, in whatever they stand, are attachments, in order; what is sent is bytes also where they could change."""
    written = encode({"event": "x", "args": [(b"a", {"k": [bytearray(b"b")]}), b""]})
    assert written == (
        '453-["x",[{"_placeholder":true,"num":0},{"k":[{"_placeholder":true,"num":1}]}],{"_placeholder":true,"num":2}]',
        b"a",
        b"b",
        b"",
    )
    assert [type(part) for part in written] == [str, bytes, bytes, bytes]
    assert length(written) == len(written[0]) + 2


@pytest.mark.parametrize(
    ("value", "error", "why"),
    [
        ("hello", TypeError, r"the codec is socketio: send a packet such as .*, not str"),
        ({}, ValueError, "'' is no packet: say one of open, close, .* such as"),
        ({"packet": "message"}, ValueError, "'message' is no packet"),
        ({"packet": 1}, ValueError, "1 is no packet"),
        ({"packet": ["event"]}, ValueError, r"\['event'\] is no packet"),
        (
            {"event": "chat", "arg": 1, "to": 2},
            ValueError,
            "`event` has no 'arg' and no 'to', but namespace, event, args, id",
        ),
        ({"packet": "ping", "namespace": "/"}, ValueError, "`ping` has no 'namespace', but data"),
        ({"packet": "event"}, TypeError, "has an `event`, which is a text"),
        ({"event": 1}, TypeError, "has an `event`, which is a text"),
        ({"event": "chat", "args": "hi"}, TypeError, "`args` is a list, not str"),
        ({"event": "chat", "args": [object()]}, TypeError, "not JSON serializable"),
        ({"event": "chat", "args": [math.nan]}, ValueError, "JSON"),
        ({"event": "chat", "namespace": "admin"}, ValueError, "begins with `/`"),
        ({"event": "chat", "namespace": "/\ud800"}, ValueError, "begins with `/`"),
        ({"event": "chat", "namespace": "/a,b"}, ValueError, "no `,` and no `?`"),
        ({"event": "chat", "namespace": "/a?b"}, ValueError, "no `,` and no `?`"),
        ({"event": "chat", "id": -1}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": True}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": "1x"}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": "²"}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": 0.5}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": math.inf}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": 10**100}, ValueError, "whole number of 0 or more"),
        ({"event": "chat", "id": "1" * 101}, ValueError, "whole number of 0 or more"),
        ({"packet": "ack"}, ValueError, "has the `id` of what it acknowledges"),
        ({"packet": "connect", "data": "t"}, TypeError, "`data` is an object, not str"),
        ({"packet": "connect", "data": {"a": b""}}, ValueError, "binary"),
        ({"packet": "connect_error", "error": "no"}, TypeError, "`error` is an object, not str"),
        ({"packet": "open", "sid": b""}, TypeError, "not JSON serializable"),
        ({"packet": "ping", "data": 1}, TypeError, "`data` of a packet `ping` is a text"),
        ({"packet": "ping", "data": "\ud800"}, TypeError, "`data` of a packet `ping` is a text"),
        ({"event": "x", "args": [b"", {"_placeholder": True, "num": 0}]}, ValueError, "has a meaning of its own"),
    ],
)
def test_what_cannot_be_written(value: Any, error: type[Exception], why: str) -> None:
    """It is refused at the caller, in words that say what a packet is."""
    with pytest.raises(error, match=why):
        encode(value)


def test_what_holds_itself() -> None:
    """A list that holds itself, and one that is nested too deeply, are refused at the caller."""
    inside: list[Any] = []
    inside.append(inside)
    deep: Any = b""
    for _ in range(100_000):
        deep = [deep]
    for args in (inside, deep):
        with pytest.raises(ValueError, match="nested too deeply, or holds itself"):
            encode({"event": "x", "args": [args]})


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "not a packet"),
        ("x", "not a packet"),
        ("9zzz", "not a packet"),
        ("7", "not a packet"),
        ("bAAAA", "base64"),
        ("bA", "not a packet"),
        ("bé", "not a packet"),
        ("0", "not JSON at character 0"),
        ("0[]", "an open packet is no object"),
        ("4", "not a packet|no list"),
        ("4x", "not a packet"),
        ("47", "not a packet"),
        ('4{"a":1}', "not a packet"),
        ('4"2[\\"x\\"]"', "not a packet"),
        ('40"x"', "CONNECT is no object"),
        ("40[]", "CONNECT is no object"),
        ("42", "an EVENT is no list"),
        ("42{}", "an EVENT is no list"),
        ("42[]", "not a packet"),
        ("42[1]", "an EVENT without a name"),
        ("42[null]", "an EVENT without a name"),
        ("42{notjson", "not JSON at character 1"),
        ('42["x"', "not JSON"),
        ('42["x",NaN]', "not JSON"),
        ('42["x",-1e999]', "not JSON"),
        ('42["x",' + "9" * 5000 + "]", "not JSON"),
        ('42["x",' + "[" * 100_000, "nested too deeply"),
        ("42" + "1" * 101 + '["x"]', "not a packet"),
        ("42²[]", "not a packet"),
        ("43[]", "an ACK without an id"),
        ("431", "an ACK is no list"),
        ("431{}", "an ACK is no list"),
        ("44", "a CONNECT_ERROR is no object"),
        ("44[1]", "a CONNECT_ERROR is no object"),
        ('421-["x"]', "other places for attachments than it announces"),
        ('451-["x"]', "other places for attachments than it announces"),
        (f'45["x",{PLACE}]', "other places for attachments than it announces"),
        (f'451-["x",{OTHER}]', "other places for attachments than it announces"),
        (f'452-["x",{PLACE},{PLACE}]', "other places for attachments than it announces"),
        ('451-["x",{"_placeholder":true,"num":true}]', "other places for attachments than it announces"),
        ('451-["x",{"_placeholder":true,"num":-1}]', "other places for attachments than it announces"),
        ('451-["x",{"_placeholder":true,"num":"0"}]', "other places for attachments than it announces"),
        ('451-["x",{"_placeholder":true,"num":[]}]', "other places for attachments than it announces"),
        ('459999999999-["x"]', "other places for attachments than it announces"),
        ('4599999999999-["x"]', "not a packet"),
        (f"451-[{PLACE}]", "an EVENT without a name"),
        (f"451-{PLACE}", "an EVENT is no list"),
        (b"", "that no packet has announced"),
        (b'2["x"]', "that no packet has announced"),
    ],
)
def test_what_is_no_packet(message: str | bytes, why: str) -> None:
    """The error says why, and shows nothing of it."""
    with pytest.raises(Undecodable, match=why) as caught:
        decoded(message)
    assert not isinstance(caught.value, TooLong)
    assert len(message) < 3 or str(message) not in str(caught.value)


def test_deep_attachments() -> None:
    """A place for an attachment that is nested too deeply is no packet, however deep JSON itself may be."""
    for depth in (500, 900, 2_000, 50_000):
        text = f'451-["x",{"[" * depth}{PLACE}{"]" * depth}]'
        client = reader("socketio", LIMIT)
        try:
            assert client.decode(text) is PARTIAL
            value = client.decode(b"x")["args"][0]
        except Undecodable as error:
            assert "nested too deeply" in str(error)
        else:
            for _ in range(depth):
                (value,) = value
            assert value == b"x"


def test_a_packet_becomes_whole() -> None:
    """Its attachments are waited for; its bytes are counted together; heartbeats may come between."""
    client = reader("socketio", LIMIT)
    text = f'452-["x",{PLACE},{OTHER}]'
    assert client.decode(text) is PARTIAL
    assert client.decode("2") == {"packet": "ping"}
    assert client.size("2") == 1
    assert client.decode(b"one") is PARTIAL
    assert client.decode(b"three") == packet("event", event="x", args=[b"one", b"three"])
    assert client.size(b"three") == len(text) + 8
    assert client.decode('42["ü"]') == packet("event", event="ü", args=[])
    assert client.size('42["ü"]') == 8
    with pytest.raises(Undecodable, match="that no packet has announced"):
        client.decode(b"four")


def test_a_packet_between() -> None:
    """Another packet of Socket.IO, while attachments are missing, is a mistake."""
    client = reader("socketio", LIMIT)
    client.decode(f'451-["x",{PLACE}]')
    with pytest.raises(Undecodable, match="while attachments of the one before are missing"):
        client.decode('42["y"]')


def test_two_connections_share_nothing() -> None:
    """What one connection waits for, no other gets."""
    torn, other = reader("socketio", LIMIT), reader("socketio", LIMIT)
    assert torn.decode(f'451-["x",{PLACE}]') is PARTIAL
    with pytest.raises(Undecodable):
        other.decode(b"x")


def test_attachments_have_a_limit() -> None:
    """Together they are at most as long as one message may be; one byte more is too long, and says so."""
    text = f'452-["x",{PLACE},{OTHER}]'
    assert decoded(text, bytes(400), bytes(600)) == [packet("event", event="x", args=[bytes(400), bytes(600)])]
    assert decoded(text, bytes(400), bytes(600), text, bytes(1000), b"") != []
    with pytest.raises(TooLong, match="attachments of a packet were longer than 1000 bytes"):
        decoded(text, bytes(400), bytes(601))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.recursive(
    JSON | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMESPACES = st.just("/") | st.text(st.characters(exclude_characters=",?", exclude_categories=["Cs"])).map("/".__add__)
IDS = st.integers(0, 10**100 - 1)
OBJECTS = st.dictionaries(st.text(min_size=1), JSON.filter(lambda part: part is not None), min_size=1, max_size=3)


def socket_packets(kind: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Packets of Socket.IO; some of the parts may be missing."""
    optional = {name: parts.pop(name) for name in ("id", "data") if name in parts and kind != "ack"}
    return st.fixed_dictionaries({"packet": st.just(kind), "namespace": NAMESPACES, **parts}, optional=optional)


WHOLE = st.one_of(
    socket_packets("connect", data=OBJECTS),
    socket_packets("disconnect"),
    socket_packets("event", event=st.text(), args=st.lists(VALUES, max_size=4), id=IDS),
    socket_packets("ack", id=IDS, args=st.lists(VALUES, max_size=4)),
    socket_packets("connect_error", error=st.dictionaries(st.text(), JSON, max_size=3)),
    OBJECTS.map(lambda rest: {**rest, "packet": "open"}),
    st.fixed_dictionaries(
        {"packet": st.sampled_from(["close", "ping", "pong", "upgrade", "noop"])},
        optional={"data": st.text(st.characters(exclude_categories=["Cs"]), min_size=1)},
    ),
)


def like_json(value: Any) -> Any:
    """A value as it comes back: half characters may have become whole ones, and whole floats of an open packet ints."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if isinstance(value, list):
        return [like_json(part) for part in value]
    if isinstance(value, dict):
        return {like_json(key): like_json(part) for key, part in value.items()}
    return value


@given(st.lists(WHOLE, max_size=4))
def test_any_packets_there_and_back(packets: list[dict[str, Any]]) -> None:
    """What is written, one packet behind the other, is what is read; each has the bytes that it counts for."""
    client, values, sizes = reader("socketio", 10**6), [], []
    for each in packets:
        written = encode(each)
        for message in parts(written):
            assert isinstance(message, bytes) or message.encode()
            value = client.decode(message)
        values.append(value)
        sizes.append((client.size(message), length(written)))
    assert values == like_json(packets)
    assert all(counted == real for counted, real in sizes)


HEADS = st.sampled_from(["", "0", "1", "2", "4", "40", "41", "42", "43", "44", "45", "46", "451-", "462-", "b", "b4"])
TAILS = st.sampled_from(
    ["", "/n,", "/n", "7", '["x"]', f'["x",{PLACE}]', f"[{PLACE},{OTHER}]", "{", "null", "[[[", "²", "٣"]
)
NOISE = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=12),
    st.tuples(HEADS, TAILS, TAILS).map("".join),
    st.tuples(HEADS, TAILS, st.text(max_size=4)).map("".join),
    st.tuples(HEADS, JSON.map(repr)).map("".join),
)


@given(st.lists(NOISE, max_size=6))
@example(["4٢[]"])
@example(['42٣["x"]'])
def test_nothing_else_is_raised(messages: list[str | bytes]) -> None:
    """Whatever a peer sends is a value, the beginning of one, or Undecodable; and a connection holds one packet at most."""
    client = reader("socketio", LIMIT)
    for message in messages:
        try:
            value = client.decode(message)
        except Undecodable:
            client = reader("socketio", LIMIT)
        else:
            assert value is PARTIAL or value["packet"]


@given(WHOLE, st.data())
def test_what_is_cut_off(value: dict[str, Any], data: st.DataObject) -> None:
    """A packet that was cut in its text is another packet, or none; it raises nothing else."""
    text = parts(encode(value))[0]
    assert isinstance(text, str)
    client = reader("socketio", LIMIT)
    try:
        client.decode(text[: data.draw(st.integers(0, len(text)))])
    except Undecodable:
        return
