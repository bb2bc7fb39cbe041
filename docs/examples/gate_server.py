"""Serve `gate.yaml`: a key is checked before a client is let in, and what it has missed is told first."""

import sys
from pathlib import Path

import trio

import lifecycle

PAGE = Path(__file__).with_name("gate.yaml")
EVENTS = ["born", "walked", "spoke"]


class Calls:
    async def check(self, *, key: str | None) -> None:
        if key != "open sesame":
            raise lifecycle.CallFailed("forbidden")

    async def replay(self, *, after: float):
        for number in range(int(after) + 1, len(EVENTS)):
            yield EVENTS[number]


async def handle(connection: lifecycle.Connection) -> None:
    async for body in connection:
        await connection.send({"type": "answer", "body": body.upper()})


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    async with lifecycle.serve(PAGE, handle, port=port, calls=Calls(), limit=100, per_address=10) as server:
        print(server.port, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
