"""A WebSocket server in C, as a process of its own, so that what is measured is the client.

Law: the path says what it does. `/echo` sends each message back; `/flood/SIZE` answers a number with so many messages
of so many bytes; `/sink/COUNT` says `done` after each so many messages. It ends with its stdin.
"""

import asyncio
import os
import struct
import sys
import threading

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

_WRITE = 128 * 1024
_BACKLOG = 4096


class Echo(WSListener):  # type: ignore[misc]  # it is made in C
    """Send each message back, and answer what a peer must answer."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        kind = frame.msg_type
        if kind in (WSMsgType.BINARY, WSMsgType.TEXT):
            self.message(transport, kind, frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def message(self, transport: WSTransport, kind: WSMsgType, payload: bytes) -> None:
        """Take a message."""
        transport.send(kind, payload)


class Flood(Echo):
    """Answer a number with so many messages, as fast as the peer takes them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._frame = _header(size) + b"x" * size
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._room.set()

    def message(self, transport: WSTransport, kind: WSMsgType, payload: bytes) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._flood(transport, int(payload)))

    async def _flood(self, transport: WSTransport, count: int) -> None:
        # many frames in one write: the server must never be the slower one
        at_once = max(1, _WRITE // len(self._frame))
        while count > 0 and not transport.is_disconnected:
            transport.underlying_transport.write(self._frame * min(at_once, count))
            count -= at_once
            await self._room.wait()
            await asyncio.sleep(0)


class Sink(Echo):
    """Count messages."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count, self._left = count, count

    def message(self, transport: WSTransport, kind: WSMsgType, payload: bytes) -> None:
        """Count it."""
        self._left -= 1
        if not self._left:
            self._left = self._count
            transport.send(WSMsgType.TEXT, b"done")


def _header(size: int) -> bytes:
    binary, short, long = 0x82, 126, 127
    if size < short:
        return struct.pack("!BB", binary, size)
    return struct.pack("!BBH", binary, short, size) if size < 1 << 16 else struct.pack("!BBQ", binary, long, size)


def listener(request: WSUpgradeRequest) -> Echo | None:
    """Who serves a path; nobody is HTTP 404."""
    _, name, *rest = request.path.decode().split("/")
    made = {"echo": Echo, "flood": Flood, "sink": Sink}.get(name)
    return made(*map(int, rest)) if made else None


async def main() -> None:
    """Serve on a free port of loopback, and say which."""
    server = await ws_create_server(listener, "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def end_with_stdin() -> None:
    """Leave nothing behind if whoever started us was killed."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_stdin()
    asyncio.run(main())
