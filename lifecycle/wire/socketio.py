"""Packets of Engine.IO 4 and Socket.IO 5 as values, binary attachments joined into them; the extra `socketio`.

Law: the packet classes of python-engineio and python-socketio read and write the wire. What is ours is what a packet
may be: its shape is checked before its attachments are waited for, each attachment has its place, and JSON is as
strict as in the codec `json`. Packets of Engine.IO may come between a packet of Socket.IO and its attachments.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, final

from engineio import packet as engine
from socketio import packet as socket

from .codec import PARTIAL, Message, TooLong, Undecodable, Written, from_json, is_utf8, length, to_json

_ENGINE: Final = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
_SOCKET: Final = ("connect", "disconnect", "event", "ack", "connect_error", "event", "ack")
_BINARY: Final = (socket.BINARY_EVENT, socket.BINARY_ACK)
_MAIN: Final = "/"
_MOST_DIGITS: Final = 100  # of an id, in python-socketio
_WRONG: Final = (ValueError, TypeError, LookupError)
"""What the packet classes raise of what is no packet."""


class _Json:
    """JSON of packets. Theirs has NaN, and raises what it likes of what is nested too deeply."""

    loads = staticmethod(from_json)

    @staticmethod
    def dumps(data: Any, separators: tuple[str, str]) -> str:
        del separators
        return to_json(data)


class _EngineJson:
    """Engine.IO would read any message as JSON that happens to be some; so it leaves each the text that it is."""

    dumps = _Json.dumps

    @staticmethod
    def loads(_: str) -> Any:
        raise ValueError


class _EnginePacket(engine.Packet):  # type: ignore[misc]  # of a library without types
    json = _EngineJson


class _SocketPacket(socket.Packet):  # type: ignore[misc]  # as above
    json = _Json


# -- from the peer


@final
class Joiner:
    """Reads the messages of one connection, and joins packets with their attachments.

    Args:
        limit: the most bytes of a packet's attachments together.
    """

    __slots__ = ("_attached", "_limit", "_packet", "_size", "_text")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._packet: _SocketPacket | None = None  # of which attachments are missing
        self._text = self._attached = 0  # its bytes so far
        self._size = 0  # of the latest value

    def decode(self, message: Message) -> Any:
        """A message as a value, or `PARTIAL`.

        Raises:
            Undecodable: it is no packet, or none that may come now.
        """
        try:
            return self._attachment(message) if isinstance(message, bytes) else self._packet_of(message)
        except RecursionError:
            raise Undecodable("a packet, but nested too deeply") from None
        except _WRONG:
            raise Undecodable("not a packet of Socket.IO") from None

    def size(self, _: Message) -> int:
        """How many bytes the latest value has had."""
        return self._size

    def _packet_of(self, message: str) -> Any:
        size = length(message)
        packet = _EnginePacket(encoded_packet=message)
        if packet.binary:
            raise Undecodable("bytes in base64, which are for other transports")
        if packet.packet_type != engine.MESSAGE:
            value = _engine_value(packet)
        elif self._packet is not None:
            raise Undecodable("a packet, while attachments of the one before are missing")
        else:
            whole = _SocketPacket(encoded_packet=packet.data)
            value = _socket_value(whole)
            _check_attachments(whole)
            if whole.attachment_count:
                self._packet, self._text, self._attached = whole, size, 0
                return PARTIAL
        self._size = size
        return value

    def _attachment(self, message: bytes) -> Any:
        packet = self._packet
        if packet is None:
            raise Undecodable("an attachment that no packet has announced")
        self._attached += len(message)
        if self._attached > self._limit:
            raise TooLong(f"the attachments of a packet were longer than {self._limit} bytes")
        if not packet.add_attachment(message):
            return PARTIAL
        self._packet, self._size = None, self._text + self._attached
        return _socket_value(packet)


def _engine_value(packet: Any) -> dict[str, Any]:
    value = {"packet": _ENGINE[packet.packet_type]}
    if packet.packet_type == engine.OPEN:
        return {**_object(from_json(packet.data), "an open packet"), **value}
    return {**value, "data": packet.data} if packet.data else value


def _socket_value(packet: _SocketPacket) -> dict[str, Any]:
    data: Any = packet.data
    value: dict[str, Any] = {"packet": _SOCKET[packet.packet_type], "namespace": packet.namespace or _MAIN}
    match value["packet"]:
        case "connect" if data is not None:
            value["data"] = _object(data, "the payload of a CONNECT")
        case "connect_error":
            value["error"] = {"message": data} if isinstance(data, str) else _object(data, "a CONNECT_ERROR")
        case "event":
            event, *args = _list(data, "an EVENT")
            if not isinstance(event, str):
                raise Undecodable("an EVENT without a name")
            value |= {"event": event, "args": args}
            if packet.id is not None:
                value["id"] = packet.id
        case "ack":
            if packet.id is None:
                raise Undecodable("an ACK without an id")
            value |= {"id": packet.id, "args": _list(data, "an ACK")}
    return value


def _object(data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Undecodable(f"{what} is no object")
    return data


def _list(data: Any, what: str) -> list[Any]:
    if not isinstance(data, list):
        raise Undecodable(f"{what} is no list")
    return data


def _check_attachments(packet: _SocketPacket) -> None:
    """Hold the attachments that a packet announces against the places that it has for them."""
    places = _places(packet.data, []) if packet.packet_type in _BINARY else []
    if len(places) != packet.attachment_count or set(places) != set(range(len(places))):
        raise Undecodable("a packet that has other places for attachments than it announces")


def _places(data: Any, found: list[Any]) -> list[Any]:
    """The numbers of the places for attachments, as python-socketio sees them; none for what is no number."""
    if isinstance(data, dict) and data.get("_placeholder") and "num" in data:
        found.append(data["num"] if type(data["num"]) is int else None)
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            _places(part, found)
    return found


# -- from the user


def encode(value: Any) -> Written:
    """A packet as a message, or as several: the packet, then its attachments.

    Raises:
        TypeError: it is no packet, or a part of it is of the wrong type.
        ValueError: it is none that can be written; the error says why.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"the codec is socketio: send a packet such as {_EXAMPLE}, not {type(value).__name__}")
    given = {key: part for key, part in value.items() if part is not None}
    kind = given.pop("packet", "event" if "event" in given else "")
    if not isinstance(kind, str) or kind not in _WRITERS:
        raise ValueError(f"{kind!r} is no packet: say one of {', '.join(_WRITERS)}, such as {_EXAMPLE}")
    write, keys = _WRITERS[kind]
    unknown = sorted(repr(key) for key in given.keys() - keys) if keys else []
    if unknown:
        raise ValueError(f"a packet `{kind}` has no {' and no '.join(unknown)}, but {', '.join(keys)}")
    try:
        return write(kind, given)
    except RecursionError:
        raise ValueError("the packet is nested too deeply, or holds itself") from None


