"""The Python of the howtos runs as it stands there, beside the pages of the examples; blocks of one page share names."""

import logging
import re
import shutil

import pytest

from .derive import ROOT

RUN = ("break-the-network.md", "measure-connections.md", "see-what-happened.md", "simulate-a-page.md")


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_howto_run(page, tmp_path, monkeypatch):
    """One after the other; what is a test is called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    for file in (ROOT / "docs" / "examples").glob("*.yaml"):
        shutil.copy(file, tmp_path)
    names: dict[str, object] = {"__name__": "howto"}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/howto" / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102 -- it is our own page
    for name, value in list(names.items()):
        if name.startswith("test_"):
            value()
