"""A small backend: it counts sessions, refuses as it is told, and writes down what it was asked; in memory or on a socket.

It is none of ours: its answers are worded as those of other backends are, with the vendor's numbers in HTTP 200.
"""

import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import h11
import httpx2
import trio

from lifecycle.systems.hiagent import Session, open_hiagent

DEVELOP = "/api/digital_human_develop/"
FULL = "Failed to start live: failed to load or create engine: concurrency over limit (code: 4002)"
Answer = tuple[int, Any]


class StandIn:
    """The backend.

    Attributes:
        sessions: {live_id: status}.
        asked: each operation that came, with the id, if it has one.
        scripted: {operation: answers that are given before it does its work}; an answer may be a number of seconds that
            it takes, then it does its work.
        key: that it wants.
        most: sessions at once, ever.
    """

    def __init__(self, capacity: int = 10, *, key: str | None = None) -> None:
        self.capacity, self.key = capacity, key
        self.sessions: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.scripted: dict[str, deque[Any]] = {}
        self.bodies: list[Any] = []
        self.cancelled = 0
        self.most = 0

    def script(self, operation: str, *answers: Any) -> None:
        """Say what is answered next."""
        self.scripted.setdefault(operation, deque()).extend(answers)

    def count(self, operation: str) -> int:
        """How often it was asked for that."""
        return sum(each == operation for each, _ in self.asked)

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer a request."""
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            return 401, {"detail": "who are you?"}
        operation, live_id = self._operation(method, path, body)
        self.asked.append((operation, live_id))
        told = self.scripted.get(operation)
        if told:
            said = told.popleft()
            if not isinstance(said, int | float):
                return said
            try:
                await trio.sleep(said)
            except trio.Cancelled:
                self.cancelled += 1
                raise
        await trio.lowlevel.checkpoint()
        return self._done(operation, live_id)

    def _operation(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        path = path.partition("?")[0]
        if (method, path) == ("POST", f"{DEVELOP}join_room"):
            self.bodies.append(json.loads(body))
            return "join", self.bodies[-1]["live_id"]
        if method == "DELETE" and path.startswith(f"{DEVELOP}leave_room/"):
            return "leave", unquote(path.removeprefix(f"{DEVELOP}leave_room/"))
        known = {
            ("POST", f"{DEVELOP}clear_all_sessions"): "clear",
            ("GET", "/api/sessions"): "sessions",
            ("GET", "/health"): "health",
        }
        return known[method, path], ""

    def _done(self, operation: str, live_id: str) -> Answer:
        if operation == "join":
            if live_id in self.sessions:
                return 200, {"success": True, "message": "ok", "data": {"already_active": True}}
            if len(self.sessions) >= self.capacity:
                return 200, {"code": 4002, "message": FULL}
            self.sessions[live_id] = "active"
            self.most = max(self.most, len(self.sessions))
            return 200, {"success": True, "message": "ok", "data": {"live_id": live_id, "rtc_token": "t"}}
        if operation == "leave":
            return 200, {"success": True, "cleaned_up": self.sessions.pop(live_id, None) is not None}
        if operation == "clear":
            before = len(self.sessions)
            self.sessions.clear()
            return 200, {"success": True, "before": before}
        if operation == "sessions":
            return 200, {"sessions": [{"live_id": name, "status": status} for name, status in self.sessions.items()]}
        return 200, {"status": "healthy", "upstream": "connected"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As an ASGI app, for tests without sockets."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        status, said = await self.answer(scope["method"], scope["raw_path"].decode(), headers, body)
        more = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": more})
        await send({"type": "http.response.body", "body": _written(said)})


def _written(said: Any) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()


@contextlib.asynccontextmanager
async def in_memory(stand_in: StandIn, live_id: str = "a", **settings: Any) -> AsyncIterator[Session]:
    """A session with the stand-in, without a network."""
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(stand_in)) as client,
        open_hiagent("http://backend.test", live_id, client=client, **settings) as session,
    ):
        yield session


async def served(stand_in: StandIn, *, task_status: trio.TaskStatus[str]) -> None:
    """Serve it on a socket of loopback, until cancelled; a client that hangs up cancels what it has asked."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        task_status.started(url)
        await trio.serve_listeners(lambda stream: _serve(stand_in, stream), [listener], handler_nursery=nursery)


async def _serve(stand_in: StandIn, stream: trio.SocketStream) -> None:
    async with stream:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            connection = h11.Connection(h11.SERVER)
            while await _one(stand_in, stream, connection):
                connection.start_next_cycle()


async def _one(stand_in: StandIn, stream: trio.SocketStream, connection: h11.Connection) -> bool:
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            return False
    assert request is not None
    headers = {name.decode(): value.decode() for name, value in request.headers}
    found: list[Answer] = []

    async def work() -> None:
        found.append(await stand_in.answer(request.method.decode(), request.target.decode(), headers, body))
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await stream.receive_some(1)  # nothing comes but its end: the client waits for us
        nursery.cancel_scope.cancel()
    if not found:
        return False
    status, said = found[0]
    content = _written(said)
    head = [("content-type", "application/json"), ("content-length", str(len(content)))]
    for event in (h11.Response(status_code=status, headers=head), h11.Data(data=content), h11.EndOfMessage()):
        await stream.send_all(connection.send(event) or b"")
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE
