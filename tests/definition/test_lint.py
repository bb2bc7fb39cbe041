"""The checks as a whole: the bundled pages pass, every check is run, and all problems are told at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.definition import lint as room
from lifecycle.definition.read import bundled, read


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_page_passes(name: str) -> None:
    """Every page that we ship loads."""
    assert room.lint(read(name)) == []


def test_every_module_is_run() -> None:
    """No check is written and then forgotten."""
    modules = {file.stem for file in Path(room.__file__).parent.glob("*.py")}
    assert {check.__name__ for check in room.CHECKS} == modules - {"__init__", "common"}


def test_all_at_once(problems: Callable[..., list[str]]) -> None:
    """Problems of several themes are told together, in the order of the page."""
    page = """
states:
  a:
    clauses:
      X1: {on: lost, to: a}
  b: {rest: true}
"""
    assert problems(page) == [
        (
            "4:3: `a` may wait for ever: it has no clock and no call that ends it: "
            "give it an `after` with a `to`, or say `rest: true`"
        ),
        "6:16: `X1` waits for `lost`, which nothing tells: did you mean `closed`?",
        "7:3: `b` is never entered: no clause leads to it and it is not initial: lead one there, or take it out",
    ]
