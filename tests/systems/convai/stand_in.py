"""A stand-in for Convai: POST /connect, and rooms that are WebSockets with JSON where the real ones are LiveKit's data channels.

An ASGI application, which `served` hosts on loopback by uvicorn; `memory` hosts the same rooms on the virtual clock. Triggers are its script: `session.trigger("end", "3")` ends the room for reason 3.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.abc
import anyio.lowlevel
import attrs

TURN = (
    ("user-started-speaking", {}),
    ("user-stopped-speaking", {}),
    ("bot-llm-started", {}),
    ("bot-llm-text", {"text": "Hello!"}),
    ("bot-llm-stopped", {}),
    ("bot-started-speaking", {}),
    ("bot-stopped-speaking", {}),
)
TYPES = (
    "user_text_message", "trigger-message", "update-template-keys", "update-scene-metadata", "update-dynamic-info", "context-update",
    "tts-toggle", "stt-toggle", "interrupt-bot", "force-user-stopped-speaking", "reset-idle-timer", "usage-toggle", "kill-pipeline",
)  # fmt: skip
LIVELY = ("user_text_message", "trigger-message", "context-update", "reset-idle-timer")
KEY = "the-right-key"


@attrs.frozen
class Link:
    """One transport of a room: what its host can do."""

    receive: Callable[[], Awaitable[str | None]]
    send: Callable[[str], Awaitable[None]]
    close: Callable[[int], Awaitable[None]]


@attrs.define(eq=False)
class Room:
    """One room: it outlives its transports."""

    name: str
    session: str
    greeted: bool = False
    gone: bool = False
    joins: int = 0


@attrs.define(eq=False)
class StandIn:
    """What Convai does, by script.

    Attributes:
        key: the API key that is right.
        answers: what the next requests are answered with: status, body, headers; then it is success.
        bot_ready_after: seconds; None: never.
        wrapped: whether messages come in a server-message.
        idle_after: seconds without a sign of life until the warning; None: never.
        remaining: what the warning says; after so many seconds (0.05 if it says none) the room is closed for reason 5.
        tokens: how many the context has.
        silent: how many of the next messages are not answered.
    """

    key: str = KEY
    answers: list[list[Any]] = attrs.field(factory=list)
    bot_ready_after: float | None = 0.01
    wrapped: bool = False
    idle_after: float | None = None
    remaining: float | None = None
    tokens: int = 50_000
    silent: int = 0
    asked: list[dict[str, Any]] = attrs.field(factory=list)
    said: list[Any] = attrs.field(factory=list)
    rooms: dict[str, Room] = attrs.field(factory=dict)
    used: int = 0
    url: str = ""

    # -- POST /connect

    def connect(self, headers: dict[str, str], body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Answer a request: status, body, headers."""
        asked = json.loads(body)
        self.asked.append(asked)
        if self.answers:
            status, answer, more = self.answers.pop(0)
            return status, answer, more
        if headers.get("x-api-key") != self.key:
            return 401, {"detail": "Invalid API key"}, {}
        number = len(self.rooms) + 1
        room = self.rooms[f"room-{number}"] = Room(
            f"room-{number}", asked.get("character_session_id") or f"character-session-{number}"
        )
        return 200, {
            "session_id": f"session-{number}",
            "character_session_id": room.session,
            "room_url": f"{self.url}/rtc?room={room.name}",
            "room_name": room.name,
            "token": f"token-of-{room.name}",
            "request_trace_id": f"trace-{number}",
        }, {}  # fmt: skip

    # -- a room

    async def join(self, query: str, link: Link) -> None:
        """A client has joined a room; until it has gone, or the room."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        room = self.rooms.get(asked.get("room", ""))
        if room is None or room.gone or asked.get("access_token") != f"token-of-{room.name}":
            await link.close(1008)
            return
        room.joins += 1
        async with anyio.create_task_group() as tasks:
            talk = Talk(self, room, link, tasks)
            tasks.start_soon(talk.greet)
            tasks.start_soon(talk.watch_idle)
            await talk.listen()
            tasks.cancel_scope.cancel()


@attrs.define(eq=False)
class Talk:
    """One transport of a room, while it lasts."""

    home: StandIn
    room: Room
    link: Link
    tasks: anyio.abc.TaskGroup
    lively: anyio.Event = attrs.field(factory=anyio.Event)

    async def tell(self, kind: str, data: dict[str, Any], *, wrapped: bool | None = None) -> None:
        """Say something in the envelope that is in use."""
        inside = {"type": "server-message", "data": {"type": kind, **data}}
        plain = {"type": kind, "data": data}
        await self.raw(
            {"label": "rtvi-ai", **(inside if (self.home.wrapped if wrapped is None else wrapped) else plain)}
        )

    async def raw(self, value: Any) -> None:
        """Send a value as it is."""
        await self.link.send(value if isinstance(value, str) else json.dumps(value))

    async def greet(self) -> None:
        """Once a room: an interaction, and some time later a bot."""
        if not self.room.greeted:
            await self.tell(
                "interaction-created",
                {"interaction_id": "int_1", "character_session_id": self.room.session},
                wrapped=True,
            )
            if self.home.bot_ready_after is not None:
                await anyio.sleep(self.home.bot_ready_after)
                self.room.greeted = True
                await self.tell("bot-ready", {})

    async def watch_idle(self) -> None:
        """Warn whoever does nothing, and close the room if that is of no avail."""
        while self.home.idle_after is not None:
            if await self._is_lively(self.home.idle_after):
                continue
            left = self.home.remaining
            await self.tell("user-idle-warning", {"remaining_seconds": left}, wrapped=True)
            if not await self._is_lively(0.05 if left is None else left):
                await self.end(5)

    async def _is_lively(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self.lively.wait()
        found, self.lively = self.lively.is_set(), anyio.Event()
        return found

    async def end(self, reason: Any) -> None:
        """End the room for a reason."""
        self.room.gone = True
        await self.raw({"type": "disconnected", "data": {"reason": reason}})
        await self.link.close(1000)

    async def listen(self) -> None:
        """Take what comes, and answer each once."""
        while (text := await self.link.receive()) is not None:
            self.home.said.append(text)
            if self.home.silent:
                self.home.silent -= 1
                continue
            try:
                message = json.loads(text)
            except ValueError:
                await self.answer("parse-error", "error", "Failed to parse message: invalid JSON or UTF-8 encoding")
                continue
            if not isinstance(message, dict) or not isinstance(message.get("type"), str):
                await self.answer("validation-error", "error", "Message missing required 'type' field")
                continue
            self.home.said[-1] = message
            await self.take(message["type"], message.get("data") or {})

    async def take(self, kind: str, data: dict[str, Any]) -> None:
        """One message of a type."""
        if kind not in TYPES:
            await self.answer(kind, "error", f"Unknown message type: {kind}", supported_types=list(TYPES))
            return
        if kind in LIVELY:
            self.lively.set()
        match kind:
            case "user_text_message":
                await self.answer(kind, "processing", text=data.get("text"))
                self.tasks.start_soon(self.turn)
            case "trigger-message":
                await self.answer(kind, "success", trigger_name=data.get("trigger_name"))
                await self.play(data.get("trigger_name") or "", data.get("trigger_message") or "")
            case "context-update":
                self.home.used = (
                    len(data.get("text", "")) if data.get("mode") != "append" else self.home.used + len(data["text"])
                )
                left = self.home.tokens - self.home.used
                if left < 0:
                    await self.answer(kind, "error", "token limit exceeded")
                else:
                    await self.answer(
                        kind, "success", token_count=self.home.used, max_tokens=self.home.tokens, remaining_tokens=left
                    )
            case _:
                await self.answer(kind, "success", **data)

    async def answer(self, kind: str, status: str, message: str | None = None, **extras: Any) -> None:
        """The answer to one message."""
        told = {"type": "server-response", "event_type": kind, "status": status}
        await self.raw(
            told | ({} if message is None else {"message": message}) | ({"extras": extras} if extras else {})
        )

    async def turn(self) -> None:
        """A scripted turn."""
        for kind, data in TURN:
            await self.tell(kind, data)
            await anyio.lowlevel.checkpoint()
        await self.tell("bot-turn-completed", {"was_interrupted": False}, wrapped=True)

    async def play(self, name: str, said: str) -> None:
        """What a trigger asks for."""
        match name:
            case "end":
                await self.end(json.loads(said))
            case "close":
                self.room.gone = said == "1008"
                await self.link.close(int(said))
            case "tell":
                await self.raw(said)
            case "flood":
                await self.raw({"type": "bot-llm-text", "data": {"text": "x" * int(said)}})
            case "be silent":
                self.home.silent = int(said)


# -- hosts


async def memory(stand_in: StandIn, peer: Any, connection: Any) -> None:
    """Host a room on a `lifecycle.testing.Peer`, as its handler."""
    from lifecycle import LifecycleError  # not needed by the program

    async def receive() -> str | None:
        try:
            return await anext(connection)
        except (StopAsyncIteration, LifecycleError):
            return None

    async def send(text: str) -> None:
        with contextlib.suppress(LifecycleError):
            await connection.send(text)

    async def close(code: int) -> None:
        with contextlib.suppress(Exception):
            peer.link.close(code)

    await stand_in.join(peer.dials[-1].request.resource.partition("?")[2], Link(receive, send, close))


def asgi(stand_in: StandIn) -> Callable[..., Awaitable[None]]:
    """The application that a server of ASGI hosts."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await _http(stand_in, scope, receive, send)
        elif scope["type"] == "websocket":
            await _websocket(stand_in, scope, receive, send)

    return application


