"""Count avatar sessions in a file, and serve their admin surface: DATABASE KEY_FILE [PORT]."""

import sys
from functools import partial
from pathlib import Path

import trio

from lifecycle.registry import Lease, Registry, SqliteLeases
from lifecycle.registry.admin import asked, serve_admin


async def begin(lease: Lease) -> None:
    wish = asked()
    print("starting", lease.id, "as", wish.role if wish else None, flush=True)
    await trio.sleep(0.1)  # dial the avatar here; what this raises is what the client is told


async def stop(lease: Lease) -> None:
    print("stopping", lease.id, flush=True)


async def main(database: str, key: str, port: int = 0) -> None:
    async with (
        SqliteLeases(database) as leases,
        Registry(leases, capacity=2, begin=begin, stop=stop) as registry,
        trio.open_nursery() as nursery,
    ):
        place = await nursery.start(partial(serve_admin, registry, key=key, port=port))
        print(place.url, flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2]).read_text().strip(), *map(int, sys.argv[3:]))
