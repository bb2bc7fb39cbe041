"""A handshake that is made only to see whether it can be."""

import logging
from typing import Any

import pytest
import trio

from lifecycle.testing.peer import Peer
from lifecycle.trio.failover.handshake import GOODBYE, shake_hands
from lifecycle.trio.transports.transport import TransportFailed
from lifecycle.wire.dial_request import DialRequest

REQUEST = DialRequest.parse("ws://a.example/rtc")


@pytest.fixture(params=["trio-websocket", "websockets"])
def library(request: pytest.FixtureRequest) -> str:
    """Each library, on both ends."""
    return str(request.param)


async def test_it_is_closed_with_1000_as_soon_as_it_is_open(library: str, caplog: pytest.LogCaptureFixture) -> None:
    """The server sees a client that comes and says goodbye; nothing of it is left."""
    with caplog.at_level(logging.INFO):
        async with Peer(transport=library) as peer:
            await shake_hands(peer.dialer, REQUEST)
            await trio.testing.wait_all_tasks_blocked()
            assert not peer.server.connections
            assert peer.server.counts["accepted"] == 1
    assert "the peer closed with code 1000" in caplog.text


async def test_a_refusal_is_told_as_it_is(library: str) -> None:
    """As by any dial."""
    async with Peer(transport=library) as peer:
        peer.refuse(1, http=503)
        with pytest.raises(TransportFailed, match="HTTP status 503"):
            await shake_hands(peer.dialer, REQUEST)
        peer.refuse(1)
        with pytest.raises(TransportFailed, match="refused"):
            await shake_hands(peer.dialer, REQUEST)


async def test_a_peer_that_does_not_say_goodbye_is_left(library: str) -> None:
    """The handshake has gone well; the rest has a bound, and messages meanwhile are nobody's."""
    async with Peer(transport=library) as peer:
        peer.hold("down")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake_hands, peer.dialer, REQUEST)
            await trio.sleep(1)
            peer.release()
            link = await peer.connected()
            link.send("hello")
            peer.hold("up")
        assert trio.current_time() <= 1 + GOODBYE
        peer.release()


async def test_who_is_cancelled_leaves_nothing(library: str) -> None:
    """Before and after it is open."""
    async with Peer(transport=library) as peer:
        for way in ("down", "up"):
            peer.hold(way)
            with trio.move_on_after(1) as scope:
                await shake_hands(peer.dialer, REQUEST)
            assert scope.cancelled_caught
            peer.release()
            await trio.sleep(10)
            assert not peer.server.connections


async def test_a_dialer_that_opens_nothing_has_not_gone_well() -> None:
    """A dialer of an embedder's may simply return; and what is its fault comes out alone."""

    async def returns(*_: Any) -> None:
        """Open nothing."""

    async def fails(*_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(TransportFailed, match="while it was made"):
        await shake_hands(returns, REQUEST)
    with pytest.raises(ZeroDivisionError):
        await shake_hands(fails, REQUEST)
