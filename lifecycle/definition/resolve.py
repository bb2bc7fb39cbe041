"""Values, lengths and names of one page in the names of the whole.

Law: what is unknown is told at its place and left; nothing is raised.
"""

from collections.abc import Mapping
from typing import Any

from .backoff import Backoff
from .expression import Expression
from .instance import Instance
from .problem import Spot, did_you_mean


def value(one: Instance, given: Any, at: Spot, fields: tuple[str, ...] | None, extra: tuple[str, ...] = ()) -> Any:
    """A value or template with its expressions resolved.

    Args:
        one: whose names they are written in.
        given: what is written.
        at: where.
        fields: the event fields that can be read here; None means that any can.
        extra: further names that exist here.
    """
    if isinstance(given, Expression):
        return one.resolve(given, at, fields, extra)
    if isinstance(given, Mapping):
        return {name: value(one, part, at / name, fields, extra) for name, part in given.items()}
    if isinstance(given, list):
        return [value(one, part, at / index, fields, extra) for index, part in enumerate(given)]
    return given


def length(one: Instance, given: Any, at: Spot, fields: tuple[str, ...]) -> Any:
    """The length of a clock or a deadline; what `with` has fixed is a constant."""
    made = value(one, given, at, fields)
    constant = getattr(made.tree, "value", None) if isinstance(made, Expression) else None
    return constant if isinstance(constant, float | int | Backoff) else made


def variable(one: Instance, name: str, at: Spot) -> str:
    """The full name of a variable; one that does not exist is told and left as it is."""
    full = one.variable(name)
    if full is None:
        known = [n.removeprefix(one.prefix) for n in one.book.variables if n.startswith(one.prefix)]
        one.book.tell(at.problem(f"no variable named `{name}`", did_you_mean(name, known), key=True))
    return full or name


def frame(one: Instance, name: Any, at: Spot) -> Any:
    """The full name of a frame; one that does not exist is told and none."""
    full = one.frame(name) if name is not None else None
    if full is None and name is not None:
        known = [n.removeprefix(one.prefix) for n in one.book.frames if n.startswith(one.prefix)]
        one.book.tell(
            at.problem(f"no frame named `{name}`", did_you_mean(name, known, "declare it under `messages: frames`"))
        )
    return full
