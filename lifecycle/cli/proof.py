"""The commands that prove: check, certify, vectors.

Law: as the command line's. What is proven goes to stdout, what is broken to stderr, with its way.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import read
from lifecycle.machine.shipped import FOLDER, PATHS

from .pages import BAD, FAILED, GOOD, pages, parameters
from .work import Outcome, prove_all

if TYPE_CHECKING:
    from lifecycle.proof.report import Report

_PARAMETER = click.option(
    "-p", "given", multiple=True, metavar="NAME=VALUE", help="Prove with another value of a parameter. May be repeated."
)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.option("-v", "--verbose", is_flag=True, help="Print each law, and each page's parameters, variables and calls.")
@click.option("--diagram", is_flag=True, help="Show how a law is broken as a Mermaid sequence diagram, too.")
@click.option(
    "--traces",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write how a law is broken to DIR/<page>.jsonl, to be replayed.",
)
@_PARAMETER
def check(  # noqa: PLR0917 -- one argument an option, as click passes them
    paths: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    diagram: bool,  # noqa: FBT001
    traces: Path | None,
    given: tuple[str, ...],
) -> int:
    """Prove pages: their form, and every law, against everything that a peer, a network and a user can do.

    Exit code 1: a law is broken, or a page is too large to be explored; 2: a page is wrong.
    """
    names = pages(paths)
    outcomes = prove_all(names, _given(names, given))
    if as_json:
        click.echo(json.dumps({"pages": [_plain(one) for one in outcomes]}, indent=2))
    for one in outcomes:
        if not as_json:
            _show(one, verbose=verbose, diagram=diagram)
        if traces is not None and one.report is not None and one.report.broken is not None:
            traces.mkdir(parents=True, exist_ok=True)
            lines = "".join(f"{line}\n" for line in one.report.broken.trace)
            (traces / f"{one.report.page}.jsonl").write_text(lines, encoding="utf-8")
    return _code(outcomes)


def _given(names: list[str], given: tuple[str, ...]) -> dict[str, Any]:
    if given and len(names) != 1:
        raise click.UsageError("-p is for one page: name it")
    return parameters(read(names[0]), given) if given else {}


def _code(outcomes: list[Outcome]) -> int:
    if any(one.problems for one in outcomes):
        return BAD
    broken = any(one.too_large or (one.report and one.report.broken) for one in outcomes)
    return FAILED if broken else GOOD


def _show(one: Outcome, *, verbose: bool, diagram: bool) -> None:
    for problem in one.problems:
        click.echo(str(problem), err=True)
    if one.too_large:
        click.echo(one.too_large, err=True)
    if one.report is None or one.definition is None:
        return
    report, broken = one.report, one.report.broken
    if broken is None:
        click.echo(summary(report))
    else:
        click.echo(broken.text, err=True)
        because = (f"because: {broken.because}",) if broken.because else ()
        for line in (*broken.lines, *(f"also: {more}" for more in broken.more), *because):
            click.echo(f"  {line}", err=True)
        if diagram and broken.diagram:
            click.echo(broken.diagram)
    if verbose:
        for row in report.laws:
            state = {True: "kept", False: "broken", None: "not judged"}[row.kept]
            click.echo(f"  law {row.law}: {row.said if row.kept and row.said else state}")
        _print_interface(one.definition)


def summary(report: "Report") -> str:
    """One line about a page that keeps its laws: how many, and its numbers."""
    told = [f"{row.law}: {row.said}" for row in report.laws if any(letter.isdigit() for letter in row.said)]
    noticed = [f"{number.name} {number.said}" for number in report.numbers if "half-open" in number.name]
    size = f"{report.nodes} states, {report.edges} transitions"
    return "; ".join([f"{report.page}: keeps {len(report.laws)} laws ({size})", *told, *noticed])


def _plain(one: Outcome) -> dict[str, Any]:
    report, page = one.report, one.definition
    problems = [
        {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "remedy": p.remedy, "text": str(p)}
        for p in one.problems
    ]
    row: dict[str, Any] = {"page": one.name, "good": bool(report and not report.broken), "problems": problems}
    if one.too_large:
        row["too_large"] = one.too_large
    if page is not None:
        row |= {"states": len(page.states), "clauses": len(page.clauses), "clocks": len(page.clocks), "hash": page.hash}
    if report is not None:
        row["laws"] = [{"law": each.law, "kept": each.kept, "said": each.said} for each in report.laws]
        row["numbers"] = dict(report.measures)
        row["explored"] = {"states": report.nodes, "transitions": report.edges}
        if report.broken is not None:
            broken = report.broken
            row["broken"] = {
                "law": broken.law, "what": broken.what, "remedy": broken.remedy, "text": broken.text,
                "trace": [json.loads(line) for line in broken.trace], "also": list(broken.more),
            }  # fmt: skip
    return row


def _print_interface(page: Definition) -> None:
    from lifecycle.definition.parameters import said

    for name, parameter in page.parameters.items():
        default, help_ = said(parameter, parameter.default), f"  {parameter.help}" if parameter.help else ""
        click.echo(f"  parameter {name}: {parameter.kind}, {default}  (from {page.origins[name]}){help_}")
    for name, variable in page.variables.items():
        click.echo(f"  variable {name}: {variable.kind}  (from {page.origins[name]})")
    for name, call in page.calls.items():
        takes, returns = ", ".join(call.takes) or "nothing", ", ".join(call.returns) or "nothing"
        click.echo(f"  call {name}: takes {takes}, returns {returns}  (from {page.origins[name]})")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; the folder `certificates` beside the page if it is not said.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; say which certificates are not fresh.")
@_PARAMETER
def certify(paths: tuple[str, ...], folder: Path | None, only_check: bool, given: tuple[str, ...]) -> int:  # noqa: FBT001
    """Write what is proven of each page, with its numbers: <page>.md, and the paths that make it start fast.

    A page that breaks a law gets none, and exit code 1.
    """
    from lifecycle.proof.certificate import certificate

    names = pages(paths)
    outcomes = prove_all(names, _given(names, given))
    wrong: list[str] = []
    written: dict[Path, set[str]] = {}
    for one in outcomes:
        if one.report is None or one.report.broken:
            _show(one, verbose=False, diagram=False)
            continue
        hosts = [other.report.page for other in outcomes if other.report and one.report.page in other.report.uses]
        place = folder or _beside(one)
        files = {
            f"{one.report.page}.md": certificate(one.report, hosts),
            f"{one.report.page}{PATHS}": one.report.paths,
        }
        written.setdefault(place, set()).update(files)
        for name, text in files.items():
            wrong += _put(place / name, text, only_check=only_check)
    if any(Path(path).is_dir() for path in paths):
        wrong += [
            f"{file}: there is no such page"
            for place, known in written.items()
            for file in sorted(place.glob("*.*"))
            if file.name not in known
        ]
    for line in wrong if only_check else ():
        click.echo(line, err=True)
    return _code(outcomes) or (FAILED if only_check and wrong else GOOD)


def _beside(one: Outcome) -> Path:
    if one.definition is None:  # pragma: no cover -- what was proven is a page
        raise TypeError(one)
    return Path(one.definition.at.source.name).parent / FOLDER


def _put(file: Path, text: str, *, only_check: bool) -> list[str]:
    old = file.read_text(encoding="utf-8") if file.is_file() else None
    if only_check:
        return (
            []
            if old == text
            else [f"{file}: {'is not fresh' if old is not None else 'is missing'}: run `lifecycle certify`"]
        )
    if old != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        click.echo(str(file))
    return []


@click.command()
@click.argument("page")
@_PARAMETER
def vectors(page: str, given: tuple[str, ...]) -> int:
    """Print conformance vectors of a page as JSON: for each clause a step, with states before and after."""
    from lifecycle.proof.prove import prove
    from lifecycle.proof.vectors import vectors as made

    definition = read(page)
    click.echo(json.dumps(made(prove(definition, parameters(definition, given)).graphs), indent=2, ensure_ascii=False))
    return GOOD
