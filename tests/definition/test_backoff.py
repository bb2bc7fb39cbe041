import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.backoff import JITTERS, Backoff
from lifecycle.definition.literal import literal

LENGTHS = st.floats(0.001, 1e6)
BACKOFFS = st.builds(
    Backoff,
    delays=st.lists(LENGTHS, max_size=3).map(tuple),
    first=LENGTHS,
    factor=st.floats(1, 100),
    max=LENGTHS,
    jitter=st.sampled_from(JITTERS) | st.tuples(st.floats(0, 1), st.floats(1, 3)),
    floor=LENGTHS,
)


def test_listed_delays_come_first_and_then_the_formula() -> None:
    """10 s is listed; then 2 s doubles until 5 s is the most."""
    backoff = Backoff(delays=(10.0,), first=2.0, factor=2.0, max=5.0)
    assert [backoff.nominal(attempt) for attempt in range(1, 6)] == [10.0, 2.0, 4.0, 5.0, 5.0]


def test_the_first_attempt_is_1() -> None:
    """A count that still stands at 0 waits as long as the first."""
    assert Backoff(first=3.0).nominal(0) == Backoff(first=3.0).nominal(1) == 3.0


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0, 1e15])
def test_attempts_without_end_wait_the_longest_wait(factor: float) -> None:
    """No power runs over, however often it failed."""
    assert Backoff(factor=factor, max=60.0).nominal(10**9) == (60.0 if factor > 1 else 1.0)


@pytest.mark.parametrize(
    ("jitter", "low", "high"), [("none", 8.0, 8.0), ("full", 0.5, 8.0), ("equal", 4.0, 8.0), ((0.5, 1.5), 4.0, 12.0)]
)
def test_jitter_says_between_which_waits_it_chooses(jitter: object, low: float, high: float) -> None:
    """Nothing, down to the floor, down to the half, or between the two parts."""
    backoff = Backoff(first=8.0, floor=0.5, jitter=jitter)  # type: ignore[arg-type]
    assert backoff.bounds(1) == (low, high)


def test_decorrelated_jitter_grows_from_the_wait_before() -> None:
    """Up to three times as long as the last wait, and never above the longest."""
    backoff = Backoff(first=2.0, max=60.0, jitter="decorrelated")
    assert backoff.bounds(1) == (2.0, 6.0)
    assert backoff.bounds(2, 6.0) == (2.0, 18.0)
    assert backoff.bounds(3, 50.0) == (2.0, 60.0)


def test_decorrelated_jitter_leaves_listed_delays_alone() -> None:
    """They are waited as they are listed; a short one does not shorten what follows below the first wait."""
    backoff = Backoff(delays=(0.5,), first=2.0, max=60.0, jitter="decorrelated")
    assert backoff.bounds(1) == (0.5, 0.5)
    assert backoff.bounds(2, 0.5) == (2.0, 2.0)


def test_no_wait_is_below_the_floor() -> None:
    """Not by full jitter, not by a listed delay; what is not said is 250 ms, or the first wait if that is less."""
    assert Backoff(delays=(0.1,), jitter="none", floor=1.0).bounds(1) == (1.0, 1.0)
    assert Backoff(first=1.0).floor == 0.25
    assert Backoff(first=0.1).floor == 0.1


@given(BACKOFFS, st.integers(0, 2000), st.none() | LENGTHS)
def test_every_wait_has_a_shortest_and_a_longest(backoff: Backoff, attempt: int, previous: float | None) -> None:
    """The floor holds, the ends are in order, and no named jitter goes above what is longest."""
    low, high = backoff.bounds(attempt, previous)
    assert backoff.floor <= low <= high < float("inf")
    if isinstance(backoff.jitter, str):
        assert high <= max(backoff.max, backoff.floor, *backoff.delays)


def test_it_is_said_as_a_page_writes_it() -> None:
    """With its units and percentages, and its delays where there are any."""
    plain = "{first: 1 s, factor: 2, max: 1 min, jitter: full, floor: 250 ms}"
    assert str(Backoff()) == plain
    given = {"delays": ["10 s"], "first": "2 s", "jitter": ["50 %", "150 %"]}
    assert str(literal("backoff", given)) == (
        "{delays: [10 s], first: 2 s, factor: 2, max: 1 min, jitter: [50%, 150%], floor: 250 ms}"
    )


def test_a_slowly_growing_wait_reaches_its_end() -> None:
    """However close to 1 the factor is, and a first wait of nothing stays nothing."""
    assert Backoff(first=1.0, factor=1.001, max=60.0).nominal(10**9) == 60.0
    nothing = Backoff(first=0.0, factor=3.0, max=60.0, floor=0.25)
    assert nothing.nominal(2) == nothing.nominal(1000) == 0.0
