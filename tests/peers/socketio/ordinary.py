"""Cases in which the server lets the client in, and both say what they like."""

from typing import Any, Final

import lifecycle

from .play import Play

TOKEN: Final = "a-token"
_BYTES: Final = b"\x00\xff" * 3
_BLOB: Final = 5_000_000
_SAID: Final[list[Any]] = ["one", {"two": [2, None], "three": _BYTES}, _BYTES, "\u2028 \U0001f600"]


async def normal(play: Play) -> None:
    """Credentials, events, acknowledgements and bytes, both ways; and then 5 MB."""
    async with play.client(token=TOKEN) as connection:
        await connection.ready()
        await _both_ways(play, connection, "/")
        auth = await connection.request("whoami", [])
        play.check(auth == [{"token": TOKEN}], f"the server was told {auth!r}")
        blob = await connection.request("blob", [_BLOB])
        play.check(blob == [bytes(_BLOB)], "5 MB did not come back as they are")
    play.check(connection.status == "closed", f"it is {connection.status} at the end")


async def namespace(play: Play) -> None:
    """The same in another namespace, without credentials."""
    async with play.client(namespace="/room") as connection:
        await connection.ready()
        await _both_ways(play, connection, "/room")
        auth = await connection.request("whoami", [])
        play.check(auth in ([], [{}]), f"the server was told {auth!r}")


async def early(play: Play) -> None:
    """The server says something before it answers CONNECT: that is delivered, and does not make it ready."""
    async with play.client(namespace="/early") as connection:
        await connection.ready()
        await play.heard("early", "early", "early")
        play.check(play.args == [[number, b"\x00\xff"] for number in range(3)], f"came with {play.args}")
        await connection.send({"namespace": "/early", "event": "say", "args": ["late"]})
        await play.heard("early", "early", "early", "said")


async def impatient(play: Play) -> None:
    """The client says and asks before it is let in: that waits, for a server of npm's would end the connection."""
    async with play.client() as connection:
        connection.post({"event": "say", "args": ["before"]})
        reply = connection.ask("ask", ["before"])
        play.check(connection.status != "ready", "it was ready at once")
        play.check(await reply.wait() == ["before"], "another answer came")
        await play.heard("said")


async def strange_acks(play: Play) -> None:
    """Acknowledgements that nobody waits for, both ways, do nothing."""
    async with play.client() as connection:
        await connection.ready()
        await connection.send({"packet": "ack", "id": 4711, "args": ["what?"]})
        await connection.send({"event": "raw", "args": ['34711["what?"]']})
        await play.works(connection)
        play.check(connection.counters.late == 1, f"{connection.counters.late} late answers, expected 1")


async def _both_ways(play: Play, connection: lifecycle.Connection, place: str) -> None:
    await connection.send({"namespace": place, "event": "say", "args": _SAID})
    await play.heard("said")
    play.check(play.args[0] == _SAID, f"said {play.args[0]!r}")
    answer = await connection.request("ask", _SAID)
    play.check(answer == _SAID, f"answered {answer!r}")
    for number, asked in enumerate(([], _SAID)):
        await connection.send({"namespace": place, "event": "quiz", "args": asked})
        before = ["said", *["question", "answered"] * number]
        await play.heard(*before, "question")
        question = play.packets[-1]
        play.check(question["args"] == asked, f"was asked {question['args']!r}")
        await connection.send({"packet": "ack", "namespace": place, "id": question["id"], "args": asked})
        await play.heard(*before, "question", "answered")
        play.check(play.args[-1] == asked, f"the server was answered {play.args[-1]!r}")
