"""Cases in which a connection that is well is ended, by the server, the network or a packet that is none."""

import math

import trio

import lifecycle
from lifecycle.testing.proxy import Proxy
from lifecycle.testing.schedule import Fault

from .app import INTERVAL, TIMEOUT
from .play import Play

_LATE = 1.0
"""Seconds by which a clock may run out late while other processes are busy on the same cores."""


async def kicked(play: Play) -> None:
    """The server sends the client away: it stays away. The one leaves the transport open, the other closes it."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"event": "kick"})
        await play.at_rest(connection)
    play.says(play.records[0], "The server has disconnected this client. It does not connect again by itself.")


async def hung_up(play: Play) -> None:
    """The server ends the transport: the one says so and keeps it open, the other closes it."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"event": "hang_up"})
        await play.again(connection)
        await play.works(connection)


async def missed_pong(play: Play) -> None:
    """What the client says does not arrive: the server ends it with a code that is no proof of anything."""
    async with Proxy(play.server.url) as proxy, play.client(url=proxy.url) as connection:
        await connection.ready()
        proxy.inject(Fault(kind="half-open", way="up", lasts=math.inf))
        await play.until("noticed", lambda: connection.status != "ready")
        proxy.heal()
        code = {"python-socketio": "1000", "socket.io": "1005"}[play.kind]
        play.check(any(code in words for words in play.records[0].words), f"not {code}: {play.records[0].words}")
        await play.again(connection)
        await play.works(connection)


async def silent(play: Play) -> None:
    """What the server says does not arrive: the client's own watchdog finds that, when it must."""
    async with Proxy(play.server.url) as proxy, play.client(url=proxy.url) as connection:
        await connection.ready()
        began = trio.current_time()
        proxy.inject(Fault(kind="half-open", way="down", lasts=math.inf))
        await play.until("noticed", lambda: connection.status != "ready")
        took = trio.current_time() - began
        most = INTERVAL + TIMEOUT
        play.check(most - INTERVAL <= took <= most + _LATE, f"noticed after {took:.2f} s, expected {most:g} s at most")
        proxy.heal()
        await play.again(connection)
        await play.works(connection)


async def bad_packet_from_server(play: Play) -> None:
    """A packet that is none ends the connection, and the next one is well."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"event": "raw", "args": ["2{notjson"]})
        await play.again(connection)
        await play.works(connection)


async def bad_packet_from_client(play: Play) -> None:
    """A ping, which only servers send: the one ignores it, the other ends the connection."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"packet": "ping"})
        await _survived(play, connection)


async def second_connect(play: Play) -> None:
    """CONNECT once more: the one refuses it and goes on, the other ends the connection."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"packet": "connect"})
        await _survived(play, connection)


async def too_large(play: Play) -> None:
    """More than the server takes, which has said so: 1000 by the one, 1009 by the other."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"event": "say", "args": ["x" * 2_000_000]})
        await play.again(connection)
        await play.works(connection)


async def _survived(play: Play, connection: lifecycle.Connection) -> None:
    """Go on, on this connection or on the next one."""
    if play.kind == "socket.io":
        await play.again(connection)
    else:
        await trio.sleep(INTERVAL / 2)
        play.check(connection.status == "ready" and connection.epoch == 1, f"it is {connection.status}")
    await connection.send({"event": "say", "args": ["still here"]})
    await play.heard("said")
