"""What a page's peer says over Socket.IO: packets in which what the page looks for stands in its place.

Law: derived from what was made up for a route. What could not be in a packet is replaced by what can; it does not know
routes, nor how packets are written.
"""

import random
from collections.abc import Mapping
from typing import Any

_EVENT = "said"
_LARGE = (0, 1, 40, 5_000)
_OFTEN = 0.3


def user_packet(serial: int, pad: str) -> dict[str, Any]:
    """What the user sends: an event, and with every third one bytes, so that it leaves in several messages."""
    binary = [pad.encode(), b""] if serial % 3 == 0 else []
    return {"event": _EVENT, "args": [{"u": serial}, pad, *binary]}


def packet_of(found: Mapping[str, Any], serial: int | None, dice: random.Random) -> dict[str, Any]:
    """What was made up for a route, as a packet.

    Args:
        found: by key, as the route looks for it.
        serial: of a packet that is delivered whole: tells it from all others.
        dice: chooses what nobody asks for.
    """
    kind = found.get("packet", "event")
    namespace = found.get("namespace")
    given = {
        "packet": kind,
        "namespace": namespace if isinstance(namespace, str) and namespace.startswith("/") else "/",
    }
    match kind:
        case "open":
            return dict(found)
        case "connect":
            return given | ({"data": found["data"]} if isinstance(found.get("data"), dict) else {})
        case "connect_error":
            return given | {"error": _object(found.get("error"))}
        case "event" | "ack":
            args = [*_list(found.get("args", [])), *([] if serial is None else [{"serial": serial}])]
            if dice.random() < _OFTEN:
                args.append({"bytes": bytes(dice.choice(_LARGE))})
            event = {"event": found.get("event", _EVENT)} if kind == "event" else {}
            return given | event | {"args": args} | ({"id": found["id"]} if "id" in found else {})
        case "disconnect":
            return given
    return {"packet": kind}


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {"message": str(found)}


def _list(found: Any) -> list[Any]:
    """Values at `args.0` and so on are parts of a list; what stands at `args` alone is made one."""
    if isinstance(found, dict) and found and all(name.isdecimal() for name in found):
        last = max(int(name) for name in found)
        return [found.get(str(place)) for place in range(last + 1)]
    return found if isinstance(found, list) else [found]
