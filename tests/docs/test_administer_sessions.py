"""The howto on administering sessions: its example is asked as the page says, and its tables are true."""

import http.client
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from lifecycle.cli.registry import registry

from .derive import ROOT

PAGE = (ROOT / "docs" / "howto" / "administer-sessions.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "admin_service.py"
KEY = "a-key-for-the-howto"


@contextmanager
def served(folder):
    """The example as a process; its address."""
    (folder / "key").write_text(f"{KEY}\n")
    command = [sys.executable, str(EXAMPLE), str(folder / "sessions.db"), str(folder / "key")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            process.address = process.stdout.readline().strip().removeprefix("http://")
            yield process
        finally:
            process.kill()


def ask(address, method, path, body=None, key=KEY):
    """One request; the status, and the body."""
    connection = http.client.HTTPConnection(address, timeout=50)
    connection.request(method, path, body and json.dumps(body), {"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, json.loads(text) if text.startswith("{") else text


def test_the_example_does_what_the_page_says(tmp_path):
    """Two slots, each answer of the first table, and the sessions are left at Ctrl-C."""
    room = "/api/digital_human_develop"
    with served(tmp_path) as process:
        address = process.address
        assert ask(address, "GET", "/api/sessions", key="no")[0] == 401
        for name in "ab":
            status, told = ask(address, "POST", f"{room}/join_room", {"live_id": name, "role": f"role-{name}"})
            assert (status, told["code"], told["result"]["status"]) == (200, 1000, "started")
            assert process.stdout.readline() == f"starting {name} as role-{name}\n"
        status, told = ask(address, "POST", f"{room}/join_room", {"live_id": "c"})
        assert (status, told["code"]) == (429, 4002)
        assert ask(address, "DELETE", f"{room}/leave_room/a")[1]["cleaned_up"] is True
        assert process.stdout.readline() == "stopping a\n"
        assert ask(address, "DELETE", f"{room}/leave_room/a")[1]["cleaned_up"] is False
        metrics = ask(address, "GET", "/metrics")[1]
        assert "lifecycle_registry_sessions 1.0" in metrics
        named = re.findall(r"`(lifecycle_registry_\w+)", PAGE.partition("## Metrics")[2])
        assert len(named) == 7
        assert [name for name in named if f"\n{name}" not in metrics] == []
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping b\n"
        process.wait(50)


@pytest.mark.parametrize("line", re.findall(r"^lifecycle registry (.*)$", PAGE, re.MULTILINE))
def test_the_commands_of_the_page_are_commands(line):
    """Each is taken as it stands there, as far as nothing is there to be asked."""
    arguments = [word.replace("http://localhost:8000", "http://127.0.0.1:9") for word in line.split()]
    if arguments[0] == "serve":
        arguments += ["--port", "-1"]
    told = CliRunner().invoke(registry, arguments, env={"LIFECYCLE_REGISTRY_KEY": KEY})
    wrong = "'--port'" if arguments[0] == "serve" else "http://127.0.0.1:9 cannot be reached"
    assert wrong in f"{told.output}{told.exception}"
