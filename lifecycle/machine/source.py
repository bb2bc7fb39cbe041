"""Expressions, values and assignments as Python source, the same for recording and for running.

Law: whoever evaluates, evaluates this source. Variables are `v0, v1, …`, parameters `p[0], …`,
fields of the event `e.get('field')`. Nothing here can call anything but the helpers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from lifecycle.definition.backoff import Backoff
from lifecycle.definition.definition import Clock, Definition
from lifecycle.definition.expression import HELPERS, Expression, is_number
from lifecycle.definition.literal import Secret
from lifecycle.definition.page import Effect, Variable

_NUMERIC_VARIABLES = {"count", "number", "duration"}
_NUMERIC_PARAMETERS = {"count", "number", "size"}
_LARGEST = 1e15  # as in expressions, so that their arithmetic cannot run over; NaN is no larger and no smaller


class OutOfRange(Exception):
    """An assignment that a variable cannot take; the step that holds it did not happen."""


@attrs.define(eq=False)
class Writer:
    """Writes source in the slots of one definition."""

    definition: Definition
    variables: Mapping[str, int]
    parameters: Mapping[str, int]

    @classmethod
    def of(cls, definition: Definition) -> "Writer":
        """The writer of a definition."""
        return cls(
            definition,
            {name: index for index, name in enumerate(definition.variables)},
            {name: index for index, name in enumerate(definition.parameters)},
        )

    def expression(self, expression: Expression) -> str:
        """Source of an expression."""
        return expression.python(self.place, self.numeric)

    def value(self, value: Any) -> str:
        """Source of a value or template."""
        if isinstance(value, Expression):
            return self.expression(value)
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{name!r}: {self.value(part)}' for name, part in value.items())}}}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(self.value(part) for part in value)}]"
        return repr(value)

    def place(self, name: str) -> str:
        """Where a name's value is found."""
        if name.startswith("event."):
            return f"e.get({name.removeprefix('event.')!r})"
        if name in self.variables:
            return f"v{self.variables[name]}"
        if name in self.parameters:
            return f"p[{self.parameters[name]}]"
        return "None"

    def numeric(self, name: str) -> bool:
        """Whether a name is surely a number."""
        if name in self.definition.variables:
            return self.definition.variables[name].kind in _NUMERIC_VARIABLES
        parameter = self.definition.parameters.get(name)
        return parameter is not None and parameter.kind in _NUMERIC_PARAMETERS and parameter.default != "optional"

    def assignments(self, effect: Effect) -> list[str]:
        """Statements for one `set`: all of its values are taken before any is stored."""
        rows = list(effect.argument.items())
        if len(rows) == 1:
            [(name, value)] = rows
            return [f"v{self.variables[name]} = {self.stored(name, value)}"]
        taken = [f"t{self.variables[name]} = {self.stored(name, value)}" for name, value in rows]
        return [*taken, *(f"v{self.variables[name]} = t{self.variables[name]}" for name, _ in rows)]

    def stored(self, name: str, value: Any) -> str:
        """Source of a value as its variable takes it."""
        variable, index = self.definition.variables[name], self.variables[name]
        low, high = (self.end(variable, end) for end in ("min", "max"))
        if variable.kind == "flag" and isinstance(value, bool):
            return repr(value)
        return f"store{index}({self.value(value)}, {low}, {high})"

    def end(self, variable: Variable, which: str) -> str:
        """Source of an end of a variable's range; a count begins at 0 if it does not say."""
        given = getattr(variable, which)
        if given is None:
            return "0" if which == "min" and variable.kind == "count" else "None"
        return self.value(given)

    def length(self, clock: Clock) -> str:
        """Source of a clock's length: seconds, none, or a pair of a backoff and its attempt."""
        length = repr(clock.length) if not isinstance(clock.length, Expression) else self.expression(clock.length)
        if isinstance(clock.length, Backoff):
            length = f"backoff{self.definition.clocks.index(clock)}"
        return f"({length}, {self.place(clock.by)})" if clock.by else length

    def globals(self) -> dict[str, Any]:
        """What the source needs around it."""
        around: dict[str, Any] = dict(HELPERS)
        for name, variable in self.definition.variables.items():
            around[f"store{self.variables[name]}"] = store(name, variable)
        for index, clock in enumerate(self.definition.clocks):
            if isinstance(clock.length, Backoff):
                around[f"backoff{index}"] = clock.length
        return around

    def initial(self) -> tuple[Any, ...]:
        """The variables at the start; kept ones are none."""
        return tuple(None if each.kind == "kept" else each.initial for each in self.definition.variables.values())


def store(name: str, variable: Variable) -> Callable[[Any, Any, Any], Any]:
    """A function of a value and the ends of the range: the value as the variable takes it."""
    kind, initial = variable.kind, None if variable.kind == "kept" else variable.initial

    def clamped(value: Any, low: Any, high: Any) -> Any:
        if value is None:
            return initial
        if not is_number(value) or value != value:  # noqa: PLR0124 -- NaN, and a whole number of any length is not
            raise OutOfRange(f"`{name}` is a duration and cannot be {value!r}")
        value = max(value, 0 if low is None else low)
        return min(value, _LARGEST if high is None else high)

    def counted(value: Any, low: Any, high: Any) -> Any:
        if value is None:
            return initial
        if (type(value) is not int and (kind == "count" or not is_number(value))) or not abs(value) <= _LARGEST:
            raise OutOfRange(f"`{name}` is a {kind} and cannot be {value!r}")
        if (low is not None and value < low) or (high is not None and value > high):
            raise OutOfRange(f"`{name}` would be {value}, outside {low} to {'any' if high is None else high}")
        return value

    def chosen(value: Any, _: Any, __: Any) -> Any:
        if value is None:
            return initial
        if (kind == "flag" and not isinstance(value, bool)) or (kind == "choice" and value not in variable.of):
            raise OutOfRange(f"`{name}` is a {kind} and cannot be {value!r}")
        return value

    def kept(value: Any, _: Any, __: Any) -> Any:
        return Secret(value) if variable.initial == "secret" and isinstance(value, str) else value

    return {"duration": clamped, "count": counted, "number": counted, "flag": chosen, "choice": chosen, "kept": kept}[
        kind
    ]
