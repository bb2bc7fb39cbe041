"""The clock that jumps wakes as trio's own clock and scopes do, in the same turn; it only takes less time for it."""

import math
from collections.abc import Callable
from typing import Any

import attrs
import hypothesis
import pytest
import trio
import trio.testing
from hypothesis import strategies as st

from lifecycle.testing.simulate import generate, life, run_seed, scene_of
from lifecycle.testing.simulate.clock import JumpingClock
from lifecycle.testing.virtual import run_by

BESIDE = 0.25
"""Seconds beside all times at which anybody wakes up."""


class ScopeNap:
    """A nap by a scope of trio's."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()

    async def sleep_until(self, when: float) -> None:
        """Sleep."""
        with trio.CancelScope(deadline=when) as self.scope:
            await trio.sleep_forever()

    def no_later(self, when: float) -> None:
        """Wake up then, if not before."""
        self.scope.deadline = min(self.scope.deadline, when)


def by_trio() -> Any:
    """Trio's clock that jumps, which does all that ours does with what trio has."""
    clock: Any = trio.testing.MockClock(autojump_threshold=0)
    clock.sleep, clock.nap = lambda seconds: trio.sleep_until(trio.current_time() + seconds), ScopeNap
    return clock


@attrs.frozen
class Deed:
    """What a task does next: sleeps, naps, or hurries another one's nap."""

    what: str
    seconds: float
    other: int


deeds = st.builds(
    Deed,
    st.sampled_from(("sleep", "nap", "hurry")),
    st.sampled_from((0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf)),
    st.integers(0, 3),
)


def told(make: Callable[[], Any], tasks: list[list[Deed]], ends: list[int], seed: int) -> list[tuple[float, int, str]]:
    """What happened and when, in its order; tasks are given up one by one, in seconds after the one before."""
    log: list[tuple[float, int, str]] = []
    clock = make()

    async def live() -> None:
        naps, scopes = [clock.nap() for _ in tasks], [trio.CancelScope() for _ in tasks]

        async def do(number: int, deed: Deed) -> None:
            now = trio.current_time()
            match deed.what:
                case "sleep":
                    await clock.sleep(deed.seconds)
                case "nap":
                    await naps[number].sleep_until(now + deed.seconds)
                case _:
                    naps[deed.other % len(tasks)].no_later(now + max(deed.seconds, 0.5))

        async def task(number: int) -> None:
            with scopes[number]:
                for deed in tasks[number]:
                    await do(number, deed)
                    log.append((trio.current_time(), number, deed.what))
            log.append((trio.current_time(), number, "end"))

        with trio.move_on_after(60):
            async with trio.open_nursery() as nursery:
                for number in range(len(tasks)):
                    nursery.start_soon(task, number)
                await trio.sleep(BESIDE)
                for scope, seconds in zip(scopes, ends, strict=False):
                    await trio.sleep(seconds)
                    scope.cancel()

    run_by(clock, live, seed=seed, limit=100)
    return log


@hypothesis.given(
    st.lists(st.lists(deeds, max_size=8), min_size=1, max_size=4), st.lists(st.integers(0, 4)), st.integers(0, 2**32)
)
@hypothesis.settings(max_examples=300)
def test_who_sleeps_is_woken_as_by_trio(tasks: list[list[Deed]], ends: list[int], seed: int) -> None:
    """However tasks sleep, are woken earlier and are given up: at the same times, and in the same order."""
    assert told(JumpingClock, tasks, ends, seed) == told(by_trio, tasks, ends, seed)


@pytest.mark.parametrize("page", ["websocket", "attempt", "openhands-conversation-server"])
def test_the_clock_changes_nothing_but_the_time_it_takes(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By trio's own clock and scopes the same seed goes alike, to the digest."""
    scene = scene_of(page)
    schedule = generate(scene.page, 5, 0.1)
    ours = run_seed(scene, 5, schedule, 0.1)
    monkeypatch.setattr(life, "JumpingClock", by_trio)
    assert run_seed(scene, 5, schedule, 0.1) == ours
