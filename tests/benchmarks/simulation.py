"""How much faster than real time one simulated connection lives, with everything judged; of each page, and of a herd."""

import time

from lifecycle.testing.simulate import Scene, generate, run_seed, scene_of

from .gates import Gate, judged
from .rounds import Cases, told

HOUR = 3600.0
BAD, WELL = "websocket: bad luck", "websocket: all is well"
PAGES = (
    "resume",
    "openclaw-gateway",
    "openhands-conversation-server",
    "openhands-conversation",
    "socketio",
    "session-lease",
    "websocket-server",
)
WARMING, SEEDS = 5, 12
MUST = Gate(10_000, 15_000, least=True, ratio=False)


def simulation() -> Cases:
    """Seeds of an hour each, in seconds lived for each second of a core's work."""
    websocket = scene_of("websocket")
    found = {BAD: _hours(websocket), WELL: _hours(websocket, quiet=True)}
    found |= {f"{page}: bad luck": _hours(scene_of(page)) for page in PAGES}
    return judged(told(found, "x real time", 1), dict.fromkeys((BAD, WELL), MUST))


def _hours(scene: Scene, *, quiet: bool = False) -> list[float]:
    """What a page reaches, seed by seed; the first ones warm up."""
    found = []
    for seed in range(1, WARMING + SEEDS + 1):
        entries = () if quiet else generate(scene.page, seed, 1.0)
        began = time.process_time()
        result = run_seed(scene, seed, entries, 1.0)
        if result.violation is not None:
            raise AssertionError(f"{scene.page.name}, seed {seed}: {result.violation}")
        if seed > WARMING:
            found.append(result.seconds / (time.process_time() - began))
    return found
