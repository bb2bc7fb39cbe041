import functools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock
from lifecycle.definition.read import read_text
from lifecycle.proof.lengths import Length, length, measured, reach
from lifecycle.proof.prove import prove

PAGE = """
lifecycle: 1
page: p
role: client
parameters:
  part: {number: 0.5}
  longest: {duration: 40 s}
variables:
  told:  {duration: 5 s, min: 1 s, max: longest}
  early: {duration: 0 s, min: 2 s, max: 9 s}
  free:  {duration: 7 s}
hears: {disconnect: {}}
causes:
  - {http: 503, is: lost.busy, retry_after: header}
  - {otherwise: true, is: lost.network}
states:
  online:
    use: connection
    fill: {up: {use: heartbeat}}
    clauses:
      A1: {on: done, to: closed}
      A2: {on: lost, do: {set: {told: =event.retry_after, early: =event.retry_after, free: =event.retry_after}}, to: waiting}
  waiting:
    status: waiting
    clauses:
      A3: {after: told * part, to: online}
      A4: {after: early, do: ping}
      A5: {after: free, do: ping}
      A6: {on: disconnect, to: closed}
  closed: {status: closed, final: done}
"""
PLAIN = st.builds(
    Backoff,
    delays=st.lists(st.floats(0.1, 90), max_size=2).map(tuple),
    first=st.floats(0.01, 20),
    factor=st.floats(1, 4),
    max=st.floats(1, 90),
    jitter=st.sampled_from(["none", "full", "equal"]) | st.tuples(st.floats(0.1, 1), st.floats(1, 2)),
    floor=st.floats(0.01, 1),
)
DECORRELATED = st.builds(
    Backoff, first=st.floats(1, 20), max=st.floats(1, 90), jitter=st.just("decorrelated"), floor=st.floats(0.01, 1)
)


@functools.cache
def clocks() -> dict[str, Clock | None]:
    """The clocks of the page, by clause."""
    return {clause.id: clause.clock for clause in read_text(PAGE).clauses.values()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, Length(3, 3, 3)),
        (0.25, Length(0.25, 0.25, 0.25)),
        (-2, Length(0, 0, 0)),  # a computed length below 0 is 0
        (None, None),
        ("soon", None),
        (True, None),
        ((Backoff(first=1, jitter="none"), 3), Length(4, 4, 4)),
        ((Backoff(first=1, jitter="full"), 3), Length(0.25, 2.125, 4)),
        ((Backoff(first=1, jitter="equal"), 2), Length(1, 1.5, 2)),
        ((Backoff(first=1, jitter="none", max=5), 9), Length(5, 5, 5)),
        ((Backoff(delays=(10,), first=2, jitter=(0.5, 1.5)), 1), Length(5, 10, 15)),
        ((Backoff(delays=(10,), first=2, jitter=(0.5, 1.5)), 2), Length(1, 2, 3)),
        ((Backoff(first=1, jitter="decorrelated", max=60), 3), Length(1, 2, 27)),
        ((Backoff(first=1, jitter="none"), None), Length(1, 1, 1)),  # without a count it is the first wait
    ],
)
def test_lengths_by_hand(value: object, expected: Length | None) -> None:
    """A clock's length has a least, a mean and a most; one that is no number never runs out."""
    assert length(value) == expected


@given(PLAIN | DECORRELATED, st.integers(1, 40))
def test_a_length_is_in_order(backoff: Backoff, attempt: int) -> None:
    """The least is no longer than the mean, the mean no longer than the most, and the floor holds."""
    found = length((backoff, attempt))
    assert found is not None
    assert backoff.floor <= found.least <= found.mean <= found.most


@given(PLAIN | DECORRELATED, st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_no_dice_leave_the_length(backoff: Backoff, dice: list[float]) -> None:
    """However the dice fall, each wait lies between the least and the most of its attempt."""
    previous = None
    for attempt, die in enumerate(dice, start=1):
        low, high = backoff.bounds(attempt, previous)
        previous = low + die * (high - low)
        found = length((backoff, attempt))
        assert found is not None
        assert found.least - 1e-9 <= previous <= found.most + 1e-9


def test_what_a_peer_sets_lies_in_its_range() -> None:
    """A variable that a peer may set reaches from its least to its largest value, its first value included."""
    definition = read_text(PAGE)
    parameters = {"longest": 40.0, "part": 0.5}
    assert reach(definition, "told", parameters) == (1, 40)
    assert reach(definition, "early", parameters) == (0, 9)
    assert reach(definition, "free", parameters) == (0, math.inf)


def test_a_length_that_a_peer_sets_counts_by_its_low_end() -> None:
    """A clock over a peer's variable is as short as the range allows, on average too, and at most as long."""
    names = {"part": 0.5, "longest": 40.0, "told": 5.0, "early": 0.0, "free": 7.0}
    loose = {"told": (1.0, 40.0), "early": (0.0, 9.0), "free": (0.0, math.inf)}
    assert measured(clocks()["A3"], names, loose) == Length(0.5, 0.5, 20)
    assert measured(clocks()["A4"], names, loose) == Length(0, 0, 9)
    assert measured(clocks()["A5"], names, loose) == Length(0, 0, math.inf)
    assert measured(clocks()["online/C2"], names, loose) is None


@given(st.floats(0.5, 50), st.floats(0, 50), st.floats(0, 2))
def test_what_is_measured_holds_whatever_the_peer_sets(low: float, more: float, part: float) -> None:
    """Whichever value of the range the peer sets, the clock is no shorter and no longer than was measured."""
    found = measured(clocks()["A3"], {"part": part}, {"told": (low, low + more)})
    assert found is not None
    for told in (low, low + more / 3, low + more):
        assert found.least - 1e-9 <= told * part <= found.most + 1e-9
    assert found.mean == found.least


@pytest.mark.parametrize(("least", "expected"), [("1 s", 0.5), ("3 s", 1.5), ("8 s", 2.5)])
def test_a_page_is_judged_by_the_shortest_pause(least: str, expected: float) -> None:
    """Where the peer names the pause, the time per dial is that of the shortest pause, be it named or the first."""
    page = PAGE.replace("min: 1 s, max: longest", f"min: {least}, max: longest")
    proof = prove(read_text(page.replace("role: client", "role: client\nmin_time_per_dial: 500 ms")))
    assert proof.broken is None
    assert proof.numbers["mean time per dial"] == expected
