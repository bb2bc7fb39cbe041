"""The matrix: each test of this suite that asks for a `lane` runs once for each library, wire and side.

`@pytest.mark.matrix(libraries=…, wires=…, sides=…)` runs it on some of them only. At the end a table tells, from the
reports themselves, how many tests of each theme passed in each column.
"""

import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import attrs
import pytest
import trio
import trustme

from .subject import HOSTNAME, LIBRARIES, WIRES, Lane

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
Cell = tuple[str, str, str]  # a theme and its side, a library, a wire

SIDES = ("client", "server")
LIMIT = 10.0
SEED = 1729

_TOLD = "lane of the matrix"


def pytest_configure(config: pytest.Config) -> None:
    """Register our marker."""
    config.addinivalue_line("markers", "matrix(libraries, wires, sides): run this test on these lanes only")


@attrs.frozen
class Column:
    """A lane before its contexts are made."""

    library: str
    wire: str
    side: str

    def __str__(self) -> str:
        return f"{self.library}, {self.wire}, {self.side}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread a test over its lanes; one that speaks to a socket runs by the real clock."""
    if "lane" not in metafunc.fixturenames:
        return
    chosen = {"libraries": LIBRARIES, "wires": WIRES, "sides": SIDES}
    # the closest one comes first, and counts most
    for marker in reversed(list(metafunc.definition.iter_markers("matrix"))):
        chosen.update(marker.kwargs)
    columns = [
        Column(library, wire, side)
        for side in chosen["sides"]
        for library in chosen["libraries"]
        for wire in chosen["wires"]
    ]
    metafunc.parametrize(
        "lane",
        [
            pytest.param(
                column, id=str(column), marks=[pytest.mark.real_time(limit=LIMIT)] if "socket" in column.wire else []
            )
            for column in columns
        ],
        indirect=True,
    )


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trio's scheduler, which shuffles the tasks that are ready, do so in the same way each time."""
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    trio._core._run._r.seed(SEED)


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    """A client's context that trusts, and a server's that is trusted."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOSTNAME).configure_cert(theirs)
    authority.configure_trust(ours)
    return ours, theirs


@pytest.fixture
def lane(request: pytest.FixtureRequest, contexts: Contexts) -> Iterator[Lane]:
    """One column of the matrix."""
    column = request.param
    lane = Lane(column.library, column.wire, column.side, contexts)
    yield lane
    for sock in lane.sockets:
        sock.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Write into the reports of a test which lane it ran on."""
    column = getattr(item, "callspec", None) and item.callspec.params.get("lane")
    if isinstance(column, Column):
        item.user_properties.append((_TOLD, attrs.astuple(column)))


def counted(reports: Iterable[pytest.TestReport]) -> tuple[Counter[Cell], Counter[Cell]]:
    """How many tests of each cell passed, and how many there were.

    A test has passed if nothing of it has failed: not its setup, not itself, not what comes after.
    """
    cells: dict[str, Cell] = {}
    bad: set[str] = set()
    for report in reports:
        for library, wire, side in (value for name, value in report.user_properties if name == _TOLD):
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, of whatever ran."""
    reports = [
        report for found in terminalreporter.stats.values() for report in found if isinstance(report, pytest.TestReport)
    ]
    passed, total = counted(reports)
    if total:
        terminalreporter.section("conformance of transports")
        for line in table(passed, total):
            terminalreporter.line(line)
