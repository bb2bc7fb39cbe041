"""The command line: parses, calls, prints; decides nothing.

Law: exit 0 good, 1 a check failed, 2 bad input. Messages go to stderr, results to stdout; nobody
sees a traceback for what they typed.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from .definition.definition import Definition
from .definition.read import bundled, read
from .errors import LifecycleError, PageError, WrongParameters

GOOD, FAILED, BAD = 0, 1, 2
FORMATS = {"mermaid": "mmd", "dot": "dot", "svg": "svg", "table": "md"}
"""What can be drawn, and the ending of its file."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="connection-lifecycle", prog_name="lifecycle")
def cli() -> None:
    """Pages of YAML as connection lifecycles: checked, drawn, and run.

    A PATH is a page's file, a folder of pages, or the name of a bundled page.
    """


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Print each page's parameters, variables and calls, and where they come from."
)
def check(paths: tuple[str, ...], as_json: bool, verbose: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Check the form of pages: shape, names, reachability, timers, determinism."""
    reports = [_report(name) for name in _pages(paths)]
    if as_json:
        click.echo(json.dumps({"pages": [report for report, _ in reports]}, indent=2))
    for report, definition in reports:
        if definition is None:
            for problem in report["problems"]:
                click.echo(problem["text"], err=True)
        elif not as_json:
            counts = ", ".join(f"{report[what]} {what}" for what in ("states", "clauses", "clocks"))
            click.echo(f"{report['page']}: good ({counts})")
            if verbose:
                _print_interface(definition)
    return BAD if any(definition is None for _, definition in reports) else GOOD


def _report(name: str) -> tuple[dict[str, Any], Definition | None]:
    try:
        page = read(name)
    except PageError as error:
        problems = [
            {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "remedy": p.remedy, "text": str(p)}
            for p in error.problems
        ]
        return {"page": name, "good": False, "problems": problems}, None
    counts = {"states": len(page.states), "clauses": len(page.clauses), "clocks": len(page.clocks)}
    return {"page": name, "good": True, "problems": [], **counts, "hash": page.hash}, page


def _print_interface(page: Definition) -> None:
    from .definition.parameters import said

    for name, parameter in page.parameters.items():
        default, help_ = said(parameter, parameter.default), f"  {parameter.help}" if parameter.help else ""
        click.echo(f"  parameter {name}: {parameter.kind}, {default}  (from {page.origins[name]}){help_}")
    for name, variable in page.variables.items():
        click.echo(f"  variable {name}: {variable.kind}  (from {page.origins[name]})")
    for name, call in page.calls.items():
        takes, returns = ", ".join(call.takes) or "nothing", ", ".join(call.returns) or "nothing"
        click.echo(f"  call {name}: takes {takes}, returns {returns}  (from {page.origins[name]})")


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("diagrams"),
    show_default=True,
    help="The folder of the drawings.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="What to write; by default everything. May be repeated.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if the drawings differ from the pages.")
def draw(paths: tuple[str, ...], folder: Path, formats: tuple[str, ...], only_check: bool) -> int:  # noqa: FBT001
    """Draw pages: Mermaid, DOT, SVG, and a table of transitions."""
    from . import draw as drawing

    definitions = [read(name) for name in _pages(paths)]
    if only_check:
        differences = drawing.check(definitions, folder)
        for difference in differences:
            click.echo(difference, err=True)
        verdict = "the drawings are out of date" if differences else "the drawings are those of the pages"
        click.echo(f"{len(definitions)} pages: {verdict}")
        return FAILED if differences else GOOD
    for definition in definitions:
        for file in drawing.draw(definition, folder, [FORMATS[name] for name in formats or FORMATS]):
            click.echo(str(file))
    return GOOD


@cli.command()
@click.argument("page")
@click.argument("url")
@click.option(
    "-p", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the page, as YAML. May be repeated."
)
@click.option(
    "--trace", type=click.Path(dir_okay=False, path_type=Path), help="Write each step to a file, as JSON lines."
)
@click.option("--json", "as_json", is_flag=True, help="Print messages and steps as JSON lines.")
def connect(page: str, url: str, parameters: tuple[str, ...], trace: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """Stay connected to URL: lines of stdin go out, messages come in."""
    from .trio.console import run_console

    definition = read(page)
    return run_console(definition, {**_parameters(definition, parameters), "url": url}, trace, as_json=as_json)


def _parameters(page: Definition, given: Sequence[str]) -> dict[str, Any]:
    from .definition.read.yaml12 import Unreadable, read_text

    found, wrong = {}, []
    for pair in given:
        name, equals, text = pair.partition("=")
        kind = page.parameters[name].kind if name in page.parameters else None
        try:
            # what is a text stays one, whatever YAML would make of it
            value = text if kind in ("text", "secret", "url") else read_text(text or "''", f"-p {name}")[0]
            found[name] = None if value == "none" else value
        except Unreadable as error:
            wrong += [f"-p {name}: {problem.what}" for problem in error.problems]
        if not equals:
            wrong.append(f"-p {pair}: write NAME=VALUE")
    if wrong:
        raise WrongParameters(page.name, wrong)
    return found


@cli.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="How long at least; every fault is done once in any case.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides jitter and the order of faults.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(seconds: float, seed: int, as_json: bool) -> int:  # noqa: FBT001
    """Watch a connection survive what real networks do; exit 1 if a message is unaccounted for."""
    from .testing.demo_screen import run_demo

    return GOOD if run_demo(seconds, seed, as_json=as_json) else FAILED


@cli.command()
def schema() -> int:
    """Print the JSON Schema of pages, for editors."""
    from .definition.schema import text

    click.echo(text(), nl=False)
    return GOOD


def _pages(paths: Sequence[str]) -> list[str]:
    """Names and files of pages; a folder stands for the pages in it."""
    found: list[str] = []
    for path in paths or bundled():
        folder = Path(path)
        if folder.is_dir():
            inside = sorted(str(file) for file in folder.glob("*.yaml"))
            if not inside:
                raise click.UsageError(f"the folder {path} holds no pages (*.yaml)")
            found += inside
        else:
            found.append(path)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(_run(lambda: cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)))


def _run(command: Callable[[], Any]) -> int:
    try:
        code = command()
    except click.ClickException as error:
        error.show()
        return BAD
    except click.Abort:
        return 130
    except (PageError, WrongParameters) as error:
        click.echo(str(error), err=True)
        return BAD
    except LifecycleError as error:
        click.echo(str(error), err=True)
        return FAILED
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return GOOD
    return code if isinstance(code, int) else GOOD
