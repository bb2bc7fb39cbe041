"""What every place of leases promises; each test runs on all of them, Redis only where its server is installed."""

import random

import pytest
import trio

from lifecycle.registry import AlreadyHeld, CoolingDown, Lease, LeaseLost, Leases, NoCapacity, Terms

pytestmark = pytest.mark.real_time

LONG = Terms(capacity=3, length=10_000.0)


async def reserve(leases: Leases, id: str, terms: Terms = LONG, ticket: str = "", owner: str = "us") -> Lease:
    """Reserve, with a ticket of the id's name."""
    return await leases.reserve(id, ticket or f"ticket of {id}", owner, terms)


async def ids(leases: Leases) -> list[str]:
    """The ids of all leases."""
    return [lease.id for lease in await leases.list()]


async def test_a_slot_that_is_free_is_granted(place):
    """A lease says what it is for, whose it is, and for how long."""
    async with place.make() as leases:
        lease = await reserve(leases, "a", owner="me")
        assert (lease.id, lease.ticket, lease.owner, lease.status) == ("a", "ticket of a", "me", "pending")
        assert 9_000 < lease.left <= 10_000
        assert lease.generation > 0
        assert lease.created_at == lease.touched_at > 1_600_000_000
        assert await leases.count() == 1


async def test_of_many_who_ask_at_once_no_more_are_granted_than_there_are(place):
    """Twelve ask at the same moment for three slots, through two handles: three have one, nine are refused."""
    granted, refused = [], []

    async def ask(leases: Leases, number: int) -> None:
        try:
            granted.append(await reserve(leases, f"id {number}"))
        except NoCapacity as error:
            refused.append(error)

    async with place.make() as one, place.make() as other, trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(ask, (one, other)[number % 2], number)
    async with place.make() as leases:
        assert (len(granted), len(refused), await leases.count()) == (3, 9, 3)
    assert len({lease.generation for lease in granted}) == 3
    assert all(0 < lease.generation < 10**14 for lease in granted)
    assert {(error.code, error.capacity) for error in refused} == {(4002, 3)}


async def test_an_id_that_has_its_lease_is_refused_another(place):
    """Who holds it is told; while that one is starting, it is worth asking again."""
    async with place.make() as leases:
        await reserve(leases, "a", owner="the first")
        with pytest.raises(AlreadyHeld) as starting:
            await reserve(leases, "a", ticket="other")
        await leases.renew("a", "ticket of a", 10_000.0, status="active")
        with pytest.raises(AlreadyHeld) as active:
            await reserve(leases, "a", ticket="other")
        assert (starting.value.owner, starting.value.pending, starting.value.code) == ("the first", True, 429)
        assert (active.value.owner, active.value.pending, active.value.code) == ("the first", False, 4004)
        assert await leases.count() == 1


async def test_an_id_may_have_several_if_the_terms_say_so(place):
    """The third of two is refused."""
    terms = Terms(capacity=9, length=10_000.0, allowed=2)
    async with place.make() as leases:
        first, second = await reserve(leases, "a", terms, "one"), await reserve(leases, "a", terms, "two")
        with pytest.raises(AlreadyHeld):
            await reserve(leases, "a", terms, "three")
        assert [lease.generation for lease in await leases.held("a")] == [first.generation, second.generation]
        assert await leases.held("b") == []


async def test_its_own_lease_counts_before_those_of_others(place):
    """A full place says of an id that has its lease that it is held, and not that it is full."""
    async with place.make() as leases:
        for id in "abc":
            await reserve(leases, id)
        with pytest.raises(AlreadyHeld):
            await reserve(leases, "a", ticket="other")


async def test_the_same_ticket_has_the_same_lease(place):
    """Whoever has not heard the answer may ask again."""
    async with place.make() as leases:
        first = await reserve(leases, "a")
        again = await reserve(leases, "a")
        assert (again.generation, again.ticket) == (first.generation, first.ticket)
        assert await leases.count() == 1


async def test_what_is_released_is_free_and_again_is_no_harm(place):
    """The first release says that it was held, the second that it was not."""
    async with place.make() as leases:
        await reserve(leases, "a")
        assert await leases.release("a", "ticket of a") is True
        assert await leases.release("a", "ticket of a") is False
        assert (await leases.count(), await ids(leases)) == (0, [])
        await reserve(leases, "a", ticket="another")


