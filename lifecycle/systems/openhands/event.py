"""What an event of a conversation is like: who is shown it, and which ones tell the agent's state.

Law: pure, and total: an event may lack anything, or have it in another shape.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

Event = Mapping[str, Any]
"""As JSON has it: `id`, `timestamp`, `source`; `action` and `args`, or `observation`, `content` and `extras`."""

STATE: Final = "agent_state_changed"
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an event as JSON: the outbox of a client has room for it."""
DEEPEST: Final = 100
"""How deeply an event may be nested: what a client can be sent is bounded so, too."""
_HIDDEN: Final = ("null", "recall")


def is_shown(event: Event) -> bool:
    """Whether clients are told of it: not of null actions and observations, nor of recall actions."""
    return event.get("action") not in _HIDDEN and event.get("observation") != "null"


def is_state(event: Event) -> bool:
    """Whether it tells the state of the agent."""
    return event.get("observation") == STATE


def is_notice(event: Event) -> bool:
    """Whether it is for those who are there, and has no place in a log: a status, or an error."""
    return event.get("status_update") is True or event.get("error") is True


def is_users(event: Event) -> bool:
    """Whether it comes from a user."""
    return event.get("source") == "user"


def state_of(event: Event) -> str | None:
    """The state that it tells of; None if it tells none."""
    extras = event.get("extras")
    state = extras.get("agent_state") if is_state(event) and isinstance(extras, Mapping) else None
    return state if isinstance(state, str) else None


def state_event(state: str, reason: str = "") -> dict[str, Any]:
    """The event that tells a state of the agent.

    Args:
        state: such as `running`, `awaiting_user_input` or `stopped`.
        reason: why, in words.
    """
    extras = {"agent_state": state, "reason": reason}
    return {"source": "environment", "message": "", "observation": STATE, "content": "", "extras": extras}


def users_event(action: object) -> dict[str, Any]:
    """What a user does, as an event: what a stranger says beside `action` and `args` is not taken.

    Raises:
        TypeError: it has another shape.
    """
    name, args = (action.get("action"), action.get("args", {})) if isinstance(action, Mapping) else (None, {})
    if not isinstance(name, str) or not isinstance(args, Mapping):
        raise TypeError("an action is an object with a text `action` and an object `args`")
    return {"source": "user", "action": name, "args": args}


def checked(event: Event) -> Event:
    """An event that can be written.

    Raises:
        TypeError, ValueError: it is no mapping, or no client could be sent it; in a log it would break every replay.
    """
    if not isinstance(event, Mapping):
        raise TypeError(f"an event is a mapping, not {type(event).__name__}")
    if not _is_flat(event, DEEPEST):
        raise ValueError(f"an event is nested at most {DEEPEST} deep")
    if len(json.dumps(dict(event), allow_nan=False)) > LARGEST:
        raise ValueError(f"an event has at most {LARGEST} bytes")
    return event


def _is_flat(value: Any, deepest: int) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return deepest > 0 and all(_is_flat(part, deepest - 1) for part in parts)
