"""What changed between two versions of a page: clauses, interface, laws and numbers, for review and for versioning.

Law: compares what the pages mean, never their text: moving a clause's line, or a comment, is no change;
another order of clauses in a state is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from lifecycle.definition.definition import Clause, Definition, State
from lifecycle.definition.expression import Expression
from lifecycle.definition.problem import Spot

from .report import Report

Weight = Literal["major", "minor", "patch"]
_ORDER: tuple[Weight, ...] = ("patch", "minor", "major")


@attrs.frozen
class Change:
    """One change: what kind of thing, which, what happened to it, and how it weighs for a version number."""

    kind: str
    name: str
    how: Literal["added", "removed", "changed"]
    said: str
    weight: Weight

    def __str__(self) -> str:
        """In one line."""
        sign = {"added": "+", "removed": "-", "changed": "~"}[self.how]
        return f"{sign} {self.kind} {self.name}{f': {self.said}' if self.said else ''}"


def diff(old: Definition, new: Definition, was: Report | None = None, now: Report | None = None) -> tuple[Change, ...]:
    """Every change from one page to another.

    Args:
        old: the page before.
        new: the page after.
        was: what is proven of the old one; laws and numbers are compared if both are there.
        now: what is proven of the new one.
    """
    found = [*_pages(old, new)]
    if was is not None and now is not None:
        found += [*_laws(was, now), *_numbers(was, now)]
    return tuple(found)


def weight(changes: tuple[Change, ...]) -> Weight | None:
    """The part of a version number that moves: the heaviest of all; none if nothing changed."""
    weights: set[Weight] = {change.weight for change in changes}
    return next((heavy for heavy in reversed(_ORDER) if heavy in weights), None)


def _pages(old: Definition, new: Definition) -> Iterator[Change]:
    # what an embedder or a user interface holds on to; what is taken away breaks them
    for kind, group in (("parameter", "parameters"), ("wish", "hears"), ("call", "calls")):
        yield from _compared(kind, getattr(old, group), getattr(new, group), "major", _required)
    yield from _compared("variable", old.variables, new.variables, "patch")
    yield from _compared("state", _bare(old), _bare(new), "minor")
    yield from _compared("clause", old.clauses, new.clauses, "minor")
    yield from _reordered(old, new)
    for kind, group in (
        ("causes", "causes"),
        ("messages", "messages"),
        ("requests", "requests"),
        ("dial", "dial"),
        ("promises", "laws"),
    ):
        if _plain(getattr(old, group)) != _plain(getattr(new, group)):
            yield Change(kind, "", "changed", "", "minor")
    for name in ("role", "stop", "latency", "min_time_per_dial"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(
                "header",
                f"`{name}`",
                "changed",
                f"{before} → {after}",
                "major" if name in ("role", "stop") else "minor",
            )


def _required(value: Any) -> bool:
    return getattr(value, "default", None) == "required"


def _compared(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any], gone: Weight, demands: Any = lambda _: False
) -> Iterator[Change]:
    for name in old.keys() - new.keys():
        yield Change(kind, f"`{name}`", "removed", "", gone)
    for name, value in new.items():
        if name not in old:
            yield Change(kind, f"`{name}`", "added", "", "major" if demands(value) else "minor")
        elif _plain(old[name]) != _plain(value):
            yield Change(kind, f"`{name}`", "changed", "; ".join(_parts(old[name], value)), "minor")


def _parts(old: Any, new: Any) -> Iterator[str]:
    """The attributes that differ, old and new."""
    if not attrs.has(type(old)):
        yield f"{_said(old)} → {_said(new)}"
        return
    for field in attrs.fields(type(old)):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name != "at" and _plain(before) != _plain(after):
            yield f"{field.name.rstrip('_')} {_said(before)} → {_said(after)}"


def _said(value: Any) -> str:
    match value:
        case None | ():
            return "none"
        case Expression():
            return f"`{value.text}`"
        case list() | tuple():
            return ", ".join(_said(part) for part in value)
        case _ if hasattr(value, "word"):
            return str(value.word) if value.argument is None else f"{value.word} {_said(value.argument)}"
        case Mapping():
            return "{" + ", ".join(f"{name}: {_said(part)}" for name, part in value.items()) + "}"
        case _ if hasattr(value, "text"):
            return str(value.text)
    return f"`{value}`"


def _bare(page: Definition) -> dict[str, State]:
    return {path: attrs.evolve(state, clauses=(), states=()) for path, state in page.states.items() if path}


def _reordered(old: Definition, new: Definition) -> Iterator[Change]:
    for path in old.states.keys() & new.states.keys():
        before, after = (_ids(page.states[path].clauses) for page in (old, new))
        common = set(before) & set(after)
        if [id_ for id_ in before if id_ in common] != [id_ for id_ in after if id_ in common]:
            said = f"{', '.join(before)} → {', '.join(after)}"
            yield Change("order of clauses in", f"`{path or 'the page'}`", "changed", said, "minor")


def _ids(clauses: tuple[Clause, ...]) -> list[str]:
    return [clause.id for clause in clauses]


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return ("=", value.text)
    if isinstance(value, Spot):
        return None
    if attrs.has(type(value)):
        return [(field.name, _plain(getattr(value, field.name))) for field in attrs.fields(type(value))]
    if isinstance(value, Mapping):
        return [(name, _plain(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _laws(was: Report, now: Report) -> Iterator[Change]:
    before, after = ({row.law: row.kept for row in report.laws} for report in (was, now))
    words = {True: "kept", False: "broken", None: "not judged"}
    for law in dict.fromkeys((*before, *after)):
        if law not in after or law not in before:
            yield Change("law", f"`{law}`", "removed" if law in before else "added", "", "minor")
        elif before[law] != after[law]:
            weight_: Weight = "major" if before[law] and not after[law] else "minor"
            yield Change("law", f"`{law}`", "changed", f"{words[before[law]]} → {words[after[law]]}", weight_)


def _numbers(was: Report, now: Report) -> Iterator[Change]:
    for name in dict.fromkeys((*was.measures, *now.measures)):
        before, after = was.measures.get(name), now.measures.get(name)
        if before != after:
            said = f"{_number(before)} → {_number(after)}"
            yield Change("number", f"`{name}`", "changed", said, "patch")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{round(value, 3):g}"
