"""The types that a page's values have, inside and where a program writes them.

Law: a type is never narrower than what the machine lets through: what was kept may be none, and what is
more than a name, a constant or a template may be anything. A secret is a text, and is not shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lifecycle.definition.definition import Definition
from lifecycle.definition.expression import Expression
from lifecycle.definition.page import OPTIONAL, Scalar

from .declarations import constant, one_of

INSIDE: Mapping[str, str] = {
    "object": "Any",
    "text": "str",
    "number": "float",
    "flag": "bool",
    "duration": "float",
    "secret": "str",
    "count": "int",
    "size": "int",
    "url": "str",
}
"""What a value is inside, by shape or type: a duration is a number of seconds."""
GIVEN: Mapping[str, str] = {
    **INSIDE,
    "duration": "Duration",
    "size": "str | int",
    "backoff": "Backoff",
    "jitter": "Jitter",
}
"""What a program may write for it."""


def choice(values: Iterable[Scalar]) -> str:
    """The type of what is one of these."""
    return one_of(map(constant_type, values))


def or_none(kind: str) -> str:
    """The type of what may also be none."""
    return one_of([kind, "None"])


def constant_type(value: Any) -> str:
    """The type of a plain value: what it says."""
    if value is None:
        return "None"
    if isinstance(value, bool | int | str):
        return f"Literal[{constant(value)}]"
    return "float" if isinstance(value, float) else "Any"


def value_type(definition: Definition, value: Any, extra: Mapping[str, str] | None = None) -> str:
    """The type that a value of a page has inside: of a constant, or of an expression that is a name.

    Args:
        definition: the page.
        value: what is written in it; lists and mappings are left open.
        extra: further names that expressions know here, and their types.
    """
    if not isinstance(value, Expression):
        return constant_type(value)
    if value.text in definition.variables:
        variable = definition.variables[value.text]
        if variable.kind == "kept":
            return or_none(INSIDE[variable.initial])
        return choice(variable.of) if variable.kind == "choice" else INSIDE[variable.kind]
    if value.text in definition.parameters:
        parameter = definition.parameters[value.text]
        kind = choice(parameter.of) if parameter.kind == "choice" else INSIDE.get(parameter.kind, "Any")
        return or_none(kind) if parameter.default == OPTIONAL or parameter.kind == "duration" else kind
    return (extra or {}).get(value.text, "Any")
