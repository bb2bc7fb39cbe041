"""A server of python-socketio, run by uvicorn: `python -P server.py PORT KNOBS`, where KNOBS is JSON.

Law: it does what `server.cjs` does. A client chooses by its namespace how it is let in, and by events what happens.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import socketio
import uvicorn

KNOBS = json.loads(sys.argv[2])
NAMESPACES = ("/", "/room", "/early", "/unanswered", "/log")
TICK = 0.01
SERVER = socketio.AsyncServer(
    async_mode="asgi",
    ping_interval=KNOBS["interval"],
    ping_timeout=KNOBS["timeout"],
    transports=KNOBS["transports"],
)
LOG = Path(KNOBS["log"])
EVENTS = [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()] if LOG.exists() else []
READERS: set[str] = set()
AUTH: dict[str, Any] = {}
WRITER: list[asyncio.Task[None]] = []


class Namespace(socketio.AsyncNamespace):  # type: ignore[misc] -- the library has no types
    """One of them."""

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Let a client in, or not."""
        AUTH[sid] = auth
        if self.namespace == "/unanswered":
            raise RuntimeError("so it stays without an answer")
        if auth == {"token": "wrong"}:
            raise socketio.exceptions.ConnectionRefusedError("not welcome", {"code": 401})
        if self.namespace == "/early":
            for number in range(3):
                await self.emit("early", (number, b"\x00\xff"), to=sid)
        if self.namespace == "/log":
            known = int(parse_qs(environ["QUERY_STRING"]).get("latest_event_id", ["-1"])[0])
            told = max(0, known + 1 - KNOBS["overlap"])
            while told < len(EVENTS):
                await self.emit("logged", EVENTS[told], to=sid)
                told += 1
            READERS.add(sid)

    async def on_disconnect(self, sid: str, reason: str) -> None:
        """Forget a client."""
        READERS.discard(sid)
        AUTH.pop(sid, None)

    async def on_say(self, sid: str, *said: Any) -> None:
        """Say the same."""
        await self.emit("said", said, to=sid)

    async def on_ask(self, sid: str, *asked: Any) -> Any:
        """Answer with what was asked."""
        return asked

    async def on_whoami(self, sid: str) -> Any:
        """Answer with what came with CONNECT."""
        return AUTH[sid]

    async def on_blob(self, sid: str, size: int) -> bytes:
        """Answer with many bytes."""
        return bytes(size)

    async def on_quiz(self, sid: str, *asked: Any) -> None:
        """Ask back, and tell what was answered."""

        async def told(*answer: Any) -> None:
            await self.emit("answered", answer, to=sid)

        await self.emit("question", asked, to=sid, callback=told)

    async def on_kick(self, sid: str) -> None:
        """Send the client away."""
        await self.disconnect(sid)

    async def on_hang_up(self, sid: str) -> None:
        """End its transport."""
        await SERVER.eio.disconnect(SERVER.manager.eio_sid_from_sid(sid, self.namespace))

    async def on_raw(self, sid: str, text: str) -> None:
        """Send something in a message of Engine.IO, whatever it is."""
        await SERVER.eio.send(SERVER.manager.eio_sid_from_sid(sid, self.namespace), text)

    async def on_write(self, sid: str) -> None:
        """Begin to write events into the log; a process that comes later goes on with it."""
        WRITER.append(asyncio.create_task(write()))

    async def on_stop(self, sid: str) -> int:
        """Write no more; answer with how many there are."""
        WRITER.pop().cancel()
        return len(EVENTS)


async def write() -> None:
    """An event after the other: first into the file, then to all who read."""
    while True:
        event = {"id": len(EVENTS), "text": f"event {len(EVENTS)}"}
        keep(event)
        for sid in list(READERS):
            await SERVER.emit("logged", event, to=sid, namespace="/log")
        await asyncio.sleep(TICK)


def keep(event: dict[str, Any]) -> None:
    """Write one event into the file."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps(event) + "\n")
    EVENTS.append(event)


async def started() -> None:
    """Go on writing where another process has been killed."""
    if EVENTS:
        WRITER.append(asyncio.create_task(write()))


for namespace in NAMESPACES:
    SERVER.register_namespace(Namespace(namespace))
uvicorn.run(socketio.ASGIApp(SERVER, on_startup=started), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
