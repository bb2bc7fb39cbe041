"""The command that simulates: many seeds of pages on all cores, one seed again, or a herd.

Law: as the command line's. What held and what did not goes to stdout, how far it is to stderr. A violation is told with
one command that shows it again.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lifecycle.definition.read import read
from lifecycle.definition.units import say_seconds
from lifecycle.errors import PageError

from .pages import BAD, FAILED, GOOD, pages

if TYPE_CHECKING:
    from lifecycle.testing.schedule import Fault
    from lifecycle.testing.simulate.result import Result
    from lifecycle.testing.simulate.run import Done, Failure, Simulated

_DAY, _YEAR = 86_400.0, 365.25 * 86_400.0


@click.command()
@click.argument("paths", nargs=-1, metavar="[PAGE]...")
@click.option("--seeds", type=click.IntRange(min=1), default=200, show_default=True, help="How many, from 1 on.")
@click.option("--hours", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="How long each is.")
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A schedule of faults that happen besides.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Run this seed only, and tell how it went.")
@click.option("--only", metavar="NUMBERS", help="With --seed: these entries of its schedule only; none is none.")
@click.option("--herd", "clients", type=click.IntRange(min=1), help="So many clients against one recovering server.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --herd: the file of the plot; by default herd-PAGE.svg.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def simulate(  # noqa: PLR0917 -- click passes everything by name
    paths: tuple[str, ...],
    seeds: int,
    hours: float,
    faults_file: Path | None,
    seed: int | None,
    only: str | None,
    clients: int | None,
    output: Path | None,
    as_json: bool,  # noqa: FBT001 -- click passes flags so
) -> int:
    """Live through bad luck: the real driver on a virtual clock, with everything that may happen to it.

    Invariants are checked at every step. A seed that breaks one is shown with the shortest schedule that still does.
    """
    from lifecycle.testing.schedule import read_schedule

    faults = read_schedule(faults_file).faults if faults_file is not None else ()
    names = _simulated(paths)
    if not math.isfinite(hours):
        raise click.BadParameter("it must be a number that ends", param_hint="'--hours'")
    _check_options("--herd" if clients is not None else "--seed" if seed is not None else "")
    if (seed is not None or clients is not None) and len(names) != 1:
        raise click.UsageError("--seed and --herd need one page")
    late = sum(fault.at >= hours * 3600 for fault in faults)
    if late:
        click.echo(
            f"{faults_file}: {late} of {len(faults)} faults begin after --hours {hours:g}, and do not happen", err=True
        )
    if not names:
        return BAD
    if clients is not None:
        return _herd(names[0], clients, 1 if seed is None else seed, output, as_json=as_json)
    if seed is not None:
        return _one(names[0], seed, hours, faults, only, as_json=as_json)
    return _all(names, seeds, hours, faults, faults_file, as_json=as_json)


_NEEDS = {"--only": "--seed", "--output": "--herd"}
_MEANS = {"--herd": {"--output"}, "--seed": {"--hours", "--faults", "--only"}, "": {"--seeds", "--hours", "--faults"}}
_ALL = set[str]().union(*_MEANS.values())


def _check_options(mode: str) -> None:
    """Refuse options that would change nothing."""
    context = click.get_current_context()
    given = {
        option.opts[-1]
        for option in context.command.params
        if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    }
    vain = sorted(given & _ALL - _MEANS[mode])
    if vain:
        why = (
            f"{option} changes nothing with {mode}" if mode else f"{option} needs {_NEEDS[option]}" for option in vain
        )
        raise click.UsageError("; ".join(why))


def _simulated(paths: Sequence[str]) -> list[str]:
    """The pages that can be simulated; the others are told."""
    found: list[str] = []
    problems: list[Any] = []
    for name in pages(paths):
        try:
            page = read(name)
        except PageError as error:
            problems += error.problems
            continue
        if page.role is None or page.leaves:
            why = "a fragment, and is simulated in a page that uses it"
            click.echo(f"{page.name}: skipped, for it is {why}", err=True)
        else:
            found.append(name)
    if problems:
        raise PageError(problems)
    return found


@contextmanager
def _progress(what: str, seeds: int) -> "Iterator[Done]":
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=seeds)
        yield lambda more: progress.update(task, advance=more)


def _all(
    names: Sequence[str],
    seeds: int,
    hours: float,
    faults: "tuple[Fault, ...]",
    faults_file: Path | None,
    *,
    as_json: bool,
) -> int:
    from lifecycle.testing.simulate.run import simulate_page

    told = []
    for name in names:
        with _progress(f"simulating {name}", seeds) as done:
            found = simulate_page(
                name, range(1, seeds + 1), hours=hours, faults=faults, faults_file=str(faults_file or ""), done=done
            )
        told.append(found)
        if not as_json:
            click.echo("\n".join(_lines(found, hours)))
    if as_json:
        rows = [attrs.asdict(found) for found in told]
        good = not any(found.failed for found in told)
        click.echo(json.dumps({"hours": hours, "pages": rows, "held": good}, indent=2, ensure_ascii=False))
    return FAILED if any(found.failed for found in told) else GOOD


def _lines(found: "Simulated", hours: float) -> Iterator[str]:
    for note in found.notes:
        yield f"{found.page}: {note}"
    counts = ", ".join(f"{count:,} {what}" for what, count in found.counts.items())
    rate = found.lived / found.worked if found.worked else 0.0
    verdict = f"{len(found.failed)} FAILED" if found.failed else "kept"
    each = say_seconds(round(hours * 3600, 3))
    lived = f"{_long(found.lived)} lived, {rate:,.0f} x real time for one connection"
    yield f"{found.page}: {found.seeds:,} seeds of {each}: {verdict}; {lived}"
    yield f"  {counts}"
    if found.failure is not None:
        yield from _told(found.failure)


def _told(failure: "Failure") -> Iterator[str]:
    violation = failure.violation
    yield f"  seed {failure.seed} breaks `{violation.invariant}` after {violation.at:.3f} s: {violation.what}"
    yield from (f"    {line}" for line in violation.before)
    yield f"  the shortest schedule that does it, {len(failure.entries)} of {failure.whole} entries:"
    yield from (f"    {line}" for line in failure.entries)
    yield f"  {failure.command}"


def _long(seconds: float) -> str:
    if seconds >= _YEAR:
        return f"{seconds / _YEAR:.1f} years"
    return f"{seconds / _DAY:.1f} days" if seconds >= _DAY else f"{seconds / 3600:.1f} h"


def _one(name: str, seed: int, hours: float, faults: "tuple[Fault, ...]", only: str | None, *, as_json: bool) -> int:
    from lifecycle.testing.simulate.run import run_one, said

    try:
        result, entries = run_one(name, seed, hours=hours, faults=faults, only=_numbers(only))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        row = {**attrs.asdict(result), "entries": said(entries), "held": result.violation is None}
        click.echo(json.dumps(row, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_story(result, said(entries))))
    return GOOD if result.violation is None else FAILED


def _numbers(only: str | None) -> list[int] | None:
    if only is None or only == "none":
        return None if only is None else []
    try:
        numbers = [int(number) for number in only.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise click.UsageError("--only takes the numbers of entries with commas between, such as 3,17, or none")
    return numbers


def _story(result: "Result", entries: Sequence[str]) -> Iterator[str]:
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(result.counts.items()))
    yield from (f"  {line}" for line in entries)
    yield f"seed {result.seed}: {_long(result.seconds)} lived: {counts}"
    if result.violation is None:
        yield "every invariant was kept"
        return
    yield f"`{result.violation.invariant}` is broken after {result.violation.at:.3f} s: {result.violation.what}"
    yield from (f"  {line}" for line in result.violation.before)


def _herd(name: str, clients: int, seed: int, output: Path | None, *, as_json: bool) -> int:
    from lifecycle.testing.simulate.herd import plot, table, watch_herds

    herds = watch_herds(name, clients, seed=seed)
    page = read(name).name
    file = output or Path(f"herd-{page}.svg")
    try:
        file.write_text(plot(page, clients, herds), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    if as_json:
        rows = [{**attrs.asdict(each), "peak": each.peak} for each in herds]
        click.echo(json.dumps({"page": page, "clients": clients, "herds": rows, "plot": str(file)}, indent=2))
    else:
        click.echo(table(herds))
        click.echo(str(file))
    return GOOD
