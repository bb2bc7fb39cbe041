"""What the tests of reading share: the problems of a page that is given as a text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.definition.read import read_text
from lifecycle.errors import PageError


@pytest.fixture
def problems() -> Callable[..., list[str]]:
    """Say what is wrong with a page of which only the first two lines are not given, as `line:column: what: remedy`.

    Problems of another page begin with its file.
    """

    def found(text: str, folder: Path | None = None) -> list[str]:
        try:
            read_text(f"lifecycle: 1\npage: p{text}", "p.yaml", folder)
        except PageError as error:
            told = [str(each).removeprefix(f"{folder}/") for each in error.problems]
            return [each.removeprefix("p.yaml:") for each in told]
        return []

    return found
