"""A registry, told as stories on a clock that jumps: what it counts, what it begins, and what it gives back."""

import contextvars
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
import trio.testing

from lifecycle.errors import CallFailed, ConnectionEnded, WrongParameters
from lifecycle.registry import (
    AlreadyHeld,
    CoolingDown,
    LeasesUnavailable,
    MemoryLeases,
    NoCapacity,
    Registry,
    Session,
    StartFailed,
    Terms,
)
from lifecycle.registry.session_calls import SessionCalls

from .upstream import Flaky, Upstream

CALM = {"renew_every": "15 s", "lease_length": "45 s", "stop_timeout": "10 s", "cooldown": "10 s"}


@asynccontextmanager
async def registry_of(capacity=2, upstream=None, leases=None, **more):
    """A registry with an upstream that writes down what happens to it."""
    upstream = upstream or Upstream()
    settings = {"begin": upstream.begin, "stop": upstream.stop, **more}
    async with Registry(leases or MemoryLeases(), capacity=capacity, **settings) as registry:
        yield registry, upstream


async def test_a_session_lives_from_start_to_leave():
    """It is listed and counted while it lives, and its slot is back when it has left."""
    async with registry_of() as (registry, upstream):
        session = await registry.start("a")
        assert (session.id, session.status, session.already_active, session.why) == ("a", "active", False, "")
        assert registry.get("a") is session
        (lease,) = await registry.list()
        assert (lease.id, lease.generation, lease.created_at) == ("a", session.generation, session.created_at)
        health = await registry.health()
        assert (health.up, health.place, health.active, health.capacity, health.ours) == (True, "memory", 1, 2, 1)
        assert await session.leave() is True
        assert (session.status, session.why, await session.ended()) == ("ended", "left", "left")
        assert (registry.get("a"), await registry.list(), (await registry.health()).ours) == (None, [], 0)
        assert upstream.told == ["begin a", "stop a"]


async def test_no_more_start_than_there_are_slots():
    """Of twelve starts at once three are active, and nine are told 4002 before anything was begun."""
    refusals = []
    async with registry_of(capacity=3) as (registry, upstream):

        async def start(id: str) -> None:
            try:
                await registry.start(id)
            except NoCapacity as refusal:
                refusals.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(start, f"id {number}")
        assert refusals == [4002] * 9
        assert (len(upstream.told), upstream.most, len(upstream.running)) == (3, 3, 3)
        assert registry.counts == {"started": 3, "refused": 9}


async def test_leave_again_is_no_harm():
    """The second time, and for an id that nobody knows, it says that there was nothing."""
    async with registry_of() as (registry, upstream):
        await registry.start("a")
        assert [await registry.leave("a"), await registry.leave("a"), await registry.leave("x")] == [True, False, False]
        assert upstream.told == ["begin a", "stop a"]


async def test_two_who_leave_at_once_stop_it_once():
    """Both wait until it is over; one of them has ended it."""
    told = []
    async with registry_of() as (registry, upstream):
        session = await registry.start("a")

        async def leave() -> None:
            told.append((await session.leave(), session.status))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            nursery.start_soon(leave)
        assert sorted(told) == [(False, "ended"), (True, "ended")]
        assert upstream.told == ["begin a", "stop a"]


# -- starts that do not come to their end


@pytest.mark.parametrize("after", [0.0, 0.5, 1.5, 2.5])
async def test_a_start_that_is_cancelled_gives_its_slot_back(after):
    """Before it was asked for, while the place answers, and while it begins."""
    leases = Flaky()
    leases.slow = 1.0
    async with registry_of(capacity=1, leases=leases, upstream=Upstream(takes=2.0)) as (registry, upstream):
        with trio.move_on_after(after) as scope:
            await registry.start("a")
        assert scope.cancelled_caught
        await trio.sleep(10)
        assert (await registry.list(), upstream.running, registry.get("a")) == ([], set(), None)
        assert (await registry.start("b")).status == "active"


async def test_a_start_that_is_cancelled_while_its_answer_is_lost_gives_its_slot_back():
    """What was granted without our knowing is released by its ticket."""
    leases = Flaky()
    leases.mute = True
    async with registry_of(capacity=1, leases=leases) as (registry, _):
        with trio.move_on_after(2):
            await registry.start("a")
        assert await leases.leases.count() == 1
        leases.mute = False
        await trio.testing.wait_all_tasks_blocked()
        assert await leases.leases.count() == 0


