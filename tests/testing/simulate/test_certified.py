"""The bounds that a run is held against are those of the proof."""

import attrs
import pytest

from lifecycle.definition.read import read
from lifecycle.testing.simulate.certified import Certified, certified_of, proven


@pytest.mark.parametrize("page", ["websocket", "websocket-server", "openhands-conversation-server"])
def test_what_is_read_is_what_is_proven(page: str) -> None:
    """A certificate says the same as the proof that it was derived from."""
    assert certified_of(read(page)) == proven(read(page))


def test_the_numbers_are_those_of_the_certificate() -> None:
    """As it stands in the file."""
    assert certified_of(read("websocket")) == Certified(dials=96.0, recovery=601.0, stop=5.0, half_open=40.0)


def test_a_page_without_a_certificate_is_proven() -> None:
    """Another page under the same name has none."""
    page = attrs.evolve(read("websocket"), latency=2.0)
    assert certified_of(page).recovery == pytest.approx(602.0)
