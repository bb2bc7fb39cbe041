"""Cases in which the client is not let in: by a word, by a status, or by silence.

Law: the two servers say it in different ways, and the client ends in the same state.
"""

from typing import Any

from .app import Server, serving
from .play import Play

PATIENT = 3.0
"""Seconds, for what never comes."""


async def unknown_namespace(play: Play) -> None:
    """Told as a text by the one, and as an object by the other."""
    async with play.client(namespace="/nope") as connection:
        await play.at_rest(connection)
    play.says(play.records[0], "The server has no such namespace.")


async def not_welcome(play: Play) -> None:
    """The server's own refusal, with data."""
    async with play.client(token="wrong") as connection:
        await play.at_rest(connection)
        play.check("not welcome" in connection.why, f"it says {connection.why!r}")
    play.says(play.records[0], "The server refuses this client.")


async def unanswered(play: Play) -> None:
    """CONNECT is not answered, while pings go on: that has an end of its own."""
    async with play.client(namespace="/unanswered", join_timeout=PATIENT, max_attempts=1) as connection:
        await play.at_rest(connection)
        pings = sum(step.event == "pinged" for step in play.records[0].steps)
        play.check(pings >= 2, f"there were {pings} pings, so it was not that which ended it")


async def wrong_path(play: Play) -> None:
    """HTTP 500 by the one; the other ends the connection after a second, and says nothing."""
    await _not_reached(play, url=_astray(play.server), max_attempts=1)


async def silent_path(play: Play) -> None:
    """A server without WebSockets does not even do that, if it is npm's."""
    async with serving(play.server.command, transports=["polling"]) as server:
        await _not_reached(play, url=_astray(server), connect_timeout=PATIENT, max_attempts=1)


async def old_protocol(play: Play) -> None:
    """A client that asks for Engine.IO 2: HTTP 403, or a frame that is none."""
    await _not_reached(play, max_attempts=1)


async def polling_only(play: Play) -> None:
    """A server that takes no WebSocket: HTTP 403, or 400."""
    async with serving(play.server.command, transports=["polling"]) as server:
        await _not_reached(play, url=server.url)


async def _not_reached(play: Play, **options: Any) -> None:
    async with play.client(**options) as connection:
        await play.at_rest(connection)
        play.check(connection.status == "failed", f"it is {connection.status}")


def _astray(server: Server) -> str:
    return server.url.replace("/socket.io/", "/nope/")
