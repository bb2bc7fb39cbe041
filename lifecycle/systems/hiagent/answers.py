"""What the backend's operations give, as plain data.

Law: total: what a backend does not say is None, and what it says in another shape counts as not said.
"""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Joined:
    """`join_room`: there is a session.

    Attributes:
        live_id: its id.
        already_active: it was there before, and is as it was.
        details: all that the backend has said; not shown, for there may be tokens in it.
    """

    live_id: str
    already_active: bool
    details: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class Left:
    """`leave_room`: there is no session.

    Attributes:
        live_id: its id.
        cleaned_up: whether there was one.
    """

    live_id: str
    cleaned_up: bool


@attrs.frozen
class Cleared:
    """`clear_all_sessions`.

    Attributes:
        before: how many there were.
        failed: of those that could not be left, why; by live_id.
    """

    before: int | None
    failed: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Listed:
    """One of `sessions`.

    Attributes:
        live_id: its id.
        status: such as `active` or `idle`; empty if it is not said.
        created_at: when it was begun, in seconds since 1970, or as the backend writes it.
        last_activity: when it was used last, likewise.
    """

    live_id: str
    status: str = ""
    created_at: float | str | None = None
    last_activity: float | str | None = None


@attrs.frozen
class BackendHealth:
    """`health`: the process is up.

    Attributes:
        upstream: what it says of the vendor's service, in its words; None if it does not say.
        details: all that it says.
    """

    upstream: str | None
    details: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


def inner(body: Mapping[str, Any], name: str) -> Any:
    """A field of an answer: on top, or in `data` or `result`."""
    for place in (body, body.get("result"), body.get("data")):
        if isinstance(place, Mapping) and name in place:
            return place[name]
    return None


def is_already_active(body: Mapping[str, Any]) -> bool:
    """Whether an answer to `join_room` says that the session was there before."""
    return inner(body, "already_active") is True or inner(body, "status") == "already_active"


def listed(body: Mapping[str, Any]) -> tuple[Listed, ...] | None:
    """The sessions that an answer lists, as a list or by their ids; None if it lists none."""
    found = inner(body, "sessions")
    if isinstance(found, Mapping):
        found = [{"live_id": name, **(told if isinstance(told, Mapping) else {})} for name, told in found.items()]
    if not isinstance(found, list):
        return None
    return tuple(_one(each) for each in found if isinstance(each, Mapping) and isinstance(each.get("live_id"), str))


def _one(told: Mapping[str, Any]) -> Listed:
    status = told.get("status")
    return Listed(
        told["live_id"],
        status if isinstance(status, str) else "",
        _when(told.get("created_at")),
        _when(told.get("last_activity", told.get("last_active"))),
    )


def _when(value: Any) -> float | str | None:
    return value if isinstance(value, float | int | str) and not isinstance(value, bool) else None
