"""A plugin of pytest: `--lifecycle-coverage` tells which clauses of which pages the tests exercise, and which never.

Law: without its option it does nothing and imports nothing, for pytest loads it in every run. With it, every step of
every machine in this process, and in the workers of pytest-xdist, is counted.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lifecycle.definition.definition import Definition
    from lifecycle.testing.coverage import PageCoverage

_SENT = "lifecycle_coverage"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("lifecycle", "lifecycle: which clauses of pages are exercised")
    # not one option with a value that may be left out: it would take the name of a test behind it for a page
    group.addoption(
        "--lifecycle-coverage",
        action="store_true",
        help="Tell which clauses the tests exercise, and which never: of each page below the root directory, and each"
        " bundled one, that they run.",
    )
    group.addoption(
        "--lifecycle-coverage-of",
        action="append",
        default=[],
        metavar="PAGE",
        help="The same of PAGE, whether they run it or not: a page's file, a folder of pages, or the name of a bundled"
        " page; may be repeated.",
    )
    group.addoption(
        "--lifecycle-coverage-fail-under",
        type=float,
        metavar="MIN",
        help="Fail if less than MIN percent of the clauses of any of these pages are exercised.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, if that is wanted."""
    if config.getoption("lifecycle_coverage") or config.getoption("lifecycle_coverage_of"):
        config.pluginmanager.register(_Counting(config), "lifecycle-counting")
    elif config.getoption("lifecycle_coverage_fail_under") is not None:
        raise pytest.UsageError("--lifecycle-coverage-fail-under needs --lifecycle-coverage")


class _Counting:
    """One session in which clauses are counted."""

    def __init__(self, config: pytest.Config) -> None:
        from .coverage import recording

        self.config = config
        self.least: float | None = config.getoption("lifecycle_coverage_fail_under")
        self.pages = _pages(config.getoption("lifecycle_coverage_of") or ())
        self.found: list[PageCoverage] | None = None
        stack = ExitStack()
        self.recorder = stack.enter_context(recording())
        config.add_cleanup(stack.close)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist has counted; one that crashed has sent nothing."""
        self.recorder.add(getattr(node, "workeroutput", {}).get(_SENT, {}))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge; a worker sends what it has counted to whoever judges."""
        sent = getattr(self.config, "workeroutput", None)
        if sent is not None:
            sent[_SENT] = self.recorder.plain()
        elif not self.config.getoption("collectonly"):
            self.found = [self.recorder.of(page) for page in self._reported()]
            if self._failed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell of each page how many of its clauses were exercised, and of each other one where it is."""
        if self.found is None:
            return
        out = terminalreporter
        out.section("clauses of pages")
        if not self.found:
            failed = "FAILED: " if self.least is not None else ""
            out.line(f"{failed}no page was run; what should have been can be named: --lifecycle-coverage-of=PAGE")
        width = max((len(one.page) for one in self.found), default=0)
        for one in self.found:
            out.line(
                f"{one.page:{width}}  {len(one.fired):3} of {len(one.fired) + len(one.never):3} exercised"
                f"  {_said(one.percent):>6} %{f'; {len(one.impossible)} cannot fire' if one.impossible else ''}"
            )
            for gap in one.never:
                out.line(f"  never {gap.clause}  {self._short_path(gap.file)}:{gap.line}", yellow=True)
        for one in self._short():
            less = (
                f"{_said(one.percent)} % of its clauses, and --lifecycle-coverage-fail-under asks for {self.least:g} %"
            )
            out.line(f"FAILED: {one.page}: the tests exercise {less}", red=True)

    @property
    def _failed(self) -> bool:
        # a page that moved away must not turn a gate green
        return bool(self._short()) or (self.least is not None and not self.found)

    def _short(self) -> "list[PageCoverage]":
        return [one for one in self.found or () if self.least is not None and one.percent < self.least]

    def _reported(self) -> "list[Definition]":
        from lifecycle.definition.read import read, specs
        from lifecycle.errors import PageError

        pages = {page.hash: page for page in self.pages}
        homes = (self.config.rootpath.resolve(), specs().resolve())
        for key, name in self.recorder.files.items() if self.config.getoption("lifecycle_coverage") else ():
            file = Path(name)
            if key in pages or not any(file.is_relative_to(home) for home in homes):
                continue
            try:
                page = read(file)
            except PageError:  # a test has changed the file
                continue
            if page.hash == key:
                pages[key] = page
        return sorted(pages.values(), key=lambda page: page.name)

    def _short_path(self, name: str) -> str:
        file, root = Path(name).resolve(), self.config.rootpath.resolve()
        return str(file.relative_to(root)) if file.is_relative_to(root) else name


def _pages(names: "Iterable[str]") -> "list[Definition]":
    """The pages that were asked for; a folder stands for those in it."""
    from lifecycle.definition.read import read
    from lifecycle.errors import PageError

    found, wrong = [], []
    for name in names:
        folder = Path(name)
        inside = sorted(folder.glob("*.yaml")) if folder.is_dir() else [name]
        wrong += [] if inside else [f"--lifecycle-coverage-of={name}: the folder holds no pages (*.yaml)"]
        for each in inside:
            try:
                found.append(read(each))
            except PageError as error:
                wrong.append(f"--lifecycle-coverage-of={name}: {error}")
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    return found


def _said(percent: float) -> str:
    """Percent without rounding up: 100 is said of all only."""
    return f"{int(percent * 10) / 10:g}"
