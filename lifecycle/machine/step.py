"""One step of a connection, as it is told to whoever watches."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Step:
    """What happened.

    Attributes:
        time: the connection's clock, in seconds.
        epoch: which dial it was in, counted from 1; 0 before the first.
        event: what happened.
        clauses: the ids of the clauses of the page that took it.
        before, after: the paths of the innermost active states.
        status_before, status: the statuses.
        emitted: what the page tells, by name.
        cause: the event in words, where there is more to say than its name.
        say: the sentence for the user, if the page has one.
    """

    time: float
    epoch: int
    event: str
    clauses: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    status_before: str
    status: str
    emitted: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)
    cause: str = ""
    say: str = ""
