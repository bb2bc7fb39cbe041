"""Asks an admin surface: as an ASGI server would, on any clock, or over a socket."""

import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import unquote

import attrs
import h11
import trio

JOIN = "/api/digital_human_develop/join_room"
LEAVE = "/api/digital_human_develop/leave_room/"
CLEAR = "/api/digital_human_develop/clear_all_sessions"
KEY = "a-key-for-tests-7f3a"


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


async def ask(
    app: Callable[..., Any],
    method: str,
    target: str,
    body: object = None,
    *,
    key: str | None = KEY,
    headers: Mapping[str, str] | None = None,
    client: str = "127.0.0.1",
    parts: Sequence[bytes] | None = None,
    pause: float = 0.0,
    more: bool = False,
    hang_up: float | None = None,
) -> Reply | None:
    """One request; None if there was no answer, as after hanging up.

    Args:
        app: of ASGI.
        method: of HTTP.
        target: of HTTP.
        body: sent as it is if it is bytes, else as JSON; None is none.
        key: in its header; None sends none.
        headers: besides.
        client: the address it comes from.
        parts: of a body, in place of one.
        pause: seconds before each part.
        more: whether it promises more parts than come.
        hang_up: seconds after which the client hangs up.
    """
    if parts is None:
        parts = [b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()]
    given, received = trio.open_memory_channel[dict[str, Any]](0)
    path, _, query = target.partition("?")
    said = {"host": "localhost", **({} if key is None else {"authorization": f"Bearer {key}"}), **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in said.items()],
        "client": (client, 5),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    async def speak() -> None:
        for number, part in enumerate(parts, 1):
            await trio.sleep(pause)
            await given.send({"type": "http.request", "body": part, "more_body": more or number < len(parts)})
        if hang_up is not None:
            await trio.sleep(hang_up)
            await given.send({"type": "http.disconnect"})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        await app(scope, received.receive, send)
        nursery.cancel_scope.cancel()
    if not sent:
        return None
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], names, b"".join(each["body"] for each in sent[1:]).decode())


class Client:
    """A connection to a surface that is served: `async with Client(port) as client`."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, key: str | None = KEY) -> None:
        self.port, self.tls, self.key = port, tls, key
        self.http = h11.Connection(h11.CLIENT)

    async def __aenter__(self) -> Self:
        self.stream: Any = await trio.open_tcp_stream("127.0.0.1", self.port)
        if self.tls is not None:
            self.stream = trio.SSLStream(self.stream, self.tls, server_hostname="127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def tell(self, method: str, target: str, body: object = None) -> None:
        """Send a request, and wait for nothing."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [("Host", f"127.0.0.1:{self.port}"), ("Content-Length", str(len(data)))]
        headers += [] if self.key is None else [("Authorization", f"Bearer {self.key}")]
        request = h11.Request(method=method, target=target, headers=headers)
        message = self.http.send(request) + self.http.send(h11.Data(data)) + self.http.send(h11.EndOfMessage())
        await self.stream.send_all(message)

    async def hear(self) -> Reply:
        """Read an answer; EOFError if there is none."""
        head, data = None, b""
        while True:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError:
                raise EOFError from None
            if event is h11.NEED_DATA:
                self.http.receive_data(await self.stream.receive_some(65_536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                data += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
                    self.http.start_next_cycle()
                return Reply(head.status_code, {n.decode(): v.decode() for n, v in head.headers}, data.decode())
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError

    async def ask(self, method: str, target: str, body: object = None) -> Reply:
        """Send a request and read its answer."""
        await self.tell(method, target, body)
        return await self.hear()

    async def gone(self) -> bool:
        """Wait until the other side hangs up."""
        try:
            while await self.stream.receive_some(65_536):
                pass
        except (trio.BrokenResourceError, ConnectionError):
            pass
        return True
