import pytest
import trio
import trio.testing

from lifecycle.trio.parking import Parking


async def test_the_first_is_served_first() -> None:
    """Each value goes to one task, in the order in which they came."""
    parking, got = Parking(), []

    async def wait(name: str) -> None:
        got.append((name, await parking.wait()))

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(wait, name)
            await trio.testing.wait_all_tasks_blocked()
        assert len(parking) == 3
        parking.hand(1)
        parking.hand(2)
        assert len(parking) == 1
        parking.wake("rest")
        parking.wake("nobody")
    assert sorted(got) == [("a", 1), ("b", 2), ("c", "rest")]


async def test_what_was_handed_over_is_not_lost() -> None:
    """A cancellation that comes after the value leaves the value; one that comes before leaves it to others."""
    parking = Parking()
    got: list[object] = []

    async def wait() -> None:
        got.append(await parking.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        parking.hand("mine")
        nursery.cancel_scope.cancel()
    assert got == ["mine"]
    with trio.move_on_after(1) as scope:
        await parking.wait()
    assert scope.cancelled_caught
    assert len(parking) == 0
    with pytest.raises(IndexError):
        parking.hand("nobody")


async def test_each_has_an_error_of_its_own() -> None:
    """All are woken, and no two raise the same object."""
    parking = Parking()
    raised: list[ValueError] = []

    async def wait() -> None:
        with pytest.raises(ValueError, match="over") as caught:
            await parking.wait()
        raised.append(caught.value)

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        parking.fail(lambda: ValueError("over"))
    assert raised[0] is not raised[1]