async def _http(stand_in: StandIn, scope: dict[str, Any], receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    if (scope["method"], scope["path"]) == ("POST", "/connect"):
        status, answer, told = stand_in.connect(headers, body)
    else:
        status, answer, told = 404, {"detail": "Not Found"}, {}
    content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    started = {
        "type": "http.response.start",
        "status": status,
        "headers": [(n.encode(), v.encode()) for n, v in told.items()],
    }
    await send(started)
    await send({"type": "http.response.body", "body": content})


async def _websocket(stand_in: StandIn, scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    closed = False

    async def heard() -> str | None:
        event = await receive()
        return (
            event.get("text") or (event.get("bytes") or b"").decode() if event["type"] == "websocket.receive" else None
        )

    async def say(text: str) -> None:
        if not closed:
            with contextlib.suppress(OSError):  # he has gone
                await send({"type": "websocket.send", "text": text})

    async def close(code: int) -> None:
        nonlocal closed
        if not closed:
            closed = True
            with contextlib.suppress(OSError):
                await send({"type": "websocket.close", "code": code})

    await stand_in.join(scope["query_string"].decode(), Link(heard, say, close))
    await close(1000)


@contextlib.contextmanager
def served(stand_in: StandIn) -> Any:
    """Serve on a free port of loopback, in a thread of its own; what is bound is the base URL."""
    import uvicorn  # not needed in memory

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        stand_in.url = f"ws://127.0.0.1:{port}"
        config = uvicorn.Config(
            asgi(stand_in), lifespan="off", log_level="error", ws="wsproto", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
