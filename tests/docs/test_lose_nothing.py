"""The how-to about losses is true: its client prints what the page says, and its page is proven."""

import re
import subprocess
import sys

from lifecycle.definition.read import read
from lifecycle.proof.prove import prove
from lifecycle.proof.report import report

from .derive import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PAGE = ROOT / "docs" / "howto" / "lose-nothing.md"


def test_the_ledgers_client_prints_what_the_howto_says():
    """Whatever the ledger breaks, says twice or loses, the client tells it, line by line, and says nothing else."""
    said = re.search(r"<!-- output -->\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    server = [sys.executable, str(EXAMPLES / "ledger_server.py")]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
        url = f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        client = [sys.executable, str(EXAMPLES / "ledger_client.py"), url]
        done = subprocess.run(client, capture_output=True, text=True, timeout=30, check=False)
        process.kill()
    assert (done.stdout, done.stderr) == (said, "")


def test_the_ledgers_page_is_proven():
    """It keeps every law of the house."""
    assert report(prove(read(EXAMPLES / "ledger.yaml"))).broken is None
