"""Frames of WebSocket (RFC 6455 5.2): cut plain messages out of bytes quickly, and write whole frames.

Law: a message that came in one plain frame is delivered from here; every other frame is given away whole, as it stands
on the wire, to somebody who knows what it means. What can be seen to be forbidden in a header is refused before its
payload has come. Bytes are copied a bounded number of times, however small the pieces are that they come in.
It does not know fragments, compression, or what a control frame asks for.
"""

import struct
from collections.abc import Callable
from typing import Final, final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C where the library has it so

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FIN: Final = 0x80

WRONG_FRAME: Final = 1002
WRONG_TEXT: Final = 1007
TOO_BIG: Final = 1009

Messages = list[str | bytes]
Other = Callable[[bytes, Messages], bool]
"""`go_on = other(frame, messages)`: take a frame that is no plain message."""

_CONTROL: Final = 0x8
_WHOLE_TEXT: Final = FIN | TEXT
_PLAIN: Final = frozenset((FIN | TEXT, FIN | BINARY))
_MASKED: Final = 0x80
# a length in the header itself; 126 and 127 say that it follows, in 2 or 8 bytes
_SHORT: Final = 125
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127


class Violation(Exception):
    """The peer sent what it must not.

    Attributes:
        code: to close with.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@final
class Cutter:
    """What came from one peer, and was not yet cut.

    Args:
        limit: the longest message, in bytes.
        most: the longest payload of a frame with data, in bytes; more than the limit if frames may be compressed.
        masked: whether the peer must mask its frames, as clients do.
    """

    __slots__ = ("_kept", "_limit", "_mask_bit", "_most", "_need", "_open")

    def __init__(self, limit: int, most: int, *, masked: bool) -> None:
        self._limit = limit
        self._most = most
        self._mask_bit = _MASKED if masked else 0
        self._open = False  # a message in fragments has begun and not ended
        self._kept: bytearray | None = None
        self._need = 0  # so many bytes, the kept ones with them, say more

    def cut(self, data: bytes, messages: Messages, other: Other) -> None:
        """Take what came.

        Args:
            data: the next bytes of the peer.
            messages: where to add plain messages, in order.
            other: takes each other frame; if it says False, what comes after it is forgotten.

        Raises:
            Violation: the peer broke a rule; `messages` has what came before.
            UnicodeDecodeError: a text is no UTF-8; as above.
        """
        at = 0
        while self._kept:
            end = at + self._need - len(self._kept)
            if end > len(data):
                self._kept += memoryview(data)[at:]
                return
            begun = b"".join((self._kept, memoryview(data)[at:end]))
            at = end
            if not self._cut(begun, 0, messages, other):
                return
        self._cut(data, at, messages, other)

    def _cut(self, data: bytes, at: int, messages: Messages, other: Other) -> bool:
        # One loop without calls: it runs once for each message, and nothing else does.
        size, limit, mask_bit = len(data), self._limit, self._mask_bit
        self._kept = None
        while (need := at + 2) <= size:
            first = data[at]
            length = data[at + 1] ^ mask_bit
            start = need
            if length > _SHORT:
                if length > _LENGTH_64 or first & _CONTROL:
                    raise Violation(WRONG_FRAME)  # the wrong mask, or a control frame that is too long
                start = need = at + (4 if length == _LENGTH_16 else 10)
                if size < need:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            fits = length <= limit
            if not fits and length > self._most and not first & _CONTROL:
                raise Violation(TOO_BIG)
            if mask_bit:
                start += 4
            need = start + length
            if size < need:
                break
            if first in _PLAIN and fits and not self._open:
                payload = data[start:need]
                if mask_bit:
                    payload = apply_mask(payload, data[start - 4 : start])
                messages.append(payload.decode() if first == _WHOLE_TEXT else payload)
            else:
                if not first & _CONTROL:
                    self._open = first < FIN
                if not other(data[at:need], messages):
                    return False
            at = need
        if at < size:
            self._kept = bytearray(memoryview(data)[at:])
            self._need = need - at
        return True


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Write a whole frame.

    Args:
        opcode: of a whole message or of a control frame.
        payload: as it is to be read.
        mask: four bytes, new for each frame, if a client sends it.
    """
    length = len(payload)
    bit = _MASKED if mask else 0
    if length <= _SHORT:
        head = bytes((FIN | opcode, bit | length))
    elif length < 1 << 16:
        head = struct.pack("!BBH", FIN | opcode, bit | _LENGTH_16, length)
    else:
        head = struct.pack("!BBQ", FIN | opcode, bit | _LENGTH_64, length)
    return head + mask + apply_mask(payload, mask) if mask else head + payload


def payload_of(control: bytes) -> bytes:
    """Read the payload of a control frame, unmasked if it is masked.

    Args:
        control: the whole frame; a control frame has a short length always.
    """
    return apply_mask(control[6:], control[2:6]) if control[1] & _MASKED else control[2:]
