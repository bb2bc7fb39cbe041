"""What embedders test with.

state_machine   of a page, for Hypothesis: whatever can happen, in any order       stateful
replays         asserts that a machine takes all steps of a trace                  replay
Puppet          a machine without a driver: the test says what happens             puppet
vectors         conformance vectors, held against a page
demo            `lifecycle demo`: a connection, a real server in its own process, and faults
demo_server, demo_faults, demo_account, demo_screen     its parts
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .puppet import Puppet
    from .replay import replays
    from .stateful import state_machine

_LATER = {"Puppet": "puppet", "replays": "replay", "state_machine": "stateful"}
"""Imported when first asked for: the demo needs none of them, and a state machine needs the whole proof."""

__all__ = ["Puppet", "replays", "state_machine"]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lifecycle.testing.{_LATER[name]}"), name)
    raise AttributeError(f"module 'lifecycle.testing' has no attribute {name!r}")
