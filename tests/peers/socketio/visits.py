"""Cases in which npm's client comes to our server.

Law: who the client is told that it is, and why it goes, is what the client itself says.
"""

import contextlib
import math
from typing import Any, Final

import trio

from lifecycle.testing.proxy import Proxy
from lifecycle.testing.schedule import Fault
from peers.path import words

from .visit import Guest, Visit

TOKEN: Final = "a-token"
_BYTES: Final = b"\x00\xff" * 3
_SAID: Final[list[Any]] = ["one", {"two": [2, None], "three": _BYTES}, _BYTES, "\u2028 \U0001f600"]


async def normal(visit: Visit) -> None:
    """Credentials, events, acknowledgements and bytes, both ways, until the client leaves."""
    async with visit.both(auth={"token": TOKEN}):
        guest = await visit.guest()
        await _both_ways(visit, guest, "/")
        await guest.connection.send({"event": "leave"})
        await visit.until("left", lambda: visit.told("disconnect"))
    [asked] = visit.asked
    sid = visit.told("connect")[0]["id"]
    visit.check(asked == {"namespace": "/", "auth": {"token": TOKEN}, "sid": sid}, f"the server was asked {asked}")


async def namespace(visit: Visit) -> None:
    """The same in another namespace, without credentials."""
    async with visit.both(namespace="/room"):
        await _both_ways(visit, await visit.guest(), "/room")
    [asked] = visit.asked
    visit.check((asked["namespace"], asked["auth"]) == ("/room", None), f"the server was asked {asked}")


async def second_namespace(visit: Visit) -> None:
    """A connection has one namespace: the other is refused, and the first one stays."""
    async with visit.both():
        guest = await visit.guest()
        await guest.connection.send({"event": "join", "args": ["/room"]})
        await visit.heard("not_joined")
        await guest.connection.send({"event": "say", "args": ["still here"]})
        await visit.heard("not_joined", "said")


async def no_namespace(visit: Visit) -> None:
    """One that there is not: the client is told, and does not try again."""
    await _refused(visit, "Invalid namespace", "no_namespace", namespace="/nope")


async def not_welcome(visit: Visit) -> None:
    """Credentials that are wrong: the same."""
    await _refused(visit, "not welcome", "wrong_token", auth={"token": "wrong"})


async def polling_only(visit: Visit) -> None:
    """A client that does not ask for a WebSocket is refused."""
    async with visit.both(transports=["polling"], reconnection=False):
        await visit.until("refused", lambda: visit.told("connect_error"))
    visit.check(not visit.asked, "it was let in")


async def unasked(visit: Visit) -> None:
    """A client that opens a connection and never sends CONNECT is let go; pings went on until then."""
    async with visit.both(alone=True, reconnection=False):
        await visit.until("closed", lambda: visit.told("close"))
        visit.check(len(visit.told("ping")) > 0, "there were no pings")
    visit.check(not visit.asked, "it was let in")


async def kicked(visit: Visit) -> None:
    """The server sends the client away: it stays away."""
    async with visit.both():
        guest = await visit.guest()
        guest.connection.tell("disconnect")
        await visit.until("away", lambda: visit.told("disconnect"))
        await trio.sleep(1)  # three times as long as it would wait before it came again
    visit.check(not visit.told("disconnect")[0]["active"], "it would come again")


async def drained(visit: Visit) -> None:
    """The server goes away and comes back, as in a deployment; the client does, too."""
    async with contextlib.AsyncExitStack() as stack:
        async with visit.serving() as url:
            await stack.enter_async_context(visit.client(url))
            await visit.guest()
        async with visit.serving():
            await _again(visit)
            await stack.aclose()


async def cut(visit: Visit) -> None:
    """The network resets the connection: the client comes again, as somebody else."""
    async with visit.serving() as url, Proxy(url) as proxy, visit.client(proxy.url.rstrip("/")):
        await visit.guest()
        proxy.inject(Fault(kind="reset"))
        await _again(visit)


async def missed_pong(visit: Visit) -> None:
    """What the client says does not arrive: our server lets it go, and it comes again."""
    async with visit.serving() as url, Proxy(url) as proxy, visit.client(proxy.url.rstrip("/")):
        guest = await visit.guest()
        proxy.inject(Fault(kind="half-open", way="up", lasts=math.inf))
        await visit.until("noticed", lambda: guest.connection.status == "closed")
        became = [word for step in guest.connection.history for word in words(visit.page, step)]
        visit.check("lost.silent" in became, f"it was not the silence: {became}")
        proxy.heal()
        await _again(visit)


async def silent(visit: Visit) -> None:
    """What our server says does not arrive: the client finds that by the intervals that it was told."""
    async with visit.serving() as url, Proxy(url) as proxy, visit.client(proxy.url.rstrip("/")):
        await visit.guest()
        proxy.inject(Fault(kind="half-open", way="down", lasts=math.inf))
        await visit.until("noticed", lambda: visit.told("disconnect"))
        proxy.heal()
        await _again(visit)


async def bad_packet(visit: Visit) -> None:
    """What is no packet ends the connection of who sends it."""
    async with visit.both():
        guest = await visit.guest()
        await guest.connection.send({"event": "raw", "args": ["2{notjson"]})
        await _again(visit)


async def too_large(visit: Visit) -> None:
    """The same with more than the server has said that it takes."""
    async with visit.both():
        guest = await visit.guest()
        await guest.connection.send({"event": "flood", "args": [2_000_000]})
        await _again(visit)


async def _refused(visit: Visit, message: str, code: str, **options: Any) -> None:
    async with visit.both(**options):
        await visit.until("refused", lambda: visit.told("connect_error"))
        await trio.sleep(1)
    [told] = visit.told("connect_error")
    expected = {"what": "connect_error", "message": message, "data": {"code": code}, "active": False}
    visit.check(told == expected, f"the client was told {told}")


async def _again(visit: Visit) -> None:
    guest = await visit.guest(1)
    await guest.connection.send({"event": "say", "args": ["still here?"]})
    await visit.heard("said")
    sids = {asked["sid"] for asked in visit.asked}
    visit.check(len(sids) == len(visit.asked), "two had the same id")


async def _both_ways(visit: Visit, guest: Guest, place: str) -> None:
    send = guest.connection.send
    await send({"namespace": place, "event": "say", "args": _SAID})
    await visit.heard("said")
    visit.check(guest.packets[-1]["args"] == _SAID, f"the client said {guest.packets[-1]!r}")
    await send({"namespace": place, "event": "ask", "args": _SAID, "id": 7})
    await visit.heard("said", "ack")
    visit.check((guest.packets[-1]["id"], guest.packets[-1]["args"]) == (7, _SAID), f"answered {guest.packets[-1]!r}")
    await send({"namespace": place, "event": "quiz", "args": _SAID})
    await visit.heard("said", "ack", "question")
    question = guest.packets[-1]
    visit.check(question["args"] == _SAID, f"the client asked {question!r}")
    await send({"packet": "ack", "namespace": place, "id": question["id"], "args": _SAID})
    await visit.heard("said", "ack", "question", "answered")
    visit.check(guest.packets[-1]["args"] == _SAID, f"the client was answered {guest.packets[-1]!r}")
