"""The command line: parses, calls, prints; decides nothing.

Law: exit 0 good, 1 a check failed, 2 bad input. Messages go to stderr, results to stdout; nobody
sees a traceback for what they typed.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from lifecycle.definition.read import read
from lifecycle.errors import LifecycleError, PageError, WrongParameters

from .compare import diff, replay
from .doctor import doctor
from .monitor import monitor
from .pages import BAD, FAILED, GOOD, calls, pages
from .pages import parameters as parsed
from .proof import certify, check, vectors
from .proxy import proxy
from .registry import registry
from .simulate import simulate
from .stubs import stubs

FORMATS = {"mermaid": "mmd", "dot": "dot", "svg": "svg", "table": "md"}
"""What can be drawn, and the ending of its file."""


_TRACE = click.option(
    "--trace", type=click.Path(dir_okay=False, path_type=Path), help="Write all that happens to a file, to be replayed."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="connection-lifecycle", prog_name="lifecycle")
def cli() -> None:
    """Pages of YAML as connection lifecycles: checked, drawn, and run.

    A PATH is a page's file, a folder of pages, or the name of a bundled page.
    """


for _command in (check, certify, diff, doctor, vectors, replay, monitor, stubs, proxy, registry, simulate):
    cli.add_command(_command)


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
    from lifecycle import draw as drawing

    definitions = [read(name) for name in pages(paths)]
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
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the page, as YAML, or of its calls, such as the token of openclaw-gateway. May be repeated.",
)
@_TRACE
@click.option("--json", "as_json", is_flag=True, help="Print messages and steps as JSON lines.")
def connect(page: str, url: str, parameters: tuple[str, ...], trace: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """Stay connected to URL: lines of stdin go out, messages come in."""
    from lifecycle.trio.console import run_console

    definition = read(page)
    made, left = calls(definition, parameters)
    return run_console(definition, {**parsed(definition, left), "url": url}, made, trace, as_json=as_json)


@cli.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="How long at least; every fault is done once in any case.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides jitter and the order of faults.")
@_TRACE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(seconds: float, seed: int, trace: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """Watch a connection survive what real networks do; exit 1 if a message is unaccounted for."""
    from lifecycle.testing.demo.screen import run_demo

    return GOOD if run_demo(seconds, seed, trace, as_json=as_json) else FAILED


@cli.command()
def schema() -> int:
    """Print the JSON Schema of pages, for editors."""
    from lifecycle.definition.schema import text

    click.echo(text(), nl=False)
    return GOOD


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
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        click.echo(f"{error.filename}: {error.strerror}", err=True)
        return BAD
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return GOOD
    return code if isinstance(code, int) else GOOD
