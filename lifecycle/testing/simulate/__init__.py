"""A thousand hours of bad luck: the real driver on a virtual clock, in a world that a seed makes up.

simulate_page   many seeds of one page, on all cores           run
run_seed        one run, with everything that happens in it     life
shortest        the shortest schedule that still fails          shrink
watch_herds     many clients, one recovering server             herd
entries, world, network, words, packets, peer, calls, user   what happens, and who does it
link, lane, pipe                                        the connection between driver and peer
invariants, account, fates, stream                      what must hold, judged from outside
certified, scene, result                                what is promised of a page, what it is made of, what came of it
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entries import Entry, generate
    from .herd import watch_herds
    from .life import run_seed
    from .result import Result
    from .run import simulate_page
    from .scene import Scene, scene_of
    from .shrink import shortest

_LATER = {
    "Entry": "entries",
    "Result": "result",
    "Scene": "scene",
    "generate": "entries",
    "run_seed": "life",
    "scene_of": "scene",
    "shortest": "shrink",
    "simulate_page": "run",
    "watch_herds": "herd",
}

__all__ = ["Entry", "Result", "Scene", "generate", "run_seed", "scene_of", "shortest", "simulate_page", "watch_herds"]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lifecycle.testing.simulate.{_LATER[name]}"), name)
    raise AttributeError(f"module 'lifecycle.testing.simulate' has no attribute {name!r}")
