"""The table of causes: each row can fit, none stands behind one that always fits first, the last is `otherwise`.

Law: first fit decides. A preset's rows may stand behind any other: that is how a page overrides
them.
"""

from typing import Any

import attrs

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.common import Problems, cause_rows
from lifecycle.definition.page import ERROR_WORDS, REDIRECTS, Cause, Codes
from lifecycle.definition.problem import Spot, did_you_mean

_KINDS = {"close": "close", "http": "http", "error": "error", "match": "refusal", "refusal": "refusal"}
"""Condition to what it speaks of; a row that speaks of two never fits."""


def causes(definition: Definition) -> Problems:
    """Check the page's own rows, those of its presets excepted."""
    rows = [(row, at) for row, at in cause_rows(definition) if isinstance(at.path[-1], int)]
    for number, (row, at) in enumerate(rows):
        if row.use is None:
            yield from _form(row, at)
            yield from _shadowed(row, at, rows[:number])
    if rows and definition.role in {"client", "server"} and not any(row.otherwise for row, _ in rows):
        what = "no row of `causes` fits what the others do not"
        yield (definition.at / "causes").problem(what, "end with `{otherwise: true, is: …}`", key=True)


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
    yield from _sent_on(row, at)
    for index, word in enumerate(row.error):
        if word not in ERROR_WORDS:
            yield (at / "error" / index).problem(f"no error is called `{word}`", did_you_mean(word, ERROR_WORDS))


def _sent_on(row: Cause, at: Spot) -> Problems:
    """A row that says where to go looks where that can stand; `otherwise` cannot ask for anything."""
    if row.endpoint in (None, "next"):
        return
    where, key = ("an answer of HTTP", "http") if row.endpoint == "header" else ("a refusal's object", "refusal")
    kinds = {kind for name, kind in _KINDS.items() if getattr(row, name)}
    if row.otherwise:
        what, remedy = "`otherwise` fits everything, and this `endpoint` need not be there", "put a row above it"
    elif key not in kinds and not (key == "refusal" and row.text is not None and not kinds):
        what, remedy = f"`endpoint: {row.endpoint}` is found in {where}, and this row has none", f"give it `{key}`"
    elif key == "http" and not _all_redirects(row.http):
        what, remedy = "`endpoint: header` with a status that sends nowhere", "write `http: [301-303, 307, 308]`"
    else:
        return
    yield (at / "endpoint").problem(what, remedy, key=True)


def _all_redirects(codes: Codes | None) -> bool:
    return isinstance(codes, tuple) and all(REDIRECTS.issuperset(range(low, high + 1)) for low, high in codes)


def _shadowed(row: Cause, at: Spot, earlier: list[tuple[Cause, Spot]]) -> Problems:
    """A row is dead if each of its codes and words is taken before it."""
    takers = [next((place for before, place in earlier if _covers(before, atom)), None) for atom in _atoms(row)]
    rows = dict.fromkeys(f"row {int(place.path[-1]) + 1}" for place in takers if place)
    if all(takers):
        name = f"the cause `{row.is_}`" if row.is_ else "this cause"
        what = f"{name} never fits: all that it asks for is taken before it, by {' and '.join(rows)}"
        yield at.problem(what, "put the special case first, or take one of them out")


def _atoms(row: Cause) -> list[Cause]:
    """The row for each of its codes, statuses or words alone."""
    for name in ("close", "http", "error"):
        given = getattr(row, name)
        if given and given != "any":
            alone: list[dict[str, Any]] = [{name: (each,)} for each in given]
            return [attrs.evolve(row, **changes) for changes in alone]
    return [row]


def _covers(before: Cause, row: Cause) -> bool:
    """Whether one row fits whenever the other does."""
    if before.otherwise:
        return True
    if row.otherwise or not (any(getattr(before, name) for name in _KINDS) or before.text):
        return False
    return (
        before.endpoint in (None, "next", row.endpoint)
        and _codes(before.close, row.close)
        and _codes(before.http, row.http)
        and (not before.error or (bool(row.error) and set(row.error) <= set(before.error)))
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
