"""The matrix: each test of this suite that asks for a `lane` runs once for each library, wire and side.

`@pytest.mark.matrix(libraries=…, wires=…, sides=…)` runs it on some of them only. At the end a table tells, from the
reports themselves, how many tests of each theme passed in each column.
"""

import ssl
from collections.abc import Iterator

import attrs
import pytest
import trio
import trustme

from .subject import HOSTNAME, LIBRARIES, WIRES, Lane
from .table import TOLD

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]

SIDES = ("client", "server")
LIMIT = 10.0
SEED = 1729


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
        item.user_properties.append((TOLD, attrs.astuple(column)))
