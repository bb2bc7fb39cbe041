"""Frames of avatar_live as values: a header of exactly 8 characters, `|AAA|NN|`, and behind it a body, or none.

Law: any message is a value, or is refused with a sentence that shows nothing of it but how its header is wrong. What
was read is written again as it means: a body that begins with `{` is an object of JSON, any other is a text, and in a
binary message the body is bytes. A body never begins with `|`: whoever takes the header for 9 characters writes so.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from .codec import Message, Undecodable, from_json, is_utf8, to_json

HEADER: Final = 8
"""Characters of a header; in a binary message, as many bytes of ASCII."""
_BAR: Final = "|"
_ON_THE_WIRE: Final = re.compile(r"\|[A-Z]{3}\|[0-9]{2}\|")
_NAME: Final = re.compile(r"[A-Z]{3}[0-9]{2}")
_LOOKED_AT: Final = 16
_KEYS: Final = ("header", "body")
_EXAMPLE: Final = "{'header': 'DAT01', 'body': '<speak>…</speak>'}"
_SPACE: Final = " \t\r\n"  # of JSON


def decode(message: Message) -> dict[str, Any]:
    """A message as a value: `header`, such as `MSG00`, and `body`, if there is one.

    Raises:
        Undecodable: it has no such header, or a body that is neither JSON nor another text.
    """
    if isinstance(message, bytes):
        header = _name(message[:_LOOKED_AT].decode("latin-1"))
        return {"header": header, "body": message[HEADER:]}
    header, body = _name(message[:_LOOKED_AT]), message[HEADER:]
    if not body:
        return {"header": header}
    if body.startswith(_BAR):
        raise Undecodable("a frame whose body begins with `|`: a header is 8 characters, not 9")
    return {"header": header, "body": from_json(body) if _is_json(body) else body}


def encode(value: Any) -> Message:
    """A value as a message; bytes in the body make it a binary one.

    Raises:
        TypeError: it is no frame, or its body is neither an object, a text nor bytes.
        ValueError: it is none that can be written; the error says why.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"the codec is avatar: send a frame such as {_EXAMPLE}, not {type(value).__name__}")
    unknown = sorted(repr(key) for key in value if key not in _KEYS)
    if unknown:
        raise ValueError(f"a frame has no {' and no '.join(unknown)}, but header and body, such as {_EXAMPLE}")
    header, body = value.get("header"), value.get("body")
    if not (isinstance(header, str) and _NAME.fullmatch(header)):
        raise ValueError(f"{header!r} is no header: three capitals and two digits, such as CTL03 for `|CTL|03|`")
    written = f"|{header[:3]}|{header[3:]}|"
    if isinstance(body, bytes | bytearray | memoryview):
        return written.encode("ascii") + bytes(body)
    return written + _body(body)


def _body(body: Any) -> str:
    if body is None:
        return ""
    if isinstance(body, Mapping):
        try:
            return to_json(dict(body))
        except RecursionError:
            raise ValueError("the body is nested too deeply, or holds itself") from None
    if not isinstance(body, str):
        raise TypeError(f"the body of a frame is an object, a text or bytes, not {type(body).__name__}")
    if not is_utf8(body):
        raise ValueError("the body holds half a character (a lone surrogate), which cannot be sent")
    if body.startswith(_BAR) or _is_json(body):
        raise ValueError("a text that begins with `{` or `|` is no body: send an object, not JSON, and no header")
    return body


def _is_json(body: str) -> bool:
    return body.lstrip(_SPACE).startswith("{")


def _name(begin: str) -> str:
    """The header at the beginning of a message, without its bars."""
    if _ON_THE_WIRE.match(begin):
        return begin[1:4] + begin[5:7]
    raise Undecodable(f"a frame without a header of 8 characters, such as `|MSG|02|`: {_wrong(begin)}")


def _wrong(begin: str) -> str:
    if not begin.startswith(_BAR):
        return "it does not begin with `|`"
    bars = [place for place, character in enumerate(begin) if character == _BAR]
    if len(bars) > 2 and bars[2] != HEADER - 1:  # noqa: PLR2004 -- the third bar ends a header
        return f"its header has {bars[2] + 1}"
    return "it is not three capitals and two digits between bars"
