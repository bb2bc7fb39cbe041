"""What passes in one direction of a connection: bytes, and where messages of WebSocket begin and end in them.

Law: no I/O. Bytes are never changed, held or lost here, but by a fault that was asked for: whoever
puts the pieces together has what came. Lengths are believed; nothing is refused, for it is the
peers who judge.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, final

import attrs

from lifecycle.testing.schedule import Fault

from .weather import Counts, Side

LARGEST: Final = 16 * 1024 * 1024
"""The longest message that a fault of frames can hit; a longer one passes."""
MOST_OF_A_HEAD: Final = 64 * 1024

_FIN, _MASKED, _CONTROL, _CLOSE = 0x80, 0x80, 0x8, 0x8
_OPCODE, _LENGTH = 0xF, 0x7F
_LENGTH_16, _LENGTH_64 = 126, 127
_BEGINNINGS: Mapping[Side, bytes] = {"up": b"GET ", "down": b"HTTP/1.1 101"}
_END_OF_HEAD = b"\r\n\r\n"


@attrs.frozen(kw_only=True)
class Piece:
    """Some bytes, and what is known of them.

    Attributes:
        data: the bytes.
        first: so many of them are the header of a frame, with which the piece begins; 0 in the middle of one.
        opcode: of the frame; -1 of what is none.
        final: whether the frame is the last one of its message.
        ends: whether the frame ends here.
        between: whether no message is open behind this piece.
        reorder: the fault that holds this message back.
    """

    data: bytes
    first: int = 0
    opcode: int = -1
    final: bool = False
    ends: bool = False
    between: bool = False
    reorder: Fault | None = None

    @property
    def ends_message(self) -> bool:
        """Whether a message with data ends here."""
        return self.ends and self.final and 0 <= self.opcode < _CONTROL

    @property
    def goodbye(self) -> bool:
        """Whether a close frame begins here."""
        return self.first > 0 and self.opcode == _CLOSE


@final
class Opening:
    """The handshake of one connection, overheard.

    Args:
        known: called as soon as it is known what follows.

    Attributes:
        framed: whether frames of WebSocket follow it; None as long as nobody knows.
    """

    def __init__(self, known: Callable[[], None]) -> None:
        self.framed: bool | None = None
        self._known = known
        self._heads: dict[Side, bytearray] = {"up": bytearray(), "down": bytearray()}
        self._whole: set[Side] = set()

    def split(self, way: Side, data: bytes) -> tuple[bytes, bytes]:
        """Take the next bytes of one direction.

        Returns:
            What belongs to the handshake or to something that is no WebSocket; and what belongs to frames.
        """
        if self.framed and way in self._whole:
            return b"", data
        if self.framed is False:
            return data, b""
        size = self._hear(way, data)
        return data[:size], data[size:]

    def _hear(self, way: Side, data: bytes) -> int:
        head = self._heads[way]
        before = len(head)
        head += data
        beginning = _BEGINNINGS[way]
        end = head.find(_END_OF_HEAD, max(0, before - len(_END_OF_HEAD) + 1))
        size = end + len(_END_OF_HEAD) - before if end >= 0 else len(data)
        strange = head[: len(beginning)] != beginning[: len(head)] or (end < 0 and len(head) > MOST_OF_A_HEAD)
        # a client of WebSocket says nothing behind its request until it was answered
        if strange or way in self._whole or (way == "up" and size < len(data)):
            self.framed = False
        elif end >= 0:
            self._whole.add(way)
            if way == "down":
                self.framed = "up" in self._whole and b"websocket" in head.lower()
        if self.framed is not None:
            self._heads = {"up": bytearray(), "down": bytearray()}
            self._known()
        return size if self.framed is not False else len(data)


@final
class Framer:
    """Cuts the bytes of one direction where frames begin and end; payloads pass in the parts they come in."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        self._opcode, self._final, self._open = -1, False, False

    @property
    def rest(self) -> bytes:
        """What was taken and not given back: a header that is not whole."""
        return bytes(self._head)

    def cut(self, data: bytes) -> Iterable[Piece]:
        """Take the next bytes."""
        at = 0
        while at < len(data):
            head = 0
            if not self._left:
                taken = _missing(self._head)
                self._head += data[at : at + taken]
                at += taken
                if _missing(self._head):
                    continue
                head = len(self._head)
                self._begin()
            part = data[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            begun, self._head = bytes(self._head), bytearray()
            yield Piece(
                data=begun + part,
                first=head,
                opcode=self._opcode,
                final=self._final,
                ends=not self._left,
                between=not self._left and not self._open,
            )

    def _begin(self) -> None:
        head = self._head
        self._opcode, self._final = head[0] & _OPCODE, bool(head[0] & _FIN)
        length = head[1] & _LENGTH
        self._left = length
        if length >= _LENGTH_16:
            self._left = int.from_bytes(head[2 : 4 if length == _LENGTH_16 else 10], "big")
        if self._opcode < _CONTROL:
            self._open = not self._final


def _missing(head: bytearray) -> int:
    """How many bytes a header still lacks (RFC 6455 5.2)."""
    if len(head) < 2:  # noqa: PLR2004 -- the two bytes that say how long the rest is
        return 2 - len(head)
    length = head[1] & _LENGTH
    size = 2 + (2 if length == _LENGTH_16 else 8 if length == _LENGTH_64 else 0) + (4 if head[1] & _MASKED else 0)
    return size - len(head)


@final
class Meddler:
    """Does to the messages of one direction what faults ask for.

    Args:
        seed: decides which messages are hit, and which of their bytes.
        counts: where to count them; those that are held back are counted when they have come too late.
    """

    def __init__(self, seed: str, counts: Counts) -> None:
        self._dice = random.Random(seed)
        self._hits: list[Fault] = []
        self._kept: list[Piece] = []
        self._size = 0
        self._counts = counts

    def take(self, piece: Piece, faults: Sequence[Fault]) -> Piece | None:
        """Take the next piece.

        Args:
            piece: of a frame.
            faults: those that hit messages that begin now.

        Returns:
            What passes now: the piece, all of a message with what was done to it, or nothing.
        """
        if piece.opcode >= _CONTROL:
            return piece
        if piece.first and piece.opcode:
            self._hits = [fault for fault in faults if self._dice.random() < fault.share]
        if not self._hits:
            return piece
        self._kept.append(piece)
        self._size += len(piece.data)
        if self._size > LARGEST:
            self._hits = []
            self._counts.too_large += 1
            return attrs.evolve(piece, data=self._all())
        return self._done(piece) if piece.ends_message else None

    def _all(self) -> bytes:
        kept, self._kept, self._size = self._kept, [], 0
        return b"".join(piece.data for piece in kept)

    def _done(self, last: Piece) -> Piece | None:
        hits = {fault.kind: fault for fault in self._hits}
        self._hits = []
        spans = self._payloads()
        data = self._all()
        if "drop" in hits:
            self._counts.dropped += 1
            return None
        if "corrupt" in hits and spans:
            self._counts.corrupted += 1
            data = self._flipped(data, spans)
        if "duplicate" in hits:
            self._counts.duplicated += 1
            data += data
        # `first` is 0: whoever comes later need not look into it
        return attrs.evolve(last, data=data, first=0, between=True, reorder=hits.get("reorder"))

    def _payloads(self) -> list[tuple[int, int]]:
        at, spans = 0, []
        for piece in self._kept:
            if len(piece.data) > piece.first:
                spans.append((at + piece.first, len(piece.data) - piece.first))
            at += len(piece.data)
        return spans

    def _flipped(self, data: bytes, spans: list[tuple[int, int]]) -> bytes:
        # a mask is an exclusive or, as this is: what was masked stays so
        index = self._dice.randrange(sum(length for _, length in spans))
        for start, length in spans:
            if index < length:
                index += start
                break
            index -= length
        changed = bytearray(data)
        changed[index] ^= self._dice.randrange(1, 256)
        return bytes(changed)
