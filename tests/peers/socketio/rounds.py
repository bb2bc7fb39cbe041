"""All cases, some at a time: what those with a real server share is one server of each kind.

Law: whatever the servers do on the way, a client of ours ends in the same state with both, and the same events are
delivered.
"""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import attrs
import trio

from lifecycle.systems.openhands.server import PAGE
from peers.case import Playing, Row, Seen
from peers.say import say
from peers.system import Rows, System

from .app import CONVERSATION, SERVERS, Kind, Server, command_of, installed_npm, serving
from .cases import ABOUT, HOSTS, PAIRS, TALKS, VISITS
from .play import Play, bundled
from .visit import CLIENT, Visit

_AT_ONCE: Final = 8
"""So many cases beside those that take long, so that none is late for a ping."""
_END: Final = re.compile("ready|failed")
_TALKS: Final = "conversation"
"""A server of python-socketio, too, but another program."""
_HOSTS: Final = f"{CLIENT}, conversation"


async def _play(only: Collection[str], rows: Rows) -> None:
    await installed_npm()
    began = trio.current_time()
    async with contextlib.AsyncExitStack() as stack:
        say("starting the servers")
        servers = {kind: await stack.enter_async_context(serving(command_of(kind))) for kind in SERVERS}
        conversation = await stack.enter_async_context(serving(CONVERSATION))
        plays = [(peer, play) for peer, play in _plays(servers, conversation) if play.case.name in only]
        for peer, play in plays:
            rows[play.case.name, peer] = Row(play.case, peer, Seen("nothing", (), 0.0, ("it was not played",)))
        say(f"playing {len(plays)} cases")
        limit = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for peer, play in plays:
                nursery.start_soon(_one, peer, play, limit, rows)
    for name in dict.fromkeys(play.case.name for peer, play in plays if peer in SERVERS):
        _compare(name, rows)
    say(f"played after {trio.current_time() - began:.0f} s")


def _plays(servers: Mapping[Kind, Server], conversation: Server) -> Iterator[tuple[str, Playing]]:
    """Every case with every peer."""
    for pair in PAIRS:
        for kind, server in servers.items():
            yield kind, Play(pair.case(kind), kind, server, pair.page())
    for case in TALKS:
        yield _TALKS, Play(case, "python-socketio", conversation, bundled("openhands-conversation"))
    for case in VISITS:
        yield CLIENT, Visit(case)
    for case in HOSTS:
        yield _HOSTS, Visit(case, PAGE)


async def _one(peer: str, play: Playing, limit: trio.CapacityLimiter, rows: Rows) -> None:
    long = play.case.dials.most is None
    async with contextlib.nullcontext() if long else limit:
        rows[play.case.name, peer] = Row(play.case, peer, await play.played())


def _compare(name: str, rows: Rows) -> None:
    """Hold the two servers against each other; what is delivered is the same, for the same is expected."""
    ends = {_END.findall(rows[name, kind].seen.path)[-1:] == ["ready"] for kind in SERVERS}
    if len(ends) > 1:
        what = "with one of them it is ready in the end, with the other one not"
        for kind in SERVERS:
            row = rows[name, kind]
            rows[name, kind] = attrs.evolve(row, seen=attrs.evolve(row.seen, wrong=(*row.seen.wrong, what)))


SOCKETIO: Final = System("socketio", ABOUT, _play)
