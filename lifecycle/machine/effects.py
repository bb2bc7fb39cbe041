"""What comes out of a machine: a closed set, to be carried out in order.

Law: data. An effect holds what is needed to carry it out and nothing that the driver would have to
look up in the page. Values of the connection do not show in a repr, for they may be secret.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock


@attrs.frozen
class Open:
    """Dial. A new epoch begins; what the transport tells brings the token."""

    token: int
    url: str | None = attrs.field(default=None, repr=False)  # a secret may stand in its query
    query: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class Close:
    """Say goodbye; the epoch goes on until the transport says `closed`."""

    code: int = 1000
    reason: str = attrs.field(default="", repr=False)


@attrs.frozen
class Drop:
    """The epoch ends now; nothing the transport says is heard any more."""


@attrs.frozen
class Ping:
    """Ask the peer for a sign of life."""


@attrs.frozen
class Send:
    """Send a frame of the page."""

    frame: str
    value: Any = attrs.field(repr=False)


@attrs.frozen
class Emit:
    """Tell the embedder."""

    name: str
    fields: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen
class Admit:
    """Accept the upgrade (role server)."""


@attrs.frozen
class Refuse:
    """Refuse the upgrade (role server)."""

    http: int


@attrs.frozen
class Mark:
    """Tell, in order with the messages, what became of continuity."""

    kind: Literal["resumed", "replayed", "lost"]


@attrs.frozen
class StartClock:
    """Start a clock, or start it anew. One of seconds and backoff is given."""

    clock: Clock
    token: int
    seconds: float | None = None
    backoff: Backoff | None = None
    attempt: int = 1


@attrs.frozen
class StopClock:
    """Stop a clock that runs."""

    clock: Clock


@attrs.frozen
class StartCall:
    """Start a call of the embedder."""

    name: str
    state: str
    token: int
    arguments: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen
class StopCall:
    """Cancel a call that runs."""

    name: str
    state: str


Effect = (
    Open | Close | Drop | Ping | Send | Emit | Admit | Refuse | Mark | StartClock | StopClock | StartCall | StopCall
)
