"""A process that takes slots and gives them back, as fast as it can: `leasers.py PLACE`.

It says `ready` when the place is open. For each line with seconds it answers with the milliseconds of each round.
"""

import json
import secrets
import sys
import time

import trio

from lifecycle.registry import Leases, Terms, place_of

TERMS = Terms(capacity=1_000_000, length=600.0)


async def one(leases: Leases, id: str) -> None:
    """Take a slot and give it back."""
    ticket = secrets.token_hex(16)
    await leases.reserve(id, ticket, "benchmark", TERMS)
    await leases.release(id, ticket)


async def main(place: str) -> None:
    """Do it, and say how long each took."""
    async with place_of(place) as leases:
        print("ready", flush=True)  # noqa: T201 -- what this process is for
        while line := await trio.to_thread.run_sync(sys.stdin.readline):
            until, took, id = trio.current_time() + float(line), [], secrets.token_hex(4)
            while trio.current_time() < until:
                began = time.perf_counter()
                await one(leases, id)
                took.append((time.perf_counter() - began) * 1000)
            print(json.dumps(took), flush=True)  # noqa: T201 -- likewise


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
