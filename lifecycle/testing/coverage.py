"""Which clauses of which pages have fired, and which never: what a run of tests has exercised.

Law: it remembers names, and holds on to no page and no machine. A page is what it does: what fired in one
reading counts for all of them, and for no page that differs. A clause that the page's certificate rules
out, such as one of a used page, is no gap. Who does not record pays nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path as File
from unittest.mock import patch

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.machine.machine import Machine
from lifecycle.machine.path import Path
from lifecycle.machine.shipped import bring, certified
from lifecycle.machine.table import Table

Plain = Mapping[str, tuple[str, list[str]]]
"""The hash of a page to its file, if it has one, and the ids of its clauses that fired."""


@attrs.frozen
class Gap:
    """A clause that never fired: its id, and where it is written."""

    clause: str
    file: str
    line: int


@attrs.frozen
class PageCoverage:
    """What was exercised of a page.

    Attributes:
        page: its name.
        fired: the ids of the clauses that fired, in page order.
        never: the others that can fire.
        impossible: the ids of those that cannot, by the page's certificate.
    """

    page: str
    fired: tuple[str, ...]
    never: tuple[Gap, ...]
    impossible: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """The part of the clauses that can fire, and did; 0 to 100."""
        return 100 * len(self.fired) / (len(self.fired) + len(self.never)) if self.fired or self.never else 100.0


class Recorder:
    """Remembers what fires.

    Attributes:
        fired: the hash of a page to the ids of its clauses that fired.
        files: the hash of a page to a file that it was read from.
    """

    def __init__(self) -> None:
        self.fired: dict[str, set[str]] = {}
        self.files: dict[str, str] = {}
        self._looked: set[tuple[str, str]] = set()

    def note(self, page: Definition, clauses: Iterable[str]) -> None:
        """Remember a step of a machine."""
        key, name = page.hash, page.at.source.name
        if (key, name) not in self._looked:
            # once, and not only for the first reading, which may have been of a text
            self._looked.add((key, name))
            self.fired.setdefault(key, set())
            if File(name).is_file():
                self.files.setdefault(key, str(File(name).resolve()))
        self.fired[key].update(clauses)

    def plain(self) -> "Plain":
        """What it remembers, as plain data, for another process."""
        return {key: (self.files.get(key, ""), sorted(fired)) for key, fired in self.fired.items()}

    def add(self, plain: "Plain") -> None:
        """Remember what another recorder does."""
        for key, (file, fired) in plain.items():
            self.fired.setdefault(key, set()).update(fired)
            if file:
                self.files.setdefault(key, file)

    def of(self, page: Definition) -> PageCoverage:
        """What was exercised of a page."""
        fired = self.fired.get(page.hash, set())
        able = possible(page)
        never, impossible = [], []
        for name, clause in page.clauses.items():
            if name in fired:
                continue
            if able is not None and name not in able:
                impossible.append(name)
                continue
            source = clause.at.source
            never.append(Gap(name, source.name, source.position(clause.at.path, key=True)[0]))
        return PageCoverage(
            page.name, tuple(each for each in page.clauses if each in fired), tuple(never), tuple(impossible)
        )


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record every step of every machine in this process, until it is left."""
    recorder = Recorder()
    note = Machine._note  # noqa: SLF001 -- where every step passes; a hook of its own would cost all who do not record

    def noted(machine: Machine, path: Path) -> None:
        recorder.note(machine.definition, path.clauses)
        note(machine, path)

    with patch.object(Machine, "_note", noted):
        yield recorder


def possible(page: Definition) -> frozenset[str] | None:
    """The ids of the clauses that can fire, as it was certified; none if there is no certificate of this version."""
    if certified(page) != page.hash:
        return None
    table = Table(page)
    bring(table)
    actions = (table.plan.actions[number] for _, _, log, _ in table.logs for kind, number, _ in log if kind == "!")
    return frozenset(action.text for action in actions if action.kind == "clause") if table.logs else None
