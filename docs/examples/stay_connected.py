import sys

import trio

import lifecycle


async def main(url: str) -> None:
    async with lifecycle.open("websocket", url=url) as connection:
        await connection.send("hello")
        async for message in connection:
            if isinstance(message, lifecycle.Discontinuity):
                print("something may be missing here:", message.why)
            else:
                print(message)


trio.run(main, sys.argv[1])
