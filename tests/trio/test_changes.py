import trio
import trio.testing

from lifecycle.machine.step import Step
from lifecycle.trio.changes import MOST, Changes


def step(number: int) -> Step:
    """A step that can be told from others."""
    return Step(time=number, epoch=1, event="e", clauses=(), before=(), after=(), status_before="idle", status="ready")


async def test_steps_come_in_order_and_then_the_end() -> None:
    """A watcher gets what was told before it looked, then waits, then stops."""
    changes = Changes()
    changes.put(step(1))
    seen: list[float] = []

    async def watch() -> None:
        seen.extend([found.time async for found in changes])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.testing.wait_all_tasks_blocked()
        changes.put(step(2))
        await trio.testing.wait_all_tasks_blocked()
        changes.put(step(3))
        changes.end()
    assert seen == [1, 2, 3]
    assert [found async for found in changes] == []


async def test_the_oldest_go() -> None:
    """A watcher that does not watch costs a bounded memory, and is told how much it missed."""
    changes = Changes()
    for number in range(MOST + 5):
        changes.put(step(number))
    changes.end()
    assert changes.missed == 5
    assert [found.time async for found in changes] == list(range(5, MOST + 5))


async def test_a_cancelled_watcher_misses_nothing() -> None:
    """A step that is told in the moment of the cancellation is still there."""
    changes = Changes()
    with trio.move_on_after(1):
        await anext(changes)
    changes.put(step(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(changes)
    assert scope.cancelled_caught
    assert (await anext(changes)).time == 1
