"""The how-to about tests of clients is true: its tests are run, and all pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .derive import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PAGE = ROOT / "docs" / "howto" / "test-your-client.md"


def test_the_howtos_tests_pass(tmp_path: Path) -> None:
    """The example beside the client, and every other block of the page, in a project of their own without our settings."""
    for file in EXAMPLES.glob("*.*"):
        shutil.copy(file, tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"(?<!-->\n)```python\n(.*?)```", text, re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"test_block_{number}.py").write_text(block, encoding="utf-8")
    tests = sum(part.count("\ndef test_") for part in [*blocks, (EXAMPLES / "test_greeting.py").read_text()])
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert (len(blocks), tests) == (1, 7)
    assert re.search(r"^26 passed", done.stdout, re.MULTILINE), done.stdout


def test_every_name_of_the_howto_is_there() -> None:
    """What its tables name exists."""
    from lifecycle.testing.peer import Peer
    from lifecycle.testing.peer.link import Link

    peer = Peer()
    names = re.findall(r"`(?:await )?peer\.(link\.)?(\w+)", PAGE.read_text(encoding="utf-8"))
    assert len(names) > 15
    for link, name in names:
        assert name == "link" or hasattr(Link if link else peer, name), name
