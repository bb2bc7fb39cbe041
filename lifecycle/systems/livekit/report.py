"""An event of a session as a report: what the page asks for, and nothing that anybody has said.

Law: total and bounded: whatever an event holds, its report is small, plain, and writable as JSON. What the user or the
agent said, what tools were given and gave back, and the words of exceptions are left out.
"""

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

LONGEST: Final = 200
"""Characters of a text; the rest is left out."""
MOST: Final = 50
"""Members of a list; the rest is left out."""
SAID: Final = "…"
"""Stands for what was said, where something was."""

_STATES: Final = ("old_state", "new_state")
_CALL: Final = ("call_id", "name")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent_state_changed": _STATES,
    "user_state_changed": _STATES,
    "user_input_transcribed": ("is_final", "item_id", "speaker_id", "language"),
    "user_transcription_timeout": ("speech_duration", "vad_speech_started_at"),
    "speech_created": ("user_initiated", "source"),
    "agent_false_interruption": ("resumed",),
    "overlapping_speech": ("is_interruption", "detected_at"),
    "close": ("reason",),
}
_ERROR: Final = ("type", "label", "timestamp", "recoverable")
_UPDATE: Final = ("type", "id", "call_id", "status", "silent", "speech_id")


def report(name: str, event: Any) -> dict[str, Any]:
    """What is told of an event.

    Args:
        name: what the session calls it.
        event: as its callbacks are given it.

    Returns:
        `type` and the fields that the page `livekit-agent-session` knows, as the event's own dump has them.
    """
    told = {"type": name, **_some(event, _FIELDS.get(name, ()))}
    match name:
        case "user_input_transcribed":
            told["transcript"] = SAID if getattr(event, "transcript", "") else ""
        case "conversation_item_added":
            told["item"] = _some(_of(event, "item"), ("type", "role", "interrupted"))
        case "function_tools_executed":
            told["function_calls"] = _each(_of(event, "function_calls"), _CALL)
            told["function_call_outputs"] = _each(_of(event, "function_call_outputs"), (*_CALL, "is_error"))
        case "tool_execution_updated":
            told["update"] = _update(_of(event, "update"))
        case "error":
            told["error"] = _error(_of(event, "error"))
            told["source"] = _some(_of(event, "source"), ("model", "provider"))
        case "close":
            error = _of(event, "error")
            told["error"] = None if error is None else _error(error)
    return told


def _error(error: Any) -> dict[str, Any]:
    return {"type": type(error).__name__, **_some(error, _ERROR)}


def _update(update: Any) -> dict[str, Any]:
    told = _some(update, _UPDATE)
    if (call := _of(update, "function_call")) is not None:
        told["function_call"] = _some(call, _CALL)
    if (ids := _of(update, "update_ids")) is not None:
        told["update_ids"] = [_plain(each) for each in list(ids)[:MOST]]
    return told


def _each(things: Iterable[Any] | None, fields: Iterable[str]) -> list[dict[str, Any]]:
    return [_some(each, fields) for each in list(things or ())[:MOST]]


def _some(thing: Any, fields: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(_of(thing, name)) for name in fields if hasattr(thing, name)}


def _of(thing: Any, name: str) -> Any:
    return getattr(thing, name, None)


def _plain(value: Any) -> str | float | bool | None:
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool():
            return value
        case str():
            # a subclass may write itself otherwise
            return str.__str__(value)[:LONGEST]
        case int() | float():
            return value if math.isfinite(value) else None
    return type(value).__name__
