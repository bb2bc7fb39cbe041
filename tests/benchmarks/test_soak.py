"""The soak, so small that it can be run with the other tests: it holds, and it notices what does not."""

import re
from pathlib import Path

import attrs

import lifecycle

from .soak import PARAMETERS, Found, kills, noticed_within, soak

CERTIFICATE = Path(__file__).parents[2] / "specs" / "certificates" / "websocket.md"


def test_all_heal_and_nothing_grows() -> None:
    """A few connections outlive two deaths of their server and one silence, and hold no more afterwards."""
    found = soak(connections=20, kills=2, heartbeat=0.5)
    assert [check for check in found.checks if not check.held] == []
    assert len(found.checks) == 6
    assert found.bound == 1.0
    assert min(found.noticed) > 0.0
    assert len(kills(found).splitlines()) == 4


def test_the_bound_on_a_silent_peer_is_the_certificates() -> None:
    """What the soak changes of the page leaves the time in which a half-open peer is noticed as it is certified."""
    certified = re.search(r"a half-open peer is noticed \| within (\d+) s", CERTIFICATE.read_text(encoding="utf-8"))
    assert certified is not None
    assert noticed_within(lifecycle.read("websocket"), PARAMETERS) == float(certified[1])


def test_what_does_not_hold_is_told() -> None:
    """One task, file or echo more or less, memory that grows, or a silence that lasts, and the verdict is another."""
    row = {"seconds": 1.0, "echoes": 2, "steps": 128, "tasks": 9, "open files": 5, "blocks": 1_000, "memory": 100.0}
    good = Found(2, row, [row] * 4, [0.7, 0.9], 0.1, bound=1.0, busy=0.01)
    assert _broken(good) == []
    assert good.trend("memory") == 0.0
    for change, what in [
        ({"echoes": 1}, "echoes after every kill"),
        ({"tasks": 10}, "no growth of tasks"),
        ({"open files": 6}, "no growth of open files"),
        ({"blocks": 1_006}, "no growth of blocks"),
        ({"memory": 106.0}, "no growth of memory"),
    ]:
        assert _broken(attrs.evolve(good, rows=[row, row, row, {**row, **change}])) == [what]
    assert _broken(attrs.evolve(good, noticed=[0.7, 1.07])) == ["a silent peer is noticed"]
    assert _broken(attrs.evolve(good, noticed=[0.7])) == ["a silent peer is noticed"]
    growing = [{**row, "memory": 100.0 + number} for number in range(4)]
    assert attrs.evolve(good, rows=growing).trend("memory") == 1.0


def _broken(found: Found) -> list[str]:
    return [check.what for check in found.checks if not check.held]
