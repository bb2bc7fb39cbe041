import sys

import trio

import lifecycle
from lifecycle.failover import Endpoints


async def main(*urls):
    endpoints = Endpoints(urls, returns=True, probe_every="10 s")
    async with lifecycle.open("websocket", urls=endpoints) as connection:
        await connection.send("hello")
        async for message in connection:
            if not isinstance(message, lifecycle.Discontinuity):
                print(endpoints.current, "says", message)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
