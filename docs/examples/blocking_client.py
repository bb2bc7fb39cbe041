"""A program without async code that holds a connection: trio has the main thread, the program a worker thread."""

import sys
from typing import Any

import trio
from trio.from_thread import run as wait_for

import lifecycle


def main(url: str) -> None:
    trio.run(hold, url)


async def hold(url: str) -> None:
    page = lifecycle.open("websocket", url=url, redial={"first": "100 ms", "max": "1 s"})
    async with page as connection:
        await trio.to_thread.run_sync(talk, connection)


def talk(connection: lifecycle.Connection) -> None:
    wait_for(connection.ready, 10)
    wait_for(connection.send, "one")
    print(connection.status, wait_for(receive, connection, 10))
    trio.from_thread.run_sync(connection.post, "restart")
    mark = wait_for(receive, connection, 10)
    print(mark.kind, "-", mark.why)
    wait_for(connection.send, "two")
    print(connection.status, wait_for(receive, connection, 10))


async def receive(connection: lifecycle.Connection, seconds: float) -> Any:
    with trio.fail_after(seconds):
        return await anext(connection)


if __name__ == "__main__":
    main(sys.argv[1])
