"""The documentation is true: what it quotes is there, what it shows is what happens, what is derived is fresh."""

import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import lifecycle
from lifecycle import PageError
from lifecycle.cli.proof import summary
from lifecycle.definition.read import read, read_text
from lifecycle.proof.prove import prove
from lifecycle.proof.report import report

from .derive import ROOT, pages, quoting

EXAMPLES = ROOT / "docs" / "examples"


@pytest.mark.parametrize("file", sorted(pages()), ids=lambda file: str(file.relative_to(ROOT)))
def test_derived_and_quoted_parts_are_fresh(file):
    """`make derive` would change nothing."""
    assert file.read_text(encoding="utf-8") == pages()[file]


def test_a_quoted_file_is_brought_in():
    """What stands under the name of a file is replaced by the file."""
    quoted = quoting("<!-- specs/heartbeat.yaml -->\n```yaml\nold\n```\n")
    assert (ROOT / "specs/heartbeat.yaml").read_text(encoding="utf-8") in quoted.replace("\n```\n", "\n")


def test_links_lead_somewhere():
    """Every relative link of README and docs names a file that is there."""
    for file in pages():
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8")):
            assert (file.parent / link).exists(), f"{file}: {link}"


@pytest.fixture
def greeter():
    """The tutorial's server; its URL."""
    command = [sys.executable, str(EXAMPLES / "greeter.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        process.kill()


def test_the_tutorials_client_prints_what_the_tutorial_says(greeter):
    """The page heals in the middle of it."""
    command = [sys.executable, str(EXAMPLES / "greeting_client.py"), greeter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = re.search(
        r"<!-- output -->\n```\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(encoding="utf-8"), re.DOTALL
    )[1]
    assert (done.stdout, done.stderr) == (said, "")


def test_the_howtos_server_lets_in_who_has_the_key():
    """What was missed comes first, questions are answered, and who has no key is refused with 403."""

    async def ask(url):
        async with lifecycle.open("websocket", url=url) as connection:
            await connection.ready(10)
            await connection.send('{"type": "ask", "body": "hello"}')
            return [await anext(connection) for _ in range(3)]

    command = [sys.executable, str(EXAMPLES / "gate_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = f"ws://127.0.0.1:{process.stdout.readline().strip()}/?after=0&key="
        told = trio.run(ask, f"{url}open%20sesame")
        with pytest.raises(lifecycle.ConnectionFailed, match="403"):
            trio.run(ask, f"{url}please")
        process.kill()
    assert [json.loads(message) for message in told] == [
        {"type": "past", "event": "walked"},
        {"type": "past", "event": "spoke"},
        {"type": "answer", "body": "HELLO"},
    ]


def test_the_tutorials_page_is_proven_as_the_tutorial_says():
    """The same line for the page, and the same steps for the mistake."""
    text = (EXAMPLES / "greeting.yaml").read_text(encoding="utf-8")
    assert shown("proven") == f"{told(text)}\n"
    reset = text.replace("{on: welcomed, to: ready}", "{on: welcomed, do: {set: {waiting.attempts: 0}}, to: ready}")
    assert shown("broken") == f"{told(reset)}\n"


def shown(what: str) -> str:
    """A block of the tutorial."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {what} -->\n```\n(.*?)```", text, re.DOTALL)[1]


def told(text: str) -> str:
    """What is proven of a page, or the line and the steps of its breach."""
    proven = report(prove(read_text(text, "greeting.yaml")))
    if proven.broken is None:
        return summary(proven)
    return "\n".join([proven.broken.text, *(f"  {line}" for line in proven.broken.lines)])


def test_the_tutorials_mistakes_are_told_as_the_tutorial_says():
    """The same two lines."""
    text = (EXAMPLES / "greeting.yaml").read_text(encoding="utf-8")
    text = text.replace("G1: {on: welcomed, to: ready}", "G1: {on: welcomed, to: redy}").replace(
        "after: proven_after", "after: 5"
    )
    with pytest.raises(PageError) as error:
        read_text(text, "greeting.yaml")
    said = re.search(
        r"<!-- wrong -->\n```\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(encoding="utf-8"), re.DOTALL
    )[1]
    assert f"{error.value}\n" == said


def test_the_ten_lines_of_the_readme_run(tmp_path):
    """They send, receive, and go on until the server says goodbye for good."""
    server = tmp_path / "server.py"
    server.write_text(
        "import trio, trio_websocket\n"
        "async def once(request):\n"
        "    connection = await request.accept()\n"
        "    await connection.send_message('you said ' + await connection.get_message())\n"
        "    await connection.aclose(1008, 'enough')\n"
        "async def main():\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        server = await nursery.start(trio_websocket.serve_websocket, once, '127.0.0.1', 0, None)\n"
        "        print(server.port, flush=True)\n"
        "trio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, str(server)], stdout=subprocess.PIPE, text=True) as process:
        url = f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        command = [sys.executable, str(EXAMPLES / "stay_connected.py"), url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        process.kill()
    assert done.stdout == "you said hello\n"
    assert "ConnectionFailed: the connection has failed: The server refuses this client." in done.stderr


def test_the_examples_page_is_good():
    """The page of the tutorial, as it stands."""
    page = read(EXAMPLES / "greeting.yaml")
    assert (len(page.states), len(page.clauses), len(page.clocks)) == (26, 24, 8)


def test_every_key_of_the_language_is_named():
    """The reference names each effect, status and preset."""
    text = (ROOT / "docs/reference/language.md").read_text(encoding="utf-8")
    words = ["open", "close", "drop", "send", "ping", "set", "emit", "mark", "admit", "refuse"]
    assert all(
        word in text for word in [*words, "rfc6455", "iana", "centrifuge", "graphql_ws", "socketio", "suspended"]
    )


def test_no_document_says_what_is_not_public():
    """Names in the reference of Python exist."""
    text = Path(ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(lifecycle\.[\w.]*\w)", text):
        assert name in ("lifecycle.driver", "lifecycle.epoch", "lifecycle.machine") or _there(name), name


def _there(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
