"""A conversation server of the kind of OpenHands V0, on python-socketio: `python -P conversation.py PORT KNOBS`.

Law: it takes the steps of the real one in their order, keeps silent where that one does, and tells the past before it
answers CONNECT: agent states are held back, and the last of them is told last.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import socketio
import uvicorn

KNOBS = json.loads(sys.argv[2])
KEY = "a-session-key"
PROVIDERS = {"github", "gitlab"}
TICK = 0.01
REFUSE = socketio.exceptions.ConnectionRefusedError
SERVER = socketio.AsyncServer(async_mode="asgi", ping_interval=KNOBS["interval"], ping_timeout=KNOBS["timeout"])
LOG = Path(KNOBS["log"])
EVENTS = [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()] if LOG.exists() else []
JOINED: set[str] = set()
WRITER: list[asyncio.Task[None]] = []
TRIES = [0]


@SERVER.event  # type: ignore[misc] -- the library has no types
async def connect(sid: str, environ: dict[str, Any]) -> None:
    """Let a client in, or not."""
    query = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    try:
        latest = int(query.get("latest_event_id", "-1"))
    except ValueError:
        latest = -1
    for provider in query.get("providers_set", "").split(","):
        if provider and provider not in PROVIDERS:
            raise ValueError(provider)  # so it stays without an answer
    conversation = query.get("conversation_id")
    if not conversation:
        raise REFUSE("No conversation_id in query params")
    if query["session_api_key"] != KEY:  # where there is none, it stays without an answer
        raise REFUSE("invalid_session_api_key")
    if conversation == "expired":
        raise REFUSE("SESSION$TIMEOUT_MESSAGE")
    if conversation == "gone":
        raise REFUSE("Failed to access conversation events: there are none")
    await replay(sid, latest)
    if conversation == "slow" and not TRIES[0]:
        TRIES[0] = 1
        raise REFUSE("Failed to join conversation")


async def replay(sid: str, latest: int) -> None:
    """Tell what came after, and what comes meanwhile, and then what comes."""
    state, told = None, latest + 1
    while told < len(EVENTS):
        event = EVENTS[told]
        told += 1
        if event.get("observation") == "agent_state_changed":
            state = event
        elif event.get("observation") != "null" and event.get("action") not in ("null", "recall"):
            await SERVER.emit("oh_event", event, to=sid)
    JOINED.add(sid)  # before anything else can be added
    if state is not None:
        await SERVER.emit("oh_event", state, to=sid)


@SERVER.event  # type: ignore[misc]
async def disconnect(sid: str, reason: str) -> None:
    """Forget a client."""
    JOINED.discard(sid)


@SERVER.event  # type: ignore[misc]
async def oh_user_action(sid: str, action: dict[str, Any]) -> None:
    """Take what the user does: it becomes an event, and what the tests ask for happens."""
    content = action.get("args", {}).get("content")
    match action["action"], content:
        case "change_agent_state", _:
            await add({"observation": "agent_state_changed", "extras": action["args"]})
        case "message", {"tell": payload}:
            await SERVER.emit("oh_event", payload, to=sid)
        case "message", "evict":
            over = {"status_update": True, "type": "error", "id": "AGENT_ERROR$TOO_MANY_CONVERSATIONS", "message": "?"}
            await SERVER.emit("oh_event", over, to=sid)
            await SERVER.disconnect(sid)
        case "message", "write":
            WRITER.append(asyncio.create_task(write()))
        case "message", "stop":
            WRITER.pop().cancel()
        case _:
            await add({"action": action["action"], "args": action["args"], "source": "user"})


async def add(event: dict[str, Any]) -> None:
    """One more event: first into the file, then to all who have joined; some are told to nobody."""
    event = {"id": len(EVENTS), "timestamp": "2026-01-01T00:00:00", "source": "agent", "message": "", **event}
    keep(event)
    if event.get("observation") != "null" and event.get("action") not in ("null", "recall"):
        for sid in list(JOINED):
            await SERVER.emit("oh_event", event, to=sid)


def keep(event: dict[str, Any]) -> None:
    """Write one event into the file."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps(event) + "\n")
    EVENTS.append(event)


async def write() -> None:
    """Events of all kinds, one after the other."""
    while True:
        match len(EVENTS) % 7:
            case 2 | 5:
                state = ("running", "awaiting_user_input")[len(EVENTS) % 2]
                await add({"observation": "agent_state_changed", "extras": {"agent_state": state}})
            case 3:
                await add({"action": "null", "args": {}})
            case 6:
                await add({"action": "recall", "args": {"query": "?"}})
            case _:
                await add({"observation": "run", "content": f"output {len(EVENTS)}", "extras": {}})
        await asyncio.sleep(TICK)


async def started() -> None:
    """Go on writing where another process has been killed."""
    if EVENTS:
        WRITER.append(asyncio.create_task(write()))


SERVER.on("oh_action", oh_user_action)
uvicorn.run(socketio.ASGIApp(SERVER, on_startup=started), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
