"""Values to messages and back.

Law: what the peer sends cannot raise anything but `Undecodable`; what the user sends is refused at
the caller, before a byte of it exists.
"""

import functools
import json
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

Message = str | bytes
"""One message of WebSocket."""
Written = Message | tuple[Message, ...]
"""One value as it leaves: a message, or several in a row that are nothing without each other."""
Encode = Callable[[Any], Written]

PARTIAL: Final = object()
"""Stands for a value of which more messages are to come."""


class Undecodable(Exception):
    """The peer's message is not of the page's codec; says why, and shows nothing of it."""


class TooLong(Undecodable):
    """The peer's value has more bytes than the page lets a message have."""


class Reader(NamedTuple):
    """What reads the messages of one connection, in their order.

    Attributes:
        decode: a message as a value, or `PARTIAL`; raises Undecodable.
        size: how many bytes the value counts for in a queue that this message has made whole.
    """

    decode: Callable[[Message], Any]
    size: Callable[[Message], int]


def reader(codec: str, limit: int) -> Reader:
    """Make what reads the messages of one connection.

    Args:
        codec: of the page.
        limit: the most bytes of a value that comes in several messages; one message the transport limits.

    Raises:
        ModuleNotFoundError: the codec needs an extra that is not installed.
    """
    if codec == "socketio":
        from .socketio import Joiner

        joiner = Joiner(limit)
        return Reader(joiner.decode, joiner.size)
    if codec == "avatar":
        from . import avatar

        return Reader(avatar.decode, length)
    return _FROM_JSON if codec == "json" else _AS_IT_CAME


@functools.cache
def encoder(codec: str) -> Encode:
    """What writes values.

    It raises TypeError where the codec has no way to write a value; ValueError where the value holds itself, NaN or an
    infinity, which JSON does not have, or, as text, half a character (a lone surrogate), which UTF-8 does not have.

    Raises:
        ModuleNotFoundError: the codec needs an extra that is not installed.
    """
    if codec == "socketio":
        from .socketio import encode

        return encode
    if codec == "avatar":
        from . import avatar

        return avatar.encode
    return to_json if codec == "json" else functools.partial(_as_it_is, codec)


def from_json(message: Message) -> Any:
    """JSON as a value.

    Raises:
        Undecodable: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(message, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise Undecodable("JSON, but nested too deeply") from None
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Undecodable(f"not JSON{place}") from None


def to_json(value: Any) -> str:
    """A value as JSON that UTF-8 can write; raises as `encoder` says."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text if is_utf8(text) else json.dumps(value, allow_nan=False, separators=(",", ":"))


def length(message: Written) -> int:
    """How many bytes a message counts for in a queue."""
    if isinstance(message, str):
        return len(message) if message.isascii() else len(message.encode())
    return len(message) if isinstance(message, bytes) else sum(map(length, message))


def parts(message: Written) -> tuple[Message, ...]:
    """The messages of WebSocket in which a value leaves, in their order."""
    return message if isinstance(message, tuple) else (message,)


def is_utf8(text: str) -> bool:
    """Whether a text can be sent: it holds no half of a character."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _as_it_is(codec: str, value: Any) -> Message:
    if not isinstance(value, str | bytes):
        raise TypeError(f"the codec is {codec}: send text or bytes, not {type(value).__name__}")
    if isinstance(value, str) and not is_utf8(value):
        raise ValueError("the text holds half a character (a lone surrogate), which cannot be sent")
    return value


def _as_it_came(message: Message) -> Message:
    return message


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_FROM_JSON: Final = Reader(from_json, length)
_AS_IT_CAME: Final = Reader(_as_it_came, length)
