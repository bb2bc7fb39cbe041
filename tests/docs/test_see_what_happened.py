"""What is shown of two servers and a client that moves between them is what a run prints, but for the times."""

import re
import shutil

import pytest
from click.testing import CliRunner

from lifecycle.cli.compare import replay

from .derive import ROOT

PAGE = (ROOT / "docs/howto/see-what-happened.md").read_text(encoding="utf-8")


def shapes(text: str) -> list[str]:
    """Lines of a diagram without their times."""
    return [re.sub(r": [\d.]+ (ms|s)\b", "", line.strip()) for line in text.splitlines()]


def by(line: str) -> str:
    """Who does what a line says."""
    return "server" if line.startswith(("server->>server", "Note over server", "server->>page: close")) else "page"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The section's program has run."""
    monkeypatch.chdir(tmp_path)
    for file in (ROOT / "docs" / "examples").glob("*.yaml"):
        shutil.copy(file, tmp_path)
    section = PAGE[PAGE.index("## Across machines") : PAGE.index("### In the log")]
    (program,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(program, "see-what-happened.md", "exec"), {"__name__": "howto"})  # noqa: S102 -- it is our own page
    return tmp_path


def test_the_diagram_across_machines_is_a_run(run):
    """The lines that are shown are printed, and what one side does in this order; `cat` makes one trace of the servers'."""
    one, two = ((run / f"{name}.jsonl").read_text() for name in ("one", "two"))
    (run / "servers.jsonl").write_text(one + two)
    given = ["reader.jsonl", "servers.jsonl", "--page", "reader.yaml", "--page", "desk.yaml", "--format", "mermaid"]
    done = CliRunner().invoke(replay, given, standalone_mode=False)
    assert done.return_value == 0
    assert "desk: the machine takes all" in done.stderr
    assert "in 2 sessions" in done.stderr
    shown = re.search(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]
    # what the sides do at the same time may stand either way round
    for side in ("page", "server"):
        printed = iter([line for line in shapes(done.stdout) if by(line) == side])
        assert [line for line in shapes(shown) if by(line) == side and line not in printed] == [], done.stdout
