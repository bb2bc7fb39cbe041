"""A peer of WebSocket by hand: every byte is the test's own, so it can be right, or wrong in exactly one place.

`Wire` is the far end of a pipe, under TLS or not; `frame` makes a frame; `RawPeer` plays one of the two roles, and is
strict with what it hears. There is no library of WebSocket in it, and nothing of ours but the pipe.
"""

import base64
import hashlib
import socket
import ssl
import struct

import attrs
from trio.lowlevel import checkpoint

from lifecycle.trio.pipes.memory import MemoryPipe
from lifecycle.trio.pipes.pipe import BufferedPipe, SocketPipe

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# The examples of RFC 6455: a key of the opening handshake (1.3), and of masking (5.7).
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_READ = 256 * 1024


@attrs.frozen
class Frame:
    """A frame as it was heard, unmasked."""

    opcode: int
    payload: bytes
    fin: bool = True
    mask: bytes | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def code(self) -> int | None:
        """The code in a close frame; None if it is empty."""
        assert self.opcode == CLOSE
        return struct.unpack_from("!H", self.payload)[0] if self.payload else None

    @property
    def reason(self) -> str:
        """The words in a close frame."""
        assert self.opcode == CLOSE
        return self.payload[2:].decode()


def masked(payload: bytes, mask: bytes) -> bytes:
    """Put a mask on, or take it off."""
    # as one large number: megabytes one byte at a time would take seconds
    keys = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(keys)).to_bytes(len(payload))


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, mask: bytes | None = None
) -> bytes:
    """Make a frame, allowed or not.

    Args:
        opcode: from 0 to 15.
        payload: unmasked.
        fin: whether it is the last of its message.
        reserved: the three reserved bits, as a number from 0 to 7.
        mask: four bytes, or none.
    """
    bit = 0x80 if mask else 0
    match len(payload):
        case size if size < 126:
            length = bytes([bit | size])
        case size if size < 1 << 16:
            length = struct.pack("!BH", bit | 126, size)
        case size:
            length = struct.pack("!BQ", bit | 127, size)
    first = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    return first + length + (mask + masked(payload, mask) if mask else payload)


def accept_key(key: bytes) -> bytes:
    """What proves that a server has read a client's key (RFC 6455 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def head_lines(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The first line of a head, and its headers in order; names as they are written."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = [line.split(":", 1) for line in lines]
    return first, [(name, value.strip(" \t")) for name, value in pairs]


def header(head: bytes, name: str) -> str:
    """The value of a header that stands there once."""
    (value,) = [value for found, value in head_lines(head)[1] if found.lower() == name.lower()]
    return value


def switching(request: bytes, *more: bytes, **changed: bytes | None) -> bytes:
    """The answer that opens a connection.

    Args:
        request: the head that asked for it.
        more: further header lines.
        changed: other values for `upgrade`, `connection` and `accept`; None leaves the line out.
    """
    values: dict[str, bytes | None] = {
        "upgrade": b"websocket",
        "connection": b"Upgrade",
        "accept": accept_key(header(request, "Sec-WebSocket-Key").encode()),
        **changed,
    }
    names = {"upgrade": b"Upgrade", "connection": b"Connection", "accept": b"Sec-WebSocket-Accept"}
    lines = [names[name] + b": " + value for name, value in values.items() if value is not None]
    return b"\r\n".join([b"HTTP/1.1 101 Switching Protocols", *lines, *more, b"", b""])


def asking(*more: bytes, line: bytes = b"GET /path?a=1 HTTP/1.1", **changed: bytes | None) -> bytes:
    """A request that asks for a connection.

    Args:
        more: further header lines.
        line: the first line.
        changed: other values for `host`, `upgrade`, `connection`, `key` and `version`; None leaves the line out.
    """
    values: dict[str, bytes | None] = {
        "host": b"peer.example",
        "upgrade": b"websocket",
        "connection": b"Upgrade",
        "key": KEY,
        "version": b"13",
        **changed,
    }
    names = {"key": b"Sec-WebSocket-Key", "version": b"Sec-WebSocket-Version"}
    lines = [
        names.get(name, name.title().encode()) + b": " + value for name, value in values.items() if value is not None
    ]
    return b"\r\n".join([line, *lines, *more, b"", b""])


class Wire:
    """The far end of a pipe: bytes written without waiting, by the standard library's TLS where there is a context."""

    def __init__(
        self, pipe: BufferedPipe, context: ssl.SSLContext | None = None, *, hostname: str | None = None
    ) -> None:
        self.pipe = pipe
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context and context.wrap_bio(
            self._incoming, self._outgoing, server_side=hostname is None, server_hostname=hostname
        )

    async def handshake(self) -> None:
        """Agree on keys, where there is TLS."""
        while self._tls:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push()
                self._incoming.write(await self._bytes())
            else:
                self._push()
                return

    def write(self, data: bytes) -> None:
        """Send bytes; without TLS they are one segment, if the system takes them at once."""
        if self._tls:
            self._tls.write(data)
            self._push()
        else:
            self.pipe.write(data)

    async def read(self) -> bytes:
        """Wait for bytes; empty is the end, of whatever kind."""
        if not self._tls:
            return await self._bytes()
        while True:
            try:
                return self._tls.read(_READ)
            except ssl.SSLWantReadError:
                data = await self._bytes()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def finish(self) -> None:
        """Say that nothing follows, first by TLS where there is TLS, and go on reading."""
        if self._tls:
            try:
                self._tls.unwrap()
            except ssl.SSLWantReadError:
                self._push()
        self.pipe.write_eof()

    def cut(self) -> None:
        """Say that nothing follows, without a goodbye of TLS, and go on reading."""
        self.pipe.write_eof()

    def reset(self) -> None:
        """Drop the connection, so that the other side meets ECONNRESET."""
        if isinstance(self.pipe, MemoryPipe):
            self.pipe.reset()
        if isinstance(self.pipe, SocketPipe) and not self.pipe.closed:
            self.pipe._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.pipe.abort()

    def garble(self) -> None:
        """Send a record of TLS that nobody can have written."""
        self.pipe.write(b"\x17\x03\x03\x00\x20" + bytes(32))

    async def _bytes(self) -> bytes:
        while True:
            await self.pipe.ready()
            data = self.pipe.read()
            if data is not None:
                return data

    def _push(self) -> None:
        if self._outgoing.pending:
            self.pipe.write(self._outgoing.read())


