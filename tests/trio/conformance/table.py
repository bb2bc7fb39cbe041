"""The table of the matrix: how many tests of each theme passed in each column.

Made of the reports themselves, so that it is the same when workers of pytest-xdist have run the tests.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from .subject import LIBRARIES, WIRES

Cell = tuple[str, str, str]  # a theme and its side, a library, a wire

TOLD = "lane of the matrix"


def counted(reports: Iterable[pytest.TestReport]) -> tuple[Counter[Cell], Counter[Cell]]:
    """How many tests of each cell passed, and how many there were.

    A test has passed if nothing of it has failed: not its setup, not itself, not what comes after.
    """
    cells: dict[str, Cell] = {}
    bad: set[str] = set()
    for report in reports:
        for library, wire, side in (value for name, value in report.user_properties if name == TOLD):
            theme = PurePosixPath(report.nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")
            cells[report.nodeid] = (theme if side in theme else f"{theme}, {side}", library, wire)
        if not report.passed:
            bad.add(report.nodeid)
    return Counter(cell for nodeid, cell in cells.items() if nodeid not in bad), Counter(cells.values())


def table(passed: Counter[Cell], total: Counter[Cell]) -> list[str]:
    """Rows are themes, columns are libraries and wires; a cell says how many passed of how many."""
    columns = [(library, wire) for library in LIBRARIES for wire in WIRES]
    width = max(map(len, WIRES)) + 1
    themes = sorted({theme for theme, _, _ in total})
    first = max(map(len, themes), default=0)
    lines = [
        " " * first + "".join(f" {library:<{width * len(WIRES) - 1}}" for library in LIBRARIES),
        " " * first + "".join(f"{wire:>{width}}" for _, wire in columns),
    ]
    for theme in themes:
        cells = [(theme, *column) for column in columns]
        said = [f"{passed[cell]}/{total[cell]}" if total[cell] else "-" for cell in cells]
        lines.append(f"{theme:<{first}}" + "".join(f"{text:>{width}}" for text in said))
    return [*lines, f"{passed.total()} of {total.total()} passed"]


def tell(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, of whatever ran."""
    reports = [
        report for found in terminalreporter.stats.values() for report in found if isinstance(report, pytest.TestReport)
    ]
    passed, total = counted(reports)
    if total:
        terminalreporter.section("conformance of transports")
        for line in table(passed, total):
            terminalreporter.line(line)
