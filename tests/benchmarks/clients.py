"""One kind of client in a process of its own: it is told by lines of JSON what to do, and says what that cost.

Law: each kind does the same with nothing but `send` and `receive`. Connections are opened before the clock starts
and closed after it has stopped, except where they are what is measured.
"""

import asyncio
import base64
import contextlib
import gc
import json
import logging
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

Send = Callable[[Any], Awaitable[Any]]
Receive = Callable[[], Awaitable[Any]]
Connect = Callable[[str], AbstractAsyncContextManager[Any]]
Ends = Callable[[Any], Awaitable[tuple[Send, Receive]]]
Doing = Callable[[], Coroutine[Any, Any, Any]]

TOGETHER = 100
WARM = 20


@attrs.frozen
class Kind:
    """A library and how it is run.

    Attributes:
        run: an async function to its end.
        connect: a connection, open within its `async with`.
        ends: what sends and what receives, once it can.
        together: several async functions at once.
        sleep: so many seconds.
        tasks: how many there are now.
    """

    run: Callable[[Doing], Any]
    connect: Connect
    ends: Ends
    together: Callable[[list[Doing]], Awaitable[None]]
    sleep: Callable[[float], Awaitable[None]]
    tasks: Callable[[], int]

    @contextlib.asynccontextmanager
    async def opened(self, url: str) -> AsyncIterator[tuple[Send, Receive]]:
        """A connection, as what sends and what receives."""
        async with self.connect(url) as connection:
            yield await self.ends(connection)


def kind_of(name: str) -> Kind:
    """A kind by its name."""
    return _asyncio_kind() if name == "websockets on asyncio" else _trio_kind(name)


def _trio_kind(name: str) -> Kind:
    import trio

    async def together(all_of_them: list[Doing]) -> None:
        async with trio.open_nursery() as nursery:
            for each in all_of_them:
                nursery.start_soon(each)

    connect, ends = {
        "raw trio-websocket": _raw_trio_websocket,
        "websockets.trio": _raw_websockets,
        "trio stream": _bare,
        "managed, trio-websocket": _managed,
        "managed, websockets": lambda: _managed(transport="websockets"),
        "managed, websockets, full history": lambda: _managed(seasoned=True, transport="websockets"),
    }[name]()

    def tasks() -> int:
        return trio.lowlevel.current_statistics().tasks_living

    return Kind(trio.run, connect, ends, together, trio.sleep, tasks)


def _asyncio_kind() -> Kind:
    import websockets.asyncio.client

    async def together(all_of_them: list[Doing]) -> None:
        async with asyncio.TaskGroup() as group:
            for each in all_of_them:
                group.create_task(each())

    def tasks() -> int:
        return len(asyncio.all_tasks())

    return Kind(
        lambda do: asyncio.run(do()), websockets.asyncio.client.connect, _send_recv, together, asyncio.sleep, tasks
    )


async def _send_recv(connection: Any) -> tuple[Send, Receive]:
    return connection.send, connection.recv


def _raw_websockets() -> tuple[Connect, Ends]:
    import websockets.trio.client

    return websockets.trio.client.connect, _send_recv


def _raw_trio_websocket() -> tuple[Connect, Ends]:
    import trio_websocket

    async def ends(connection: trio_websocket.WebSocketConnection) -> tuple[Send, Receive]:
        return connection.send_message, connection.get_message

    return trio_websocket.open_websocket_url, ends


