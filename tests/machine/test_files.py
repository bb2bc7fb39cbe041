import json
import logging
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled, read
from lifecycle.machine.files import load, write
from lifecycle.machine.machine import Machine
from lifecycle.machine.table import Table

WHOLE_WALK = """
import sys
from pathlib import Path
from lifecycle.definition.read import read
from lifecycle.machine.events import Event
from lifecycle.machine.files import load
from lifecycle.machine.machine import Machine
from lifecycle.machine.table import Table
table = Table(read("websocket"))
print(load(table, Path(sys.argv[1]).read_text()))
machine = Machine(table, tuple(None if each.default == "optional" else each.default for each in table.definition.parameters.values()))
machine.start()
dial = machine.receive(Event("connect"))[0].token
machine.receive(Event("opened", {}, "opened", dial))
machine.receive(Event("disconnect"))
machine.receive(Event("closed", {}, "closed", dial))
print(machine.states, machine.ended, "statemachine" in sys.modules)
"""


@pytest.fixture
def walked(begin: Callable[..., Any]) -> Any:
    """A walker of `websocket` that went from idle to closed."""
    w = begin(read("websocket"))
    _story(w)
    return w


def _story(w: Any) -> None:
    w.start()
    w.tell("connect")
    w.told("opened", "opened")
    w.fire("alive")
    w.told("heard", "heard")
    w.tell("disconnect")
    w.told("closed", "closed")


@pytest.mark.parametrize("page", bundled())
def test_what_is_written_is_read(page: str, begin: Callable[..., Any], wander: Callable[..., None]) -> None:
    """A table that loads the file of another has its paths, and writes the same file."""
    w = begin(read(page))
    w.start()
    wander(w, random.Random(page), 80, Counter())
    text = write(w.machine.table)
    other = Table(read(page))
    assert load(other, text) == len(w.machine.table.logs) == len(other.logs)
    assert (write(other), load(other, text), other._chart) == (text, 0, None)


def test_a_loaded_page_needs_no_chart(walked: Any) -> None:
    """The walk that was recorded is walked again from the file, and the chart is not built."""
    table = Table(read("websocket"))
    load(table, write(walked.machine.table))
    again = type(walked)(Machine(table, walked.machine.parameters))
    _story(again)
    assert (again.clauses, again.here(), table._chart) == (walked.clauses, walked.here(), None)
    assert [type(each).__name__ for each in again.effects] == ["StopClock", "Drop"]


def test_a_loaded_page_does_not_import_the_library(walked: Any, tmp_path: Any) -> None:
    """A process that loads the file walks the page without importing python-statemachine."""
    file = tmp_path / "websocket.paths.json"
    file.write_text(write(walked.machine.table))
    done = subprocess.run([sys.executable, "-c", WHOLE_WALK, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(len(walked.machine.table.logs)), "('closed',) True False"]


def test_the_file_reads(walked: Any) -> None:
    """The first line is a header, then each path is a line, sorted by where it begins."""
    header, *lines = [json.loads(line) for line in write(walked.machine.table).splitlines()]
    assert header == {
        "page": read("websocket").hash,
        "lifecycle": 1,
        "python-statemachine": "3.2.2",
        "paths": len(lines),
    }
    assert lines[0][:2] == [None, "@start"]
    befores = [line[0] or [] for line in lines]
    assert befores == sorted(befores)


def _damages(text: str) -> Iterator[tuple[str, str, str]]:
    header, *lines = text.splitlines(keepends=True)
    rest = "".join(lines)
    head = json.loads(header)

    def headed(**changed: Any) -> str:
        return json.dumps({**head, **changed}) + "\n"

    def row(line: Any) -> str:
        return headed(paths=len(lines) + 1) + rest + (line if isinstance(line, str) else json.dumps(line)) + "\n"

    yield "empty", "", "no header"
    yield "no header", rest, "no header"
    yield "another page", headed(page="0" * 64) + rest, "its page is"
    yield "another language", headed(lifecycle=2) + rest, "its lifecycle is"
    yield "another library", headed(**{"python-statemachine": "3.3.0"}) + rest, "its python-statemachine is"
    yield "cut off at a line", header + "".join(lines[:-1]), "its paths is"
    yield "cut off in a line", text[: len(text) - 9], ""
    yield "not JSON", "<!doctype html>", ""
    yield "a line that is not JSON", row("{"), ""
    yield "nested too deeply", "[" * 100_000, ""
    yield "no path", row({"a": 1}), "is no path"
    yield "no step", row([[0, 1], "connect", "?x", [0, 1]]), "is no part of a path"
    yield "another event", row([[0, 1], "unheard_of", "", None]), "does not fit"
    yield "another state", row([[0, 99], "connect", "", None]), "does not fit"
    yield "no number", row([[0, "1"], "connect", "", None]), "does not fit"
    yield "two states at once", row([[0, 1, 2], "connect", "", None]), "does not fit"
    yield "an action out of range", row([[0, 1], "disconnect", "!9999", [0, 1]]), "does not fit"
    yield "a guard out of range", row([[0, 1], "disconnect", "?9999y", [0, 1]]), "does not fit"
    yield "refused and yet done", row([[0, 1], "disconnect", "!1", None]), "does not fit"
    yield "no start", row([None, "@start", "", None]), "does not fit"
    yield "leads elsewhere", row([[0, 1], "disconnect", "", [0]]), "does not fit"
    yield "leaves what is not active", row([[0, 1], "disconnect", "-2", [0, 1]]), "does not fit"
    yield "contradicts", row([[0, 1], "connect", "", None]), "differ where"
    yield "contradicts, longer", row([None, "@start", "+0 +1 ?0y", [0, 1]]), "differ where"


NAMES = [name for name, _, _ in _damages('{"page":""}\n')]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_skipped_whole(name: str, walked: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is foreign or damaged adds nothing, and is told in one line."""
    (text, why) = next((text, why) for each, text, why in _damages(write(walked.machine.table)) if each == name)
    table = Table(read("websocket"))
    with caplog.at_level(logging.DEBUG):
        assert load(table, text) == 0
    assert (table.logs, table.paths, table.rows, table._trees, table._chart) == ([], [], {}, {}, None)
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("lifecycle.machine.files", "WARNING")
    assert line.getMessage().startswith("websocket: its file of paths is skipped: ")
    assert why in line.getMessage()


def test_a_file_that_contradicts_the_table_is_skipped(
    define: Callable[[str], Definition], begin: Any, caplog: Any
) -> None:
    """What was recorded here stays, if a file says otherwise."""
    definition = define("hears: {go: {}}\nstates: {a: {rest: true, clauses: {A1: {on: go, to: b}}}, b: {rest: true}}")
    w = begin(definition)
    w.start()
    w.tell("go")
    text = write(w.machine.table)
    table, before = w.machine.table, list(w.machine.table.logs)
    assert load(table, text.replace('[0,1],"go","-1 !0 +2",[0,2]', '[0,1],"go","-1 +1",[0,1]')) == 0
    assert table.logs == before
    assert "differ where" in caplog.text
