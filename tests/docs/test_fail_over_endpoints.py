"""The section on endpoints: its test runs as it stands there, and its example goes to the server that is there."""

import re
import socket
import subprocess
import sys

import pytest
import trio

import lifecycle
from lifecycle.testing.virtual import run

from .derive import ROOT

PAGE = ROOT / "docs" / "howto" / "fail-over.md"
EXAMPLE = ROOT / "docs" / "examples" / "endpoints_client.py"


def test_the_test_in_it_passes():
    """By a virtual clock."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Endpoints of a connection")[2]
    names = {"__name__": "howto"}
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 -- it is our own page
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    for test in tests:
        run(test)


@pytest.mark.real_time(limit=60)
async def test_the_example_is_answered_by_the_second():
    """Nobody listens at the first address; the program is done when the server says goodbye for good."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = nobody.getsockname()[1]

    async def greet(connection):
        async for message in connection:
            await connection.send(message.upper())
            return

    async with lifecycle.serve("websocket-server", greet, port=0) as server:
        urls = [f"ws://127.0.0.1:{port}" for port in (gone, server.port)]
        process = await trio.lowlevel.open_process(
            [sys.executable, "-u", str(EXAMPLE), *urls], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        async with process.stdout as output:
            told = b""
            while b"\n" not in told:
                told += await output.receive_some()
        process.kill()
        await process.wait()
    assert told.decode().splitlines()[0] == f"{urls[1]} says HELLO"
