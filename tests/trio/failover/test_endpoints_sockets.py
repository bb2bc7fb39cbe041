"""Endpoints on real sockets: servers of uvicorn, each a process of its own, that redirect, die and come back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import lifecycle
from lifecycle.trio.failover.endpoints import Endpoints

pytestmark = pytest.mark.real_time(limit=60)
GATE = Path(__file__).parent / "gate.py"
QUICK = {"first": "250 ms", "factor": 1, "jitter": [1.0, 1.0]}


@contextmanager
def gate(name: str, port: int = 0) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A server that listens; killed at the end, if it still lives."""
    command = [sys.executable, str(GATE), str(port), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield int(child.stdout.readline()), child
        finally:
            child.kill()


async def ask(connection: lifecycle.Connection) -> Any:
    """What the server says of itself."""
    await connection.send("who")
    answer = await anext(connection)
    while isinstance(answer, lifecycle.Discontinuity):
        answer = await anext(connection)
    return json.loads(answer)


@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
async def test_a_real_redirect_is_followed(transport: str) -> None:
    """By both libraries, with the credentials that the page sends, to the same host."""
    with gate("one") as (port, _):
        url = f"ws://127.0.0.1:{port}/gate?mine=1"
        async with lifecycle.open(
            "websocket", url=url, token="Bearer x", transport=transport, redial=QUICK
        ) as connection:
            assert await ask(connection) == {
                "name": "one",
                "path": "/room?from=gate",
                "token": "Bearer x",
                "codes": [],
            }


async def test_a_server_that_is_killed_and_comes_back() -> None:
    """The other one serves meanwhile; a probe that says goodbye with 1000 finds the first, and then we are there again."""
    with ExitStack() as servers:
        second, _ = servers.enter_context(gate("two"))
        first, child = servers.enter_context(gate("one"))
        urls = [f"ws://127.0.0.1:{first}/room", f"ws://127.0.0.1:{second}/room"]
        endpoints = Endpoints(urls, returns=True, probe_every="1 s")
        async with lifecycle.open("websocket", urls=endpoints, redial=QUICK) as connection:
            assert (await ask(connection))["name"] == "one"
            child.kill()
            child.wait()
            await ready_at(connection, endpoints, urls[1])
            assert (await ask(connection))["name"] == "two"
            assert endpoints.available == (urls[1],)
            servers.enter_context(gate("one", first))
            await ready_at(connection, endpoints, urls[0])
            answer = await ask(connection)
            assert (answer["name"], answer["codes"]) == ("one", [1000])
            assert endpoints.available == tuple(urls)


async def ready_at(connection: lifecycle.Connection, endpoints: Endpoints, url: str) -> None:
    """Wait until it is ready at an endpoint."""
    changes = connection.changes()
    while not (connection.status == "ready" and endpoints.current == url):
        await anext(changes)
