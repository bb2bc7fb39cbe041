"""The three envelopes in which messages come: on top, wrapped in a server-message, and flat.

Law: pure and total: whatever a peer sends has a type and data, if only empty ones. The page's routes decide what a
message does; here is what it says.
"""

from collections.abc import Mapping
from typing import Any

import attrs

WRAPPED = "server-message"
FLAT = "server-response"


@attrs.frozen
class Message:
    """A message of the server, whatever it came in.

    Attributes:
        type: what it is; of a server-message, what is in it. Empty if it says nothing of the kind.
        data: what it says, without its type; of a flat one, all of it but its type.
    """

    type: str
    data: Mapping[str, Any] = attrs.field(repr=False)


def message_of(value: Any) -> Message:
    """Open the envelope."""
    outer = _mapping(value)
    kind = outer.get("type")
    if kind == FLAT:
        return Message(FLAT, {name: each for name, each in outer.items() if name != "type"})
    data = _mapping(outer.get("data"))
    if kind == WRAPPED:
        kind, data = data.get("type"), {name: each for name, each in data.items() if name != "type"}
    return Message(kind if isinstance(kind, str) else "", data)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
