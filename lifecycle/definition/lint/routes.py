"""The table of routes: each row has one outcome, or delivers beside an event, and can be reached.

Law: the first row that matches decides; a row without `match` matches everything.
"""

from lifecycle.definition.definition import Definition
from lifecycle.definition.lint.common import Problems
from lifecycle.definition.page import Route
from lifecycle.definition.problem import Spot

_OUTCOMES = ("deliver", "answer", "raise_", "refusal", "clause", "discard")
_BOTH = ({"deliver", "raise"}, {"deliver", "refusal"})
_BESIDE = {
    "ok": ("answer",),
    "result": ("answer",),
    "error": ("answer",),
    "fields": ("raise_",),
    "sequence": ("deliver", "raise_"),
    "dedupe": ("deliver",),
}


def routes(definition: Definition) -> Problems:
    """Check each row, and its place among the others."""
    rows = definition.messages.routes
    for index, row in enumerate(rows):
        at = definition.at / "messages" / "routes" / index
        yield from _form(row, at)
        before = next((number for number, other in enumerate(rows[:index], 1) if _covers(other, row)), None)
        if before is not None:
            yield at.problem(
                f"this route never matches: route {before} matches first",
                "put the special case first, or take one of them out",
            )
        if row.clause is not None:
            yield from _clause(definition, row.clause, at / "clause")


def _form(row: Route, at: Spot) -> Problems:
    found = [name.removesuffix("_") for name in _OUTCOMES if getattr(row, name)]
    if len(found) != 1 and set(found) not in _BOTH:
        what = f"a route with {' and '.join(f'`{name}`' for name in found)}" if found else "a route without an outcome"
        yield at.problem(
            what, "one of deliver, answer, raise, refusal, clause, discard: say what becomes of the message"
        )
    for name, owners in _BESIDE.items():
        if getattr(row, name) and not any(getattr(row, owner) for owner in owners):
            said = " or ".join(f"`{owner.removesuffix('_')}`" for owner in owners)
            yield (at / name).problem(f"`{name}` without {said}", "it means nothing here: leave it out", key=True)


def _covers(before: Route, row: Route) -> bool:
    return all(path in row.match and set(row.match[path]) <= set(values) for path, values in before.match.items())


def _clause(definition: Definition, name: str, at: Spot) -> Problems:
    clause = definition.clauses.get(name)
    if clause is None or clause.clock is None:
        what = f"a route reports `{name}`, which is no clause of a clock"
        yield at.problem(what, "monitors are told of clocks by `clause`, and of events by `raise`")