async def test_what_fails_to_begin_cools_down():
    """The error has the code of what was raised; the id is refused, with seconds left, and then starts."""
    async with registry_of(capacity=1) as (registry, upstream):
        upstream.fails["a"] = CallFailed("4003", "more than one connection controls the live")
        with pytest.raises(StartFailed) as failure:
            await registry.start("a")
        assert (failure.value.code, failure.value.retry_after) == ("4003", 10.0)
        assert failure.value.__cause__ is upstream.fails["a"]
        assert (
            str(failure.value) == "session 'a' did not start: more than one connection controls the live (code: 4003)"
        )
        assert (upstream.told, upstream.running) == (["begin a", "stop a"], set())  # half of it might be there
        await trio.sleep(4)
        with pytest.raises(CoolingDown) as refusal:
            await registry.start("a")
        assert refusal.value.retry_after == pytest.approx(6, abs=0.1)
        assert str(refusal.value).endswith("wait 6 seconds")
        await registry.start("b")  # it does not hold a slot
        await registry.leave("b")
        await trio.sleep(6)
        del upstream.fails["a"]
        assert (await registry.start("a")).status == "active"
        assert registry.counts == {"started": 2, "failed": 1, "left": 1, "refused": 1}


async def test_any_error_of_begin_has_a_code():
    """The name of its class."""
    async with registry_of() as (registry, upstream):
        upstream.fails["a"] = ConnectionRefusedError("nobody is there")
        with pytest.raises(StartFailed, match="nobody is there") as failure:
            await registry.start("a")
        assert failure.value.code == "ConnectionRefusedError"


async def test_what_begins_for_too_long_has_failed():
    """It is cancelled, stopped, and cools down."""
    parameters = {"start_timeout": "5 s"}
    async with registry_of(upstream=Upstream(takes=6.0), parameters=parameters) as (registry, upstream):
        with pytest.raises(StartFailed, match="has not answered in time") as failure:
            await registry.start("a")
        assert (failure.value.code, upstream.told, upstream.running) == ("timeout", ["begin a", "stop a"], set())


async def test_a_session_that_is_left_while_it_starts_has_not_started():
    """Whoever waits for it is told."""
    async with registry_of(upstream=Upstream(takes=9.0)) as (registry, upstream), trio.open_nursery() as nursery:

        async def leave() -> None:
            await trio.sleep(2)
            assert registry.get("a").status == "pending"
            assert await registry.leave("a") is True

        nursery.start_soon(leave)
        with pytest.raises(StartFailed) as failure:
            await registry.start("a")
        assert (failure.value.code, upstream.running) == ("left", set())


async def test_one_that_fails_tears_no_other():
    """Neither one that does not start, nor one that does not stop."""
    async with registry_of(capacity=3) as (registry, upstream):
        upstream.fails = {"b": ValueError("no"), "stop c": ValueError("no")}
        first, third = await registry.start("a"), await registry.start("c")
        with pytest.raises(StartFailed):
            await registry.start("b")
        assert await third.leave() is True
        assert (first.status, third.status) == ("active", "ended")
        assert [lease.id for lease in await registry.list()] == ["a"]


async def test_what_begin_does_sees_the_context_of_who_starts():
    """As if it had been called by it."""
    about, seen = contextvars.ContextVar("about"), []

    async def begin(lease) -> None:
        await trio.lowlevel.checkpoint()
        seen.append(about.get())

    async with Registry(MemoryLeases(), capacity=2, begin=begin) as registry:
        for word in ("one", "two"):
            about.set(word)
            await registry.start(word)
    assert seen == ["one", "two"]


async def test_a_fault_of_ours_ends_one_session_and_gives_its_slot_back(monkeypatch):
    """It is told, logged, stopped and released; nobody else notices."""
    live = Session._live

    async def crash(self, connection) -> None:
        if self.id == "b":
            with trio.move_on_after(5):
                await live(self, connection)
            raise ZeroDivisionError("a fault of ours")
        await live(self, connection)

    monkeypatch.setattr(Session, "_live", crash)
    async with registry_of() as (registry, upstream):
        first, second = await registry.start("a"), await registry.start("b")
        assert await second.ended() == "ZeroDivisionError: a fault of ours"
        assert (first.status, upstream.told) == ("active", ["begin a", "begin b", "stop b"])
        assert [lease.id for lease in await registry.list()] == ["a"]


