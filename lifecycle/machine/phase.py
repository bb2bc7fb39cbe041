"""What is known of the transport: how facts and effects move it.

Law: pure, and the only place where it is said; the machine that runs and the model that is
explored share it. `half-open` (the peer is silent for ever) is the model's own: no machine knows
that it is there.
"""

from typing import Literal

Phase = Literal["none", "dialing", "open", "half-open", "closing"]


def after_fact(phase: Phase, cause: str) -> Phase:
    """The phase after the transport has told something; the cause is an event's."""
    if cause == "opened":
        return "open"
    return "none" if cause in ("closed", "end") else phase


def after_effect(phase: Phase, word: str) -> Phase:
    """The phase after an effect."""
    match word:
        case "open":
            return "dialing"
        case "drop" | "refuse":
            return "none"
        case "close" if phase != "none":
            return "closing"
    return phase