def _open(_: str, given: dict[str, Any]) -> Written:
    return _engine_text(engine.OPEN, {key: _whole(part) for key, part in given.items()})


def _bare(kind: str, given: dict[str, Any]) -> Written:
    data = given.get("data", "")
    if not (isinstance(data, str) and is_utf8(data)):
        raise TypeError(f"`data` of a packet `{kind}` is a text")
    return _engine_text(_ENGINE.index(kind), data)


def _connect(_: str, given: dict[str, Any]) -> Written:
    data = {key: part for key, part in _mapping(given, "data").items() if part is not None}
    return _message(socket.CONNECT, data or None, given)


def _disconnect(_: str, given: dict[str, Any]) -> Written:
    return _message(socket.DISCONNECT, None, given)


def _event(_: str, given: dict[str, Any]) -> Written:
    event = given.get("event")
    if not isinstance(event, str):
        raise TypeError("a packet `event` has an `event`, which is a text")
    return _message(socket.EVENT, [event, *_args(given)], given, _id(given))


def _ack(_: str, given: dict[str, Any]) -> Written:
    id_ = _id(given)
    if id_ is None:
        raise ValueError("a packet `ack` has the `id` of what it acknowledges")
    return _message(socket.ACK, _args(given), given, id_)


def _connect_error(_: str, given: dict[str, Any]) -> Written:
    return _message(socket.CONNECT_ERROR, dict(_mapping(given, "error")), given)


_EXAMPLE: Final = "{'event': 'chat', 'args': ['hi']}"
_WRITERS: Final[Mapping[str, tuple[Callable[[str, dict[str, Any]], Written], tuple[str, ...]]]] = {
    "open": (_open, ()),
    **dict.fromkeys(("close", "ping", "pong", "upgrade", "noop"), (_bare, ("data",))),
    "connect": (_connect, ("namespace", "data")),
    "disconnect": (_disconnect, ("namespace",)),
    "event": (_event, ("namespace", "event", "args", "id")),
    "ack": (_ack, ("namespace", "id", "args")),
    "connect_error": (_connect_error, ("namespace", "error")),
}
"""What writes each packet, and the keys that it may have; of an open packet they are not ours to say."""


def _message(kind: int, data: Any, given: dict[str, Any], id_: int | None = None) -> Written:
    packet: Any = _SocketPacket(kind, data, _namespace(given), id_)
    if packet.packet_type not in _BINARY:
        return _engine_text(engine.MESSAGE, packet.encode())
    if _places(data, []):
        raise ValueError("beside bytes, the key `_placeholder` has a meaning of its own in Socket.IO")
    text, *attachments = packet.encode()
    return _engine_text(engine.MESSAGE, text), *(bytes(each) for each in attachments)


def _engine_text(kind: int, data: Any) -> str:
    return str(_EnginePacket(kind, data).encode())


def _namespace(given: dict[str, Any]) -> str:
    namespace = given.get("namespace", _MAIN)
    if not (isinstance(namespace, str) and namespace.startswith(_MAIN) and is_utf8(namespace)):
        raise ValueError("a namespace is a text that begins with `/`")
    if "," in namespace or "?" in namespace:
        raise ValueError("a namespace has no `,` and no `?`")
    return namespace


def _id(given: dict[str, Any]) -> int | None:
    id_ = _whole(given.get("id"))
    if isinstance(id_, str) and id_.isascii() and id_.isdecimal() and len(id_) <= _MOST_DIGITS:
        id_ = int(id_)
    if isinstance(id_, bool) or not isinstance(id_, int | None) or not 0 <= (id_ or 0) < 10**_MOST_DIGITS:
        raise ValueError("an id is a whole number of 0 or more, also as a text")
    return id_


def _args(given: dict[str, Any]) -> list[Any]:
    args = given.get("args", ())
    if not isinstance(args, list | tuple):
        raise TypeError(f"`args` is a list, not {type(args).__name__}")
    return [_lists(each) for each in args]


def _lists(data: Any) -> Any:
    """Tuples as lists: python-socketio looks for bytes in lists only."""
    if isinstance(data, list | tuple):
        return [_lists(each) for each in data]
    if isinstance(data, dict):
        return {key: _lists(part) for key, part in data.items()}
    return data


def _mapping(given: dict[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key, {})
    if not isinstance(found, Mapping):
        raise TypeError(f"`{key}` is an object, not {type(found).__name__}")
    return found


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number
