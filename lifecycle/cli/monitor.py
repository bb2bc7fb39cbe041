"""The command that watches a foreign client: reports as JSON lines, from a file or as they come.

Law: as the command line's. It ends with 1 at the first thing that the page forbids, with its line; with 2 at a
line that is no report. Time is what the lines say.
"""

import json
from collections.abc import Iterator
from typing import IO, Any

import attrs
import click

from lifecycle.definition.problem import Problem
from lifecycle.definition.read import read
from lifecycle.errors import PageError
from lifecycle.wire.codec import Undecodable, from_json
from lifecycle.wire.monitor import SLACK, Monitor
from lifecycle.wire.monitor import monitor as begin

from .pages import FAILED, GOOD, parameters

_LONGEST = 16 * 1024 * 1024
_LATEST = 1e15
_STDIN = "<stdin>"
_FORM = 'write {"at": seconds} with "event", "clause", "end", "message" or "states"; or with the keys of a message'


@click.command
@click.argument("page")
@click.argument("reports", default="-", metavar="[FILE|-]", type=click.File("r", encoding="utf-8", lazy=False))
@click.option("-p", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the page. May be repeated.")
@click.option(
    "--slack",
    type=click.FloatRange(min=0),
    default=SLACK,
    show_default=True,
    help="By how many seconds the times of two reports may be off against each other.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def monitor(page: str, reports: IO[str], given: tuple[str, ...], slack: float, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Hold what a client of any make reports against PAGE, until the first thing that the page forbids.

    Each line of FILE, or of stdin as they come, is a JSON object: "at", in seconds, and what was reported then:
    "event" with "fields", "clause", "end", "message", or the keys of a message. "states" says where the client is; "at"
    alone says that nothing was reported until then.
    """
    definition = read(page)
    watched = begin(definition, slack, **parameters(definition, given))
    lines = _lines(reports)
    for number, line in lines:
        try:
            found = _follow(watched, line, number)
        except ValueError as error:
            raise PageError([_problem(reports, number, error), *_more(reports, lines)]) from None
        if found:
            break
    findings = watched.findings
    if as_json:
        rows = [{"file": reports.name, **attrs.asdict(finding)} for finding in findings]
        counts = {key: getattr(watched, key) for key in ("reports", "steps", "unrouted", "stale", "states", "status")}
        click.echo(json.dumps({"findings": rows, **counts}, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(f"{reports.name}:{finding.line}: {finding}")
    click.echo(_summary(watched), err=True)
    return FAILED if findings else GOOD


def _lines(reports: IO[str]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, empty ones left out."""
    number = 0
    try:
        while line := reports.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST:
                raise PageError([_problem(reports, number, f"the line has {_LONGEST} characters or more")])
            if line.strip():
                yield number, line
    except UnicodeDecodeError:
        raise PageError([_problem(reports, number + 1, "what follows is no UTF-8")]) from None


def _row(line: str) -> dict[str, Any]:
    """A report with its time.

    Raises:
        ValueError: it is none.
    """
    try:
        row: dict[str, Any] = from_json(line)
    except Undecodable as error:
        raise ValueError(f"{error}: {_FORM}") from None
    at = row.get("at") if isinstance(row, dict) else None
    if not isinstance(at, int | float) or isinstance(at, bool) or not abs(at) <= _LATEST:
        raise ValueError(f"this has no time: {_FORM}")
    return row


def _follow(watched: Monitor, line: str, number: int) -> bool:
    """Take a line; whether something was found."""
    row = _row(line)
    at = float(row.pop("at"))
    if not row:
        return bool(watched.passed(at=at, line=number))
    if row.keys() == {"states"} and _are_names(row["states"]):
        return bool(watched.place(*row["states"], at=at, line=number))
    return bool(watched.report(row, at=at, line=number))


def _more(reports: IO[str], lines: Iterator[tuple[int, str]]) -> Iterator[Problem]:
    """What else is wrong in a file; whoever still writes is not waited for."""
    for number, line in lines if reports.name != _STDIN else ():
        try:
            _row(line)
        except ValueError as error:
            yield _problem(reports, number, error)


def _are_names(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def _problem(reports: IO[str], number: int, what: object) -> Problem:
    return Problem(file=reports.name, line=number, column=1, what=str(what))


def _summary(watched: Monitor) -> str:
    said = f"{watched.reports} reports, {watched.steps} steps"
    said += f", {watched.unrouted} that no route took" if watched.unrouted else ""
    said += f", {watched.stale} of what was given up" if watched.stale else ""
    return f"{said}; now in {' + '.join(watched.states)} ({watched.status})"
