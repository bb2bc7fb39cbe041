"""Cases with the page of an OpenHands conversation, at a server that does as the real one does.

Law: what a client was given in all its connections is what the log says that clients are told.
"""

import contextlib
import itertools
import random
from collections.abc import Mapping
from typing import Any, Final, final

import lifecycle
from lifecycle.testing.proxy import Proxy
from lifecycle.testing.schedule import Fault

from .app import serving
from .log import KILLS
from .play import Play

KEY: Final = "a-session-key"
Client = contextlib.AbstractAsyncContextManager[lifecycle.Connection]
_EVENTS: Final = range(1, 25)
_ENOUGH: Final = 10
"""Among so many events there are agent states."""
_SEED: Final = 6


@final
class Calls:
    """The calls of the page: the conversation runs, and credentials can be had.

    Attributes:
        refreshes: how often they were asked for.
    """

    def __init__(self) -> None:
        self.refreshes = 0

    async def until_running(self, *, conversation: str) -> None:
        """It runs."""

    async def fresh_credentials(self) -> dict[str, Any]:
        """The right key."""
        self.refreshes += 1
        return {"session_api_key": KEY, "cookie": None}


def _given(conversation: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"calls": Calls(), "session_api_key": KEY, "conversation_id": conversation, **options}


def _client(play: Play, conversation: str = "one", **options: Any) -> Client:
    return play.client(**_given(conversation, options))


def _aside(play: Play, conversation: str = "one", **options: Any) -> Client:
    return play.begun(aside=True, **_given(conversation, options))


async def _do(connection: lifecycle.Connection, content: Any, *, event: str = "oh_user_action") -> Any:
    return await connection.request(event, [{"action": "message", "args": {"content": content}}])


async def past(play: Play) -> None:
    """A client that comes later is told the past, the last agent state behind it; the cursor is the highest id."""
    async with serving(play.server.command) as server, _aside(play, url=server.url) as first:
        play.check(await _do(first, "zero") == [], "an action is acknowledged by nothing")
        for state in ("running", "paused"):
            await first.request("oh_user_action", [{"action": "change_agent_state", "args": {"agent_state": state}}])
        await _do(first, "three", event="oh_action")
        there = [(await anext(first))["id"] for _ in range(4)]
        play.check(there == [0, 1, 2, 3], f"who was there was told {there}")
        async with Proxy(server.url) as proxy, _client(play, url=proxy.url, providers_set="github,gitlab") as second:
            await second.ready()
            await play.heard("message", "message", "agent_state_changed")
            play.check(_ids(play) == [0, 3, 2], f"who came later was told {_ids(play)}")
            play.check(second.variables["cursor"] == 3, f"the cursor is {second.variables['cursor']}")
            proxy.inject(Fault(kind="reset"))
            await play.again(second)
            await _do(second, "four")
            await play.heard("message", "message", "agent_state_changed", "message")


async def killed(play: Play) -> None:
    """20 times in mid-stream or in the past: each event comes once; of agent states that were overtaken only the last."""
    numbers = random.Random(_SEED)
    async with serving(play.server.command) as server, _client(play, url=server.url) as connection:
        await connection.ready()
        await _do(connection, "write")
        for _ in range(KILLS):
            more = len(play.packets) + numbers.choice(_EVENTS)
            await play.until("events", lambda more=more: len(play.packets) >= more)
            server.kill()
            await play.until("noticed", lambda: connection.status != "ready")
            await server.start()
        await connection.ready()
        more = len(play.packets) + _ENOUGH
        await play.until("agent states", lambda: len(play.packets) >= more)
        await _do(connection, "stop")
        await _do(connection, "the end")
        log = server.events()
        await play.until("all of it", lambda: _ids(play)[-1:] == [log[-1]["id"]])
    told = _ids(play)
    play.check(len(told) == len(set(told)), f"{len(told) - len(set(told))} came twice")
    plain = [event["id"] for event in log if not _hidden(event) and not _state(event)]
    came = [event["id"] for event in play.packets if not _state(event)]
    play.check(came == plain, f"of {len(plain)} events {len(came)} came: {set(plain) ^ set(came)}")
    states, held = [event["id"] for event in log if _state(event)], [each for each in told if each not in plain]
    play.check(set(held) <= set(states) and max(held) == max(states), "the last agent state has not come")
    behind = sum(later < earlier for earlier, later in itertools.pairwise(told))
    play.note(
        f"{len(log)} events written, {len(told)} delivered, {behind} out of order, {len(states) - len(held)} agent states overtaken"
    )


async def wrong_key(play: Play) -> None:
    """The key is fetched anew, once, and is right."""
    calls = Calls()
    async with _client(play, calls=calls, session_api_key="wrong") as connection:
        await connection.ready()
    play.check(calls.refreshes == 1, f"asked for credentials {calls.refreshes} times, expected once")


async def expired(play: Play) -> None:
    """Fresh credentials do not help, and so the user is asked."""
    async with _client(play, "expired") as connection:
        await play.at_rest(connection)
    play.check(play.records[0].said[-1:] == ("Session expired. Sign in again.",), f"said {play.records[0].said}")


async def gone(play: Play) -> None:
    """There is no such conversation: no retry."""
    async with _client(play, "gone") as connection:
        await play.at_rest(connection)


async def not_joined(play: Play) -> None:
    """Refused after the whole past was told: tried again, and not told again."""
    async with serving(play.server.command) as server:
        async with _aside(play, url=server.url) as first:
            await _do(first, "zero")
        async with _client(play, "slow", url=server.url) as connection:
            await connection.ready()
            await _do(connection, "one")
            await play.heard("message", "message")


async def ignored(play: Play) -> None:
    """A provider that the server does not know: it never answers, and that has an end."""
    async with _client(play, providers_set="sourceforge", join_timeout=2.0, max_attempts=1) as connection:
        await play.at_rest(connection)


async def paused(play: Play) -> None:
    """The agent has reached its maximum: the client pauses it, and the user is told."""
    async with serving(play.server.command) as server, _client(play, url=server.url) as connection:
        await connection.ready()
        await _do(connection, {"tell": {"error": True, "message": "Agent reached maximum iteration"}})
        await play.heard("error", "agent_state_changed")
        play.check(play.packets[-1]["extras"] == {"agent_state": "paused"}, f"came {play.packets[-1]}")


async def told(play: Play) -> None:
    """What the model's provider does not like is told, and the connection stays."""
    async with _client(play) as connection:
        await connection.ready()
        for code in ("STATUS$ERROR_LLM_OUT_OF_CREDITS", "STATUS$ERROR_LLM_AUTHENTICATION", "STATUS$LLM_RETRY"):
            kind = "info" if code.endswith("RETRY") else "error"
            status = {"status_update": True, "type": kind, "id": code, "message": "?"}
            await _do(connection, {"tell": status})
        await play.heard("status", "status", "status")
    emitted = [name for step in play.records[0].steps for name in step.emitted]
    play.check(emitted == ["told", "told"], f"the user was told {emitted}")


async def evicted(play: Play) -> None:
    """Another conversation takes the place: no retry, for that would evict another one."""
    async with _client(play) as connection:
        await connection.ready()
        connection.post({"event": "oh_user_action", "args": [{"action": "message", "args": {"content": "evict"}}]})
        await play.at_rest(connection)


def _ids(play: Play) -> list[int]:
    return [event["id"] for event in play.packets]


def _state(event: Mapping[str, Any]) -> bool:
    return event.get("observation") == "agent_state_changed"


def _hidden(event: Mapping[str, Any]) -> bool:
    return event.get("action") in ("null", "recall")
