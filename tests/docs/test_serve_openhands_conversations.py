"""The how-to about conversations is true: its server runs in a process of its own, is killed, and loses nothing."""

import re
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import pytest
import trio

import lifecycle
from lifecycle.systems.openhands import REFUSALS, SENTENCES, AuthError, SqliteEventStore

from .derive import ROOT

PAGE = (ROOT / "docs/howto/serve-openhands-conversations.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "docs/examples/conversations_server.py"


class Calls:
    """A conversation that always runs, and credentials that do not change."""

    async def until_running(self, *, conversation):
        """It does."""

    async def fresh_credentials(self):
        """There are none."""
        raise lifecycle.CallFailed("none")


@asynccontextmanager
async def running(folder, port=0):
    """The program in a process of its own, which is killed at the end; its port."""
    command = [sys.executable, str(PROGRAM), str(folder / "events.db"), str(port)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        async with process.stdout:
            said = b""
            while not said.endswith(b"\n"):
                said += await process.stdout.receive_some()
            yield int(said)
    finally:
        process.kill()
        await process.wait()


def client(port, **settings):
    """Our own client of the program's conversation."""
    quick = {"first": "100 ms", "factor": 1, "max": "100 ms", "jitter": "none", "floor": "100 ms"}
    return lifecycle.open(
        "openhands-conversation", url=f"ws://127.0.0.1:{port}/socket.io/", calls=Calls(), conversation_id="greetings",
        redial=quick, max_attempts=1000, settle_wait="500 ms", **settings,
    )  # fmt: skip


def message(text):
    """What a user says."""
    return [{"action": "message", "args": {"content": text}}]


@pytest.mark.real_time(limit=60)
async def test_the_program_serves_who_is_signed_in(tmp_path):
    """The agent answers, two users see the same, and who is not signed in is told so."""
    waiting = "awaiting_user_input"
    async with running(tmp_path) as port:
        async with client(port, cookie="session=of-anna") as anna, client(port, cookie="session=of-bob") as bob:
            await anna.ready()
            await bob.ready()
            assert await anna.request("oh_user_action", message("hi")) == []
            for each in (anna, bob):
                events = [await anext(each) for _ in range(5)]
                told = [event.get("args") or event["extras"]["agent_state"] for event in events]
                assert told == [waiting, {"content": "hi"}, "running", {"content": "HI"}, waiting]
        for cookie, code in ((None, "no_credentials"), ("session=x", "cookie")):
            async with client(port, cookie=cookie) as stranger:
                with pytest.raises(lifecycle.ConnectionFailed):
                    await stranger.ready()
                assert any(step.event == f"unauthorized.{code}" for step in stranger.history)


@pytest.mark.real_time(limit=90)
async def test_a_server_that_is_killed_loses_nothing(tmp_path):
    """Three times in mid-stream: all that the log has is told, each event once; but for states that had passed."""
    heard = []

    async def listen(connection):
        async for event in connection:
            if not isinstance(event, lifecycle.Discontinuity):
                heard.append(event)  # noqa: PERF401 -- it is looked at meanwhile

    async def talk(connection):
        with talking:
            while True:
                with suppress(lifecycle.LifecycleError):
                    await connection.request("oh_user_action", message("hi"), 5)

    async def until(said):
        while not said():  # noqa: ASYNC110 -- whoever listens appends to a list, as programs do
            await trio.sleep(0.01)

    port, talking = 0, trio.CancelScope()
    async with trio.open_nursery() as nursery:
        for life in range(4):
            enough = len(heard) + 20
            async with running(tmp_path, port) as port:
                if life == 0:
                    anna = client(port, cookie="session=of-anna")
                    await nursery.start(anna.run)
                    nursery.start_soon(listen, anna)
                    nursery.start_soon(talk, anna)
                await until(lambda enough=enough: len(heard) >= enough)
                if life == 3:
                    talking.cancel()
                    assert await anna.request("oh_user_action", message("the end")) == []
                    await until(lambda: {"content": "THE END"} in [event.get("args") for event in heard[-3:-1]])
        assert anna.epoch >= 4
        nursery.cancel_scope.cancel()
    async with SqliteEventStore(tmp_path / "events.db") as store:
        log = list(await store.after("greetings", -1, 10_000))
    ids = [event["id"] for event in heard]
    assert len(ids) == len(set(ids)) > 80
    assert all(log[event["id"]] == event for event in heard)
    assert all("extras" in event for event in log if event["id"] not in ids)
    assert max(ids) == log[-1]["id"]


def table(what):
    """A table of the howto, as rows of cells."""
    (found,) = re.findall(rf"<!-- {what} -->\n\| code .*?\n\|[-|]+\n(.*?)\n\n", f"{PAGE}\n\n", re.DOTALL)
    return [tuple(row.strip("| ").split(" | ")) for row in found.splitlines()]


def test_the_howto_says_each_code():
    """With its sentence, and what to raise."""
    family = [AuthError, *AuthError.__subclasses__()]
    raised = {error.kind: f"`{error.__name__}`" for error in family}
    assert table("codes") == [(f"`{code}`", sentence, raised[code]) for code, sentence in SENTENCES.items()]
    assert table("refusals") == [(f"`{code}`", sentence) for code, sentence in REFUSALS.items()]
