"""What embedders test with.

Peer            a server in memory that a page plays, and a test may step in       peer, peer_*
run             an async function under a clock that jumps                         virtual
Proxy, Fault, Schedule, read_schedule     a broken network, by a script            proxy, proxy_*, schedule
Puppet          a machine without a driver: the test says what happens             puppet
state_machine   of a page, for Hypothesis: whatever can happen, in any order       stateful
replays         asserts that a machine takes all steps of a trace                  replay, merge, belong, story
coverage        pytest --lifecycle-coverage: which clauses the tests exercise      coverage, plugin
simulate        the real driver in a world that a seed makes up; many, and herds   simulate, vectors
demo            `lifecycle demo`: a connection, a real server, and faults          demo, demo_*
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .peer import Peer
    from .proxy import Proxy
    from .puppet import Puppet
    from .replay import replays
    from .schedule import Fault, Schedule, read_schedule
    from .stateful import state_machine
    from .virtual import run

_LATER = {
    "Fault": "schedule",
    "Peer": "peer",
    "Proxy": "proxy",
    "Puppet": "puppet",
    "Schedule": "schedule",
    "read_schedule": "schedule",
    "replays": "replay",
    "run": "virtual",
    "state_machine": "stateful",
}
"""Imported when first asked for: the demo needs none of them, and a state machine needs the whole proof."""

__all__ = [
    "Fault",
    "Peer",
    "Proxy",
    "Puppet",
    "Schedule",
    "read_schedule",
    "replays",
    "run",
    "state_machine",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lifecycle.testing.{_LATER[name]}"), name)
    raise AttributeError(f"module 'lifecycle.testing' has no attribute {name!r}")
