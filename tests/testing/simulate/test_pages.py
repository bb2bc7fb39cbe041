"""Every bundled page lives through bad luck: 200 seeds of a few minutes here, 10,000 of an hour in the nightly setting."""

import os

import attrs
import pytest

from lifecycle.definition.read import bundled, read
from lifecycle.testing.simulate import simulate_page
from lifecycle.testing.simulate.certified import Certified, certified_of
from lifecycle.testing.simulate.scene import NotRunnable, scene_of

NIGHTLY = bool(os.environ.get("LIFECYCLE_NIGHTLY"))
SEEDS, HOURS = (range(1, 10_001), 1.0) if NIGHTLY else (range(1, 201), 0.03)
WHOLE = tuple(name for name in bundled() if read(name).role is not None and not read(name).leaves)
HAPPENS = {
    "avatar-live": {"dials", "messages sent", "messages not_sent", "messages read", "marks lost"},
    "avatar-live-server": {"messages not_sent", "messages read"},
    "convai-session": {"messages sent", "messages not_sent", "messages read", "marks lost"},
    "websocket": {"dials", "messages sent", "messages not_sent", "messages maybe", "marks lost"},
    "resume": {"requests answered", "requests refused", "requests maybe", "marks resumed", "marks gap"},
    "openhands-agent-server": {"messages sent", "messages read", "marks resumed", "marks lost"},
    "openclaw-gateway": {"requests answered", "requests not_sent", "marks lost", "marks gap"},
    "websocket-server": {"messages sent", "messages read"},
    "socketio": {"requests answered", "requests maybe", "messages sent", "marks lost"},
    "socketio-server": {"messages sent", "messages not_sent", "messages read"},
}


@pytest.mark.parametrize("page", WHOLE)
def test_a_bundled_page_holds(page: str) -> None:
    """No seed breaks an invariant, and what is judged has happened."""
    found = simulate_page(page, SEEDS, hours=HOURS)
    assert found.failure is None, found.failure
    assert found.seeds == len(SEEDS)
    assert found.lived >= len(SEEDS) * HOURS * 3600
    assert HAPPENS.get(page, {"steps"}) <= found.counts.keys()


@pytest.mark.parametrize("page", sorted(set(bundled()) - set(WHOLE)))
def test_a_fragment_is_refused_in_a_sentence(page: str) -> None:
    """It does nothing by itself."""
    with pytest.raises(NotRunnable, match=r"skipped, for it (is a fragment|leaves).*: simulate"):
        scene_of(page)


def test_what_is_otherwise_is_said() -> None:
    """A codec that has no transport is JSON here, and a bound that is not there cannot be kept."""
    plain = read("websocket")
    objects = attrs.evolve(plain, messages=attrs.evolve(plain.messages, codec="object"))
    assert scene_of(objects, certified_of(plain)).notes == (
        "its codec object has no transport here: its messages are simulated as JSON",
    )
    assert scene_of("websocket").notes == ()
    assert scene_of("websocket", Certified(dials=1.0, recovery=1.0)).notes == (
        "its certificate does not say when it has ended, when silence is noticed: that is not judged",
    )
