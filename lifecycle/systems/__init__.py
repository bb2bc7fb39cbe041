"""What real systems ask of a client: the calls of their pages, and the methods that programs need.

Law: a page is the lifecycle, and nothing of it is repeated here. One folder a system; what a system needs beyond the
library is an extra.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

SYSTEMS: Final = {
    "convai-session": ("convai", "calls"),
    "openclaw-gateway": ("openclaw", "calls"),
    "openhands-conversation": ("openhands", "calls"),
    "openhands-agent-server": ("openhands", "agent_server_calls"),
}
"""Pages whose calls are here: the folder of each, and what in it makes them from texts."""


def maker(page: str) -> Callable[..., Any] | None:
    """What makes the calls of a bundled page from texts; None if they are not here.

    Raises:
        ModuleNotFoundError: the extra of the system is not installed.
    """
    if page not in SYSTEMS:
        return None
    folder, name = SYSTEMS[page]
    made: Callable[..., Any] = getattr(import_module(f"{__name__}.{folder}"), name)
    return made
