"""The commands that compare: diff of two pages, replay of a trace.

Law: as the command line's. Exit code 1 says that there is a difference, as `diff` does.
"""

import json
from pathlib import Path

import click

from lifecycle.definition.read import read
from lifecycle.errors import PageError

from .pages import BAD, FAILED, GOOD
from .work import prove_all


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def diff(old: str, new: str, as_json: bool) -> int:  # noqa: FBT001 -- click passes flags so
    """Tell what changed between two versions of a page: clauses, interface, laws, numbers.

    The last line says which part of a version number moves. Exit code 1 if anything changed.
    """
    from lifecycle.proof.diff import diff as compared
    from lifecycle.proof.diff import weight

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


_TRACE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("trace", type=_TRACE)
@click.argument("server", type=_TRACE, required=False)
@click.option(
    "--page",
    "pages",
    multiple=True,
    help="A page; if it is not said, the bundled one that the trace names. May be repeated, for the server's.",
)
@click.option("--format", "how", type=click.Choice(["table", "mermaid"]), help="Print all steps, too.")
def replay(trace: Path, server: Path | None, pages: tuple[str, ...], how: str | None) -> int:
    """Take a trace's steps again, one by one, and say where the machine does otherwise.

    With the trace of its SERVER beside, both are told as one story.
    """
    from lifecycle.testing.merge import merged, told
    from lifecycle.testing.replay import Replayed, text_of
    from lifecycle.testing.replay import replay as again
    from lifecycle.testing.story import sequence, table
    from lifecycle.testing.trace_lines import BadTrace

    known = [read(page) for page in pages]
    done: list[Replayed] = []
    for file in filter(None, (trace, server)):
        # one page for one trace is meant, whatever the trace calls it
        meant = known[0] if len(known) == 1 and server is None else known
        try:
            done.append(again(text_of(file).split("\n"), meant, name=str(file)))
        except BadTrace as error:
            click.echo(str(error), err=True)
            return BAD
        click.echo(str(done[-1]), err=how is not None or done[-1].difference is not None)
    if how is not None:
        story = told(done[0].lines) if server is None else merged(done[0].lines, done[1].lines)
        told_so = {"table": table, "mermaid": sequence}[how](story)
        # JSON may hold half a character, and no terminal can
        click.echo(told_so.encode(errors="replace").decode(), nl=False)
    return FAILED if any(one.difference for one in done) else GOOD
