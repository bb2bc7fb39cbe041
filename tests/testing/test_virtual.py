"""A run under the virtual clock takes no time, comes to an end, and is the same again with the same seed."""

import importlib
import random
from collections.abc import Callable

import pytest
import trio

from lifecycle.errors import LifecycleError
from lifecycle.testing.virtual import run

SCHEDULER = importlib.import_module("trio._core._run")


async def interleaving() -> list[int]:
    """Which of eight tasks had its turn when, ten turns each, with waits that end in the same moment between them."""
    turns: list[int] = []

    async def take(number: int) -> None:
        for turn in range(10):
            turns.append(number)
            if turn % 3:
                await trio.sleep(1)
            else:
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(take, number)
    return turns


def test_a_century_takes_no_time() -> None:
    """Whoever sleeps wakes at once, at the time for which it asked; arguments go in, and the result comes out."""

    async def sleep(seconds: float) -> float:
        await trio.sleep(seconds)
        return trio.current_time()

    assert run(sleep, 100 * 365 * 86_400.0, limit=1e10) == 100 * 365 * 86_400.0


def test_who_waits_for_ever_is_told_so() -> None:
    """A run in which nobody moves any more fails at its limit, instead of hanging."""
    with pytest.raises(trio.TooSlowError, match="after 60 s of virtual time it had not come to an end"):
        run(trio.sleep_forever, limit=60)
    with pytest.raises(trio.TooSlowError):
        run(trio.sleep_forever)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_that_is_none(limit: float) -> None:
    """It is refused before anything runs."""
    with pytest.raises(ValueError, match="`limit` must be a number of seconds above 0"):
        run(trio.sleep_forever, limit=limit)


def test_what_the_function_raises_leaves_as_it_is() -> None:
    """Its own exception comes out, not in a group, also if it is one of time."""

    async def fail(error: Exception) -> None:
        await trio.sleep(5)
        raise error

    for error in (KeyError("own"), trio.TooSlowError("own")):
        with pytest.raises(type(error), match="own"):
            run(fail, error, seed=1)


def test_a_seed_gives_the_same_run_again() -> None:
    """Tasks take their turns in the same order, whatever has run before and whatever the dice were."""
    first = run(interleaving, seed=1)
    SCHEDULER._r.seed(99)
    random.seed(99)
    run(interleaving)
    assert run(interleaving, seed=1) == first


def test_other_seeds_give_other_runs() -> None:
    """Of ten seeds no two agree: this also notices if trio has the hooks no longer, or no longer asks them."""
    assert len({tuple(run(interleaving, seed=seed)) for seed in range(10)}) == 10


@pytest.mark.parametrize("before", [True, False])
def test_everything_is_as_before(*, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seeded run leaves trio's flag and its dice alone, also when it fails."""
    monkeypatch.setattr(SCHEDULER, "_ALLOW_DETERMINISTIC_SCHEDULING", before)
    state = SCHEDULER._r.getstate()
    run(interleaving, seed=1)
    with pytest.raises(trio.TooSlowError):
        run(trio.sleep_forever, seed=1)
    assert SCHEDULER._ALLOW_DETERMINISTIC_SCHEDULING is before
    assert SCHEDULER._r.getstate() == state


def _renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SCHEDULER, "_r")


def _of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCHEDULER, "_r", "dice")


def _without_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SCHEDULER, "_ALLOW_DETERMINISTIC_SCHEDULING")


@pytest.mark.parametrize("change", [_renamed, _of_another_kind, _without_the_flag])
def test_a_trio_without_the_hooks(change: Callable[[pytest.MonkeyPatch], None]) -> None:
    """A seed that would mean nothing is refused in a sentence, before anything runs."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        change(monkeypatch)
        with pytest.raises(LifecycleError, match=r"trio .* has no scheduler that can be seeded: .* Run without a seed"):
            run(trio.lowlevel.checkpoint, seed=1)


def test_a_trio_of_other_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same if the module of the scheduler is another one."""
    monkeypatch.setattr("lifecycle.testing.virtual._SCHEDULER", "trio._core._no_such")
    with pytest.raises(LifecycleError, match="has no scheduler that can be seeded"):
        run(trio.lowlevel.checkpoint, seed=1)
    run(trio.lowlevel.checkpoint)