async def test_a_fault_of_ours_before_it_is_active_is_told_to_who_starts_it(monkeypatch):
    """As any other failure."""

    async def crash(self, connection) -> None:
        connection.tell("start")
        await trio.sleep(0.5)
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Session, "_live", crash)
    async with registry_of() as (registry, upstream):
        with pytest.raises(StartFailed, match="a fault of ours") as failure:
            await registry.start("a")
        assert (failure.value.code, upstream.running, await registry.list()) == ("DriverFailed", set(), [])


async def test_nothing_is_cleaned_up_where_nothing_was_asked_for():
    """No ticket, no release."""
    leases = Flaky()
    terms = Terms(capacity=1, length=45.0)
    await SessionCalls("a", leases, terms, "us", begin=None, stop=None, room=10.0).clean_up()
    assert leases.asked == []


async def test_a_session_that_is_left_before_anything_was_asked_for():
    """It ends without a word to the place."""
    leases = Flaky()
    async with registry_of(leases=leases) as (registry, _), trio.open_nursery() as nursery:
        nursery.start_soon(start_and_be_left, registry)
        while registry.get("a") is None:
            await trio.lowlevel.checkpoint()
        session = registry.get("a")
        assert (session.status, session.generation, session.created_at) == ("pending", 0, 0)
        assert session.leave_nowait()
        assert leases.asked == []
        await session.ended()
        assert (leases.asked, session.state) == ([], ("absent",))


async def start_and_be_left(registry):
    """Start what somebody else leaves."""
    with pytest.raises(StartFailed) as failure:
        await registry.start("a")
    assert failure.value.code == "left"


# -- how long it lives


async def test_the_reaper_frees_a_slot_and_who_waits_for_it_starts():
    """A session that nobody touches is idle, and then ends; the start that waits is then granted its slot."""
    parameters = {"idle_after": "60 s", "reap_after": "5 min"}
    async with registry_of(capacity=1, parameters=parameters) as (registry, upstream):
        old = await registry.start("a")
        began = trio.current_time()
        new = await registry.start("b", wait=1000)
        assert trio.current_time() - began == pytest.approx(60 + 300 + 2, abs=1)
        assert (old.status, old.why, new.status) == ("ended", "idle for too long", "active")
        assert (upstream.told, upstream.most) == (["begin a", "stop a", "begin b"], 1)


async def test_a_touch_keeps_it_alive():
    """Whatever it was, it is active; the place is told, and when it was used."""
    parameters = {"idle_after": "60 s", "reap_after": "5 min"}
    async with registry_of(parameters=parameters) as (registry, _):
        session = await registry.start("a")
        for _ in range(10):
            await trio.sleep(200)
            (lease,) = await registry.list()
            assert (session.status, lease.status) == ("idle", "idle")
            assert registry.touch("a") is True
            await trio.sleep(1)
            (touched,) = await registry.list()
            assert (session.status, touched.status) == ("active", "active")
            assert touched.touched_at > lease.touched_at
        await session.leave()
        assert (session.touch(), registry.touch("a"), registry.touch("x")) == (False, False, False)


async def test_nothing_lives_for_ever():
    """However often it is touched, it ends when it is too old."""
    async with registry_of(parameters={"longest_life": "10 min"}) as (registry, _):
        session = await registry.start("a")
        with trio.move_on_after(700) as scope:
            while session.touch():  # noqa: ASYNC110 -- it is what keeps it alive
                await trio.sleep(30)
        assert not scope.cancelled_caught
        assert (await session.ended(), registry.counts["reaped"]) == ("too old", 1)


async def test_a_session_whose_upstream_is_lost_ends():
    """It is stopped all the same, and its slot is back."""
    async with registry_of(capacity=1) as (registry, upstream):
        session = await registry.start("a")
        session.lost("the socket was closed with 4999")
        assert await session.ended() == "the socket was closed with 4999"
        assert (upstream.told, await registry.list(), registry.counts["lost"]) == (["begin a", "stop a"], [], 1)


# -- who waits for a slot


async def test_who_waits_for_too_long_is_refused():
    """With 4002, when its time is over."""
    async with registry_of(capacity=1) as (registry, _):
        await registry.start("a")
        began = trio.current_time()
        with pytest.raises(NoCapacity):
            await registry.start("b", wait=7.5)
        assert trio.current_time() - began == pytest.approx(7.5, abs=0.1)
        assert registry.get("b") is None


