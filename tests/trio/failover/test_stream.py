"""Output piece by piece: who gives it, what follows a failure in the middle, and what becomes of who leaves."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from lifecycle.errors import AllFailed, ConnectionEnded
from lifecycle.failover import TTS, Failover
from lifecycle.trio.failover.stream import Stream

from .providers import Provider, Refused


def pour(provider: Provider) -> AsyncIterator[str]:
    """What the user wants."""
    return provider.pour()


async def all_of(stream: Stream[str]) -> list[str]:
    """Its pieces."""
    async with stream as pieces:
        return [piece async for piece in pieces]


async def test_the_next_one_gives_all_of_it() -> None:
    """Who fails before the first piece is followed by another one, and probed in the background."""
    main, backup = Provider("main", OSError()), Provider("backup", ["a", 0.1, "b"])
    async with Failover([main, backup]) as providers:
        assert await all_of(providers.stream(pour)) == ["a", "b"]
        assert providers.available == {"0": True, "1": True}
        assert len(main.asked) == 2


@pytest.mark.parametrize(("probed", "asked"), [(True, 2), (False, 1)])
async def test_failure_after_output_is_raised(probed: bool, asked: int) -> None:  # noqa: FBT001
    """With the provider's own error, after what it gave; nobody else is asked, and it is probed if that is wished."""
    error = Refused(503)
    main, backup = Provider("main", ["a", error], ["b"]), Provider("backup")
    async with Failover([main, backup], probe_after_output=probed) as providers:
        async with providers.stream(pour) as pieces:
            assert await anext(pieces) == "a"
            for _ in range(2):
                with pytest.raises(Refused) as told:
                    await anext(pieces)
                assert told.value is error
        await trio.sleep(1)
        assert providers.available["0"] == probed
    assert (len(main.asked), backup.asked) == (asked, [])


async def test_failure_after_output_may_be_mended() -> None:
    """Where that is wished, another try or another provider goes on from its own beginning."""
    main, backup = Provider("main", ["a", OSError()]), Provider("backup", ["b"])
    async with Failover([main, backup], after_output="retry") as providers:
        assert await all_of(providers.stream(pour)) == ["a", "b"]


async def test_failure_after_output_may_be_the_end() -> None:
    """What was spoken is all; who failed is unavailable nevertheless, until a probe has gone well."""
    main = Provider("main", ["a", OSError()], 1.0)
    async with Failover([main, Provider("backup")], **TTS) as providers:
        assert await all_of(providers.stream(pour)) == ["a"]
        assert not providers.available["0"]
        await trio.sleep(2)
        assert providers.available["0"]


async def test_all_fail() -> None:
    """It is raised where the pieces are taken."""
    async with Failover([Provider("x", OSError(), OSError())]) as providers:
        with pytest.raises(AllFailed) as told:
            await all_of(providers.stream(pour))
        assert isinstance(told.value.__cause__, OSError)


async def test_whoever_leaves_ends_the_request() -> None:
    """The provider's code has ended when the block is left, by a break or by an error of the user's."""
    one = Provider("x", ["a", "b", 60.0], ["a", 60.0])
    async with Failover([one]) as providers:
        async with providers.stream(pour) as pieces:
            async for piece in pieces:
                assert piece == "a"
                break
        assert one.ended == 1

        async def body() -> None:
            async with providers.stream(pour) as pieces:
                await anext(pieces)
                raise KeyError

        with pytest.raises(KeyError):
            await body()
        assert one.ended == 2
        assert providers.available["0"]


async def test_a_cancelled_user() -> None:
    """The same; who is cancelled in the middle says nothing about the provider."""
    one = Provider("x", ["a", 60.0])
    async with Failover([one], attempt_timeout="2 min") as providers:
        with trio.move_on_after(1) as scope:
            await all_of(providers.stream(pour))
        assert scope.cancelled_caught
        assert one.ended == 1
        assert providers.available["0"]
        with trio.CancelScope() as scope:
            scope.cancel()
            await all_of(providers.stream(pour))
        await trio.sleep(1)
        assert len(one.asked) == 1


async def test_nothing_is_asked_ahead() -> None:
    """A piece is asked for when the one before was taken."""
    given = list[int]()

    class Numbers:
        """Not a generator, and cannot be closed."""

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> int:
            if len(given) == 3:
                raise StopAsyncIteration
            given.append(len(given))
            return given[-1]

    async with Failover([Numbers()]) as providers, providers.stream(lambda each: each) as pieces:
        await trio.sleep(60)
        assert given == [0]
        assert [piece async for piece in pieces] == [0, 1, 2]


async def test_the_failover_ends_first() -> None:
    """What has come is given, and then nobody takes the rest for all."""
    async with trio.open_nursery() as nursery, Failover([Provider("x", ["a", 60.0])]) as providers:
        stream = providers.stream(pour)

        async def take() -> None:
            with pytest.raises(ConnectionEnded, match="in the middle"):
                await all_of(stream)

        nursery.start_soon(take)
        await trio.sleep(1)
    with pytest.raises(ConnectionEnded, match="not open"):
        await all_of(providers.stream(pour))
    with pytest.raises(ConnectionEnded, match="once"):
        await all_of(stream)
