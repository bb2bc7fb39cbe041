"""Variables, parameters and the conditions that read them.

Law: what is counted has a bound, for it is explored; what is kept is passed on, and never asked.
"""

from collections.abc import Mapping

from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.expression import Expression, is_number
from lifecycle.definition.lint.common import Problems, declared, effects, names_in
from lifecycle.definition.page import Effect, Parameter, Variable
from lifecycle.definition.problem import Spot


def values(definition: Definition) -> Problems:
    """Check bounds, initial values, and what conditions ask."""
    for name, variable in definition.variables.items():
        at = declared(definition, "variables", name)
        yield from _variable(name, variable, at)
        if variable.from_ is not None and definition.role not in (None, "server"):
            yield (at / "from").problem(
                f"`{name}` has `from` in a page with the role {definition.role}",
                "only a server has an upgrade request",
                key=True,
            )
    for name, parameter in definition.parameters.items():
        yield from _within(
            "default of the parameter", name, parameter, parameter.default, declared(definition, "parameters", name)
        )
    for effect, at in effects(definition):
        if effect.word == "set":
            yield from _taken(definition.variables, effect, at)
    for clause in definition.clauses.values():
        yield from _asked(definition.variables, clause)
        yield from _endless(definition.variables, clause.when, clause.at / "when")
    for index, law in enumerate(definition.laws):
        for kind in ("never", "always", "sometimes"):
            situation = getattr(law, kind)
            if situation is not None:
                yield from _endless(
                    definition.variables, situation.when, definition.at / "laws" / index / kind / "when"
                )


def _variable(name: str, variable: Variable, at: Spot) -> Problems:
    if variable.kind == "count" and variable.max is None:
        yield at.problem(
            f"the count `{name}` has no `max`",
            "say how far it can go: a number, or an expression over parameters",
            key=True,
        )
    if variable.kind != "duration":  # a duration may start outside: its bounds are for what a peer asks
        yield from _within("first value of", name, variable, variable.initial, at)


def _within(what: str, name: str, declared_as: Parameter | Variable, value: object, at: Spot) -> Problems:
    for end, wrong in (("min", "below"), ("max", "above")):
        limit = getattr(declared_as, end)
        if is_number(value) and is_number(limit) and (value < limit if end == "min" else value > limit):
            yield at.problem(f"the {what} `{name}` is {wrong} its `{end}`", "change one of them", key=True)


def _asked(variables: Mapping[str, Variable], clause: Clause) -> Problems:
    length = clause.clock.length if clause.clock else None
    asked = [("when", clause.when)] + (
        [(clause.clock.kind, length)] if clause.clock and isinstance(length, Expression) else []
    )
    for key, expression in asked:
        for name in sorted(expression.names if isinstance(expression, Expression) else ()):
            if name in variables and variables[name].kind == "kept":
                what = f"`{clause.id}` asks for `{name}`, which is only kept"
                yield (clause.at / key).problem(
                    what,
                    "what is kept is passed on, never asked: keep what you need in a count, flag, choice or duration",
                )


def _taken(variables: Mapping[str, Variable], effect: Effect, at: Spot) -> Problems:
    """What is kept could be anything, and nothing is explored for it."""
    for name, value in effect.argument.items():
        if variables[name].kind == "kept":
            continue
        for read in sorted(set(names_in(value)) & variables.keys()):
            if variables[read].kind == "kept":
                what = f"`{name}` is set to `{read}`, which is only kept"
                yield at.problem(what, "set it where the value comes from: by the event's field, or by the route")


def _endless(variables: Mapping[str, Variable], condition: Expression | None, at: Spot) -> Problems:
    """What a condition asks for has two ends, for each of its values is explored; a duration begins at 0."""
    for name in sorted(condition.names if condition is not None else ()):
        variable = variables.get(name)
        if variable is None or variable.kind not in ("number", "duration"):
            continue
        missing = [end for end in ("min", "max") if getattr(variable, end) is None]
        if variable.kind == "duration":
            missing = [end for end in missing if end == "max"]
        if missing:
            what = f"a condition asks for `{name}`, a {variable.kind} without `{'` and `'.join(missing)}`"
            yield at.problem(what, "say how far it can go, for what conditions ask is explored")
