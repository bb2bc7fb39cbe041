"""A program without any async code that holds a connection, in a thread of anyio."""

import sys

import trio
from anyio.from_thread import start_blocking_portal

import lifecycle


async def receive(connection: lifecycle.Connection, seconds: float) -> object:
    with trio.fail_after(seconds):
        return await anext(connection)


def main(url: str) -> None:
    page = lifecycle.open("websocket", url=url, redial={"first": "100 ms", "max": "1 s"})
    with start_blocking_portal("trio") as portal, portal.wrap_async_context_manager(page) as connection:
        portal.call(connection.ready, 10)
        portal.call(connection.send, "one")
        print(connection.status, portal.call(receive, connection, 10))
        portal.call(connection.post, "restart")
        mark = portal.call(receive, connection, 10)
        print(mark.kind, "-", mark.why)
        portal.call(connection.send, "two")
        print(connection.status, portal.call(receive, connection, 10))


if __name__ == "__main__":
    main(sys.argv[1])
