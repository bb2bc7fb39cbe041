"""Whether a connection of some WebSocket library is alive, as far as that library knows.

Law: total and without effect: attributes are read, and nothing is called but what changes nothing. Only what a library
says is believed: an attribute that is missing, or is not of the type that it has there, says nothing. Who says nothing
is `unknown`, and that is never taken for alive. Of two that contradict each other, `closed` counts.
"""

import enum
import socket
from collections.abc import Iterator
from typing import Any, Final, Literal

import attrs

State = Literal["alive", "closed", "unknown"]

_OPEN: Final = ("open", "connected")
_SHUT: Final = (
    "closed", "closing", "remote_closing", "local_closing", "rejecting", "disconnected", "disconnecting", "failed",
)  # fmt: skip
_YES: Final = ("open", "connected")
_NO: Final = ("closed", "is_disconnected")
"""Attributes that are true, or false, of a connection that is alive."""
_STATES: Final = ("state", "client_state", "application_state")
_CODES: Final = ("close_code", "close_reason", "remoteCloseCode")
_INNER: Final = ("sock", "connection", "ws_connection", "protocol")
"""Where some keep the connection proper: websocket-client, httpx-ws, tornado."""
_DEEP: Final = 2
_NONE: Final = object()


@attrs.frozen
class Liveness:
    """What is known of a connection. It is true only if that is alive.

    Attributes:
        state: `alive`, `closed` (or about to be), or `unknown`: not connected yet, or of a library that is not known.
        code: with which it was closed, if that is known; 1006 stands for an end without a goodbye.
        by: which attribute has told it; empty if none has.
    """

    state: State
    code: int | None = None
    by: str = ""

    def __bool__(self) -> bool:
        """Whether it is alive."""
        return self.state == "alive"


def liveness(connection: object) -> Liveness:
    """Say whether a connection is alive, whatever library it is of.

    Known are those of websockets (new and old), trio-websocket, aiohttp, websocket-client, picows, python-socketio,
    python-engineio, wsproto, httpx-ws, simple-websocket, Starlette, tornado, autobahn, asyncio's transports and
    streams, sockets, and `lifecycle.Connection`; and what else has `closed`, `open`, `connected` or `state` as these.

    Args:
        connection: the object; None is a connection that there is none of.
    """
    if connection is None:
        return Liveness("closed", by="None")
    return _judged(connection, 0)


def _judged(connection: object, deep: int) -> Liveness:
    found = list(_said(connection))
    code = next((code for code in _codes(connection) if code is not None), None)
    for state, by, told in found:
        if state == "closed":
            return Liveness("closed", told if told is not None else code, by)
    if code is not None:
        return Liveness("closed", code, "close_code")
    for state, by, _ in found:
        if state == "unknown":  # it says that it is not connected yet
            return Liveness("unknown", by=by)
    if found:
        return Liveness("alive", by=found[0][1])
    return _inside(connection, deep) if deep < _DEEP else Liveness("unknown")


def _inside(connection: object, deep: int) -> Liveness:
    for name in _INNER:
        inner = _read(connection, name)
        if inner is None and _is_of(connection, "websocket.", "tornado."):
            return Liveness("closed", by=name)
        judged = Liveness("unknown") if inner is None or inner is _NONE else _judged(inner, deep + 1)
        if judged.state != "unknown":
            return attrs.evolve(judged, by=f"{name}.{judged.by}")
    return Liveness("unknown")


def _said(connection: object) -> Iterator[tuple[State, str, int | None]]:
    """Each thing that it says of itself: the state, by which attribute, and the code that stands there."""
    for names, good in ((_YES, True), (_NO, False)):
        for name in names:
            value = _read(connection, name)
            if isinstance(value, bool):
                yield "alive" if value is good else "closed", name, None
    closed = _read(connection, "closed")
    if closed is None and _is_of(connection, "trio_websocket."):
        yield "alive", "closed", None
    elif (code := _number(_read(closed, "code"))) is not None:
        yield "closed", "closed", code
    for name in _STATES:
        state = _state(connection, _read(connection, name))
        if state is not None:
            yield state, name, None
    yield from _called(connection)


def _called(connection: object) -> Iterator[tuple[State, str, int | None]]:
    """What some tell by a method that changes nothing."""
    if isinstance(connection, socket.socket):
        if connection.fileno() < 0:
            yield "closed", "fileno", None
    elif _is_of(connection, "asyncio.", "uvloop.", "tornado."):
        try:
            closing = connection.is_closing()  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001 -- it has none, or does not know
            return
        if isinstance(closing, bool):
            yield "closed" if closing else "alive", "is_closing", None


def _state(connection: object, value: Any) -> State | None:
    """What a state means: a member of an enum, a word, or autobahn's number."""
    if isinstance(value, enum.Enum):
        value = value.name
    if isinstance(value, str):
        word = value.lower()
        known: State = "alive" if word in _OPEN else "closed" if word in _SHUT else "unknown"
        return known
    if isinstance(value, int) and not isinstance(value, bool):
        marks = {_read(connection, f"STATE_{name}"): name.lower() for name in ("OPEN", "CLOSED", "CLOSING")}
        return _state(connection, marks.get(value)) if value in marks else None
    status = _read(connection, "status") if _is_of(connection, "lifecycle.") else None
    return None if not isinstance(status, str) else "alive" if status == "ready" else _state(connection, status)


def _codes(connection: object) -> Iterator[int | None]:
    """With what it was closed, by each who knows."""
    for name in _CODES:
        yield _number(_read(connection, name))
    for side in ("recv", "sent"):  # picows
        yield _number(_read(_read(_read(connection, "close_handshake"), side), "code"))


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _read(connection: object, name: str) -> Any:
    """An attribute; nothing, if it has none, or reading it fails."""
    try:
        return getattr(connection, name)
    except Exception:  # noqa: BLE001 -- a property of a library that is not ours
        return _NONE


def _is_of(connection: object, *packages: str) -> bool:
    return any(f"{kind.__module__}.".startswith(packages) for kind in type(connection).__mro__)
