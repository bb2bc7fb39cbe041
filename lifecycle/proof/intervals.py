"""What an expression's value can be, if each name may be anything between two numbers.

Law: sound. The value lies between the ends; where it may be none, or nothing better is known, the
ends are infinite. A name that stands twice is taken as two, so the ends may be wider than needed.
"""

import ast
import itertools
import math
from collections.abc import Callable, Mapping

Interval = tuple[float, float]
ANYTHING: Interval = (-math.inf, math.inf)


def interval(tree: ast.expr, names: Mapping[str, Interval]) -> Interval | None:
    """The ends of an expression's value; none if it surely is no number."""
    match tree:
        case ast.Constant(value=bool() | None | str()):
            return None
        case ast.Constant(value=int() | float() as value):
            return (value, value)
        case ast.Name(id=name):
            return names.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = interval(operand, names)
            return None if inner is None else (-inner[1], -inner[0])
        case ast.BinOp(left=left, op=op, right=right):
            one, other = interval(left, names), interval(right, names)
            return None if one is None or other is None else _combined(op, one, other)
    return ANYTHING


def _combined(op: ast.operator, one: Interval, other: Interval) -> Interval:
    match op:
        case ast.Add():
            return one[0] + other[0], one[1] + other[1]
        case ast.Sub():
            return one[0] - other[1], one[1] - other[0]
        case ast.Mult():
            return _corners(one, other, lambda x, y: x * y)
        case ast.Div() | ast.FloorDiv() if not other[0] <= 0 <= other[1]:
            low, high = _corners(one, other, lambda x, y: x / y)
            return (math.floor(low), math.floor(high)) if isinstance(op, ast.FloorDiv) else (low, high)
    return ANYTHING


def _corners(one: Interval, other: Interval, value: Callable[[float, float], float]) -> Interval:
    found = [value(x, y) for x, y in itertools.product(one, other)]
    return (min(found), max(found)) if all(map(math.isfinite, found)) else ANYTHING