async def test_who_waits_first_starts_first():
    """Also if the one before it goes away just when a slot is given to it."""
    order = []
    async with registry_of(capacity=1) as (registry, _), trio.open_nursery() as nursery:

        async def start(id: str, scope: trio.CancelScope) -> None:
            with scope:
                await registry.start(id, wait=100)
                order.append(id)

        await registry.start("a")
        scopes = [trio.CancelScope() for _ in range(3)]
        for id, scope in zip("bcd", scopes, strict=True):
            nursery.start_soon(start, id, scope)
            await trio.sleep(0.1)
        scopes[0].cancel()
        await registry.leave("a")
        await trio.sleep(3)
        assert order == ["c"]
        await registry.leave("c")
        await trio.sleep(3)
        assert order == ["c", "d"]


async def test_who_waits_may_be_left():
    """Nothing was begun, and nothing is given back."""
    leases = Flaky()
    async with registry_of(capacity=1, leases=leases) as (registry, upstream), trio.open_nursery() as nursery:
        await registry.start("b")

        async def wait() -> None:
            with pytest.raises(StartFailed) as failure:
                await registry.start("a", wait=100)
            assert failure.value.code == "left"

        nursery.start_soon(wait)
        await trio.sleep(5.5)
        assert registry.get("a").status == "pending"
        assert await registry.leave("a") is True
        await trio.lowlevel.checkpoint()
        assert (upstream.told, leases.asked.count("release")) == (["begin b"], 0)


