"""A session and its stand-in in one test: in memory on the virtual clock, or on sockets of loopback."""

import contextlib
from collections.abc import Callable

import httpx2
import trio

from lifecycle.systems.convai import Session, open_convai
from lifecycle.testing import Peer

from .stand_in import KEY, StandIn, asgi, memory, served

QUICK = {
    "redial": {"first": 0.25, "factor": 1, "max": 0.25, "jitter": "none", "floor": 0.25},
    "shutdown_wait": 1,
    "settle_wait": 0.5,
}


def client(stand_in: StandIn) -> httpx2.AsyncClient:
    """An HTTP client that reaches the stand-in without a network."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(asgi(stand_in)))


@contextlib.asynccontextmanager
async def in_memory(stand_in: StandIn | None = None, *, key=KEY, **settings):
    """A peer that is the stand-in, and a session that has begun."""
    home = stand_in or StandIn()
    async with Peer(handler=lambda connection: memory(home, peer, connection)) as peer:
        home.url = peer.url
        async with open_convai(
            key, "a-character", base_url="http://convai.test", client=client(home), transport=peer.dialer, **settings
        ) as session:
            yield peer, session


@contextlib.asynccontextmanager
async def on_sockets(stand_in: StandIn | None = None, *, key=KEY, **settings):
    """The same on loopback: HTTP and WebSocket by uvicorn."""
    with served(stand_in or StandIn()) as url:
        async with open_convai(key, "a-character", base_url=url, **QUICK | settings) as session:
            yield session


def listening(session: Session, *kinds) -> list:
    """What a session tells from now on, of some classes or all."""
    heard: list = []
    for kind in kinds or (object,):
        session.on(kind, heard.append)
    return heard


async def ready(session: Session) -> None:
    """Wait until it is ready, and until that is told."""
    await session.ready()
    await trio.sleep(0.01)


async def until(wanted: Callable[[], object]) -> None:
    """Wait for what sockets will bring."""
    with trio.fail_after(20):
        while not wanted():  # noqa: ASYNC110 -- a handler is told, and nobody else
            await trio.sleep(0.005)
