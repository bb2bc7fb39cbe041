"""What goes into a machine.

Law: an event says who caused it. All but wishes bring the token that the machine gave out with the
effect that caused them; the machine drops those whose cause is gone.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

Cause = Literal["start", "wish", "opened", "closed", "end", "message", "heard", "timer", "call"]
_NONE: Mapping[str, Any] = {}


@attrs.frozen
class Event:
    """Something that happened, or that the user wishes.

    Attributes:
        name: what it is; `timer.…` for a clock, `done.…` and `failed.…` for a call.
        fields: what it brings.
        cause: who tells it: nobody (start), the user (wish), the transport (opened, closed, end, message, heard),
            a clock, or a call.
        token: what the machine gave out with the dial, the clock or the call; 0 for wishes.
        words: the event in words, where there is more to say than its name.
    """

    name: str
    fields: Mapping[str, Any] = attrs.field(default=_NONE, repr=False)
    cause: Cause = "wish"
    token: int = 0
    words: str = attrs.field(default="", repr=False)
