"""Values to messages and back.

Law: what the peer sends cannot raise anything but `Undecodable`; what the user sends is refused at
the caller, before a byte of it exists.
"""

import json
import math
from typing import Any, NoReturn

Message = str | bytes


class Undecodable(Exception):
    """The peer's message is not of the page's codec; says why, and shows nothing of it."""


def decode(codec: str, message: Message) -> Any:
    """A message as a value.

    Args:
        codec: json, or text and binary, which take a message as it came.
        message: text or bytes.

    Raises:
        Undecodable: it is no JSON, or nested too deeply.
    """
    if codec != "json":
        return message
    try:
        return json.loads(message, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise Undecodable("JSON, but nested too deeply") from None
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Undecodable(f"not JSON{place}") from None


def encode(codec: str, value: Any) -> Message:
    """A value as a message.

    Raises:
        TypeError: the codec has no way to write it.
        ValueError: it holds NaN or an infinity, which JSON does not have, or itself; or, as text, half
            a character (a lone surrogate), which UTF-8 does not have.
    """
    if codec == "json":
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text if _is_utf8(text) else json.dumps(value, allow_nan=False, separators=(",", ":"))
    if not isinstance(value, str | bytes):
        raise TypeError(f"the codec is {codec}: send text or bytes, not {type(value).__name__}")
    if isinstance(value, str) and not _is_utf8(value):
        raise ValueError("the text holds half a character (a lone surrogate), which cannot be sent")
    return value


def length(message: Message) -> int:
    """How many bytes a message counts for in a queue."""
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


def _is_utf8(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
