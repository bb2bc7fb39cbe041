"""What commands take: pages by name, file or folder, and parameters as NAME=VALUE.

Law: what a user typed wrong is told in their words, all of it.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lifecycle.definition.definition import Definition
from lifecycle.definition.read import bundled
from lifecycle.errors import WrongParameters

GOOD, FAILED, BAD = 0, 1, 2


def pages(paths: Sequence[str]) -> list[str]:
    """Names and files of pages; a folder stands for the pages in it, nothing for the bundled ones."""
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


def calls(page: Definition, given: Sequence[str]) -> tuple[object, list[str]]:
    """The calls of a page that a bundled system has, made of those NAME=VALUE that they take; and what is left.

    Raises:
        UsageError: the extra of the system is not installed.
        WrongParameters: the system says so.
    """
    from lifecycle.systems import maker

    try:
        make = maker(page.name)
    except ModuleNotFoundError as error:
        raise click.UsageError(str(error)) from None
    if make is None:
        return None, list(given)
    pairs = [pair.partition("=") for pair in given]
    taken = inspect.signature(make).parameters
    return make(**{name: text for name, _, text in pairs if name in taken}), [
        "".join(pair) for pair in pairs if pair[0] not in taken
    ]


def parameters(page: Definition, given: Sequence[str]) -> dict[str, Any]:
    """Parameters from NAME=VALUE, read by their types.

    Raises:
        WrongParameters: what is written is no value; all wrong ones at once.
    """
    from lifecycle.definition.read.yaml12 import Unreadable, read_text

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