class RawPeer:
    """One role of WebSocket on a wire.

    Attributes:
        wire: the bytes.
        masks: whether it masks its frames, as a client must and a server must not.
    """

    def __init__(self, wire: Wire, *, client: bool) -> None:
        self.wire, self.masks = wire, client
        self._heard = bytearray()

    # -- what it says: these make bytes

    def frame(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masks: bool | None = None
    ) -> bytes:
        """A frame of its role; `masks` overrides whether it is masked."""
        mask = MASK if (self.masks if masks is None else masks) else None
        return frame(opcode, payload, fin=fin, reserved=reserved, mask=mask)

    def message(self, data: str | bytes) -> bytes:
        """A message in one frame."""
        return self.frame(TEXT, data.encode()) if isinstance(data, str) else self.frame(BINARY, data)

    def fragments(self, opcode: int, *parts: bytes) -> list[bytes]:
        """A message in several frames."""
        last = len(parts) - 1
        return [
            self.frame(CONTINUATION if number else opcode, part, fin=number == last)
            for number, part in enumerate(parts)
        ]

    def close(self, code: int | None = None, reason: str | bytes = b"") -> bytes:
        """A close frame; without a code it is empty."""
        words = reason.encode() if isinstance(reason, str) else reason
        return self.frame(CLOSE, b"" if code is None else struct.pack("!H", code) + words)

    # -- and these send it

    def say(self, *data: bytes) -> None:
        """Send all of it at once."""
        self.wire.write(b"".join(data))

    async def drip(self, data: bytes) -> None:
        """Send one byte at a time, and let the other side have a look at each."""
        for at in range(len(data)):
            self.wire.write(data[at : at + 1])
            await checkpoint()
            await checkpoint()

    # -- what it hears

    async def hear(self) -> Frame | None:
        """The next frame; None at the end. Fails if the frame breaks a rule of RFC 6455."""
        while (found := self._cut()) is None:
            data = await self.wire.read()
            if not data:
                assert not self._heard, "the end came in the middle of a frame"
                return None
            self._heard += data
        return found

    async def hear_message(self) -> str | bytes:
        """The next message, and nothing before it."""
        parts: list[Frame] = []
        while not parts or not parts[-1].fin:
            found = await self.hear()
            assert found, "the end came instead of a message"
            assert found.opcode in ((CONTINUATION,) if parts else (TEXT, BINARY)), found
            parts.append(found)
        payload = b"".join(part.payload for part in parts)
        return payload.decode() if parts[0].opcode == TEXT else payload

    async def hear_close(self) -> Frame:
        """The next frame, which is a close frame."""
        found = await self.hear()
        assert found
        assert found.opcode == CLOSE, found
        return found

    async def rest(self) -> list[Frame]:
        """All frames up to the end."""
        found = []
        while heard := await self.hear():
            found.append(heard)
        return found

    async def head(self) -> bytes:
        """The head of a request or an answer; what follows it stays for `hear`."""
        while b"\r\n\r\n" not in self._heard:
            data = await self.wire.read()
            assert data, f"the end came after {bytes(self._heard)!r}"
            self._heard += data
        end = self._heard.index(b"\r\n\r\n") + 4
        head = bytes(self._heard[:end])
        del self._heard[:end]
        return head

    async def body(self) -> bytes:
        """All bytes up to the end."""
        while data := await self.wire.read():
            self._heard += data
        body = bytes(self._heard)
        self._heard.clear()
        return body

    def _cut(self) -> Frame | None:
        data = self._heard
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size > 125:
            form, least = ("!H", 126) if size == 126 else ("!Q", 1 << 16)
            if len(data) < at + struct.calcsize(form):
                return None
            size = struct.unpack_from(form, data, at)[0]
            at += struct.calcsize(form)
            assert size >= least, "a length is written longer than it must be"
        assert bool(data[1] & 0x80) != self.masks, "clients mask, and nobody else"
        key = at
        at += 0 if self.masks else 4
        if len(data) < at + size:
            return None
        found = self._judged(data[0], bytes(data[at : at + size]), bytes(data[key:at]))
        del data[: at + size]
        return found

    def _judged(self, first: int, payload: bytes, mask: bytes) -> Frame:
        opcode, fin = first & 0x0F, bool(first & 0x80)
        assert not first & 0x70, "a reserved bit is set"
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {opcode} is unknown"
        if opcode >= CLOSE:
            assert fin, "a control frame is fragmented"
            assert len(payload) <= 125, "a control frame is too long"
        return Frame(opcode, masked(payload, mask) if mask else payload, fin, mask or None)
