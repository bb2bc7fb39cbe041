"""A session and the registry's own admin surface: what each says, the other understands; over real sockets."""

import contextlib

import pytest
import trio

from lifecycle.registry import MemoryLeases, Registry
from lifecycle.systems.hiagent import Backend, OverLimit, OwnSessions, Refused, TooEarly, Unauthorized, open_hiagent

pytest.importorskip("hypercorn")
pytest.importorskip("starlette")

from lifecycle.registry.admin import serve_admin

KEY = "a-key"


@contextlib.asynccontextmanager
async def administered(*, capacity=1, **settings):
    """A registry, and where its admin surface is."""
    async with (
        MemoryLeases() as leases,
        Registry(leases, capacity=capacity, **settings) as registry,
        trio.open_nursery() as nursery,
    ):
        place = await nursery.start(lambda task_status: serve_admin(registry, port=0, key=KEY, task_status=task_status))
        yield registry, place.url
        nursery.cancel_scope.cancel()


@pytest.mark.real_time
async def test_the_operations():
    """Each of them, as this client asks for it."""
    async with administered() as (registry, url), Backend(url, key=KEY) as backend:
        assert not (await backend.join_room("a", role="girl", more={"rtc_room_id": "r"})).already_active
        assert (await backend.join_room("a")).already_active
        with pytest.raises(OverLimit, match="code: 4002"):
            await backend.join_room("b")
        (only,) = await backend.sessions()
        assert (only.live_id, only.status) == ("a", "active")
        assert (await backend.leave_room("a")).cleaned_up
        assert not (await backend.leave_room("a")).cleaned_up
        await backend.join_room("c")
        assert (await backend.clear_all_sessions()).before == 1
        await backend.health()
        assert await registry.leases.count() == 0
        async with Backend(url, key="another") as stranger:
            with pytest.raises(Unauthorized):
                await stranger.sessions()


@pytest.mark.real_time
async def test_all_pages_of_a_long_list():
    """More than one page of it."""
    async with administered(capacity=300) as (registry, url), Backend(url, key=KEY) as backend:
        for number in range(250):
            await registry.start(f"{number}")
        assert [each.live_id for each in await backend.sessions()] == [f"{number}" for number in range(250)]


@pytest.mark.real_time
async def test_a_cooldown_says_how_long():
    """After a failure, in seconds."""

    async def begin(lease):
        raise RuntimeError("no engine")

    async with administered(begin=begin) as (_, url), Backend(url, key=KEY) as backend:
        with pytest.raises(Refused, match="code: 500"):
            await backend.join_room("a")
        found = await refused(backend)
        while found.retry_after is None:  # what has failed may still be given back
            found = await refused(backend)
        assert (type(found), found.code, 0 < found.retry_after <= 11) == (TooEarly, "429", True)


async def refused(backend):
    """Why there is no session."""
    with pytest.raises(Refused) as caught:
        await backend.join_room("a")
    return caught.value


@pytest.mark.real_time
async def test_sessions_of_one_program_and_of_another():
    """Full of a stranger's: it asks. Then of its own that nobody uses: it clears up, and is in."""
    quick = {"redial": {"first": 10, "max": 10, "floor": 10, "jitter": "none"}, "max_attempts": 0}
    async with administered() as (registry, url):
        theirs = await registry.start("theirs")
        async with open_hiagent(url, "ours", key=KEY, **quick) as session:
            assert "code: 4002" in (await session.question()).words
            assert registry.get("theirs") is theirs
            await registry.leave("theirs")
            session.retry()
            await session.ready()
        assert registry.get("ours") is None
        await registry.start("ours before")
        async with open_hiagent(url, "ours", key=KEY, own=OwnSessions(["ours before"]), **quick) as session:
            await session.question()
            assert registry.get("ours before") is None
            session.retry()
            await session.ready()
        assert await registry.leases.count() == 0


@pytest.mark.real_time
async def test_who_is_cancelled_while_it_is_begun():
    """The slot is free afterwards."""
    begun = trio.Event()

    async def begin(lease):
        begun.set()
        await trio.sleep_forever()

    async with administered(begin=begin) as (registry, url):
        async with trio.open_nursery() as nursery:

            async def live():
                async with open_hiagent(url, "a", key=KEY) as session:
                    await session.ready()

            nursery.start_soon(live)
            await begun.wait()
            nursery.cancel_scope.cancel()
        while await registry.leases.count():  # noqa: ASYNC110 -- the backend gives it back by itself
            await trio.sleep(0.01)
