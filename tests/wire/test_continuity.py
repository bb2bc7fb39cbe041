from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.definition.page import Dedupe, Route
from lifecycle.wire.continuity import Continuity, canonical
from lifecycle.wire.inbox import Discontinuity


def numbered(window: int = 1000) -> Continuity:
    """One route that counts, and knows its messages by a key."""
    return Continuity((Route(deliver=True, sequence="n", dedupe=Dedupe(by="k", window=window)),))


def count(continuity: Continuity, *numbers: Any, row: int = 0) -> list[tuple[int | None, int | None]]:
    """Count numbers; the gaps that are told."""
    told = []
    for each in numbers:
        number = continuity.number(row, {"n": each})
        gap = continuity.gap(row, number) if number is not None else None
        told += [(gap.since, gap.until)] if gap is not None else []
    return told


def new(continuity: Continuity, *keys: Any, row: int = 0) -> list[bool]:
    """Which messages with these keys are new."""
    return [continuity.is_new(row, {"k": key}) for key in keys]


def test_a_hole_in_the_numbers() -> None:
    """It is told with its ends and its size; what follows is counted from there."""
    continuity = numbered()
    assert [continuity.gap(0, number) for number in (3, 4, 8, 9)] == [
        None,
        None,
        Discontinuity("gap", 3, since=4, until=8),
        None,
    ]
    assert continuity.gaps == 1


def test_numbers_that_have_passed_are_no_gap() -> None:
    """They do not step back either: what is sent again ends where it went on."""
    continuity = numbered()
    assert count(continuity, 5, 6, 3, 4, 5, 6, 7) == []
    assert count(continuity, 1, 9) == [(7, 9)]


@pytest.mark.parametrize("nonsense", [None, "6", True, 6.5, [6], {}, float("inf"), float("nan")])
def test_what_is_no_number_says_nothing(nonsense: object) -> None:
    """It is no gap, and the count stands where it stood."""
    assert count(numbered(), 5, nonsense, 6, 8) == [(6, 8)]


def test_whole_numbers_are_numbers() -> None:
    """In JSON 6 and 6.0 are the same."""
    assert count(numbered(), 5.0, 6, 7.0, 9.0) == [(7, 9)]


def test_after_a_loss_numbers_begin_anew_and_keys_stay() -> None:
    """`lost` says that nothing is known of the stream; what came before is still known when it comes again."""
    continuity = numbered()
    assert count(continuity, 5, 6) == []
    assert new(continuity, "a") == [True]
    assert continuity.told(Discontinuity("resumed", why="reset")) == Discontinuity("resumed", why="reset", since=6)
    assert count(continuity, 8) == [(6, 8)]
    assert continuity.told(Discontinuity("lost")) == Discontinuity("lost", since=8)
    assert continuity.told(Discontinuity("lost")) == Discontinuity("lost")
    assert count(continuity, 1, 2, 4) == [(2, 4)]
    assert new(continuity, "a", "b") == [False, True]


def test_numbers_at_one_path_count_together() -> None:
    """Also those of messages that are events; so a mark has a place."""
    continuity = Continuity((Route(deliver=True, sequence="n"), Route(raise_="ticked", sequence="n")))
    assert count(continuity, 1) + count(continuity, 2, row=1) + count(continuity, 3) == []
    assert count(continuity, 5, row=1) == [(3, 5)]
    assert continuity.place(5) == 5
    assert continuity.told(Discontinuity("lost")).since == 5


def test_routes_count_for_themselves() -> None:
    """Keys of one say nothing about another, nor numbers at another path; with two accounts no mark has a place."""
    row = Route(deliver=True, sequence="n", dedupe=Dedupe(by="k"))
    continuity = Continuity((row, Route(deliver=True, sequence="m", dedupe=Dedupe(by="k")), Route(deliver=True)))
    assert count(continuity, 1, 2) == []
    assert count(continuity, 7, 8, row=1) == []
    assert new(continuity, "a") + new(continuity, "a", row=1) == [True, True]
    assert continuity.told(Discontinuity("resumed")).since is None
    assert continuity.place(8) is None
    assert continuity.number(2, {"n": 1}) is None
    assert continuity.is_new(2, {"k": "a"})
    assert continuity.watches
    assert not Continuity((Route(deliver=True),)).watches


KEYS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.0, 1.5, -0.0, 1e300, "", "1", "a", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["", "a", "1"]), inner, max_size=2),
    max_leaves=4,
)


def same(one: Any, two: Any) -> bool:
    """Whether two values are the same in JSON."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


@given(st.lists(KEYS, max_size=20), st.integers(0, 4))
def test_the_last_of_a_window_are_known(keys: list[Any], window: int) -> None:
    """Against a model: what is among the last that were new is dropped and counted, whatever kind of value it is."""
    continuity, known, dropped = numbered(window), [], 0
    for key in keys:
        before = (
            any(same(key, other) for other in known[max(0, len(known) - window) :]) and key is not None and window > 0
        )
        assert new(continuity, key) == [not before]
        dropped += before
        known += [key] if key is not None and not before else []
    assert continuity.duplicates == dropped


@given(st.lists(st.integers(0, 30) | st.just("lost"), max_size=40))
def test_gaps_against_a_model(story: list[Any]) -> None:
    """A number tells of a gap exactly when it is more than one above all since the last loss."""
    continuity, seen, gaps = numbered(), [], []
    for item in story:
        if item == "lost":
            continuity.told(Discontinuity("lost"))
            seen = []
            continue
        expected = [(max(seen), item)] if seen and item > max(seen) + 1 else []
        assert count(continuity, item) == expected
        gaps += expected
        seen.append(item)
    assert continuity.gaps == len(gaps)


def test_a_key_that_is_nested_too_deeply() -> None:
    """It cannot be compared, so it is new."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert canonical(deep) is None
    assert new(numbered(), deep, deep) == [True, True]


def test_a_long_life_costs_a_window() -> None:
    """No more keys are kept than the window says."""
    continuity = numbered(10)
    assert all(new(continuity, *range(1000)))
    assert new(continuity, 990, 989, 991) == [False, True, False]
