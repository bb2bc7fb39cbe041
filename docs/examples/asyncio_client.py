"""An asyncio program that holds a connection; whatever happens to it in between is the page's business."""

import asyncio
import sys

import lifecycle
from lifecycle.trio.portal import Portal


async def main(url: str) -> None:
    page = lifecycle.open("websocket", url=url, redial={"first": "100 ms", "max": "1 s"})
    async with Portal() as portal, portal.enter(page) as connection:
        await portal.call(connection.ready, 10)
        messages = portal.each(connection)
        await portal.call(connection.send, "one")
        async with asyncio.timeout(10):
            print(connection.status, await anext(messages))
        connection.post("restart")
        async for message in messages:
            if isinstance(message, lifecycle.Discontinuity):
                print(message.kind, "-", message.why)
                connection.post("two")
            else:
                print(connection.status, message)
                break


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
