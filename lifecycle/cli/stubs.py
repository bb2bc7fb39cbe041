"""The command that writes a page's types: stubs.

Law: as the command line's. What is written is a module of types; with --check nothing is.
"""

from pathlib import Path

import click

from lifecycle.definition.read import read

from .pages import FAILED, GOOD


@click.command()
@click.argument("page")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the module; without it, stdout.",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; fail if the file says anything else than the page."
)
def stubs(page: str, file: Path | None, only_check: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Write the types of PAGE as a Python module: its calls, parameters, wishes and messages.

    mypy and pyright then check the program that uses the page. PAGE is a page's file, or the name of a bundled one.
    """
    from lifecycle.draw.drawing import write
    from lifecycle.draw.stubs import stubs as types

    if only_check and file is None:
        raise click.UsageError("--check compares a file: name it with -o")
    made = types(read(page))
    if file is None:
        click.echo(made, nl=False)
        return GOOD
    try:
        if only_check:
            return _compare(file, made)
        write(file, made)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    click.echo(str(file))
    return GOOD


def _compare(file: Path, made: str) -> int:
    from lifecycle.draw.stubs import same

    try:
        wrong = "" if same(file.read_text(encoding="utf-8"), made) else "is out of date"
    except FileNotFoundError:
        wrong = "is missing"
    except UnicodeDecodeError:
        wrong = "is not text"
    if wrong:
        click.echo(f"{file} {wrong}; run `lifecycle stubs` without --check", err=True)
    return FAILED if wrong else GOOD
