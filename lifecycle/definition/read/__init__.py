"""The only reader of YAML: a page's file, or a bundled page's name, to a `Definition`.

Law: all problems at once, each with file, line, column, what and remedy; a bad page never
half-loads. The forms are checked here; what a page promises is proven elsewhere.
"""

import functools
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path as File
from typing import Any

import attrs

from lifecycle.definition import presets
from lifecycle.definition.definition import Definition
from lifecycle.definition.flatten import flatten
from lifecycle.definition.grow import grow
from lifecycle.definition.lint import lint
from lifecycle.definition.page import Cause, Page
from lifecycle.definition.problem import Problem, Source, Spot, did_you_mean
from lifecycle.errors import PageError

from . import yaml12
from .structure import converter, structure

PageLike = str | os.PathLike[str] | Definition


def read(page: PageLike) -> Definition:
    """Read a page.

    Args:
        page: the name of a bundled page (`"websocket"`), a path (an `os.PathLike`, or a text that
            ends in `.yaml` or `.yml`), or a `Definition`, which is returned as it is.

    Raises:
        PageError: with every problem of the page and of the pages it uses.
    """
    if isinstance(page, Definition):
        return page
    return _Reader().read(find(page))


def read_text(text: str, name: str = "<text>", folder: File | None = None) -> Definition:
    """Read a page from a text.

    Args:
        text: the YAML.
        name: what problems call the file.
        folder: where pages that it uses are looked for, before the bundled ones.

    Raises:
        PageError: as `read`.
    """
    return _Reader().read_text(text, str(folder / name) if folder else name)


def find(page: str | os.PathLike[str]) -> File:
    """The file of a page.

    Raises:
        PageError: no bundled page has that name.
    """
    text = os.fspath(page)
    if isinstance(page, os.PathLike) or text.endswith((".yaml", ".yml")):
        return File(text)
    file = specs() / f"{text}.yaml"
    if not file.is_file():
        remedy = did_you_mean(text, bundled(), "a path ends in `.yaml`")
        raise PageError(
            [Problem(file=text, line=1, column=1, what=f"no bundled page is called `{text}`", remedy=remedy)]
        )
    return file


def specs() -> File:
    """The folder of the bundled pages: in the package where it is installed, beside it in a checkout."""
    package = File(str(resources.files("lifecycle")))
    inside = package / "specs"
    return inside if inside.is_dir() else package.parent / "specs"


def bundled() -> tuple[str, ...]:
    """The names of the bundled pages."""
    return tuple(sorted(file.stem for file in specs().glob("*.yaml")))


@attrs.define
class _Reader:
    """One reading: every page that is met is read once, every problem is kept."""

    pages: dict[str, tuple[Page, Source] | None] = attrs.field(factory=dict)
    problems: list[Problem] = attrs.field(factory=list)

    def read(self, file: File) -> Definition:
        return self.finish(self.page(file))

    def read_text(self, text: str, name: str) -> Definition:
        try:
            value, source = yaml12.read_text(text, name)
        except yaml12.Unreadable as error:
            raise PageError(sorted(error.problems)) from None
        return self.finish(self.structured(value, source))

    def finish(self, found: tuple[Page, Source] | None) -> Definition:
        if found is None:
            raise PageError(sorted(self.problems))
        page, source = found
        tree, book = grow(page, source, self.load)
        definition = flatten(tree, book)
        self.problems += book.problems
        if not self.problems:  # what is unresolved would be told again, and wrongly
            self.problems += lint(definition)
        if self.problems:
            raise PageError(sorted(set(self.problems)))
        return definition

    def page(self, file: File) -> tuple[Page, Source] | None:
        name = str(file)
        if name not in self.pages:
            try:
                self.pages[name] = self.structured(*yaml12.read_file(file))
            except yaml12.Unreadable as error:
                self.problems += error.problems
                self.pages[name] = None
            self.called(self.pages[name], file.stem)
        return self.pages[name]

    def called(self, found: tuple[Page, Source] | None, stem: str) -> None:
        if found is not None and found[0].page != stem:
            what = f"the page is called `{found[0].page}` in a file called `{stem}`"
            self.problems.append(Spot(found[1], ("page",)).problem(what, "give both the same name"))

    def structured(self, value: object, source: Source) -> tuple[Page, Source] | None:
        page, problems = structure(value, Spot(source))
        self.problems += problems  # with any, the page is only looked at for more
        return (page, source) if page is not None else None

    def load(self, name: str, at: Spot) -> tuple[Page, Source] | None:
        """A used page: beside the page that uses it, else bundled."""
        user = at.source
        beside = File(user.name).parent / f"{name}.yaml"
        file = beside if beside.is_file() else specs() / f"{name}.yaml"
        if not file.is_file():
            known = {*bundled(), *(other.stem for other in File(user.name).parent.glob("*.yaml"))}
            self.problems.append(at.problem(f"no page is called `{name}`", did_you_mean(name, known)))
            return None
        return self.page(file)


@functools.cache
def _presets() -> Mapping[str, tuple[Cause, ...]]:
    file = File(str(resources.files("lifecycle.definition.read"))) / "causes.yaml"
    value, _ = yaml12.read_file(file)
    kind: Any = Mapping[str, tuple[Cause, ...]]
    made: Mapping[str, tuple[Cause, ...]] = converter().structure(value, kind)
    return made


presets.provide(_presets)
