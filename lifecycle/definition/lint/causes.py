"""The table of causes: each row can fit, none stands behind one that always fits first, the last is `otherwise`.

Law: first fit decides. A preset's rows may stand behind any other: that is how a page overrides
them.
"""

from collections.abc import Iterator

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.page import ERROR_WORDS, Cause, Codes
from lifecycle.definition.presets import causes as presets
from lifecycle.definition.problem import Spot, did_you_mean
from .common import Problems

_KINDS = {"close": "close", "http": "http", "error": "error", "match": "refusal", "refusal": "refusal"}
"""Condition to what it speaks of; a row that speaks of two never fits."""


def causes(definition: Definition) -> Problems:
    """Check the page's rows, those of its presets excepted."""
    earlier: list[tuple[int, Cause]] = []
    rows = list(_rows(definition))
    for number, (row, at) in enumerate(rows, 1):
        if row.use is None:
            yield from _form(row, at)
            yield from _shadowed(row, at, earlier)
        earlier.append((number, row))
    if rows and definition.role in ("client", "server") and not any(row.otherwise for row, _ in rows):
        what = "no row of `causes` fits what the others do not"
        yield (definition.at / "causes").problem(what, "end with `{otherwise: true, is: …}`", key=True)


def _rows(definition: Definition) -> Iterator[tuple[Cause, Spot]]:
    """The page's own rows, with their places; a preset stands at one of them with all its rows."""
    known = definition.at.source.values
    index, left = 0, 0
    for row in definition.causes:
        at = definition.at / "causes" / index
        if at.path not in known:  # from here on they are those of used pages
            return
        yield row, at
        left = (left or len(presets()[row.use])) - 1 if row.use else 0
        index += not left


def _form(row: Cause, at: Spot) -> Problems:
    kinds = {kind for name, kind in _KINDS.items() if getattr(row, name)}
    if row.is_ is None:
        yield at.problem("a cause without a name", "say what it is: `is: lost.…`")
    if not row.otherwise and not kinds and row.text is None:
        yield at.problem(
            "a cause without a condition never fits",
            "give it `close`, `http`, `error`, `match`, `text` or `refusal`, or `otherwise: true`",
        )
    if row.otherwise and (kinds or row.text is not None):
        yield at.problem("`otherwise` beside a condition", "it fits everything: leave the condition out")
    if len(kinds) > 1 or (row.text is not None and kinds & {"http", "error"}):
        told = [name for name in (*_KINDS, "text") if getattr(row, name)]
        yield at.problem(
            f"a cause with {' and '.join(f'`{name}`' for name in told)} never fits", "make it one row each"
        )
    for index, word in enumerate(row.error):
        if word not in ERROR_WORDS:
            yield (at / "error" / index).problem(f"no error is called `{word}`", did_you_mean(word, ERROR_WORDS))


def _shadowed(row: Cause, at: Spot, earlier: list[tuple[int, Cause]]) -> Problems:
    """A row is dead if each of its codes and words is taken before it."""
    takers = [next((number for number, before in earlier if _covers(before, atom)), None) for atom in _atoms(row)]
    if all(takers):
        name = f"the cause `{row.is_}`" if row.is_ else "this cause"
        which = " and ".join(f"row {number}" for number in dict.fromkeys(takers))
        yield at.problem(
            f"{name} never fits: {which} fits first", "put the special case first, or take one of them out"
        )


def _atoms(row: Cause) -> list[Cause]:
    """The row for each of its codes, statuses or words alone."""
    for name in ("close", "http", "error"):
        given = getattr(row, name)
        if given and given != "any":
            return [attrs.evolve(row, **{name: (each,)}) for each in given]
    return [row]


def _covers(before: Cause, row: Cause) -> bool:
    """Whether one row fits whenever the other does."""
    if before.otherwise:
        return True
    if row.otherwise or not (any(getattr(before, name) for name in _KINDS) or before.text):
        return False
    return (
        _codes(before.close, row.close)
        and _codes(before.http, row.http)
        and (not before.error or bool(row.error) and set(row.error) <= set(before.error))
        and (not before.refusal or bool(row.refusal or row.match))
        and (before.text is None or before.text == row.text)
        and all(path in row.match and set(row.match[path]) <= set(values) for path, values in before.match.items())
    )


def _codes(before: Codes | None, row: Codes | None) -> bool:
    if before is None or (before == "any" and row is not None):
        return True
    if row is None or row == "any" or before == "any":
        return False
    return all(any(least <= low and high <= most for least, most in before) for low, high in row)
