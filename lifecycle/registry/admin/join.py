"""What `join_room` asks for, read from its body.

Law: a body that is wrong is told with all that is wrong in it. What was asked for reaches `begin` of the session
that it starts, and nobody else.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Literal, cast

import attrs

LONGEST_ID: Final = 256
"""The most characters of a live_id."""
_TEXTS: Final = ("role", "background")
_OBJECTS: Final = ("video_config", "role_config")
_KNOWN: Final = ("live_id", "avatar_type", *_TEXTS, *_OBJECTS)
_AVATARS: Final = ("3min", "pic")


@attrs.frozen
class Join:
    """One wish to join.

    Attributes:
        live_id: of the session.
        avatar_type: `3min` or `pic`.
        role: which avatar; None if it was not said.
        background: behind it, likewise.
        rtc: what begins with `rtc_`, such as rtc_room_id and rtc_token; not shown, for it may be secret.
        video_config, role_config: objects that are passed on as they are; empty if they were not said.
    """

    live_id: str
    avatar_type: Literal["3min", "pic"] = "3min"
    role: str | None = None
    background: str | None = None
    rtc: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    video_config: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    role_config: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


class WrongJoin(ValueError):
    """A body that asks for nothing that can be done.

    Attributes:
        problems: one sentence each.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


_ASKED: ContextVar[Join] = ContextVar("lifecycle_registry_asked")


def asked() -> Join | None:
    """In `begin` of a registry: what join_room has asked for; None if the session was started in another way."""
    return _ASKED.get(None)


def ask(join: Join) -> None:
    """Let `begin` know, in whatever this task starts from now on."""
    _ASKED.set(join)


def read_join(body: bytes) -> Join:
    """Read a body.

    Raises:
        WrongJoin: it is no JSON object, or has fields that cannot be; all wrong ones at once.
    """
    try:
        # a number that JSON does not have would break who it is passed on to
        found = json.loads(body, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be passed on either
    except (ValueError, RecursionError) as error:
        raise WrongJoin([f'the body is no JSON: {error}; send such as {{"live_id": "a"}}']) from None
    if not isinstance(found, dict):
        raise WrongJoin(['the body is no JSON object; send such as {"live_id": "a", "avatar_type": "3min"}'])
    said = {name: value for name, value in found.items() if value is not None}
    problems = [*_wrong(said), *(_unknown(name) for name in found if name not in _KNOWN and name[:4] != "rtc_")]
    if problems:
        raise WrongJoin(problems)
    return Join(
        live_id=said["live_id"],
        avatar_type=cast("Literal['3min', 'pic']", said.get("avatar_type", "3min")),
        role=said.get("role"),
        background=said.get("background"),
        rtc={name: value for name, value in said.items() if name.startswith("rtc_")},
        video_config=said.get("video_config", {}),
        role_config=said.get("role_config", {}),
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _wrong(said: Mapping[str, Any]) -> Iterable[str]:
    if "live_id" not in said:
        yield "live_id: required field missing"
    elif why := wrong_id(said["live_id"]):
        yield f"live_id: {why}"
    if "avatar_type" in said and said["avatar_type"] not in _AVATARS:
        yield f"avatar_type: write {' or '.join(map(repr, _AVATARS))}"
    for name, value in said.items():
        text = name in _TEXTS or name.startswith("rtc_")
        if text and not isinstance(value, str):
            yield f"{name}: a text is needed, and this is {_kind(value)}"
        elif name in _OBJECTS and not isinstance(value, dict):
            yield f"{name}: an object is needed, and this is {_kind(value)}"


def wrong_id(live_id: object) -> str:
    """Why a live_id cannot be one; empty if it can."""
    if not isinstance(live_id, str):
        return f"a text is needed, and this is {_kind(live_id)}"
    if not 1 <= len(live_id) <= LONGEST_ID:
        return f"1 to {LONGEST_ID} characters are needed, and these are {len(live_id)}"
    return "" if live_id.isprintable() else "it has characters that cannot be printed"


def _kind(value: object) -> str:
    names: dict[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return "nothing" if value is None else names.get(type(value), "an object")


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _KNOWN, 1)
    return f"{name[:LONGEST_ID]!r}: there is no such field{f'; did you mean {close[0]!r}?' if close else ''}"
