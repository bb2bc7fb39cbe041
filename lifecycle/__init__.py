"""A page of YAML becomes a connection lifecycle: drawn, proven, and then run.

definition/   what a lifecycle is: frozen data, read from YAML
machine/      what it means: a chart, a table, a pure machine
proof/        what it promises          draw/      how it looks
observe/      what watches it           wire/      bytes to events, pure
trio/         the only room that knows trio
registry/     sessions that are counted
systems/      calls of real systems     testing/   what embedders test with
cli           the command line          errors     every exception, as one tree
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    CallFailed,
    CannotListen,
    ConnectionEnded,
    ConnectionFailed,
    DriverFailed,
    IllegalEvent,
    LawBroken,
    LifecycleError,
    MaybeDelivered,
    NoRequests,
    NotReady,
    NotSent,
    PageError,
    RequestFailed,
    RequestTimeout,
    RequestUnsupported,
    WrongParameters,
)

if TYPE_CHECKING:
    from .definition.definition import Definition
    from .definition.read import read
    from .trio.connection import Connection, open
    from .trio.server import Server, serve
    from .wire.inbox import Discontinuity
    from .wire.monitor import monitor

_LATER = {
    "Connection": "lifecycle.trio.connection",
    "Definition": "lifecycle.definition.definition",
    "Discontinuity": "lifecycle.wire.inbox",
    "monitor": "lifecycle.wire.monitor",
    "open": "lifecycle.trio.connection",
    "Server": "lifecycle.trio.server",
    "read": "lifecycle.definition.read",
    "serve": "lifecycle.trio.server",
}
"""Imported when first asked for, so that `import lifecycle` stays light."""

__all__ = [
    "CallFailed",
    "CannotListen",
    "Connection",
    "ConnectionEnded",
    "ConnectionFailed",
    "Definition",
    "Discontinuity",
    "DriverFailed",
    "IllegalEvent",
    "LawBroken",
    "LifecycleError",
    "MaybeDelivered",
    "NoRequests",
    "NotReady",
    "NotSent",
    "PageError",
    "RequestFailed",
    "RequestTimeout",
    "RequestUnsupported",
    "Server",
    "WrongParameters",
    "monitor",
    "open",
    "read",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'lifecycle' has no attribute {name!r}")