async def test_who_waits_sees_slots_that_other_processes_give_back():
    """It looks again about every second."""
    leases = MemoryLeases()
    async with registry_of(1, leases=leases) as (ours, _), registry_of(1, leases=leases) as (theirs, _):
        await theirs.start("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(theirs.leave, "a")
            began = trio.current_time()
            assert (await ours.start("b", wait=60)).status == "active"
            assert trio.current_time() - began < 5


# -- one id, several owners


async def test_an_active_session_of_ours_is_found_again():
    """The same one, and nothing is begun a second time; one that others have is refused."""
    leases = MemoryLeases()
    async with registry_of(leases=leases) as (ours, upstream), registry_of(leases=leases, owner="them") as (theirs, _):
        session = await theirs.start("a")
        with pytest.raises(AlreadyHeld, match="held by them") as refusal:
            await ours.start("a")
        assert refusal.value.code == 4004
        assert await theirs.start("a") is session
        assert session.already_active
        assert (upstream.told, theirs.counts) == ([], {"started": 1, "already_active": 1})


async def test_one_that_is_still_starting_is_refused():
    """With 429: it is worth trying again."""
    async with registry_of(upstream=Upstream(takes=5.0)) as (registry, _), trio.open_nursery() as nursery:
        nursery.start_soon(registry.start, "a")
        await trio.sleep(1)
        with pytest.raises(AlreadyHeld) as refusal:
            await registry.start("a")
        assert refusal.value.code == 429
        await trio.sleep(10)
        assert (await registry.start("a")).already_active


async def test_a_start_may_wait_for_one_of_ours_that_is_leaving():
    """Without waiting it is refused."""
    async with registry_of(capacity=1, upstream=Upstream(takes=5.0)) as (registry, upstream):
        old = await registry.start("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(old.leave)
            await trio.sleep(1)
            with pytest.raises(AlreadyHeld):
                await registry.start("a")
            new = await registry.start("a", wait=20)
        assert (old.status, new.status, upstream.most) == ("ended", "active", 1)


async def test_a_session_that_was_found_dead_is_started_anew():
    """The dead one is stopped before the new one is begun."""
    dead = set()
    async with registry_of(capacity=1, alive=lambda lease: lease.generation not in dead) as (registry, upstream):
        old = await registry.start("a")
        dead.add(old.generation)
        new = await registry.start("a")
        assert (new is old, old.status, old.why) == (False, "ended", "its upstream was found dead")
        assert (upstream.told, upstream.most) == (["begin a", "stop a", "begin a"], 1)


async def test_the_new_takes_over_from_the_old_of_the_same_registry():
    """In its slot, and after the old one was stopped."""
    async with registry_of(capacity=1, takeover="replace") as (registry, upstream):
        old = await registry.start("a")
        new = await registry.start("a")
        assert (old.status, old.why, new.status, registry.get("a") is new) == ("ended", "replaced", "active", True)
        assert (upstream.told, upstream.most) == (["begin a", "stop a", "begin a"], 1)
        assert [lease.generation for lease in await registry.list()] == [new.generation]
        await trio.sleep(200)
        assert new.status == "idle"


async def test_the_new_takes_over_from_the_old_of_another_owner():
    """Who learns it when he renews, stops, and with his cleanup does not remove the new one."""
    leases, replacing = MemoryLeases(), {"takeover": "replace", "parameters": CALM}
    async with registry_of(1, leases=leases, **replacing) as (theirs, their_upstream):
        old = await theirs.start("a")
        async with registry_of(1, leases=leases, **replacing) as (ours, _):
            new = await ours.start("a")
            assert new.generation > old.generation
            with trio.fail_after(16 + 2):
                assert "is not held any more" in await old.ended()
            assert (their_upstream.told, their_upstream.running) == (["begin a", "stop a"], set())
            assert [lease.generation for lease in await ours.list()] == [new.generation]
            assert theirs.counts == {"started": 1, "lease_lost": 1}
            await trio.sleep(100)
            assert new.status == "idle"


async def test_an_id_may_have_several_sessions():
    """As many as the registry says; leaving the id ends all of them."""
    async with registry_of(capacity=5, takeover=2) as (registry, upstream):
        one, two = await registry.start("a"), await registry.start("a")
        assert one is not two
        with pytest.raises(AlreadyHeld):
            await registry.start("a")
        assert await registry.leave("a") is True
        assert (one.status, two.status, upstream.running) == ("ended", "ended", set())


async def test_leave_also_ends_what_others_have():
    """They learn it when they renew, and stop."""
    leases = MemoryLeases()
    async with (
        registry_of(leases=leases) as (ours, _),
        registry_of(leases=leases, parameters=CALM) as (theirs, upstream),
    ):
        session = await theirs.start("a")
        assert await ours.leave("a") is True
        assert await ours.list() == []
        with trio.fail_after(20):
            await session.ended()
        assert upstream.running == set()
        assert await ours.leave("a") is False


async def test_who_starts_while_another_leaves_is_not_meant():
    """Of the id's sessions those are ended that there were; the next owner's goes on."""
    far = Flaky()
    async with registry_of(leases=far) as (ours, upstream), registry_of(leases=far.leases) as (theirs, _):
        left = await ours.start("a")
        far.slow = 3.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.leave, "a")
            await left.ended()
            session = await theirs.start("a")
        assert upstream.running == set()
        await trio.sleep(20)  # by then he has renewed
        assert (session.status, await theirs.leases.count()) == ("active", 1)


async def test_clear_tells_how_many_there_were_and_goes_on_past_one_that_fails():
    """Ours and those of others, all of them; what went wrong is told by id."""
    leases = MemoryLeases()
    async with registry_of(9, leases=leases) as (ours, upstream), registry_of(9, leases=leases) as (theirs, _):
        for id in "abc":
            await ours.start(id)
        others = [await theirs.start(id) for id in "xy"]
        upstream.fails["stop b"] = ValueError("it hangs")
        cleared = await ours.clear()
        assert (cleared.before, cleared.failed) == (5, {"b": "ValueError: it hangs"})
        assert (await leases.count(), upstream.running, ours.counts["left"]) == (0, set(), 3)
        for session in others:
            await session.ended()
        assert (await ours.clear()).before == 0


async def test_clear_goes_on_where_the_place_fails():
    """What could not be revoked is told by its id, and what could not be found is told at all."""
    leases = Flaky()
    async with registry_of(9, leases=leases) as (ours, upstream), registry_of(9, leases=leases.leases) as (theirs, _):
        await ours.start("a")
        await theirs.start("x")
        leases.broken = {"revoke"}
        cleared = await ours.clear()
        assert (cleared.before, cleared.failed) == (2, {"x": "far away is not available: nobody answers"})
        assert (upstream.told, [lease.id for lease in await ours.list()]) == (["begin a", "stop a"], ["x"])
        leases.broken = {"list"}
        assert (await ours.clear()).failed == {"*": "not all were found: far away is not available: nobody answers"}
        leases.broken = {"count"}
        with pytest.raises(LeasesUnavailable):
            await ours.clear()


# -- a place that does not answer


async def test_a_start_without_an_answer_says_so_and_keeps_nothing():
    """Nobody knows whether the slot was granted, so it is given back as soon as that is possible."""
    leases = Flaky()
    async with registry_of(leases=leases) as (registry, upstream):
        leases.down = True
        with pytest.raises(LeasesUnavailable, match="nobody answers"):
            await registry.start("a")
        health = await registry.health()
        assert (health.up, health.active, health.why) == (False, None, "far away is not available: nobody answers")
        leases.down, leases.mute = False, True
        with pytest.raises(LeasesUnavailable, match="not answered in time"):
            await registry.start("b")
        leases.mute = False
        await trio.sleep(60)
        assert (await leases.leases.count(), upstream.told) == (0, [])
        assert leases.asked.count("release") > 2


async def test_a_session_outlives_a_short_silence_of_the_place():
    """Renewals are tried again, and its slot is still held afterwards."""
    leases = Flaky()
    async with registry_of(capacity=1, leases=leases, parameters=CALM) as (registry, upstream):
        session = await registry.start("a")
        await trio.sleep(14)
        leases.down = True
        await trio.sleep(15)
        leases.down = False
        await trio.sleep(100)
        assert (session.status, await leases.leases.count(), upstream.told) == ("idle", 1, ["begin a"])


@pytest.mark.parametrize("how", ["down", "mute"])
async def test_a_session_ends_before_its_lease_may_be_anothers(how):
    """The place stays silent: what was begun is stopped before its slot can be granted again."""
    leases = Flaky()
    async with registry_of(1, Upstream(takes=9.0), leases, parameters=CALM) as (registry, upstream):
        session = await registry.start("a")
        await trio.sleep(100)
        setattr(leases, how, True)
        held_at_least_until = trio.current_time() + (await leases.leases.list())[0].left
        await session.gone()
        assert upstream.running == set()
        assert upstream.stopped_at <= held_at_least_until
        assert (session.why, registry.counts["lease_lost"]) == ("the place of the leases did not answer", 1)
        setattr(leases, how, False)


async def test_a_slot_is_given_back_as_soon_as_the_place_answers():
    """A release that fails is tried again; who leaves does not wait for that."""
    leases = Flaky()
    steady = {"first": "7 s", "factor": 1, "max": "7 s", "jitter": "none"}
    parameters = {"lease_length": "1 h", "renew_every": "10 min", "release_retry": steady}
    async with registry_of(capacity=1, leases=leases, parameters=parameters) as (registry, _):
        session = await registry.start("a")
        leases.down = True
        assert await session.leave() is True
        assert (session.status, await leases.leases.count()) == ("leaving", 1)
        await trio.sleep(30)
        leases.down = False
        await trio.sleep(60)
        assert (session.status, await leases.leases.count()) == ("ended", 0)


async def test_an_owner_that_was_frozen_stops_when_it_wakes():
    """Its lease has run out and is another's by then: it stops, and leaves the other's alone."""
    leases = MemoryLeases()
    async with registry_of(1, leases=leases, parameters=CALM) as (registry, upstream):
        session = await registry.start("a")
        trio.lowlevel.current_clock().jump(1000)  # nobody of this process has run meanwhile
        new = await leases.reserve("b", "of another process", "another process", registry._terms)
        with trio.fail_after(5):
            await session.ended()
        assert (upstream.told, upstream.running) == (["begin a", "stop a"], set())
        assert [lease.generation for lease in await leases.list()] == [new.generation]


async def test_an_upstream_that_does_not_stop_holds_nobody_up():
    """After its time-out the slot is given back."""

    async def hang(_) -> None:
        await trio.sleep_forever()

    async with registry_of(capacity=1, stop=hang, parameters={"stop_timeout": "4 s"}) as (registry, _):
        session = await registry.start("a")
        began = trio.current_time()
        await session.leave()
        assert trio.current_time() - began == pytest.approx(4, abs=0.5)
        assert (await registry.start("b")).status == "active"


async def test_the_place_is_told_of_a_stop_that_takes_long():
    """Others see that the session is leaving."""
    async with registry_of(upstream=Upstream(takes=5.0)) as (registry, _), trio.open_nursery() as nursery:
        session = await registry.start("a")
        nursery.start_soon(session.leave)
        await trio.sleep(1)
        assert (session.status, [lease.status for lease in await registry.list()]) == ("leaving", ["leaving"])


# -- the door


@pytest.mark.parametrize("error", [None, ValueError("of the body")])
async def test_closing_without_a_leave_frees_all_slots(error):
    """Also when the body has failed, whose exception leaves as it is."""
    leases, caught = MemoryLeases(), None
    upstream = Upstream()
    try:
        async with registry_of(3, upstream, leases) as (registry, _):
            for id in "abc":
                await registry.start(id)
            if error:
                raise error
    except ValueError as raised:
        caught = raised
    assert caught is error
    assert (await leases.count(), upstream.running, registry.counts["left"]) == (0, set(), 3)


async def test_a_body_that_fails_while_it_is_cancelled_has_failed():
    """Its own exception leaves, and not that of the door."""
    leases = MemoryLeases()
    with trio.CancelScope() as scope:
        with pytest.raises(ValueError, match="of the body"):  # noqa: PT012 -- likewise
            async with registry_of(3, leases=leases) as (registry, _):
                await registry.start("a")
                scope.cancel()
                raise ValueError("of the body")
        assert await leases.count() == 0
    assert scope.cancelled_caught


async def test_a_program_that_is_cancelled_frees_its_slots():
    """In a bounded time, though everything around it is cancelled."""
    leases, upstream = MemoryLeases(), Upstream()
    with trio.move_on_after(10):
        async with registry_of(3, upstream, leases) as (registry, _):
            for id in "abc":
                await registry.start(id)
            await trio.sleep_forever()
    assert (await leases.count(), upstream.running) == (0, set())


async def test_goodbye_has_a_bound():
    """What does not stop in that time ends with its lease."""

    async def hang(_) -> None:
        await trio.sleep_forever()

    leases = MemoryLeases()
    more = {"stop": hang, "goodbye": 3.0, "parameters": CALM}
    async with registry_of(1, leases=leases, **more) as (registry, _):
        await registry.start("a")
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(3, abs=0.5)
    assert await leases.count() == 1
    await trio.sleep(46)
    assert await leases.count() == 0


async def test_a_registry_that_is_abandoned_ends_at_once():
    """As if its process had died: slots come back with the end of their leases."""
    leases = MemoryLeases()
    async with registry_of(1, leases=leases, parameters=CALM) as (registry, upstream):
        session = await registry.start("a")
        registry.abandon()
        assert await session.ended() is not None
        assert (upstream.told, await leases.count()) == (["begin a"], 1)
    await trio.sleep(46)
    assert await leases.count() == 0


async def test_an_interrupt_in_what_it_calls_leaves_as_it_is():
    """And all sessions end in order, before."""
    leases, upstream = MemoryLeases(), Upstream()

    async def begin(lease) -> None:
        await upstream.begin(lease)
        if lease.id == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 -- it comes out of the door
        async with registry_of(3, upstream, leases, begin=begin) as (registry, _):
            await registry.start("a")
            await registry.start("b")
    assert "stop a" in upstream.told
    assert [lease.id for lease in await leases.list()] in ([], ["b"])


async def test_a_registry_that_is_not_open_says_so():
    """Before and after, and a second time."""
    registry = Registry(MemoryLeases(), capacity=1)
    with pytest.raises(ConnectionEnded, match="is not open"):
        await registry.start("a")
    async with registry:
        await registry.start("a")
    with pytest.raises(ConnectionEnded, match="is not open"):
        await registry.start("b")
    with pytest.raises(ConnectionEnded, match="make another one"):
        await registry.__aenter__()


def test_what_cannot_be_is_told_all_at_once():
    """Capacity, takeover and parameters."""
    with pytest.raises(WrongParameters) as error:
        Registry(MemoryLeases(), capacity=0, takeover="ask", parameters={"idle": 5})
    assert len(error.value.problems) == 4
    assert "capacity is 0: say a whole number of 1 or more" in error.value.problems
    assert "takeover is 'ask': say reject, replace, or how many sessions an id may have" in error.value.problems
    assert any("there is no parameter `idle`" in problem for problem in error.value.problems)


def test_a_lease_must_be_longer_than_what_happens_in_it():
    """Else an owner could not stop before its slot is another's."""
    with pytest.raises(WrongParameters, match="make `lease_length` longer than both together"):
        Registry(MemoryLeases(), capacity=1, parameters={"lease_length": 20, "renew_every": 15, "stop_timeout": 5})
    registry = Registry(MemoryLeases(), capacity=1, parameters={"lease_length": "3 s"})
    assert (registry._parameters["renew_every"], registry._parameters["stop_timeout"]) == (1.0, 1.0)
