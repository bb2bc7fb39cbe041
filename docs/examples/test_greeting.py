import functools
import json

import pytest
import trio
from greeting_client import PAGE, main

import lifecycle
from lifecycle.testing.peer import Peer
from lifecycle.testing.virtual import run


async def greet(connection: lifecycle.Connection) -> None:
    """The server: it welcomes who says hello, and shouts back what it is told."""
    async for message in connection:
        said = json.loads(message)
        if said["type"] == "hello":
            await connection.send('{"type": "welcome"}')
        elif said["text"] != "restart":
            await connection.send(json.dumps({"type": "text", "text": said["text"].upper()}))


def client(peer: Peer, **settings) -> lifecycle.Connection:
    return lifecycle.open(PAGE, url=peer.url, transport=peer.dialer, seed=1, **settings)


def test_it_is_welcomed_and_answered():
    async def story():
        async with Peer(handler=greet) as peer, client(peer) as connection:
            await connection.send({"type": "text", "text": "one"})
            assert await anext(connection) == "ONE"
            assert [json.loads(message)["type"] for message in peer.received] == ["hello", "text"]

    run(story)


def test_it_notices_a_server_that_falls_silent():
    async def story():
        async with Peer(handler=greet) as peer, client(peer) as connection:
            await connection.ready()
            await trio.sleep(3600)
            assert len(peer.dials) == 1
            began = trio.current_time()
            peer.link.fall_silent()
            await peer.connected()
            assert trio.current_time() - began < 45
            assert "silent" in " ".join(step.event for step in connection.history)

    run(story)


def test_it_gives_up_in_the_end():
    async def story():
        async with Peer(handler=greet) as peer:
            peer.refuse(1000)
            async with client(peer, max_attempts=4) as connection:
                with pytest.raises(lifecycle.ConnectionFailed, match="The server was not to be reached"):
                    await connection.ready()
                assert len(peer.dials) == 5  # the first one, and four more

    run(story)


def test_a_server_that_does_not_welcome_is_left():
    async def story():
        async with Peer() as peer, client(peer) as connection:
            assert json.loads(await peer.receive()) == {"type": "hello"}
            await trio.sleep(5.1)
            assert connection.status == "waiting"
            assert json.loads(await peer.receive()) == {"type": "hello"}
            peer.link.send({"type": "welcome"})
            await connection.ready()

    run(story)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_without_a_word(seed):
    async def story():
        async with Peer(handler=greet) as peer, client(peer) as connection, trio.open_nursery() as nursery:

            async def restart():
                while "n1" not in await peer.receive():
                    pass
                peer.link.close(1012, "restart")  # in the middle of answering, and the seed decides where

            await connection.send({"type": "text", "text": "first"})
            told = [await anext(connection)]
            nursery.start_soon(restart)
            for number in range(3):
                try:
                    await connection.send({"type": "text", "text": f"n{number}"})
                except lifecycle.NotSent:
                    told.append("not sent")
            with trio.move_on_after(10):
                async for message in connection:
                    match message:
                        case lifecycle.Discontinuity():
                            told.append("a mark")
                        case text:
                            told.append(text)
            return told

    told = run(story, seed=seed)
    assert {"a mark", "not sent"} & set(told) or told == ["FIRST", "N0", "N1", "N2"]


def test_the_program_as_it_is(monkeypatch, capsys):
    async def story():
        async with Peer(handler=greet) as peer, trio.open_nursery() as nursery:

            async def restart():
                while "restart" not in await peer.receive():
                    pass
                peer.link.close(1012)

            nursery.start_soon(restart)
            monkeypatch.setattr(lifecycle, "open", functools.partial(lifecycle.open, transport=peer.dialer))
            await main(peer.url)

    run(story)
    assert capsys.readouterr().out.splitlines() == ["ONE", "lost - the peer closed with code 1012", "TWO"]