def _bare() -> tuple[Connect, Ends]:
    """No WebSocket at all, but for what its server has to see: messages are short, and one is on its way at a time."""
    import trio

    key = base64.b64encode(bytes(16)).decode()
    head = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
    final_binary, masked, mask = 0x82, 0x80, bytes(4)

    @contextlib.asynccontextmanager
    async def connect(url: str) -> AsyncIterator[trio.SocketStream]:
        parts = urlsplit(url)
        async with await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 0)) as stream:
            await stream.send_all(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{head}\r\n\r\n".encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            yield stream

    async def ends(stream: trio.SocketStream) -> tuple[Send, Receive]:
        async def send(message: bytes) -> None:
            await stream.send_all(bytes((final_binary, masked | len(message))) + mask + message)

        async def receive() -> bytes:
            return (await stream.receive_some())[2:]

        return send, receive

    return connect, ends


def _managed(*, seasoned: bool = False, **options: Any) -> tuple[Connect, Ends]:
    """The page `websocket`, read once; floods are counted, so its inbox has room for all of them.

    Seasoned, its history gets as long as that of a connection of some hours.
    """
    import lifecycle
    from lifecycle.definition.page import Inbox

    page = lifecycle.read("websocket")
    roomy = attrs.evolve(page, messages=attrs.evolve(page.messages, inbox=Inbox(items=10**9, size=10**12)))
    if seasoned:
        options |= {"heartbeat_after": 0.25}
    # what the connections of a page share goes with the last of them; a program that keeps one makes it once
    kept = [lifecycle.Connection(each, url="ws://localhost/", **options) for each in (page, roomy)]

    def connect(url: str) -> lifecycle.Connection:
        ordinary, flooded = kept
        return lifecycle.open((flooded if "/flood/" in url else ordinary).definition, url=url, **options)

    async def ends(connection: lifecycle.Connection) -> tuple[Send, Receive]:
        await connection.ready()
        return connection.send, connection.__anext__

    return connect, ends


async def measure(kind: Kind, do: str, url: str, count: int, *, watched: bool = False) -> dict[str, float]:
    """Do something so many times; seconds and seconds of CPU, and steps and ticks of trio if they are watched."""
    async with contextlib.AsyncExitStack() as stack:
        number = 0 if do == "connect" else TOGETHER if do == "together" else 1
        open_ = [await stack.enter_async_context(kind.opened(url)) for _ in range(number)]
        if do == "echo":
            await open_[0][0](b"warm")
            assert await open_[0][1]() == b"warm"
        doing = {"connect": _connect, "together": _together, "echo": _echo, "flood": _flood, "sink": _sink}[do]
        gc.collect()
        with _watching() if watched else contextlib.nullcontext({}) as seen:
            began, cpu = time.perf_counter(), time.process_time()
            await doing(kind, url, open_, count)
            found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        return found | seen


async def _connect(kind: Kind, url: str, _: object, count: int) -> None:
    for _ in range(count):
        async with kind.opened(url):
            pass


async def _echo(_: Kind, __: str, open_: list[tuple[Send, Receive]], count: int) -> None:
    ((send, receive),) = open_
    message = b"x" * 64
    for _ in range(count):
        await send(message)
        await receive()


async def _together(kind: Kind, url: str, open_: list[tuple[Send, Receive]], count: int) -> None:
    await kind.together([lambda one=one: _echo(kind, url, [one], count // TOGETHER) for one in open_])  # type: ignore[misc]  # bound early


async def _flood(_: Kind, __: str, open_: list[tuple[Send, Receive]], count: int) -> None:
    ((send, receive),) = open_
    await send(str(count))
    for _ in range(count):
        await receive()


async def _sink(_: Kind, __: str, open_: list[tuple[Send, Receive]], count: int) -> None:
    ((send, receive),) = open_
    message = b"x" * 64
    for _ in range(count):
        await send(message)
    assert await receive() == "done"


@contextlib.contextmanager
def _watching() -> Any:
    import trio

    class Instrument(trio.abc.Instrument):
        def before_task_step(self, task: object) -> None:
            seen["steps"] += 1

        def before_io_wait(self, timeout: float) -> None:
            seen["ticks"] += 1

    seen = {"steps": 0, "ticks": 0}
    instrument = Instrument()
    trio.lowlevel.add_instrument(instrument)
    try:
        yield seen
    finally:
        trio.lowlevel.remove_instrument(instrument)


async def idle(kind: Kind, url: str, count: int, *, wait: float) -> dict[str, float]:
    """Open so many connections and let them be; bytes and tasks of one."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(WARM):
            await kind.ends(await stack.enter_async_context(kind.connect(url)))
        # what the first of them make for all, such as a path that nobody has taken yet, is not weighed
        await kind.sleep(0.2 + min(wait, 2.0))
        resident, tasks = _resident(), kind.tasks()
        for _ in range(count):
            await kind.ends(await stack.enter_async_context(kind.connect(url)))
        await kind.sleep(0.2 + wait)
        return {"bytes": (_resident() - resident) / count, "tasks": (kind.tasks() - tasks) / count}


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(name: str) -> None:
    """Answer each line of stdin with one on stdout."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    logging.getLogger("lifecycle").setLevel(logging.ERROR)  # a page with a roomier inbox has no certificate
    kind = kind_of(name)
    for line in sys.stdin:
        question = json.loads(line)
        doing = idle if question.pop("idle", False) else measure
        answer = kind.run(lambda doing=doing, question=question: doing(kind, **question))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
