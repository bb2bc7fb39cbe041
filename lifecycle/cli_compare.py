"""The commands that compare: diff of two pages, replay of a trace.

Law: as the command line's. Exit code 1 says that there is a difference, as `diff` does.
"""

import json
from pathlib import Path

import click

from .cli_pages import FAILED, GOOD
from .cli_work import prove_all
from .definition.read import read
from .errors import PageError


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def diff(old: str, new: str, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Tell what changed between two versions of a page: clauses, interface, laws, numbers.

    The last line says which part of a version number moves. Exit code 1 if anything changed.
    """
    from .proof.diff import diff as compared
    from .proof.diff import weight

    outcomes = prove_all([old, new])
    problems = [problem for one in outcomes for problem in one.problems]
    if problems:
        raise PageError(problems)
    for one in outcomes:
        if one.too_large:
            click.echo(f"{one.too_large}; laws and numbers are not compared", err=True)
    one, other = outcomes
    changes = compared(read(old), read(new), one.report, other.report)
    if as_json:
        rows = [{"kind": c.kind, "name": c.name, "how": c.how, "said": c.said, "weight": c.weight} for c in changes]
        click.echo(json.dumps({"changes": rows, "version": weight(changes)}, indent=2, ensure_ascii=False))
    else:
        for change in changes:
            click.echo(str(change))
        click.echo(f"version: {weight(changes) or 'nothing changed'}")
    return FAILED if changes else GOOD


@click.command()
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--page", help="The page; if it is not said, the bundled one that the trace names.")
def replay(trace: Path, page: str | None) -> int:
    """Take a trace's steps again, one by one, and say where the machine does otherwise."""
    from .testing.replay import replay as again

    lines = trace.read_text(encoding="utf-8").split("\n")
    done = again(lines, read(page) if page else None, name=str(trace))
    click.echo(str(done), err=done.difference is not None)
    return GOOD if done.difference is None else FAILED
