"""The how-to about gateways is true: with a small gateway of ours, on loopback for the program and in memory for the rest."""

import functools
import re
import sys

import pytest
import trio

import lifecycle
from lifecycle.systems.openclaw import open_gateway
from lifecycle.testing.peer import Peer

from ..systems.small_gateway import (  # noqa: TID252 -- tests are no package that has a name
    MAIN,
    TOKEN,
    SmallGateway,
    row,
)
from .derive import ROOT

PAGE = (ROOT / "docs/howto/embed-a-gateway-client.md").read_text(encoding="utf-8")
PROGRAM = ROOT / "docs/examples/gateway_client.py"


def shown(what: str) -> str:
    """What the how-to says that is printed."""
    return re.search(rf"<!-- {what} -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]


def answering() -> SmallGateway:
    """It answers what is said in three events, and says something in another run."""
    small = SmallGateway()

    def send(params):
        assert (params["sessionKey"], params["message"]) == (MAIN, "hello")
        for state, more in (("delta", {"deltaText": "Hello"}), ("delta", {"deltaText": " there"}), ("final", {})):
            small.say("chat", {"runId": params["idempotencyKey"], "state": state, **more})
            small.say("chat", {"runId": "another", "state": state})
        return {"runId": params["idempotencyKey"], "status": "started"}

    small.answers["chat.send"] = send
    return small


@pytest.mark.real_time
async def test_the_program_prints_what_the_howto_says(tmp_path):
    """In a process of its own, in an empty folder, where it leaves its key."""
    async with lifecycle.serve("websocket-server", answering().serve, port=0) as server:
        command = [sys.executable, str(PROGRAM), f"ws://127.0.0.1:{server.port}/", TOKEN, "hello"]
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, cwd=tmp_path)
    assert (done.stdout.decode(), done.stderr.decode()) == (shown("output"), "")
    assert [each.name for each in tmp_path.iterdir()] == ["device.pem"]


async def test_the_program_says_what_can_be_done(tmp_path, monkeypatch, capsys):
    """The token is wrong: three dials, and the sentence."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "program"}
    exec(compile(PROGRAM.read_text(encoding="utf-8"), PROGRAM, "exec"), names)  # noqa: S102 -- it is our own example
    async with Peer(handler=answering().serve) as peer:
        names["open_gateway"] = functools.partial(open_gateway, transport=peer.dialer)
        await names["main"](peer.url, "wrong", "hello")
        assert len(peer.dials) == 3
    assert capsys.readouterr().out == shown("refused")


async def test_the_blocks_of_the_howto_run(tmp_path, monkeypatch, capsys):
    """A token from a file, who decides, and who reads."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "howto"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "the how-to", "exec"), names)  # noqa: S102 -- it is our own page

    small = SmallGateway(answers={"exec.approval.resolve": lambda params: {"ok": True}}, transcripts={MAIN: [row(1)]})
    async with Peer(handler=small.serve) as peer:
        monkeypatch.setattr(trio.Path, "read_text", reading(TOKEN))
        async with names["make"](peer.url, transport=peer.dialer) as gateway, trio.open_nursery() as nursery:
            await gateway.ready()
            nursery.start_soon(names["decide"], gateway)
            nursery.start_soon(names["read"], gateway, MAIN)
            await trio.sleep(1)
            small.say("exec.approval.requested", {"id": "i", "request": {"command": "rm"}})
            small.write(2)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    assert ("exec.approval.resolve", {"id": "i", "decision": "deny"}) in small.asked
    assert small.connects[0]["caps"] == ["approvals"]
    assert sorted(capsys.readouterr().out.splitlines()) == ["not allowed: rm", "user message 1", "user message 2"]


def reading(text: str):
    """A file that is read without a thread, for which a jumping clock would not wait."""

    async def read_text(self) -> str:
        assert str(self) == "token.txt"
        return f"{text}\n"

    return read_text


async def test_who_pairs_is_asked_once(tmp_path, monkeypatch, capsys):
    """As the how-to says: then the sentence."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trio.Path, "read_text", reading(TOKEN))
    names = {"__name__": "howto"}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)  # noqa: S102 -- it is our own page
    small = SmallGateway(unpaired=True)
    async with Peer(handler=small.serve) as peer, names["make"](peer.url, transport=peer.dialer) as gateway:
        with pytest.raises(lifecycle.ConnectionFailed, match="openclaw devices approve"):
            await gateway.ready()
        assert len(peer.dials) == 2
    device = small.connects[0]["device"]["id"]
    assert capsys.readouterr().out == f"please approve {device}\n"
