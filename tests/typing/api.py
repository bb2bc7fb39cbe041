"""Never run: type checkers read it, so that the public types are tested like behaviour."""

from typing import Any, assert_type

import trio

import lifecycle
from lifecycle.machine.step import Step
from lifecycle.wire.ticket import Ticket


async def use(nursery: trio.Nursery) -> None:
    """Everything that an embedder does, with the types that it gets."""
    async with lifecycle.open("websocket", url="ws://localhost/", heartbeat_after="5 s") as connection:
        assert_type(connection, lifecycle.Connection)
        await connection.ready(5)
        assert_type(await connection.send("x"), Ticket)
        assert_type(connection.post(b"x"), Ticket)
        assert_type(connection.status, str)
        assert_type(connection.state, tuple[str, ...])
        assert_type(connection.why, str)
        assert_type(connection.next_try, float | None)
        assert_type(connection.history, tuple[Step, ...])
        assert_type(await connection.request("method", {"a": 1}, timeout=3), Any)
        connection.tell("reconnect")
        async for step in connection.changes():
            assert_type(step, Step)
        async for message in connection:
            if isinstance(message, lifecycle.Discontinuity):
                assert_type(message.missed, int)
    other = lifecycle.Connection(lifecycle.read("websocket"), url="ws://localhost/")
    await nursery.start(other.run)
    await other.aclose()
    try:
        await other.ready()
    except (lifecycle.ConnectionFailed, lifecycle.ConnectionEnded, lifecycle.NotReady) as error:
        assert_type(error.side, Any)  # type: ignore[assert-type]  # a Literal, which pyright and mypy print differently
