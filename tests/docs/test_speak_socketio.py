"""The how-to about Socket.IO is true: its two programs talk to each other, and its table says what the page does."""

import subprocess
import sys

import pytest

import lifecycle

from .derive import ROOT

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def chat():
    """The server of the example; its URL."""
    command = [sys.executable, str(EXAMPLES / "chat_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/socket.io/"
        process.kill()


def test_the_programs_talk_to_each_other(chat):
    """What is said is acknowledged, and heard."""
    command = [sys.executable, str(EXAMPLES / "chat_client.py"), chat, "mellon", "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["heard by 1\n", "hello\n"]
        process.kill()


@pytest.mark.real_time(limit=20)
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token": "melon"}, "The server refuses this client"),
        ({"token": "mellon", "namespace": "/nope"}, "The server has no such namespace"),
    ],
)
async def test_who_does_not_know_the_word_is_refused(chat, settings, sentence):
    """And so is who asks for another namespace; neither is tried again."""
    async with lifecycle.open("socketio", url=chat, **settings) as connection:
        with pytest.raises(lifecycle.ConnectionFailed, match=sentence):
            await connection.ready()
        assert connection.epoch == 1