async def test_a_release_that_overtakes_its_reserve_wins(place):
    """What was released before it arrived is never granted, nor is what was released after."""
    async with place.make() as leases:
        assert await leases.release("a", "late") is False
        with pytest.raises(LeaseLost):
            await reserve(leases, "a", ticket="late")
        await reserve(leases, "a", ticket="soon")
        await leases.release("a", "soon")
        with pytest.raises(LeaseLost):
            await reserve(leases, "a", ticket="soon")
        assert await leases.count() == 0


@pytest.mark.parametrize("place", ["memory", "sqlite"], indirect=True)
async def test_released_tickets_are_not_remembered_for_ever(place):
    """After an hour none of them is on its way any more."""
    async with place.make() as leases:
        await leases.release("a", "old")
        await place.passes(30)
        with pytest.raises(LeaseLost):
            await reserve(leases, "a", ticket="old")
        await leases.release("a", "another")
        await place.passes(7)
        assert await reserve(leases, "a", ticket="old")
        with pytest.raises(LeaseLost):
            await reserve(leases, "b", ticket="another")


async def test_a_release_of_another_ticket_removes_nothing(place):
    """The cleanup of an owner who was replaced leaves the new one alone."""
    async with place.make() as leases:
        await reserve(leases, "a", ticket="mine")
        assert await leases.release("a", "of somebody else") is False
        assert await leases.release("b", "mine") is False
        assert await ids(leases) == ["a"]


async def test_an_id_that_failed_cools_down(place):
    """Everybody is refused for so many seconds, and told how many are left."""
    async with place.make() as leases, place.make() as others:
        await reserve(leases, "a")
        assert await leases.cooling("a") == 0
        await leases.release("a", "ticket of a", cooldown=5_000.0)
        with pytest.raises(CoolingDown) as refusal:
            await reserve(others, "a", ticket="other")
        assert 4_000 < refusal.value.retry_after <= 5_000
        assert 4_000 < await others.cooling("a") <= 5_000
        assert await others.cooling("b") == 0
        await reserve(others, "b")


async def test_cooling_down_ends(place):
    """After its seconds the id is as any other."""
    async with place.make() as leases:
        await reserve(leases, "a")
        await leases.release("a", "ticket of a", cooldown=place.unit)
        await place.passes(1.5)
        assert await leases.cooling("a") == 0
        await reserve(leases, "a", ticket="other")


async def test_only_what_was_held_cools_down(place):
    """A release that comes again, or for nothing, refuses nobody."""
    async with place.make() as leases:
        await leases.release("a", "never granted", cooldown=5_000.0)
        await reserve(leases, "a")
        await leases.release("a", "ticket of a")
        await leases.release("a", "ticket of a", cooldown=5_000.0)
        assert await leases.cooling("a") == 0


async def test_cooling_down_is_told_before_anything_else(place):
    """Also where the place is full."""
    async with place.make() as leases:
        await reserve(leases, "a")
        await leases.release("a", "ticket of a", cooldown=5_000.0)
        for id in "bcd":
            await reserve(leases, id)
        with pytest.raises(CoolingDown):
            await reserve(leases, "a", ticket="other")


async def test_a_lease_that_has_run_out_is_nobodys(place):
    """It is not counted, not listed, cannot be renewed, and its slot is free."""
    short = Terms(capacity=1, length=place.unit)
    async with place.make() as leases:
        old = await reserve(leases, "a", short)
        await place.passes(1.5)
        assert (await leases.count(), await leases.list(), await leases.held("a")) == (0, [], [])
        with pytest.raises(LeaseLost):
            await leases.renew("a", "ticket of a", 10_000.0)
        new = await reserve(leases, "a", Terms(capacity=1, length=10_000.0), "other")
        assert new.generation > old.generation
        assert await leases.release("a", "ticket of a") is False
        assert await leases.revoke("a", old.generation) is False
        assert await ids(leases) == ["a"]


async def test_a_lease_that_is_renewed_holds_on(place):
    """It says how its session is, and when it was used."""
    async with place.make() as leases:
        granted = await reserve(leases, "a", Terms(capacity=1, length=5 * place.unit))
        told = await leases.renew("a", "ticket of a", 10_000.0, status="active")
        assert (told.status, told.touched_at, told.generation) == ("active", granted.touched_at, granted.generation)
        await place.passes(6)
        (listed,) = await leases.list()
        assert (listed.status, listed.owner) == ("active", "us")
        assert listed.left > 1_000
        used = await leases.renew("a", "ticket of a", 10_000.0, touched=True)
        assert used.status == "active"
        assert used.touched_at > granted.touched_at == used.created_at


