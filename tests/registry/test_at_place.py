"""Looking at a place, and clearing it, without a registry; and which addresses are this machine's own."""

import pytest

from lifecycle.registry import LeasesUnavailable
from lifecycle.registry.at_place import every, revoke
from lifecycle.registry.lease import Terms
from lifecycle.registry.loopback import is_loopback
from lifecycle.registry.memory_leases import MemoryLeases


async def test_all_pages_are_listed():
    """However many there are, the oldest first."""
    async with MemoryLeases() as leases:
        for number in range(1203):
            await leases.reserve(str(number), f"ticket {number}", "me", Terms(2000, 60.0))
        assert [lease.id for lease in await every(leases)] == [str(number) for number in range(1203)]


async def test_what_was_chosen_is_taken_away_and_nothing_newer():
    """A lease of the same id that was granted later stays."""
    async with MemoryLeases() as leases:
        old = await leases.reserve("a", "first", "me", Terms(9, 60.0))
        await leases.release("a", "first")
        new = await leases.reserve("a", "second", "me", Terms(9, 60.0))
        other = await leases.reserve("b", "third", "me", Terms(9, 60.0))
        cleared = await revoke(leases, [(old.id, old.generation), (other.id, other.generation)])
        assert (cleared.before, cleared.failed) == (2, {})
        assert [lease.generation for lease in await every(leases)] == [new.generation]


async def test_one_that_cannot_be_taken_away_does_not_stop_the_rest():
    """It is named."""

    class Flaky(MemoryLeases):
        async def revoke(self, id, generation):
            if id == "a":
                raise LeasesUnavailable(self.place, "for a moment")
            return await super().revoke(id, generation)

    async with Flaky() as leases:
        held = [await leases.reserve(name, f"ticket of {name}", "me", Terms(9, 60.0)) for name in "abc"]
        cleared = await revoke(leases, [(lease.id, lease.generation) for lease in held])
        assert (cleared.before, list(cleared.failed)) == (3, ["a"])
        assert [lease.id for lease in await every(leases)] == ["a"]


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104 -- nobody listens
        ("::", False),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(host, own):
    """A name is believed only if it is localhost."""
    assert is_loopback(host) is own
