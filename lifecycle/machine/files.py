"""Paths that were recorded before, as a file: so that a page runs without building its chart.

Law: a file is for one page, one version of the language and one version of the chart's library. It
is taken whole or not at all; one that does not fit is skipped with one line in the log, for what it
would have brought is recorded anew. The first line is a header, then one path a line, sorted.
"""

import json
import logging
import re
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from lifecycle.definition.definition import VERSION

from .path import Log
from .plan import START, Plan
from .table import Record, Table

_LOG = logging.getLogger(__name__)
_CHART = "python-statemachine"
# guards with their answers (?3y ?3n), actions (!5), states that are left (-2) and entered (+4)
_STEP = re.compile(r"(\?)(\d{1,6})([yn])|([!+-])(\d{1,6})")


def write(table: Table) -> str:
    """The file of all paths that a table has recorded."""
    rows = sorted(table.logs, key=_order)
    lines = [_header(table, len(rows)), *([before, event, _said(log), after] for before, event, log, after in rows)]
    return "".join(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines)


def load(table: Table, text: str) -> int:
    """Add the paths of a file to a table.

    Returns:
        How many of them the table did not have. None, with a line in the log, if the file is of
        another page or version, or is damaged.
    """
    had = len(table.logs)
    try:
        records = _records(table, text)
        trial = Table(table.definition)
        for record in (*table.logs, *records):
            trial.insert(*record)
    except (ValueError, RecursionError) as error:
        _LOG.warning("%s: its file of paths is skipped: %s", table.definition.name, error)
        return 0
    for record in records:
        table.insert(*record)
    return len(table.logs) - had


def _header(table: Table, count: int) -> dict[str, Any]:
    return {"page": table.definition.hash, "lifecycle": VERSION, _CHART: metadata.version(_CHART), "paths": count}


def _order(record: Record) -> tuple[Any, ...]:
    before, event, log, after = record
    return (before or (), event, log, after or ())


def _said(log: Log) -> str:
    return " ".join(f"{kind}{number}{('n', 'y')[answer] if kind == '?' else ''}" for kind, number, answer in log)


def _records(table: Table, text: str) -> list[Record]:
    header, *lines = [json.loads(line) for line in text.splitlines()] or [None]
    wanted = _header(table, len(lines))
    if not isinstance(header, dict) or header.keys() != wanted.keys():
        raise ValueError("it has no header")
    for name, value in wanted.items():
        if header[name] != value:
            raise ValueError(f"its {name} is {header[name]!r:.80}, not {value!r}")
    records = [_record(line) for line in lines]
    for number, record in enumerate(records, start=2):
        if not _fits(table.plan, record):
            raise ValueError(f"line {number} does not fit the page")
    return records


def _record(line: Any) -> Record:
    match line:
        case [None | list() as before, str(event), str(said), None | list() as after]:
            log = tuple(_step(step) for step in said.split(" ") if step)
            return (None if before is None else tuple(before), event, log, None if after is None else tuple(after))
    raise ValueError(f"{json.dumps(line)[:40]} is no path")


def _step(text: str) -> tuple[str, int, bool]:
    found = _STEP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no part of a path")
    return (found[1] or found[4], int(found[2] or found[5]), found[3] == "y")


def _fits(plan: Plan, record: Record) -> bool:
    """Whether there is all that a path speaks of, and it leads where it says."""
    before, event, log, after = record
    if event != START if before is None else event not in plan.alphabet or not _stands(plan, before):
        return False
    most = {"?": len(plan.guards), "!": len(plan.actions), "+": len(plan.states), "-": len(plan.states)}
    if any(number >= most[kind] for kind, number, _ in log):
        return False
    if after is None:
        return before is not None and all(kind == "?" for kind, _, _ in log)
    active = set(before or ())
    for kind, number, _ in log:
        # entered only from outside, left only from inside
        if kind in "+-" and (number in active) != (kind == "-"):
            return False
        active ^= {number} if kind in "+-" else set()
    return _stands(plan, after) and active == set(after)


def _stands(plan: Plan, states: tuple[Any, ...]) -> bool:
    """Whether states can be active together: the page, and in each one of its states, or all of its regions."""
    if not all(type(each) is int for each in states) or list(states) != sorted(set(states)):
        return False
    return set(states) == set(_inside(plan, 0, set(states)))


def _inside(plan: Plan, number: int, active: set[int]) -> Iterator[int]:
    yield number
    inner = [plan.number[state.path] for state in plan.states[number].states]
    here = [each for each in inner if each in active]
    if len(here) == (len(inner) if plan.states[number].parallel else min(1, len(inner))):
        for each in here:
            yield from _inside(plan, each, active)
