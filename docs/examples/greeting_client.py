"""Talk to the greeter; whatever happens to the connection in between is the page's business."""

import sys
from pathlib import Path

import trio

import lifecycle

PAGE = Path(__file__).with_name("greeting.yaml")


async def main(url: str) -> None:
    async with lifecycle.open(PAGE, url=url, redial={"first": "100 ms", "max": "1 s"}) as connection:
        await connection.ready(10)
        await connection.send({"type": "text", "text": "one"})
        print(await anext(connection))
        await connection.send({"type": "text", "text": "restart"})
        mark = await anext(connection)
        print(mark.kind, "-", mark.why)
        await connection.send({"type": "text", "text": "two"})
        print(await anext(connection))


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
