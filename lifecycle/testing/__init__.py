"""What embedders test with.

state_machine   of a page, for Hypothesis: whatever can happen, in any order       stateful
replays         asserts that a machine takes all steps of a trace                  replay
Peer            a server in memory that a page plays, and a test may step in             peer
run             an async function under a clock that jumps                               virtual
Puppet          a machine without a driver: the test says what happens             puppet
coverage, plugin    pytest --lifecycle-coverage: which clauses the tests exercise
vectors         conformance vectors, held against a page
demo            `lifecycle demo`: a connection, a real server in its own process, and faults
demo_server, demo_faults, demo_account, demo_screen     its parts
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .peer import Peer
    from .puppet import Puppet
    from .replay import replays
    from .stateful import state_machine
    from .virtual import run

_LATER = {"Peer": "peer", "Puppet": "puppet", "replays": "replay", "run": "virtual", "state_machine": "stateful"}
"""Imported when first asked for: the demo needs none of them, and a state machine needs the whole proof."""

__all__ = ["Peer", "Puppet", "replays", "run", "state_machine"]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lifecycle.testing.{_LATER[name]}"), name)
    raise AttributeError(f"module 'lifecycle.testing' has no attribute {name!r}")
