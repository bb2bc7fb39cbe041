"""Ctrl-C at any instant leaves trio, and the connection, whole: it is raised where the embedder's own code is or waits."""

import contextlib
import random
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

import pytest
import trio
from trio.lowlevel import currently_ki_protected
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import lifecycle
from lifecycle.definition.read import read_text
from lifecycle.machine.step import Step
from lifecycle.observe.instrument import Instrument, Observed

from .peer import PAGE, URL, Peer, Signer, gateway

SEED = 1729
TIMES = 60
LIMIT = 30


class Ears(Instrument):
    """Hears in which code it is called."""

    def __init__(self) -> None:
        self.protected: set[bool] = set()

    def stepped(self, connection: Observed, step: Step, *_: Any) -> None:
        """Note it."""
        self.protected.add(currently_ki_protected())


class Methods(Signer):
    """A call that notes whether it may be interrupted."""

    def __init__(self) -> None:
        self.protected: bool | None = None

    async def sign(self, *, challenge: dict[str, Any]) -> dict[str, Any]:
        """Sign."""
        await trio.lowlevel.checkpoint()
        self.protected = currently_ki_protected()
        return await super().sign(challenge=challenge)


async def test_a_step_cannot_be_interrupted_and_a_call_can() -> None:
    """A call may loop for ever; a step must not be torn, whoever causes it."""
    ears, methods = Ears(), Methods()
    page = read_text(PAGE)
    async with Peer(gateway()) as peer:
        opening = lifecycle.open(page, url=URL, calls=methods, transport=peer, seed=1, instruments=[ears])
        async with opening as connection:
            await connection.ready()
            assert not currently_ki_protected()
    assert ears.protected == {True}
    assert methods.protected is False


@pytest.mark.real_time
async def test_a_handler_can_be_interrupted() -> None:
    """It is the embedder's code, in a task of ours."""
    protected: list[bool] = []

    async def handler(connection: lifecycle.Connection) -> None:
        async for message in connection:
            protected.append(currently_ki_protected())
            await connection.send(message)

    async with (
        lifecycle.serve("websocket-server", handler, port=0) as server,
        lifecycle.open("websocket", url=f"ws://127.0.0.1:{server.port}") as connection,
    ):
        await connection.send("hello")
        await anext(connection)
    assert protected == [False]


@pytest.fixture
def url() -> Iterator[str]:
    """A server of `websockets` in a thread of its own, which Ctrl-C does not touch; it shouts back."""

    def shout(websocket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in websocket:
                websocket.send(str(message).upper())

    with serve(shout, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


class Interrupter:
    """Presses Ctrl-C when a number of functions have been called; use it as `with`.

    Attributes:
        called: how many have been called.
    """

    def __init__(self, when: int) -> None:
        self.when, self.called = when, 0

    def __enter__(self) -> Self:
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _look(self, _: FrameType, event: str, __: object) -> None:
        if event == "call":
            self.called += 1
            if self.called == self.when:
                signal.raise_signal(signal.SIGINT)


async def talk(url: str, transport: str, when: int) -> int:
    """Connect, speak, and say goodbye."""
    with Interrupter(when) as interrupter:
        async with lifecycle.open("websocket", url=url, transport=transport) as connection:
            await connection.ready(LIMIT)
            for _ in range(3):
                await connection.send("hello")
                assert await anext(connection) == "HELLO"
        await trio.lowlevel.checkpoint()  # what came in the last step is raised here
    return interrupter.called


@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
def test_ctrl_c_at_any_instant(url: str, transport: str) -> None:
    """Whatever is running just then, KeyboardInterrupt is all that comes out, and nobody hangs."""
    calls = [trio.run(talk, url, transport, 0) for _ in range(2)][-1]  # the first time, modules are read besides
    dice = random.Random(SEED)
    for when in sorted(dice.sample(range(1, calls * 9 // 10), TIMES)):
        with pytest.raises(KeyboardInterrupt):
            trio.run(talk, url, transport, when)
