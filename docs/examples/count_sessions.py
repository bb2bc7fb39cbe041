"""Hold two live sessions at once and no more, whoever else counts in the same PLACE: memory, sqlite:FILE, redis://…"""

import sys

import trio

from lifecycle.registry import Lease, NoCapacity, Registry, StartFailed, place_of


async def dial(lease: Lease) -> None:
    """Where the upstream would be opened."""
    if lease.id == "doris":
        raise ConnectionError("no such avatar")
    print(f"dial {lease.id}")


async def hang_up(lease: Lease) -> None:
    """Where it would be closed; also for one that was opened by halves."""
    print(f"hang up {lease.id}")


async def main(place: str) -> None:
    async with place_of(place) as leases, Registry(leases, capacity=2, begin=dial, stop=hang_up) as registry:
        anna = await registry.start("anna")
        await registry.start("bert")
        try:
            await registry.start("carl")
        except NoCapacity as refusal:
            print(f"{refusal.code}: {refusal}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(anna.leave)
            carl = await registry.start("carl", wait=30)
        print(f"carl is {carl.status}; {[lease.id for lease in await registry.list()]}")

        print(f"leave: {await registry.leave('bert')}, and again: {await registry.leave('bert')}")
        try:
            await registry.start("doris")
        except StartFailed as failure:
            print(f"{failure}; wait {failure.retry_after:.0f} s")


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
