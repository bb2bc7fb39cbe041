"""The howto on failover: its blocks run as they stand there, and its example asks real services."""

import re
import socket
import subprocess
import sys
import threading

from lifecycle.testing.virtual import run

from .derive import ROOT

PAGE = ROOT / "docs" / "howto" / "fail-over.md"
EXAMPLE = ROOT / "docs" / "examples" / "failover_call.py"
QUOTED = r"(?<!\.py -->\n)```python\n(.*?)```"


def test_the_blocks_run():
    """One after the other; what is a test is run, by a virtual clock."""
    calls = PAGE.read_text(encoding="utf-8").partition("\n## Endpoints of a connection")[0]
    names = {"__name__": "howto"}
    for block in re.findall(QUOTED, calls, re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 -- it is our own page
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        run(test)


def test_the_example_asks_the_second_service():
    """Nobody listens at the first address."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = nobody.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as service:
        threading.Thread(target=answer, args=(service,), daemon=True).start()
        addresses = [f"127.0.0.1:{port}" for port in (gone, service.getsockname()[1])]
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), *addresses], capture_output=True, text=True, timeout=30, check=True
        )
    assert done.stdout.splitlines() == ["HELLO", "", f"{addresses[0]} is passed by", f"{addresses[1]} is available"]


def answer(service):
    """Answer one question in capitals."""
    client, _ = service.accept()
    with client:
        client.sendall(client.makefile("rb").readline().upper())