async def test_a_renewal_of_what_is_not_held_takes_nothing(place):
    """Not with an unknown ticket, and not with that of another id."""
    async with place.make() as leases:
        await reserve(leases, "a")
        for id, ticket in [("a", "unknown"), ("b", "ticket of a"), ("b", "unknown")]:
            with pytest.raises(LeaseLost):
                await leases.renew(id, ticket, 10_000.0)
        assert await ids(leases) == ["a"]


async def test_the_new_takes_the_place_of_the_old(place):
    """Also where the place is full; the old owner's renewal and cleanup come to nothing."""
    taking_over = Terms(capacity=1, length=10_000.0, replace=True)
    async with place.make() as leases:
        old = await reserve(leases, "a", taking_over, "old")
        new = await reserve(leases, "a", taking_over, "new")
        assert new.generation > old.generation
        with pytest.raises(LeaseLost):
            await leases.renew("a", "old", 10_000.0)
        assert await leases.release("a", "old", cooldown=5_000.0) is False
        assert [lease.generation for lease in await leases.list()] == [new.generation]
        assert await leases.cooling("a") == 0
        await leases.renew("a", "new", 10_000.0)


async def test_nothing_is_replaced_for_a_start_that_is_refused(place):
    """Who says that there are fewer slots than are held is refused, and the old one stays."""
    async with place.make() as leases:
        old = [await reserve(leases, id) for id in "abc"]
        with pytest.raises(NoCapacity):
            await reserve(leases, "a", Terms(capacity=2, length=10_000.0, replace=True), "new")
        assert [lease.generation for lease in await leases.list()] == [lease.generation for lease in old]
        await leases.renew("a", "ticket of a", 10_000.0)


async def test_a_lease_is_revoked_only_in_its_own_generation(place):
    """A newer one stays, and an owner whose lease is gone learns it when he renews."""
    async with place.make() as leases:
        old = await reserve(leases, "a")
        assert await leases.revoke("a", old.generation + 1) is False
        assert await leases.revoke("b", old.generation) is False
        assert await leases.revoke("a", old.generation) is True
        assert await leases.revoke("a", old.generation) is False
        with pytest.raises(LeaseLost):
            await leases.renew("a", "ticket of a", 10_000.0)
        new = await reserve(leases, "a", ticket="new")
        assert await leases.revoke("a", old.generation) is False
        assert [lease.generation for lease in await leases.held("a")] == [new.generation]


async def test_leases_are_listed_in_pages(place):
    """The oldest first, each once, and nobody's ticket is shown."""
    async with place.make() as leases:
        terms = Terms(capacity=25, length=10_000.0)
        granted = [(await reserve(leases, f"id {number}", terms)).generation for number in range(25)]
        seen, after = [], 0
        while page := await leases.list(after, 10):
            assert len(page) <= 10
            assert {lease.ticket for lease in page} == {""}
            seen += [lease.generation for lease in page]
            after = page[-1].generation
        assert seen == granted == sorted(set(granted))


async def test_generations_never_fall_back(place):
    """Also when all leases are gone and everybody has left."""
    async with place.make() as leases:
        first = await reserve(leases, "a")
        await leases.release("a", "ticket of a")
    async with place.make() as leases:
        assert (await reserve(leases, "a", ticket="other")).generation > first.generation


async def test_names_are_places_of_their_own(place):
    """Two services do not count together in one place of two names."""
    async with place.make(name="one") as one, place.make(name="two") as two:
        alone = Terms(capacity=1, length=10_000.0)
        await reserve(one, "a", alone)
        await reserve(two, "a", alone)
        await one.release("a", "ticket of a", cooldown=5_000.0)
        assert (await one.count(), await two.count(), await two.cooling("a")) == (0, 1, 0)


async def test_a_reserve_that_was_cancelled_is_given_back_by_its_ticket(place):
    """Wherever the cancellation comes, a release by ticket leaves nothing behind, and the slot is free."""
    dice = random.Random(7)
    alone = Terms(capacity=1, length=10_000.0)
    async with place.make() as leases:
        for number in range(20):
            with trio.CancelScope() as scope:
                scope.deadline = trio.current_time() + dice.choice([0.0, 0.0002, 0.0005, 0.001, 0.01])
                await reserve(leases, "a", alone, f"try {number}")
            await leases.release("a", f"try {number}")
            assert await leases.count() == 0
        await reserve(leases, "a", alone)
