"""The how-to about other programs is true, and blocking code is served as well as asyncio: with a server of `websockets`."""

import asyncio
import contextlib
import queue
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
from anyio.from_thread import start_blocking_portal
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

import lifecycle
from lifecycle.trio.portal import Portal

from .derive import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PAGE = ROOT / "docs" / "howto" / "embed-elsewhere.md"
LIMIT = 30


class Server:
    """A server of `websockets` in a thread: it shouts back, and is told by path and message when to go.

    Attributes:
        heard: each client's first message.
        codes: how each client has left.
    """

    def __init__(self):
        self.heard, self.codes = queue.Queue(), queue.Queue()
        self._server = serve(self._handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()

    def _handle(self, websocket):
        if websocket.request.path == "/refuse":
            websocket.close(1008, "enough")
        with contextlib.suppress(ConnectionClosed):
            for message in websocket:
                self.heard.put(message)
                if message == "restart":
                    websocket.close(1012, "restart")
                elif websocket.request.path != "/silent":
                    websocket.send(message.upper())
        self.codes.put(websocket.close_code)


@pytest.fixture
def server():
    """A server."""
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever a test does, no thread is left that would keep Python from ending."""
    before = set(threading.enumerate())
    yield
    assert [thread for thread in threading.enumerate() if thread not in before and not thread.daemon] == []


@pytest.fixture(params=["asyncio_client.py", "blocking_client.py"])
def client(request):
    """Each example in turn, as a command."""
    return [sys.executable, str(EXAMPLES / request.param)]


def test_the_clients_print_what_the_howto_says(server, client):
    """Both say the same, over a restart of the server, and say goodbye."""
    said = re.search(r"<!-- output -->\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    done = subprocess.run([*client, server.url], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (done.stdout, done.stderr) == (said, "")
    assert [server.codes.get(timeout=LIMIT) for _ in range(2)] == [1012, 1000]


def test_ctrl_c_ends_the_clients(server, client):
    """While they send, or wait for a message: the server hears 1001, and nobody hangs."""
    with subprocess.Popen([*client, f"{server.url}/silent"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert server.heard.get(timeout=LIMIT) == "one"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=LIMIT)
        finally:
            process.kill()  # or `with` would wait for it
    assert said.rstrip().endswith("KeyboardInterrupt"), said
    assert process.returncode == -signal.SIGINT
    assert server.codes.get(timeout=LIMIT) == 1001


def test_blocking_code_gets_its_own_exception_back(server):
    """What the body raises leaves as it is, after the connection has said goodbye."""
    with pytest.raises(ValueError, match="mine"):  # noqa: PT012 -- it leaves at the door
        opening = lifecycle.open("websocket", url=server.url)
        with start_blocking_portal("trio") as portal, portal.wrap_async_context_manager(opening) as connection:
            portal.call(connection.ready, LIMIT)
            raise ValueError("mine")
    assert server.codes.get(timeout=LIMIT) == 1000


def test_a_failed_connection_says_so_to_blocking_code(server):
    """ConnectionFailed arrives as itself."""
    with start_blocking_portal("trio") as portal:
        opening = lifecycle.open("websocket", url=f"{server.url}/refuse")
        with portal.wrap_async_context_manager(opening) as connection:
            with pytest.raises(lifecycle.ConnectionFailed, match="refuses this client"):
                portal.call(anext, connection)
            with pytest.raises(lifecycle.NotSent):
                portal.call(connection.send, "too late")


def test_a_timeout_on_trios_side_takes_no_message_away(server):
    """The next one to receive gets it."""

    async def receive(connection, seconds):
        with trio.fail_after(seconds):
            return await anext(connection)

    with start_blocking_portal("trio") as portal:
        opening = lifecycle.open("websocket", url=server.url)
        with portal.wrap_async_context_manager(opening) as connection:
            portal.call(connection.ready, LIMIT)
            with pytest.raises(trio.TooSlowError):
                portal.call(receive, connection, 0.01)
            portal.call(connection.send, "later")
            assert portal.call(receive, connection, LIMIT) == "LATER"


def test_many_threads_use_one_connection(server):
    """Each message goes and comes once, whoever sends and receives."""
    with start_blocking_portal("trio") as portal, ThreadPoolExecutor(8) as threads:
        opening = lifecycle.open("websocket", url=server.url)
        with portal.wrap_async_context_manager(opening) as connection:
            portal.call(connection.ready, LIMIT)
            list(threads.map(lambda number: portal.call(connection.send, f"n{number}"), range(200)))
            got = list(threads.map(lambda _: portal.call(anext, connection), range(200)))
    assert sorted(got) == sorted(f"N{number}" for number in range(200))


def test_the_howtos_portal_runs(server, capsys):
    """The block that shows anyio's portal speaks to a server."""
    exec(block("start_blocking_portal"), {"lifecycle": lifecycle, "url": server.url})  # noqa: S102 -- our own page
    assert capsys.readouterr().out == "ONE\n"


def block(word):
    """The one block of the howto, besides the examples, that has a word in it."""
    (found,) = [
        text
        for text in re.findall(r"(?<!-->\n)```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if word in text
    ]
    return found


def test_the_howtos_call_runs_on_asyncio():
    """The block that shows `on_asyncio` does what it says: trio waits for a task of asyncio."""
    names = {"fetch_token": lambda: asyncio.sleep(0, "abc")}
    exec(block("on_asyncio"), names)  # noqa: S102 -- it is our own page

    async def main():
        async with Portal() as portal:
            return await portal.call(names["Calls"]().sign_in)

    assert asyncio.run(main()) == {"token": "abc"}
