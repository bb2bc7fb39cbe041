"""What lies beside a page: its certificate, and the paths that it was proven with."""

import logging
import shutil

import pytest

from lifecycle.definition.read import bundled, read, specs
from lifecycle.machine.machine import Machine
from lifecycle.machine.shipped import FOLDER, PATHS, bring, certified
from lifecycle.machine.table import Table


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_page_brings_its_certificate_and_paths(name, caplog):
    """A bundled page is certified as it is, and its paths are all taken; nothing is warned of."""
    page = read(name)
    table = Table(page)
    bring(table)
    lines = (specs() / FOLDER / f"{name}{PATHS}").read_text(encoding="utf-8").splitlines()
    assert certified(page) == page.hash
    assert len(table.paths) == len(lines) - 1 > 0
    assert caplog.records == []


def test_a_certified_page_runs_without_its_chart():
    """With the paths that it brings, a page starts and no chart is built."""
    table = Table(read("websocket"))
    bring(table)
    Machine(table, (None,) * len(table.definition.parameters)).start()
    assert table._chart is None


def test_a_page_that_was_changed_is_warned_of_once(tmp_path, caplog):
    """A page of another hash than its certificate's runs, is warned of in one line, and brings no paths."""
    shutil.copytree(specs(), tmp_path / "specs")
    file = tmp_path / "specs" / "heartbeat.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("20 s, help: silence", "21 s, help: silence"), encoding="utf-8"
    )
    table = Table(read(file))
    with caplog.at_level(logging.WARNING):
        bring(table)
        bring(table)
    assert [record.getMessage() for record in caplog.records] == [
        "heartbeat: has no certificate of this version; `lifecycle certify` proves it and writes one"
    ]
    assert table.paths == []


def test_a_damaged_paths_file_changes_nothing(tmp_path, caplog):
    """A certificate with a paths file that is cut off still stands; the paths are recorded anew."""
    shutil.copytree(specs(), tmp_path / "specs")
    paths = tmp_path / "specs" / FOLDER / f"heartbeat{PATHS}"
    paths.write_text(paths.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    table = Table(read(tmp_path / "specs" / "heartbeat.yaml"))
    bring(table)
    assert table.paths == []
    assert "is skipped" in caplog.text
