"""Which values of an event's fields are worth telling apart: each that is asked for, one beside each, and none.

Law: two values between which no guard and no assignment can tell are one. What is tried stands for
all, as long as fields are compared with constants, parameters, or counted variables.
"""

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import attrs

from lifecycle.definition.definition import Clause, Definition
from lifecycle.definition.expression import Expression, is_number, value
from lifecycle.definition.page import Variable

MOST_VALUATIONS = 64
LONGEST_RANGE = 32
_LARGEST = 1e15
_OBJECT = ()
_OTHER = "…"
"""A text that no page compares with."""


@attrs.frozen
class Field:
    """What a field of an event may hold.

    Attributes:
        shape: number, duration, text, flag, object, or anything.
        only: the values that alone are possible; none says that the shape decides.
        ranges: pairs of the lowest and the highest number that are possible.
    """

    shape: str = "anything"
    only: tuple[Any, ...] | None = None
    ranges: tuple[tuple[int, int], ...] = ()


ANYTHING = Field()


class TooManyValues(ValueError):
    """The guards of an event tell apart more valuations than can be explored."""


def valuations(
    definition: Definition, clauses: Iterable[Clause], fields: Mapping[str, Field], parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The fields of an event, in every way that some clause could tell from the others.

    Args:
        definition: the page.
        clauses: those that may take the event.
        fields: what the event brings; a field that is not here is none.
        parameters: the values of the page's parameters.

    Raises:
        TooManyValues: there are more than 64 ways.
    """
    clauses = list(clauses)
    asked = {field: Asked(definition, parameters, field) for field in fields}
    for clause in clauses:
        for field in _fields(clause.when):
            if field in asked:
                asked[field].compared(clause.when)
        for variable, field in _stored(clause):
            if field in asked:
                asked[field].stored(variable)
    tried = {name: values for name, one in asked.items() if (values := one.values(fields[name]))}
    guarded = {field for clause in clauses for field in _fields(clause.when)} & tried.keys()
    known = {*parameters, *(f"event.{name}" for name in guarded)}
    storing = [
        (_decided(clause.when, known), only)
        for clause in clauses
        if (only := {field for _, field in _stored(clause)} & tried.keys() - guarded)
    ]
    found: list[dict[str, Any]] = []
    for decided in _each({name: tried[name] for name in tried if name in guarded}):
        # what is only stored matters only where its clause can be taken
        names = {**parameters, **{f"event.{name}": value for name, value in decided.items()}}
        stored = {name for parts, only in storing if all(part(names) for part in parts) for name in only}
        free = {name: tried[name] if name in stored else tried[name][:1] for name in tried if name not in guarded}
        found += [{name: {**decided, **rest}[name] for name in tried} for rest in _each(free)]
        if len(found) > MOST_VALUATIONS:
            told = ", ".join(f"`event.{name}` ({len(values)})" for name, values in tried.items())
            raise TooManyValues(
                f"it would be told apart by {told}, and no more than {MOST_VALUATIONS} kinds of it can be explored"
            )
    return found


def _each(tried: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(tried, values, strict=True)) for values in itertools.product(*tried.values()))


def _decided(when: Expression | None, known: AbstractSet[str]) -> list[Callable[[Mapping[str, Any]], Any]]:
    """The parts of a guard that can be answered by these names; what it asks of others may be either way."""
    if when is None:
        return []
    tree = when.tree
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return [part.function for part in map(Expression.of, parts) if part.names <= known]


def _fields(expression: Expression | None) -> frozenset[str]:
    return expression.fields if expression is not None else frozenset()


def _stored(clause: Clause) -> Iterator[tuple[str, str]]:
    """Each variable that a clause sets, with each field of the event that it is set by."""
    for effect in clause.do:
        if effect.word == "set":
            for variable, value in effect.argument.items():
                for field in _fields(value if isinstance(value, Expression) else None):
                    yield variable, field


class Asked:
    """What is asked of one name, be it a field or a variable: the points at which an answer may change."""

    def __init__(self, definition: Definition, parameters: Mapping[str, Any], name: str) -> None:
        self.definition, self.parameters = definition, parameters
        self.name = f"event.{name}"
        self.points: set[Any] = set()
        self.truth = self.kinds = self.absence = False

    def compared(self, expression: Expression | None) -> None:
        """Note what an expression compares the name with."""
        if expression is None:
            return
        inner = {id(node) for compare in _compares(expression) for node in ast.walk(compare)}
        self.truth |= any(
            isinstance(n, ast.Name) and n.id == self.name and id(n) not in inner for n in ast.walk(expression.tree)
        )
        for compare in _compares(expression):
            sides = [compare.left, *compare.comparators]
            if any(isinstance(node, ast.Name) and node.id == self.name for side in sides for node in ast.walk(side)):
                for side in sides:
                    self.points.update(self._known(side))
                    self.absence |= isinstance(side, ast.Constant) and side.value is None

    def stored(self, variable: str) -> None:
        """Note that the name goes into a variable."""
        declared = self.definition.variables[variable]
        if declared.kind == "kept":
            return
        self.kinds = True
        match declared.kind:
            case "flag":
                self.points.update((True, False))
            case "choice":
                self.points.update((*declared.of, _OTHER))
            case "duration":
                self.points.update((0, _LARGEST, *ends(declared, self.parameters)))
                self.points.update(told_apart(self.definition, self.parameters, variable))
            case _:
                low, high = ends(declared, self.parameters)
                if declared.kind == "count" and high is not None and high - (low or 0) <= LONGEST_RANGE:
                    self.points.update(range(int(low or 0) - 1, int(high) + 2))
                else:
                    self.points.update(
                        point for end in (low, high) if end is not None for point in (end - 1, end, end + 1)
                    )
                self.points.update(told_apart(self.definition, self.parameters, variable))

    def values(self, field: Field) -> list[Any]:
        """The values worth trying; none if nothing is asked."""
        if not (self.points or self.truth or self.kinds or self.absence):
            return []
        if field.only is not None:
            return list(field.only)
        found: list[Any] = [None]
        texts = {point for point in self.points if isinstance(point, str)}
        numbers = {point for point in self.points if is_number(point)}
        flags = {point for point in self.points if isinstance(point, bool)}
        if field.shape in ("number", "duration", "anything") and (numbers or self.truth):
            found += [x for x in spread(numbers or {1}) if field.shape != "duration" or x >= 0]
        if field.shape in ("text", "secret", "url", "anything") and (
            texts or self.truth or (self.kinds and field.shape == "anything")
        ):
            found += [*sorted(texts), _OTHER]
        if field.shape in ("flag", "anything") and (flags or self.truth):
            found += [True, False]
        if self.absence and len(found) == 1:
            found.append({"number": 1, "duration": 1, "flag": False, "object": _OBJECT}.get(field.shape, _OTHER))
        if field.ranges:
            inside = [x for x in found if is_number(x) and any(low <= x <= high for low, high in field.ranges)]
            found = [*inside, *(end for pair in field.ranges for end in pair)]
        return list({(type(x), x): x for x in found}.values())  # 1 is not true here

    def _known(self, node: ast.expr) -> Iterator[Any]:
        match node:
            case ast.Constant(value=value) if value is not None:
                yield value
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                for part in parts:
                    yield from self._known(part)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                yield -value
            case ast.Name(id=name) if name in self.parameters:
                if isinstance(self.parameters[name], str | int | float):
                    yield self.parameters[name]
            case ast.Name(id=name) if name in self.definition.variables:
                yield from domain(self.definition.variables[name], self.parameters)
            case _:
                for inner in ast.iter_child_nodes(node):
                    if isinstance(inner, ast.expr):
                        yield from self._known(inner)


def told_apart(definition: Definition, parameters: Mapping[str, Any], variable: str) -> list[float]:
    """Numbers between which conditions tell a variable apart: each that it is compared with, and one on either side."""
    asked = Asked(definition, parameters, "")
    asked.name = variable
    for clause in definition.clauses.values():
        asked.compared(clause.when)
    for law in definition.laws:
        for situation in (law.never, law.always, law.sometimes):
            asked.compared(situation.when if situation is not None else None)
    numbers = [point for point in asked.points if is_number(point)]
    return spread(numbers) if numbers else []


def _compares(expression: Expression) -> list[ast.Compare]:
    return [node for node in ast.walk(expression.tree) if isinstance(node, ast.Compare)]


def spread(points: Iterable[float]) -> list[float]:
    """The points, one between each two, and one on either side."""
    ordered = sorted(set(points))
    between = [(low + high) / 2 for low, high in itertools.pairwise(ordered) if high - low > 1 or not _whole(low, high)]
    return sorted({ordered[0] - 1, *ordered, *between, ordered[-1] + 1})


def _whole(*numbers: float) -> bool:
    return all(isinstance(number, int) for number in numbers)


def ends(variable: Variable, parameters: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The ends of a variable's range; none where it has none. A count begins at 0."""
    found = [_number(value(end, lambda: parameters)) for end in (variable.min, variable.max)]
    if found[0] is None and variable.kind in ("count", "duration"):
        found[0] = 0
    return found[0], found[1]


def _number(value: Any) -> float | None:
    return value if is_number(value) else None


def domain(variable: Variable, parameters: Mapping[str, Any]) -> Sequence[Any]:
    """Every value of a variable that is counted or chosen; of one that is measured, its ends and its first."""
    match variable.kind:
        case "flag":
            return (False, True)
        case "choice":
            return variable.of
        case "kept":
            return (None,)
    low, high = ends(variable, parameters)
    if variable.kind == "count":
        return range(int(low or 0), int(variable.initial if high is None else high) + 1)
    return sorted({variable.initial, *(end for end in (low, high) if end is not None)})
