"""What a page's peer says in frames of avatar_live: a header, and behind it what the page looks for, or some sound.

Law: derived from what was made up for a route. What could not be in a frame is left out; it does not know routes, nor
how frames are written.
"""

import random
from collections.abc import Mapping
from typing import Any

_HEADER = "DAT02"
_SOUND = 0.3
_LARGE = (0, 40, 1_280)


def user_frame(serial: int, pad: str) -> dict[str, Any]:
    """What the user sends: an object, for sound could not be told from other sound."""
    return {"header": _HEADER, "body": {"u": serial, "pad": pad}}


def frame_of(found: Mapping[str, Any], serial: int | None, dice: random.Random) -> dict[str, Any]:
    """What was made up for a route, as a frame.

    Args:
        found: by key, as the route looks for it.
        serial: of a frame that is delivered whole: tells it from all others.
        dice: chooses what nobody asks for.
    """
    frame: dict[str, Any] = {"header": found.get("header", _HEADER)}
    body = found.get("body")
    if serial is None:
        return {**frame, "body": body} if isinstance(body, dict) else frame
    if body is None and dice.random() < _SOUND:
        return {**frame, "body": b"%d:" % serial + bytes(dice.choice(_LARGE))}
    return {**frame, "body": {**(body if isinstance(body, dict) else {}), "serial": serial}}
