"""The drawings of a page as files.

Law: everything is drawn before anything is written, and each file is replaced at once, so that
nothing half-written is ever seen.
"""

import os
from collections.abc import Iterable
from pathlib import Path as File

from lifecycle.definition.definition import Definition

from .dot import dot
from .graph import graph
from .mermaid import mermaid
from .svg import svg
from .tables import tables

FORMATS = ("mmd", "dot", "svg", "md")
KEPT = frozenset({"README.md"})
"""What may stand beside the drawings."""


def file_name(definition: Definition, format_: str) -> str:
    """How the drawing of a page is called."""
    return f"{definition.name}.{format_}"


def text(definition: Definition, format_: str) -> str:
    """A page in one of the formats.

    Raises:
        CannotDraw: svg, and what draws it is not installed.
        ValueError: there is no such format.
    """
    match format_:
        case "mmd":
            return mermaid(graph(definition))
        case "dot":
            return dot(graph(definition))
        case "svg":
            return svg(dot(graph(definition)), definition.name)
        case "md":
            return tables(definition)
    raise ValueError(f"there is no format `{format_}`: there is {', '.join(FORMATS)}")


def draw(definition: Definition, folder: str | os.PathLike[str], formats: Iterable[str] = FORMATS) -> list[File]:
    """Draw a page into files.

    Args:
        definition: the page.
        folder: where to; made if it is not there.
        formats: which of `mmd`, `dot`, `svg`, `md`.

    Returns:
        The files, one a format.

    Raises:
        CannotDraw: svg is wanted, and what draws it is not installed; then nothing is written.
        ValueError: there is no such format.
        OSError: the folder cannot be written to.
    """
    drawn = {File(folder) / file_name(definition, each): text(definition, each) for each in formats}
    for file, content in drawn.items():
        write(file, content)
    return list(drawn)


def write(file: File, content: str) -> None:
    """Replace a file at once, or leave it as it was.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(content, encoding="utf-8", newline="\n")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
