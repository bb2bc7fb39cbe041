"""An async function under a clock that jumps: when everybody waits, the next deadline is now.

Law: an hour of waiting takes no time, and a run in which nobody moves any more fails instead of hanging. With a seed
the order in which tasks take their turns is decided by it alone: the same seed, the same run.
The clock sees tasks of trio only: who waits for a thread, a socket or another process seems to wait for nothing.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Final, TypeVar, TypeVarTuple

import trio
import trio.testing

from lifecycle.errors import LifecycleError

Result = TypeVar("Result")
Args = TypeVarTuple("Args")

LIMIT: Final = 86_400.0
"""Seconds of virtual time that a run may take if nothing else is said: a day. A test that waits in vain, while two
connections keep each other alive, is over in a few seconds of real time then."""
_SCHEDULER: Final = "trio._core._run"
_SORTED, _DICE = "_ALLOW_DETERMINISTIC_SCHEDULING", "_r"


def run(
    async_function: Callable[[*Args], Awaitable[Result]],
    *args: *Args,
    seed: int | None = None,
    limit: float = LIMIT,
) -> Result:
    """Run an async function under trio, with a virtual clock that begins at 0 and jumps as soon as everybody waits.

    Args:
        async_function: as for `trio.run`.
        args: its positional arguments.
        seed: decides the order in which tasks take their turns; without one it is another one each time. It decides
            nothing else: give `lifecycle.open` its own, and `random` too if you use it.
        limit: seconds of virtual time after which the run is given up; it is also the end of a run in which
            everybody waits for ever. A day, if it is not said.

    Returns:
        What the function returns.

    Raises:
        trio.TooSlowError: it has not come to an end within the limit.
        LifecycleError: a seed was given, and this version of trio has no scheduler that can be seeded.
        ValueError: the limit is not above 0.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    return run_by(clock, async_function, *args, seed=seed, limit=limit)


def run_by(
    clock: trio.abc.Clock,
    async_function: Callable[[*Args], Awaitable[Result]],
    *args: *Args,
    seed: int | None,
    limit: float,
) -> Result:
    """As `run`, by a virtual clock of one's own."""
    if not limit > 0:
        raise ValueError(f"`limit` must be a number of seconds above 0, not {limit!r}")

    async def limited() -> Result:
        with trio.move_on_after(limit):
            return await async_function(*args)
        raise trio.TooSlowError(f"after {limit:g} s of virtual time it had not come to an end; `limit` says how long")

    if seed is None:
        return trio.run(limited, clock=clock)
    with _seeded(seed):
        return trio.run(limited, clock=clock)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let a seed decide the scheduler's turns; after that it is as before."""
    scheduler, dice = _scheduler()
    before, state = getattr(scheduler, _SORTED), dice.getstate()
    setattr(scheduler, _SORTED, True)
    dice.seed(seed)
    try:
        yield
    finally:
        setattr(scheduler, _SORTED, before)
        dice.setstate(state)


def _scheduler() -> tuple[ModuleType, random.Random]:
    """The module of trio's scheduler, and its dice; both are private, so we look whether they are what we know."""
    try:
        scheduler = import_module(_SCHEDULER)
    except ModuleNotFoundError:
        scheduler = None
    flag, dice = getattr(scheduler, _SORTED, None), getattr(scheduler, _DICE, None)
    if scheduler is None or not isinstance(flag, bool) or not isinstance(dice, random.Random):
        raise LifecycleError(
            f"trio {trio.__version__} has no scheduler that can be seeded: {_SCHEDULER} has no {_SORTED} and {_DICE}, "
            "which the versions up to 0.35 have. Run without a seed, or with such a trio"
        )
    return scheduler, dice
