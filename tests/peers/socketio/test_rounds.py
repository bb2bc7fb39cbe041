"""Cases with both servers, and how a server of the tests lives."""

import sys

import pytest
import trio

import lifecycle
from peers.say import CannotRun

from .app import Server, command_of, folder, serving
from .cases import HOSTS, PAIRS, TALKS, VISITS
from .play import changed


def test_names_are_unique() -> None:
    """Each case is one row for each peer."""
    for cases in (PAIRS, TALKS, VISITS, HOSTS):
        names = [case.name for case in cases]
        assert len(names) == len(set(names))


def test_a_page_is_changed_in_one_place() -> None:
    """What it dials with is another; what is not there, or twice, is a mistake of ours."""
    assert changed("socketio-connection", "EIO: 4", "EIO: 2").dial.query["EIO"] == 2
    assert lifecycle.read("socketio").dial.query["EIO"] == 4
    for text in ("there is no such text", "EIO"):
        with pytest.raises(LookupError, match="stands"):
            changed("socketio-connection", text * 2 if text == "EIO" else text, "")


@pytest.mark.real_time(limit=60)
async def test_a_server_keeps_its_port_and_its_log() -> None:
    """It is killed and started anew; afterwards nothing of it is left."""
    async with serving(command_of("python-socketio")) as server:
        server.log.write_text('{"id": 0}\n', encoding="utf-8")
        server.kill()
        with pytest.raises(OSError, match="127"):
            await trio.open_tcp_stream("127.0.0.1", server.port)
        await server.start()
        assert server.events()[0] == {"id": 0}
        await (await trio.open_tcp_stream("127.0.0.1", server.port)).aclose()
    assert not server.log.parent.exists()


@pytest.mark.real_time(limit=60)
async def test_a_server_that_does_not_start_is_told() -> None:
    """With its own words."""
    with folder() as own:
        server = Server([sys.executable, "-c", "raise SystemExit('not today')"], own)
        with pytest.raises(CannotRun, match="does not listen") as told:
            await server.start()
        server.kill()
    assert told.value.log == "not today"
