"""Cases in which npm's client comes to our server of conversations, as the front end of OpenHands does."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import trio

from lifecycle.systems.openhands import Conversation, Conversations, MemoryEventStore, serve_conversations

from .app import INTERVAL, TIMEOUT
from .play import name_of
from .visit import Visit

_KEY: Final = "a-session-key"
_ACT: Final = {"action": "message", "args": {"content": "three"}}


async def before(visit: Visit) -> None:
    """The past is heard before the client is connected, its last agent state behind it; an action is acknowledged."""
    await _told(visit, "before")


async def after(visit: Visit) -> None:
    """The same when the client is connected."""
    await _told(visit, "after")


async def wrong_key(visit: Visit) -> None:
    """In the words of the original, and the client does not try again."""
    async with _serving() as (_, url), visit.client(url, query={"conversation_id": "one", "session_api_key": "wrong"}):
        await visit.until("refused", lambda: visit.told("connect_error"))
    [told] = visit.told("connect_error")
    visit.check((told["message"], told["active"]) == ("invalid_session_api_key", False), f"the client was told {told}")


async def evicted(visit: Visit) -> None:
    """A client is told why, and does not come again, for that would evict another one."""
    async with _serving(max_concurrent=1) as (conversations, url), visit.client(url, query=_query()):
        await visit.until("connected", lambda: visit.told("connect"))
        await visit.until("told", lambda: len(_events(visit)) == _PAST)
        await conversations.start("two")
        await visit.until("away", lambda: visit.told("disconnect"))
    _deliver(visit)


async def _told(visit: Visit, replay: str) -> None:
    async with _serving(replay=replay) as (_, url), visit.client(url, query=_query(), act=_ACT):
        await visit.until("acknowledged", lambda: visit.told("acknowledged"))
        await visit.until("told", lambda: len(_events(visit)) == _PAST + 2)
    visit.check(visit.told("acknowledged")[0]["answer"] == [], "an action is acknowledged by nothing")
    ids = [event["id"] for event in _events(visit)]
    visit.check(ids == [0, 3, 2, 4, 5], f"the client was told {ids}")
    lines = [line["what"] for line in visit.told()]
    early = lines[: lines.index("connect")].count("event")
    expected = _PAST if replay == "before" else 0
    visit.check(early == expected, f"{early} events came before it was connected, expected {expected}")
    _deliver(visit)


_PAST: Final = 3
"""So many events of the past are told."""


@contextlib.asynccontextmanager
async def _serving(*, max_concurrent: int = 3, **settings: Any) -> AsyncIterator[tuple[Conversations, str]]:
    store = MemoryEventStore()
    for name in ("one", "two"):
        await store.create(name)
        for event in (_said("zero"), _state("running"), _state("awaiting_user_input"), _said("three")):
            await store.append(name, event)
    given = {"ping_interval": INTERVAL, "ping_timeout": TIMEOUT, "key": _KEY, **settings}
    async with (
        Conversations(_echo, store, max_concurrent=max_concurrent) as conversations,
        serve_conversations(conversations, port=0, **given) as server,
    ):
        yield conversations, f"ws://127.0.0.1:{server.port}"


async def _echo(conversation: Conversation) -> None:
    async for action in conversation.actions:
        await conversation.emit(_said(action["args"]["content"]))
    await trio.sleep_forever()


def _said(content: str) -> dict[str, Any]:
    return {"source": "agent", "action": "message", "args": {"content": content}}


def _state(state: str) -> dict[str, Any]:
    return {"source": "agent", "observation": "agent_state_changed", "extras": {"agent_state": state}}


def _query() -> dict[str, str]:
    return {"conversation_id": "one", "session_api_key": _KEY, "latest_event_id": "-1", "providers_set": "github"}


def _events(visit: Visit) -> list[dict[str, Any]]:
    return [line["args"][0] for line in visit.told("event")]


def _deliver(visit: Visit) -> None:
    """Note what the client was told."""
    visit.delivered += map(name_of, _events(visit))
